"""The real binary as a process: started, watched through its own log, stopped by its pid."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("HOLDFAST_BINARY", str(ROOT / "build/release/bin/holdfast"))
PATIENCE_SECONDS = 20
POLL_SECONDS = 0.01


def wait_until(condition, what, patience=PATIENCE_SECONDS, poll=POLL_SECONDS):
    """Polls until `condition()` is true and returns its value; fails the test after `patience`."""
    deadline = time.monotonic() + patience
    event = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain for {what}")
        event.wait(poll)


def memory_kib(pid):
    """(resident, private) memory, as /proc tells."""
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        fields[name.rstrip(":")] = int(value)
    return fields["Rss"], fields["Private_Clean"] + fields["Private_Dirty"]


class Holdfast:
    """One running holdfast. `prefix` goes in front of the command (nsenter, prlimit).
    TLS is served on a port of the kernel's choice: many run at a time."""

    def __init__(
        self, *arguments, prefix=(), environment=None, binary=None, stdout=subprocess.PIPE
    ):
        self.process = subprocess.Popen(
            [*prefix, binary or BINARY, *[str(argument) for argument in arguments]],
            stdout=stdout,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={"HOLDFAST_HTTPS_LISTEN": "127.0.0.1:0", **os.environ, **(environment or {})},
        )
        self._lock = threading.Lock()
        self._log = []
        self._access = []
        self._threads = [self._follow(self.process.stderr, self._log)]
        if self.process.stdout is not None:
            self._threads.append(self._follow(self.process.stdout, self._access))

    def _follow(self, pipe, lines):
        def read():
            for line in pipe:
                with self._lock:
                    lines.append(line.decode("utf-8", "replace").rstrip("\n"))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def _parsed(self, lines):
        with self._lock:
            copies = list(lines)
        parsed = []
        for line in copies:
            with contextlib.suppress(ValueError):
                parsed.append(json.loads(line))
        return parsed

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        """What it said about itself: parsed JSON lines of standard error."""
        return self._parsed(self._log)

    def log_text(self):
        with self._lock:
            return "\n".join(self._log)

    def access_log(self, **fields):
        """Parsed lines of standard output whose fields have these values."""
        lines = self._parsed(self._access)
        return [line for line in lines if all(line.get(key) == fields[key] for key in fields)]

    def access_lines(self):
        """Raw lines of standard output."""
        with self._lock:
            return list(self._access)

    def ports(self, what):
        """The ports bound for "http", "admin" or "discovery", as its log tells them."""
        return [
            line["port"]
            for line in self.log()
            if line.get("message") == "listening" and line.get("what") == what
        ]

    def port(self, what):
        def bound():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"holdfast exited with {self.process.returncode}:\n{self.log_text()}"
                )
            return self.ports(what)

        return wait_until(bound, f"holdfast to listen for {what}")[0]

    def wait(self, patience=PATIENCE_SECONDS):
        """Waits for the process to end by itself and returns its exit status."""
        status = self.process.wait(patience)
        for thread in self._threads:
            thread.join(patience)
        return status

    def stop(self):
        """SIGTERM, and the exit status; SIGKILL when that takes too long, which fails the test."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"holdfast ignored SIGTERM:\n{self.log_text()}") from None
        return self.wait()

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        return self.wait()
