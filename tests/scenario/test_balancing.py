"""Goal: connections are spread as the annotation says, and counts survive every change.

Method: backends count their connections; sequences are exact, whatever worker accepts.
"""

import json
import socket

import pytest
from holdfast_test.metrics import get, wait_for_value
from holdfast_test.peers import answering, echo_websocket, handshake, response, take_request
from holdfast_test.process import wait_until


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
    route = edge.route(old, slow_start="0s")
    clients = [open_websocket(edge, route) for _ in range(4)]
    route.change(endpoints=[old.endpoint, new.endpoint])
    clients += [open_websocket(edge, route) for _ in range(4)]
    assert counts([old, new]) == [4, 4]
    assert clients


def test_counts_survive_an_absence(edge):
    """A pod that leaves the slice and returns, as when its readiness flaps, keeps its count."""
    flapping, steady = edge.backend(echo_websocket), edge.backend(echo_websocket)
    route = edge.route(flapping, slow_start="0s")
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


def test_a_newcomer_starts_slowly(edge):
    """Four on the old pod: with equal shares the next 20 would begin with four on the new one."""
    old, new = edge.backend(echo_websocket), edge.backend(echo_websocket)
    route = edge.route(old, slow_start="1h")
    clients = [open_websocket(edge, route) for _ in range(4)]
    route.change(endpoints=[old.endpoint, new.endpoint])
    clients += [open_websocket(edge, route) for _ in range(20)]
    # Each with a chance of 1 in 11: that 10 of 20 are the new one's does not happen.
    assert counts([old, new])[1] < 10
    assert clients


def test_a_pod_that_refuses_is_left_alone(edge, dead_port):
    """It always has the fewest connections, so each handshake would try it first."""
    backend = edge.backend(echo_websocket)
    route = edge.route(backend, ("127.0.0.1", dead_port), eject_after="3", eject_for="1h")
    clients = [open_websocket(edge, route) for _ in range(10)]
    metrics = edge.metrics()
    assert metrics.value("holdfast_connect_failures_total", service=route.name) == 3
    assert metrics.value("holdfast_ejections_total", service=route.name) == 1
    assert metrics.value("holdfast_endpoints_ejected", service=route.name) == 1
    # Out of the set and back in it begins anew.
    route.change(endpoints=[backend.endpoint])
    route.change(endpoints=[backend.endpoint, ("127.0.0.1", dead_port)])
    assert edge.metrics().value("holdfast_endpoints_ejected", service=route.name) == 0
    assert clients


def closing(connection):
    """Reads the request and closes without an answer."""
    connection.take_head()


@pytest.mark.parametrize("more", [{}, {"hash_by": "header:X-User", "hash_balance_factor": "1000"}])
def test_a_pod_that_closes_unanswered_is_not_asked_twice(edge, more):
    """It always has the fewest connections, so each try would be for it."""
    good, bad = edge.backend(echo_websocket), edge.backend(closing)
    route = edge.route(good, bad, slow_start="0s", **more)
    clients = []
    for number in range(20):
        clients.append(edge.ask(handshake(route.host, "/", f"X-User: {number}")))
        assert clients[-1].take_head().status == 101
    assert len(good.connections) == 20 and 1 <= len(bad.connections) <= 20
    # The connects were made, and it may have been the request's fault.
    assert edge.metrics().value("holdfast_ejections_total", service=route.name) == 0


def test_the_only_pod_is_asked_again(edge, dead_port):
    answers = [closing, closing, answering(response("200 OK"))]
    backend = edge.backend(lambda connection: answers.pop(0)(connection))
    route = edge.route(backend, slow_start="0s")
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    assert client.take_head().status == 200
    assert len(backend.connections) == 3
    # One that cannot be connected to is none that is left.
    answers = [closing, answering(response("200 OK"))]
    route.change(endpoints=[backend.endpoint, ("127.0.0.1", dead_port)])
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    assert client.take_head().status == 200


