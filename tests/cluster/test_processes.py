"""Goal: controller and proxy as two processes: the controller may die at any time.

Method: SIGKILL, a successor on the same socket, and counts of what is sent again.
"""

from client import WebSocket, wait_for_pod, wait_for_status, wait_ready
from halves import start_controller, start_proxy
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.process import wait_until
from objects import endpoint_slice, ingress, service


def test_a_killed_controller_closes_nothing_and_its_successor_takes_over(
    server, api, pods, tmp_path, started
):
    api.apply(
        service("twins"),
        endpoint_slice("twins", pods.addresses[:1]),
        ingress("twins", "twins.test", {"/": ("twins", 80)}),
    )
    path = tmp_path / "discovery"
    proxy = started(start_proxy(path))
    assert get(proxy.port("admin"), "/readyz")[0] != 200
    controller = started(start_controller(server, path))
    wait_ready(proxy.port("admin"))
    port = proxy.port("http")
    wait_for_status(port, "twins.test", 200)
    sockets = [WebSocket(port, "twins.test") for _ in range(20)]

    controller.kill()
    for socket in sockets:
        socket.echo("without a controller")
    WebSocket(port, "twins.test").echo("a new one without a controller")

    successor = started(start_controller(server, path))
    wait_ready(successor.port("admin"))
    wait_for_value(proxy.port("admin"), 1, "holdfast_discovery_connected")
    wait_until(
        lambda: '"current":true' in get(successor.port("admin"), "/debug/config")[1],
        "the successor to know that the proxy is current",
    )
    # Nothing had changed, so nothing was sent.
    assert scrape(successor.port("admin")).value("holdfast_discovery_resources_sent_total") == 0

    api.apply(endpoint_slice("twins", pods.addresses[1:2]))
    wait_for_pod(port, "twins.test", pods.addresses[1])
    # An endpoint change travels alone.
    assert scrape(successor.port("admin")).value("holdfast_discovery_resources_sent_total") == 1
    for socket in sockets:
        assert socket.pod == pods.addresses[0]
        socket.echo("still here")
