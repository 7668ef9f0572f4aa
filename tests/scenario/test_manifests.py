"""Goal: edits of the manifests take effect while Holdfast runs, and close no connection; a broken
file changes nothing but is told.

Method: open WebSockets, edit, and talk on; new connections show what is in force.
"""

import json

from holdfast_test.metrics import get, wait_for_value
from holdfast_test.peers import answering, echo_websocket, frame, handshake, response, take_frame
from holdfast_test.process import wait_until


def open_websocket(edge, route, path="/"):
    client = edge.ask(handshake(route.host, path))
    assert client.take_head().status == 101
    return client


def assert_alive(client):
    client.send(frame(b"still here", masked=True))
    assert take_frame(client)[1] == b"still here"


def status(edge, route, path="/"):
    client = edge.ask(f"GET {path} HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    return client.take_head().status


def test_a_path_moves_under_an_open_connection(edge):
    route = edge.route(edge.backend(echo_websocket), paths=["/old"])
    client = open_websocket(edge, route, "/old")
    route.change(paths=["/new"])
    assert status(edge, route, "/old") == 404
    assert_alive(client)
    open_websocket(edge, route, "/new")


def test_endpoints_come_and_go_under_open_connections(edge):
    first, second = edge.backend(echo_websocket), edge.backend(echo_websocket)
    route = edge.route(first)
    one = open_websocket(edge, route)
    route.change(endpoints=[second.endpoint])
    two = open_websocket(edge, route)
    assert (len(first.connections), len(second.connections)) == (1, 1)
    route.change(endpoints=[])
    assert status(edge, route) == 503
    for client in (one, two):
        assert_alive(client)


def test_a_deleted_ingress_leaves_its_connections(edge):
    """Also their metrics, until the last has closed; then the series go."""
    route = edge.route(edge.backend(echo_websocket))
    client = open_websocket(edge, route)
    route.delete()
    assert status(edge, route) == 404
    assert_alive(client)
    wait_for_value(edge.admin, 1, "holdfast_websockets_open", ingress=route.name)
    client.close()
    wait_until(
        lambda: not edge.metrics().series("holdfast_websockets_open", ingress=route.name),
        "the series to go",
    )


def test_an_answer_in_progress_survives_every_change(edge):
    go_on = []

    def script(connection):
        connection.take_head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        wait_until(lambda: go_on, "the change")
        connection.send(b"5\r\nworld\r\n0\r\n\r\n")

    route, _ = edge.serve(script)
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    client.take_head()
    assert client.take(10) == b"5\r\nhello\r\n"
    route.delete()
    go_on.append(True)
    assert client.take_chunked() == b"world"


def test_a_broken_file_keeps_its_last_content(edge):
    route = edge.route(edge.backend(echo_websocket))
    client = open_websocket(edge, route)
    good = edge.manifests.path(route.name).read_text()
    edge.manifests.write_text(route.name, "{ this is: [not, yaml")

    def problems():
        return json.loads(get(edge.admin, "/debug/config")[1])["control_plane"]["problems"]

    wait_until(lambda: route.name in json.dumps(problems()), "the problem to be told")
    assert_alive(client)
    open_websocket(edge, route)
    edge.manifests.write_text(route.name, good)
    wait_until(lambda: route.name not in json.dumps(problems()), "the problem to go")


def test_one_bad_object_hurts_nobody_else(edge):
    bad = edge.route(edge.backend(answering(response("200 OK"))), paths=["no-slash", "/fine"])
    assert status(edge, bad, "/fine") == 200
    told = json.dumps(edge.config()["control_plane"]["problems"])
    assert bad.name in told and "no-slash" in told


def test_a_bad_annotation_has_its_default(edge):
    route = edge.route(edge.backend(echo_websocket), idle_timeout="60")
    told = json.dumps(edge.config()["control_plane"]["problems"])
    assert route.name in told and "idle-timeout" in told
    assert_alive(open_websocket(edge, route))


def test_two_hundred_changes_close_nothing(edge):
    backends = [edge.backend(echo_websocket) for _ in range(3)]
    route = edge.route(*backends)
    clients = [open_websocket(edge, route) for _ in range(30)]
    for i in range(200):
        if i % 2:
            route.change(paths=["/", f"/{i}"])
        else:
            route.change(endpoints=[backends[i % 3].endpoint])
    for client in clients:
        assert_alive(client)
    metrics = edge.metrics()
    assert metrics.value("holdfast_websockets_open", ingress=route.name) == 30
    assert metrics.value("holdfast_websocket_closes_total", ingress=route.name) == 0
