"""Goal: whatever happens to controllers and to the stream between the two halves, routing is soon
what the objects say, and traffic to healthy pods never notices.

Method: kills counted in changes, so that they come at any moment of a controller's life; a relay on
the stream; clients that come all the time, and are all served.
"""

import itertools
import json
import random
import threading

from client import WebSocket, status_of, wait_for_pod, wait_for_status, wait_ready
from holdfast_test.metrics import get, wait_for_value
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service
from stream_relay import StreamRelay

# After the last fault: the longest wait, and what the requests after it take.
RECOVERY_SECONDS = 35
FLAGS = ("--http-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--workers", "2")
SOCKETS = 20


def start_ingress(server):
    return Holdfast("ingress", "--kubeconfig", server.kubeconfig, *FLAGS)


def start_controller(server, path):
    return Holdfast(
        "controller", "--kubeconfig", server.kubeconfig, "--discovery-listen", f"unix:{path}",
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip


def start_proxy(path):
    return Holdfast("proxy", "--discovery", f"unix:{path}", *FLAGS)


def resources(holdfast):
    """What the data plane has in force."""
    told = json.loads(get(holdfast.port("admin"), "/debug/config")[1])
    return told["data_plane"]["resources"]


class Visitors:
    """Open a WebSocket after the other to a host whose pods are healthy all the time."""

    def __init__(self, port, host):
        self._place = (port, host)
        self.served = 0
        self.failures = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._over.is_set():
            try:
                socket = WebSocket(*self._place)
                socket.echo("hello")
                socket.close()
                self.served += 1
            except Exception as error:
                self.failures.append(repr(error))

    def wait_for(self, more):
        wanted = self.served + more
        wait_until(lambda: self.served >= wanted, f"{more} more visitors to be served")

    def stop(self):
        self._over.set()
        self._thread.join()


class Writer:
    """Changes an Ingress and its Service's pods, over and over. `number`: changes made."""

    def __init__(self, api, pods, name, filler=None):
        self._api, self._pods, self._name, self._filler = api, pods, name, filler
        self.host = f"{name}.test"
        self.number = 0
        api.apply(service(name))
        self.change()

    def change(self):
        self.number += 1
        self._api.apply(endpoint_slice(self._name, [self.pod]))
        self._api.apply(
            ingress(self._name, self.host, {self.path: (self._name, 80)}, self._filler)
        )

    @property
    def pod(self):
        return self._pods.addresses[self.number % 4]

    @property
    def path(self):
        return f"/{self.number}"

    def wait_until_served(self, port):
        """The newest, and no longer what was before."""
        wait_for_status(port, self.host, 200, self.path, RECOVERY_SECONDS)
        assert status_of(port, self.host, f"/{self.number - 1}") == 404


def serve_steadily(api, pods):
    api.apply(
        service("steady"),
        endpoint_slice("steady", pods.addresses[:2]),
        ingress("steady", "steady.test", {"/": ("steady", 80)}),
    )


def test_the_stream_is_cut_stalled_and_slowed(server, api, pods, tmp_path, started):
    serve_steadily(api, pods)
    # So large that it takes many pieces.
    filler = {f"filler.test/{i}": "x" * 20_000 for i in range(2)}
    filler["holdfast.dev/response-headers"] = "\n".join(
        f"X-Filler-{i}: {'y' * 2000}" for i in range(30)
    )
    writer = Writer(api, pods, "streamed", filler)
    started(start_controller(server, tmp_path / "controller"))
    relay = started(StreamRelay(tmp_path / "proxy", tmp_path / "controller"))
    proxy = started(start_proxy(tmp_path / "proxy"))
    wait_ready(proxy.port("admin"))
    port = proxy.port("http")
    writer.wait_until_served(port)
    sockets = [WebSocket(port, "steady.test") for _ in range(SOCKETS)]
    visitors = started(Visitors(port, "steady.test"))

    for half in (1, 200, 5_000, 40_000):
        before = relay.connections
        relay.cut_after(half)
        writer.change()
        wait_until(lambda: relay.connections > before, "the proxy to come again", RECOVERY_SECONDS)
        writer.wait_until_served(port)
    relay.stall()
    for _ in range(5):
        writer.change()
    visitors.wait_for(20)
    assert status_of(port, writer.host, writer.path) == 404
    relay.cut()
    visitors.wait_for(20)
    relay.slow(30_000)
    before = relay.bytes
    for _ in range(5):
        writer.change()
    wait_until(lambda: relay.bytes > before + 30_000, "some to have passed")
    relay.calm()
    writer.wait_until_served(port)
    wait_for_value(proxy.port("admin"), 1, "holdfast_discovery_connected")
    for socket in sockets:
        socket.echo("still here")
    visitors.wait_for(1)
    assert visitors.failures == []


def test_a_controller_killed_at_any_moment(server, api, pods, tmp_path, started):
    """Also while it is only beginning."""
    serve_steadily(api, pods)
    writer = Writer(api, pods, "restless")
    path = tmp_path / "discovery"
    proxy = started(start_proxy(path))
    controller = started(start_controller(server, path))
    wait_ready(proxy.port("admin"))
    port = proxy.port("http")
    sockets = [WebSocket(port, "steady.test") for _ in range(SOCKETS)]
    visitors = started(Visitors(port, "steady.test"))
    chosen = random.Random(20261126)
    for _ in range(12):
        for _ in range(chosen.randrange(12)):
            writer.change()
        controller.kill()
        controller = started(start_controller(server, path))
    writer.change()
    writer.wait_until_served(port)
    wait_for_pod(port, writer.host + writer.path, writer.pod)
    for socket in sockets:
        socket.echo("still here")
    assert visitors.failures == []


def test_replicas_with_controllers_of_their_own_agree(server, api, pods, started):
    """One is killed and starts again while much changes, then the API server."""
    serve_steadily(api, pods)
    writers = [Writer(api, pods, f"shared-{i}") for i in range(3)]
    steady, other = started(start_ingress(server)), started(start_ingress(server))
    for replica in (steady, other):
        wait_ready(replica.port("admin"))
    sockets = [WebSocket(steady.port("http"), "steady.test") for _ in range(SOCKETS)]
    visitors = started(Visitors(steady.port("http"), "steady.test"))
    for number, writer in enumerate(itertools.islice(itertools.cycle(writers), 60)):
        writer.change()
        if number == 20:
            other.kill()
        elif number == 30:
            other = started(start_ingress(server))
        elif number == 45:
            server.kill()
            server.start()
            server.wait_ready()
    for writer in writers:
        for replica in (steady, other):
            writer.wait_until_served(replica.port("http"))
    fresh = started(start_ingress(server))
    wait_ready(fresh.port("admin"))
    for replica in (steady, other):
        wait_until(
            lambda: resources(replica) == resources(fresh),
            "a replica to serve what a fresh one does",
            RECOVERY_SECONDS,
        )
    for socket in sockets:
        socket.echo("still here")
    assert visitors.failures == []
