"""Goal: whatever happens to controllers and to the stream between the two halves, routing is soon
what the objects say, and traffic to healthy pods never notices.

Method: kills counted in changes, so that they come at any moment of a controller's life; a relay on
the stream; clients that come all the time, and are all served.
"""

import itertools
import random

import pytest
from client import Visitors, WebSocket, status_of, wait_for_pod, wait_for_status, wait_ready
from halves import DATA_PLANE_FLAGS, resources, start_controller, start_proxy
from holdfast_test.metrics import wait_for_value
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service
from stream_relay import StreamRelay

# After the last fault: the longest wait, and what the requests after it take.
RECOVERY_SECONDS = 35
SOCKETS = 20
SEED = 20261126


def start_ingress(server, *flags):
    return Holdfast("ingress", "--kubeconfig", server.kubeconfig, *DATA_PLANE_FLAGS, *flags)


class OneProcess:
    """A replica that is `holdfast ingress`."""

    def __init__(self, server, _folder):
        self.data_plane = start_ingress(server)

    def kill(self):
        self.data_plane.kill()

    def stop(self):
        self.data_plane.stop()


class TwoProcesses:
    """A replica that is a controller and its proxy."""

    def __init__(self, server, folder):
        folder.mkdir(exist_ok=True)
        self._controller = start_controller(server, folder / "discovery")
        self.data_plane = start_proxy(folder / "discovery")

    def kill(self):
        self._controller.kill()
        self.data_plane.kill()

    def stop(self):
        self.data_plane.stop()
        self._controller.stop()


def wait_until_same(data_plane, control_plane):
    """What is in force is what this controller has made of the objects."""
    wait_ready(control_plane.port("admin"))
    wait_until(
        lambda: resources(data_plane) == resources(control_plane, "control_plane"),
        "what is in force to be what is compiled",
        RECOVERY_SECONDS,
    )


def visitors_of_steady(port):
    """Open a WebSocket each, to pods that are healthy all the time."""

    def visit():
        socket = WebSocket(port, "steady.test")
        socket.echo("hello")
        socket.close()

    return Visitors(visit)


def assert_alive(sockets):
    for socket in sockets:
        socket.echo("still here")


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
    controller = started(start_controller(server, tmp_path / "controller"))
    relay = started(StreamRelay(tmp_path / "proxy", tmp_path / "controller"))
    proxy = started(start_proxy(tmp_path / "proxy"))
    wait_ready(proxy.port("admin"))
    port = proxy.port("http")
    writer.wait_until_served(port)
    sockets = [WebSocket(port, "steady.test") for _ in range(SOCKETS)]
    visitors = started(visitors_of_steady(port))

    for half in (1, 200, 5_000, 40_000):
        before = relay.connections
        relay.cut_after(half)
        writer.change()
        wait_until(lambda: relay.connections > before, "the proxy to come again", RECOVERY_SECONDS)
        writer.wait_until_served(port)
        assert_alive(sockets)
    relay.stall()
    for _ in range(5):
        writer.change()
    visitors.wait_for(20)
    assert status_of(port, writer.host, writer.path) == 404
    relay.cut()
    # What comes now is stalled from its beginning.
    visitors.wait_for(20)
    assert_alive(sockets)
    relay.slow(30_000)
    before = relay.bytes
    for _ in range(5):
        writer.change()
    wait_until(lambda: relay.bytes > before + 30_000, "some to have passed")
    assert_alive(sockets)
    relay.calm()
    writer.wait_until_served(port)
    wait_until_same(proxy, controller)
    wait_for_value(proxy.port("admin"), 1, "holdfast_discovery_connected")
    assert_alive(sockets)
    visitors.wait_for(1)
    assert visitors.failures == []


def test_a_stream_that_died_in_silence(server, api, pods, tmp_path, started):
    """Nobody closed it: the proxy finds out by itself."""
    serve_steadily(api, pods)
    writer = Writer(api, pods, "silenced")
    controller = started(start_controller(server, tmp_path / "controller"))
    relay = started(StreamRelay(tmp_path / "proxy", tmp_path / "controller"))
    proxy = started(start_proxy(tmp_path / "proxy"))
    wait_ready(proxy.port("admin"))
    port = proxy.port("http")
    writer.wait_until_served(port)
    sockets = [WebSocket(port, "steady.test") for _ in range(SOCKETS)]
    visitors = started(visitors_of_steady(port))
    before = relay.connections
    relay.freeze()
    writer.change()
    visitors.wait_for(20)
    assert status_of(port, writer.host, writer.path) == 404
    assert_alive(sockets)
    assert relay.connections == before
    writer.wait_until_served(port)
    assert relay.connections > before
    wait_until_same(proxy, controller)
    assert_alive(sockets)
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
    visitors = started(visitors_of_steady(port))
    chosen = random.Random(SEED)
    for _ in range(12):
        for _ in range(chosen.randrange(20)):
            writer.change()
        visitors.wait_for(chosen.randrange(10))
        controller.kill()
        assert_alive(sockets)
        controller = started(start_controller(server, path))
    print(f"seed {SEED}: {writer.number} changes, {visitors.served} visitors")
    writer.wait_until_served(port)
    wait_until_same(proxy, controller)
    wait_for_pod(port, writer.host + writer.path, writer.pod)
    assert_alive(sockets)
    assert visitors.failures == []


@pytest.mark.parametrize("topology", [OneProcess, TwoProcesses])
def test_replicas_with_controllers_of_their_own_agree(
    topology, server, api, pods, tmp_path, started
):
    """One is killed and starts again while much changes, then the API server."""
    serve_steadily(api, pods)
    writers = [Writer(api, pods, f"shared-{i}") for i in range(3)]
    replicas = [started(topology(server, tmp_path / f"{i}")) for i in range(2)]
    for replica in replicas:
        wait_ready(replica.data_plane.port("admin"))
    port = replicas[0].data_plane.port("http")
    sockets = [WebSocket(port, "steady.test") for _ in range(SOCKETS)]
    visitors = started(visitors_of_steady(port))
    for number, writer in enumerate(itertools.islice(itertools.cycle(writers), 60)):
        writer.change()
        if number == 20:
            replicas[1].kill()
            assert_alive(sockets)
        elif number == 30:
            replicas[1] = started(topology(server, tmp_path / "1"))
        elif number == 45:
            server.kill()
            server.start()
            server.wait_ready()
            assert_alive(sockets)
    fresh = started(start_ingress(server))
    for replica in replicas:
        for writer in writers:
            writer.wait_until_served(replica.data_plane.port("http"))
        wait_until_same(replica.data_plane, fresh)
    assert_alive(sockets)
    assert visitors.failures == []


def test_a_restart_without_the_api_server(server, api, pods, tmp_path, started):
    """What was served last is served, and the process is ready; then what has changed meanwhile."""
    serve_steadily(api, pods)
    writer = Writer(api, pods, "absent")
    state = ("--state-folder", tmp_path / "state")
    first = started(start_ingress(server, *state))
    wait_ready(first.port("admin"))
    writer.wait_until_served(first.port("http"))
    first.kill()
    before = writer.path
    writer.change()
    server.kill()
    second = started(start_ingress(server, *state))
    wait_ready(second.port("admin"))
    port = second.port("http")
    assert status_of(port, writer.host, before) == 200
    sockets = [WebSocket(port, "steady.test") for _ in range(SOCKETS)]
    assert_alive(sockets)
    server.start()
    server.wait_ready()
    writer.wait_until_served(port)
    wait_until_same(second, started(start_ingress(server)))
    assert_alive(sockets)
