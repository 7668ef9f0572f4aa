"""Goal: connections are spread as the annotation says, and counts survive every change.

Method: backends count their connections; sequences are exact, whatever worker accepts.
"""

from holdfast_test.peers import answering, echo_websocket, handshake, response


def open_websocket(edge, route):
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    return client


def counts(backends):
    return [len(backend.connections) for backend in backends]


def test_least_connections_is_exact(edge):
    backends = [edge.backend(echo_websocket) for _ in range(3)]
    route = edge.route(*backends)
    clients = [open_websocket(edge, route) for _ in range(12)]
    assert counts(backends) == [4, 4, 4]
    assert clients


def test_counts_survive_a_new_endpoint(edge):
    """Four on the old pod: the next four go to the new one."""
    old, new = edge.backend(echo_websocket), edge.backend(echo_websocket)
    route = edge.route(old)
    clients = [open_websocket(edge, route) for _ in range(4)]
    route.change(endpoints=[old.endpoint, new.endpoint])
    clients += [open_websocket(edge, route) for _ in range(4)]
    assert counts([old, new]) == [4, 4]
    assert clients


def test_counts_survive_an_absence(edge):
    """A pod that leaves the slice and returns, as when its readiness flaps, keeps its count."""
    flapping, steady = edge.backend(echo_websocket), edge.backend(echo_websocket)
    route = edge.route(flapping)
    clients = [open_websocket(edge, route) for _ in range(3)]
    route.change(endpoints=[steady.endpoint])
    clients += [open_websocket(edge, route)]
    route.change(endpoints=[flapping.endpoint, steady.endpoint])
    clients += [open_websocket(edge, route) for _ in range(2)]
    assert counts([flapping, steady]) == [3, 3]
    assert clients


def test_round_robin_is_exact(edge):
    backends = [edge.backend(answering(response("200 OK"))) for _ in range(3)]
    route = edge.route(*backends, load_balance="round-robin")
    for _ in range(12):
        client = edge.ask(
            f"GET / HTTP/1.1\r\nHost: {route.host}\r\nConnection: close\r\n\r\n".encode()
        )
        assert client.take_response()[0].status == 200
    requests = [backend.received.count(b"GET / ") for backend in backends]
    assert requests == [4, 4, 4]


def test_paths_of_one_ingress_share_their_services_counts(edge):
    backends = [edge.backend(echo_websocket) for _ in range(2)]
    route = edge.route(*backends, paths=["/a", "/b"])
    clients = []
    for path in ["/a"] * 3 + ["/b"] * 3:
        client = edge.ask(handshake(route.host, path))
        assert client.take_head().status == 101
        clients.append(client)
    assert counts(backends) == [3, 3]
