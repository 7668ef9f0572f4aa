"""Runs the programs of peers/, which tell on standard output what they see, a line an event."""

import hashlib
import os
import subprocess
import sys
import threading

from holdfast_test.process import PATIENCE_SECONDS, ROOT, wait_until

PEERS = ROOT / "tests/interop/peers"
BUILT = ROOT / "build/interop"
NODE = ["node", "--unhandled-rejections=strict"]
ENVIRONMENT = {**os.environ, "NODE_PATH": str(BUILT / "node/node_modules")}

WEBSOCKET_PEERS = {
    "python": [sys.executable, PEERS / "python/peer.py"],
    "node": [*NODE, PEERS / "node/peer.js"],
    "go": [BUILT / "go/peer"],
    "rust": [BUILT / "rust/release/peer"],
}


def as_bytes(content):
    return content.encode() if isinstance(content, str) else content


def told(content):
    """The line that tells of a text or a binary message with this content."""
    kind = "text" if isinstance(content, str) else "binary"
    data = as_bytes(content)
    return f"{kind} {len(data)} {hashlib.sha256(data).hexdigest()}"


def ended(*command):
    """(exit status, output) of a program that ends by itself."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, env=ENVIRONMENT
    )
    return done.returncode, done.stdout + done.stderr


def run(*command):
    """What a program that ends by itself has told."""
    status, output = ended(*command)
    assert status == 0, output
    return output.splitlines()


class Server:
    """A program that prints its port, and then what happens until stop()."""

    def __init__(self, *command):
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        self._lines = []
        threading.Thread(target=self._follow, daemon=True).start()
        port = wait_until(lambda: self._lines, f"a port of {command}")[0]
        self.endpoint = ("127.0.0.1", int(port))

    def _follow(self):
        for line in self._process.stdout:
            self._lines.append(line.rstrip("\n"))

    def told(self, path=None):
        """Its lines; of one path, those that begin with it, without it."""
        lines = self._lines[1:]
        if path is None:
            return lines
        return [line[len(path) + 1 :] for line in lines if line.startswith(f"{path} ")]

    def stop(self):
        self._process.kill()
        self._process.wait()