def test_a_kept_connection_that_was_closed_is_not_the_pods_fault(edge):
    def once(name):
        def script(connection):
            take_request(connection)
            connection.send(response("200 OK", b"", f"X-Pod: {name}"))
            take_request(connection)

        return script

    pods = [edge.backend(once(str(i))) for i in range(2)]
    route = edge.route(*pods, hash_by="header:X-User", slow_start="0s")
    client = edge.connect()
    named = []
    for _ in range(2):
        client.send(f"GET / HTTP/1.1\r\nHost: {route.host}\r\nX-User: a\r\n\r\n".encode())
        named.append(client.take_response()[0].get("x-pod"))
    assert named[0] == named[1]
    assert sorted(counts(pods)) == [0, 2]


def test_one_service_takes_no_pod_out_of_another(edge, dead_port):
    """Two Services over the same pods: one finds that a pod refuses, the other has a path for
    health checks that all pods fail."""
    backend = edge.backend(answering(response("404 Not Found")))
    pods = [backend, ("127.0.0.1", dead_port)]
    refused = edge.route(*pods, eject_after="1", eject_for="1h")
    ill = edge.route(*pods, eject_after="0", health_path="/healthz", health_interval="1s")
    client = edge.ask(handshake(refused.host))
    client.take_head()
    while edge.metrics().value("holdfast_ejections_total", service=refused.name) == 0:
        edge.ask(handshake(refused.host)).take_head()
    wait_for_value(edge.admin, 2, "holdfast_endpoints_unhealthy", service=ill.name)
    metrics = edge.metrics()
    assert metrics.value("holdfast_endpoints_ejected", service=refused.name) == 1
    assert metrics.series("holdfast_endpoints_ejected", service=ill.name) == []
    assert metrics.series("holdfast_endpoints_unhealthy", service=refused.name) == []
    states = {
        (endpoint["cluster"], endpoint["endpoint"]): endpoint["state"]
        for endpoint in json.loads(get(edge.admin, "/debug/status")[1])["endpoints"]
    }
    address = f"127.0.0.1:{backend.port}"
    assert states[f"default/{refused.name}/80", address] == "ready"
    assert states[f"default/{refused.name}/80", f"127.0.0.1:{dead_port}"] == "ejected"
    assert states[f"default/{ill.name}/80", address] == "unhealthy"


def test_what_is_switched_off_while_a_pod_is_out_frees_it(edge, dead_port):
    backend = edge.backend(echo_websocket)
    route = edge.route(backend, ("127.0.0.1", dead_port), eject_after="1", eject_for="1h")
    clients = [open_websocket(edge, route) for _ in range(3)]
    assert edge.metrics().value("holdfast_endpoints_ejected", service=route.name) == 1
    route.change(annotations={"eject-after": "0"})
    metrics = edge.metrics()
    assert metrics.series("holdfast_endpoints_ejected", service=route.name) == []
    before = metrics.value("holdfast_connect_failures_total", service=route.name)
    clients.append(open_websocket(edge, route))
    after = edge.metrics().value("holdfast_connect_failures_total", service=route.name)
    assert (before, after) == (1, 2)
    assert clients


def test_a_silent_pod_is_left_alone_though_clients_are_impatient(edge):
    """Its queue is full, so that it answers no SYN, and no client waits for the connect-timeout."""
    backend = edge.backend(echo_websocket)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            annotations = {"eject_after": "2", "eject_for": "1h", "connect_timeout": "2s"}
            route = edge.route(backend, slow_start="0s", **annotations)
            clients = [open_websocket(edge, route)]
            route.change(endpoints=[backend.endpoint, ("127.0.0.1", port)])
            labels = {"service": route.name, "reason": "abandoned"}
            for failures in (1, 2):
                # The pod without a connection is the one with the fewest.
                impatient = edge.ask(handshake(route.host))
                impatient.socket.settimeout(0.6)
                with pytest.raises(TimeoutError):
                    impatient.socket.recv(1)
                impatient.close()
                # Until then it counts as a connection of the pod's.
                wait_for_value(edge.admin, failures, "holdfast_connect_failures_total", **labels)
            wait_for_value(edge.admin, 1, "holdfast_endpoints_ejected", service=route.name)
            clients += [open_websocket(edge, route) for _ in range(3)]
            assert counts([backend]) == [4]
            assert clients


def test_the_only_pod_is_not_left_alone(edge, dead_port):
    route = edge.route(("127.0.0.1", dead_port), eject_after="1")
    for _ in range(3):
        assert edge.ask(handshake(route.host)).take_head().status == 502
    assert edge.metrics().value("holdfast_ejections_total", service=route.name) == 0


