"""Goal: whatever happens on the way to the API server, what is served is what the objects say.

Method: for two minutes a man in the middle cuts, stalls, truncates, slices, refuses and replays,
at 200 changes a second. Then the compiled resources equal those of a Holdfast that is started
then, and there were no more LISTs than were prescribed. A Service that nobody touches is served
throughout.
"""

import json
import os
import pathlib
import subprocess
import sys
import threading

import faults
from client import Visitors, WebSocket, status_of, wait_for_status, wait_ready
from halves import resources
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service

FIRE_SECONDS = float(os.environ.get("HOLDFAST_FIRE_SECONDS", "120"))
CHANGES_A_SECOND = 200
# Every wait between two tries is capped at 30 s.
RECOVERY_SECONDS = 35
SEED = 20261126
KINDS = 6
PROGRAM = pathlib.Path(faults.__file__)


class Program:
    """`faults.py` as a process."""

    def __init__(self, command, server, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, command, server.url, server.certificate, server.token,
             str(SEED), *[str(argument) for argument in arguments]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def line(self):
        return self.process.stdout.readline()

    def finish(self):
        self.process.stdin.write("finish\n")
        self.process.stdin.flush()
        return json.loads(self.line())

    def stop(self):
        self.process.kill()
        self.process.wait()


def start_holdfast(kubeconfig):
    return Holdfast(
        "ingress", "--kubeconfig", kubeconfig, "--http-listen", "127.0.0.1:0", "--admin-listen",
        "127.0.0.1:0", "--access-log", "off", "--events", "off",
    )  # fmt: skip


def kubeconfig_for(port, path):
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "fire",
        "contexts": [{"name": "fire", "context": {"cluster": "fire", "user": "fire"}}],
        "clusters": [{"name": "fire", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "fire", "user": {"token": "none"}}],
    }))  # fmt: skip
    return path


def test_under_fire(server, api, pods, tmp_path, started):
    api.apply(
        service("calm"),
        endpoint_slice("calm", pods.addresses[:1]),
        ingress("calm", "calm.test", {"/": ("calm", 80)}),
    )
    for number in range(faults.SERVICES):
        name = f"fire-{number}"
        api.apply(
            service(name),
            endpoint_slice(name, faults.PODS[:2]),
            ingress(name, f"{name}.test", {"/": (name, 80)}),
        )
    proxy = started(Program("proxy", server))
    holdfast = started(start_holdfast(kubeconfig_for(int(proxy.line()), tmp_path / "kubeconfig")))
    wait_ready(holdfast.port("admin"))
    port = holdfast.port("http")
    wait_for_status(port, "calm.test", 200)
    socket = WebSocket(port, "calm.test")

    def visit():
        assert status_of(port, "calm.test") == 200

    visitors = started(Visitors(visit, pause=0.05))
    writers = started(Program("write", server, CHANGES_A_SECOND))
    threading.Event().wait(FIRE_SECONDS)
    written = writers.finish()
    done = proxy.finish()

    fresh = started(start_holdfast(server.kubeconfig))
    wait_ready(fresh.port("admin"))
    for half in ("control_plane", "data_plane"):
        expected = resources(fresh, half)
        wait_until(
            lambda half=half, expected=expected: resources(holdfast, half) == expected,
            f"the {half} of a fresh start",
            RECOVERY_SECONDS,
        )
    visitors.stop()
    socket.echo("still here")
    prescribed = sum(done.get(f"watch: {fault}", 0) for fault in faults.RELISTS)
    failed = sum(
        count for what, count in done.items()
        if what.startswith("list: ") and what not in ("list: stall", "list: slice")
    )  # fmt: skip
    print(
        f"{sum(written.values())} changes in {FIRE_SECONDS:.0f} s: {written}\n"
        f"{done}\n{done['lists']} LISTs; {KINDS} first, {prescribed} prescribed, "
        f"{failed} tried again\n{visitors.served} answers, {len(visitors.failures)} failures"
    )
    assert visitors.failures == [] and visitors.served > 0
    assert done["lists"] <= KINDS + prescribed + failed
