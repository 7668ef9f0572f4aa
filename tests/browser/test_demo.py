"""The demo as a program: what it prints works, and it leaves nothing behind."""

import re
import socket
import subprocess
import sys
import urllib.request

import pytest

from conftest import BINARY, ROOT, STOP_SECONDS, Demo, free_ports


@pytest.fixture
def own_demo():
    """One that the test itself stops."""
    demo = Demo()
    yield demo
    if demo.process.poll() is None:
        demo.stop()


def test_printed_command_line_talks(demo):
    address = re.search(r"-m websockets (ws://\S+)", demo.said)[1]
    client = subprocess.Popen(
        ["/usr/bin/python3", "-u", "-m", "websockets", address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = ""
    try:
        for line in client.stdout:
            said += line
            if "Say something." in line:
                client.stdin.write("ahoy\n")
                client.stdin.flush()
            if ": ahoy" in line:
                break
    finally:
        client.terminate()
        client.wait(STOP_SECONDS)
        client.stdin.close()
        client.stdout.close()
    assert re.search(r"guest-1-of-(pod-[ab]) \(\1\): ahoy", said), said


def test_printed_metrics_address_answers(demo):
    address = re.search(r"Metrics\s+(\S+)", demo.said)[1]
    with urllib.request.urlopen(address, timeout=5) as response:
        assert "# TYPE holdfast_" in response.read().decode()


def test_stop_frees_every_port_and_removes_its_folder(own_demo):
    assert own_demo.manifests.exists()
    assert own_demo.stop() == 0
    for host, port in [
        ("127.0.0.1", own_demo.http_port), ("127.0.0.1", own_demo.admin_port),
        ("127.0.0.2", own_demo.backend_port), ("127.0.0.3", own_demo.backend_port),
    ]:  # fmt: skip
        with socket.socket() as probe:
            assert probe.connect_ex((host, port)) != 0, f"{host}:{port} is still served"
    assert not own_demo.manifests.parent.exists()


def test_taken_port_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, ROOT / "deploy/demo/demo.py", "--binary", BINARY,
             "--http-port", str(port), "--admin-port", str(free_ports("127.0.0.1", 1)),
             "--backend-port", str(free_ports("127.0.0.2", 2))],
            capture_output=True, text=True, timeout=STOP_SECONDS,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"demo: 127.0.0.1:{port} cannot be used (Address already in use);"
        " choose another port with --http-port.\n"
    )