def test_a_key_has_its_pod_in_every_process(own_edge):
    """Twenty rooms through two processes of two workers, in any order."""
    edges = [own_edge(), own_edge()]
    backends = [edges[0].backend(echo_websocket) for _ in range(4)]
    route = edges[0].route(*backends, hash_by="query:room", hash_balance_factor="1000")
    edges[1].wait_for_change()

    def pods(room):
        before = counts(backends)
        clients = []
        for edge in edges * 2:
            clients.append(edge.ask(handshake(route.host, f"/?room={room}")))
            assert clients[-1].take_head().status == 101
        after = counts(backends)
        for client in clients:
            client.close()
        return [new - old for old, new in zip(before, after)]

    seen = [pods(room) for room in range(20)]
    assert all(sorted(counted) == [0, 0, 0, 4] for counted in seen), seen
    # Chance would have it once in 10^8 that fewer than three pods have a room.
    assert sum(any(column) for column in zip(*seen)) >= 3


def test_a_pod_of_our_zone_is_chosen(own_edge, dead_port):
    edge = own_edge("--zone", "here")
    near, far = edge.backend(echo_websocket), edge.backend(echo_websocket)

    def endpoint(port, zone):
        return ("127.0.0.1", port, {"zone": zone, "hints": {"forZones": [{"name": zone}]}})

    route = edge.route(endpoint(near.port, "here"), endpoint(far.port, "there"), slow_start="0s")
    clients = [open_websocket(edge, route) for _ in range(4)]
    assert counts([near, far]) == [4, 0]
    # A pod without a hint: hints are not followed. Four on the far one make it even.
    route.change(endpoints=[endpoint(near.port, "here"), far.endpoint])
    clients += [open_websocket(edge, route) for _ in range(4)]
    assert counts([near, far]) == [4, 4]
    # Where the zone's own pod cannot be reached, another one may do.
    route.change(endpoints=[endpoint(dead_port, "here"), endpoint(far.port, "there")])
    clients += [open_websocket(edge, route)]
    assert counts([near, far]) == [4, 5]
    assert clients


def test_health_checks(edge):
    """A pod that says that it is not well gets no new connections until it says that it is."""
    asked = []
    ill = {"now": True}

    def pod(connection):
        while True:
            head, _ = take_request(connection)
            if head.start.startswith("GET /healthz?full "):
                asked.append(head)
                connection.send(response("503 Ill" if ill["now"] else "204 Well"))
            else:
                connection.send(response("200 OK", b"ill"))

    def well(connection):
        while True:
            take_request(connection)
            connection.send(response("200 OK", b"well"))

    pods = [edge.backend(pod), edge.backend(well)]
    annotations = {"health_path": "/healthz?full", "health_interval": "1s", "slow_start": "0s"}
    route = edge.route(*pods, load_balance="round-robin", **annotations)

    def bodies():
        seen = set()
        for _ in range(6):
            client = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
            seen.add(client.take_response()[1])
            client.close()
        return seen

    labels = {"service": route.name, "namespace": "default"}
    assert bodies() == {b"ill", b"well"}
    wait_for_value(edge.admin, 1, "holdfast_endpoints_unhealthy", **labels)
    assert len(asked) == 3
    assert asked[0].get("host") == f"127.0.0.1:{pods[0].port}"
    assert asked[0].get("connection") == "close"
    assert bodies() == {b"well"}
    checks = edge.metrics()
    assert checks.value("holdfast_health_checks_total", result="failure") >= 3
    ill["now"] = False
    wait_for_value(edge.admin, 0, "holdfast_endpoints_unhealthy", **labels)
    assert bodies() == {b"ill", b"well"}
    # With the annotation the checks go, and what they said.
    ill["now"] = True
    wait_for_value(edge.admin, 1, "holdfast_endpoints_unhealthy", **labels)
    route.change(annotations={"load-balance": "round-robin", "slow-start": "0s"})
    wait_until(lambda: bodies() == {b"ill", b"well"}, "the end of the checks")
    assert edge.metrics().series("holdfast_endpoints_unhealthy", **labels) == []
