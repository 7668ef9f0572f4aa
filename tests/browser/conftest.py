"""The demo, started for each test, and a browser, started once.

The demo runs on ports that were free a moment before, from manifests of its own (demo.py copies
them, for the ports differ). HOLDFAST_BINARY names another binary than build/release/bin/holdfast.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from devtools import Browser

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("HOLDFAST_BINARY", str(ROOT / "build/release/bin/holdfast"))
STOP_SECONDS = 15


def free_ports(host, count):
    """The first of `count` neighbouring ports that nobody has."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind((host, 0))
            first = probe.getsockname()[1]
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return first
    raise RuntimeError(f"no {count} neighbouring free ports on {host}")


class Demo:
    def __init__(self):
        self.http_port = free_ports("127.0.0.1", 1)
        self.admin_port = free_ports("127.0.0.1", 1)
        self.backend_port = free_ports("127.0.0.2", 2)
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "deploy/demo/demo.py", "--binary", BINARY,
             "--http-port", str(self.http_port), "--admin-port", str(self.admin_port),
             "--backend-port", str(self.backend_port)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = ""
        for line in self.process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        else:
            raise RuntimeError(f"the demo did not start (status {self.process.wait()})")
        self.said = said
        self.url = f"http://127.0.0.1:{self.http_port}/"
        self.manifests = pathlib.Path(re.search(r"Manifests\s+(\S+)", said)[1])

    def stop_pod(self, name):
        os.kill(int(re.search(rf"{name} \(process (\d+)\)", self.said)[1]), signal.SIGTERM)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        return status


@pytest.fixture
def demo():
    demo = Demo()
    yield demo
    assert demo.stop() == 0


@pytest.fixture(scope="session")
def chromium_program():
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, "chromium is not installed; deploy/install-dependencies browser installs it"
    return program


@pytest.fixture(scope="session")
def chromium(chromium_program, tmp_path_factory):
    browser = Browser(chromium_program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium):
    yield chromium
    chromium.close_windows()
