#!/usr/bin/env python3
"""Runs the parts of the demo, says where to look, and stops everything it started.

Two chat backends on loopback addresses of their own, and `holdfast standalone` in front of them.
Each part's output goes to a file. When a part does not start, or Holdfast ends, its last lines are
shown, the others are stopped, and the exit status is 1; a backend that ends later is only noted,
for that is worth watching. Ctrl-C or SIGTERM ends it all with status 0.
"""

import argparse
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PODS = {"pod-a": "127.0.0.2", "pod-b": "127.0.0.3"}
MANIFEST_PORT = 9000  # the port that manifests/chat.yaml names
START_SECONDS = 20  # a first start from a cold disk
STOP_SECONDS = 5  # then SIGKILL
POLL_SECONDS = 0.05
WATCH_SECONDS = 0.5
PR_SET_PDEATHSIG = 1


STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Failure(Exception):
    """One sentence for the person at the terminal."""


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


def setting(name, default):
    return os.environ.get(f"HOLDFAST_DEMO_{name}", default)


def read_flags():
    parser = argparse.ArgumentParser(
        description="Each flag also as HOLDFAST_DEMO_HTTP_PORT and so on in the environment."
    )
    parser.add_argument("--http-port", type=int, default=setting("HTTP_PORT", "8080"))
    parser.add_argument("--admin-port", type=int, default=setting("ADMIN_PORT", "10254"))
    parser.add_argument(
        "--backend-port", type=int, default=setting("BACKEND_PORT", str(MANIFEST_PORT)),
        help="the pods' port; the one after it is for the links between them",
    )
    parser.add_argument(
        "--binary", type=pathlib.Path,
        default=setting("BINARY", str(ROOT / "build/release/bin/holdfast")),
    )
    parser.add_argument(
        "--manifests", type=pathlib.Path, default=setting("MANIFESTS", str(HERE / "manifests"))
    )
    return parser.parse_args()


def check_free(host, port, flag):
    """Looked at before anything is started: Holdfast would refuse too, in words of its own."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Failure(
                f"{host}:{port} cannot be used ({error.strerror}); choose another port with {flag}."
            ) from None


def own_manifests(folder, port, scratch):
    """The folder itself, or a copy that names another backend port."""
    if port == MANIFEST_PORT:
        return folder
    copy = scratch / "manifests"
    shutil.copytree(folder, copy)
    for path in copy.glob("*.yaml"):
        path.write_text(path.read_text().replace(str(MANIFEST_PORT), str(port)))
    return copy


def prepare_part():
    """Runs in the new process: it takes signals again, and ends when the demo is killed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def pause(seconds):
    if signal.sigtimedwait(STOP_SIGNALS, seconds):
        raise Stopped


class Parts:
    """The processes started, in order."""

    def __init__(self, scratch):
        self._scratch = scratch
        self._running = []  # (name, process, path of its output)

    def start(self, name, *command):
        path = self._scratch / f"{name}.log"
        try:
            with path.open("wb") as output:
                process = subprocess.Popen(
                    [str(word) for word in command],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    start_new_session=True,  # a Ctrl-C is ours to pass on, in our order
                    preexec_fn=prepare_part,
                )
        except OSError as error:
            raise Failure(f"{command[0]} does not start: {error.strerror}.") from None
        self._running.append((name, process, path))

    def pid(self, name):
        return next(process.pid for known, process, _ in self._running if known == name)

    def check(self, may_end=()):
        """Fails when a part has ended. The names of `may_end` are only noted, once each."""
        for part in list(self._running):
            name, process, path = part
            if process.poll() is None:
                continue
            ending = f"{name} ended with status {process.returncode}."
            if name not in may_end:
                lines = path.read_text(errors="replace").splitlines()[-5:]
                raise Failure(ending + "".join(f"\n  {line}" for line in lines))
            print(ending, flush=True)
            self._running.remove(part)

    def stop(self):
        """Backends first: their Close frames go out through a Holdfast that still stands."""
        for name, process, _ in self._running:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{name} did not stop in {STOP_SECONDS} s and was killed.", file=sys.stderr)
                process.kill()
                process.wait()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_until_up(parts, urls):
    deadline = time.monotonic() + START_SECONDS
    waiting = list(urls)
    while waiting:
        parts.check()
        waiting = [url for url in waiting if not answers(url)]
        if waiting and time.monotonic() > deadline:
            raise Failure(f"{waiting[0]} does not answer after {START_SECONDS} s.")
        pause(POLL_SECONDS)


def start_all(flags, parts, manifests):
    pods = []
    for name, host in PODS.items():
        links = [word for peer in pods for word in ("--link", f"{peer}:{flags.backend_port + 1}")]
        parts.start(
            name, sys.executable, HERE / "backend.py",
            "--name", name, "--listen", f"{host}:{flags.backend_port}", *links,
        )
        pods.append(host)
    parts.start(
        "holdfast", flags.binary, "standalone", "--manifests", manifests,
        "--http-listen", f"127.0.0.1:{flags.http_port}",
        "--admin-listen", f"127.0.0.1:{flags.admin_port}",
        "--https-listen", "off",
    )
    wait_until_up(
        parts,
        [
            *(f"http://{host}:{flags.backend_port}/" for host in pods),
            f"http://127.0.0.1:{flags.admin_port}/readyz",
        ],
    )


def explain(flags, parts, manifests, scratch):
    web = f"127.0.0.1:{flags.http_port}"
    pods = ", ".join(f"{name} (process {parts.pid(name)})" for name in PODS)
    links = " ".join(f"--link {host}:{flags.backend_port + 1}" for host in PODS.values())
    print(
        f"""
  Chat page       http://{web}/        open it in two windows
  Command line    /usr/bin/python3 -m websockets ws://{web}/chat
  Metrics         http://127.0.0.1:{flags.admin_port}/metrics
  Manifests       {manifests}
                  edit while people chat: move a path, remove or add an endpoint
  Pods            {pods}
                  kill one: its windows see 1001 and come back on the other
  A third pod     {HERE}/backend.py --name pod-c \\
                    --listen 127.0.0.4:{flags.backend_port} {links}
  Output          {scratch}/*.log

  Ctrl-C stops everything.
""",
        flush=True,
    )


def watch(parts):
    """Until Holdfast ends."""
    while True:
        parts.check(may_end=PODS)
        pause(WATCH_SECONDS)


def main():
    flags = read_flags()
    # Taken in pause() alone, so that none falls between a start and the note of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    parts = Parts(scratch)
    status = 0
    try:
        check_free("127.0.0.1", flags.http_port, "--http-port")
        check_free("127.0.0.1", flags.admin_port, "--admin-port")
        for host in PODS.values():
            check_free(host, flags.backend_port, "--backend-port")
            check_free(host, flags.backend_port + 1, "--backend-port")
        manifests = own_manifests(flags.manifests, flags.backend_port, scratch)
        start_all(flags, parts, manifests)
        explain(flags, parts, manifests, scratch)
        watch(parts)
    except Stopped:
        print("\nStopping.", flush=True)
    except Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        status = 1
    finally:
        parts.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
