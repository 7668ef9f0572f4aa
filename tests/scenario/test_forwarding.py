"""Goal: what a route changes in a message on its way: fields, host, path, traceparent, and which
Service handshakes go to.

Method: a backend that records exact bytes.
"""

import re

import pytest
from holdfast_test.peers import (
    BINARY, answering, echo_websocket, frame, handshake, response, take_frame,
)  # fmt: skip
from holdfast_test.process import wait_until


def ask(edge, route, path="/", *fields):
    lines = [f"GET {path} HTTP/1.1", f"Host: {route.host}", *fields]
    return edge.ask(("\r\n".join(lines) + "\r\n\r\n").encode())


def received(backend, number=0):
    """(start line, {name: [values]}) of the request that a backend got."""
    head = bytes(backend.connections[number].raw).split(b"\r\n\r\n")[0].decode("latin-1")
    start, *lines = head.split("\r\n")
    fields = {}
    for line in lines:
        name, value = line.split(": ", 1)
        fields.setdefault(name.lower(), []).append(value)
    return start, fields


def test_request_fields_are_set_and_removed(edge):
    route, backend = edge.serve(
        answering(response("200 OK")),
        request_headers="X-Tenant: {{ $host }}; %2 \"a\"\nX-Forwarded-Proto: https\n-X-Debug",
    )
    client = ask(edge, route, "/", "X-Tenant: evil", "x_tenant: evil", "X-Debug: 1", "X-Other: 2")
    assert client.take_head().status == 200
    _, fields = received(backend)
    assert fields["x-tenant"] == ['{{ $host }}; %2 "a"'] and fields["x-other"] == ["2"]
    assert fields["x-forwarded-proto"] == ["https"]
    assert "x-debug" not in fields and "x_tenant" not in fields


@pytest.mark.parametrize("upgrade", [False, True])
def test_answer_fields_are_set_and_removed(edge, upgrade):
    def script(connection):
        if upgrade:
            echo_websocket(connection)
        else:
            answering(response("200 OK", b"", "Server: x", "X-Frame-Options: a"))(connection)

    route, _ = edge.serve(
        script, response_headers="X-Frame-Options: DENY\n-Server\nSet-Cookie: a=b"
    )
    client = edge.ask(handshake(route.host)) if upgrade else ask(edge, route)
    head = client.take_head()
    assert head.status == (101 if upgrade else 200)
    assert head.all("x-frame-options") == ["DENY"] and head.all("set-cookie") == ["a=b"]
    assert head.get("server") is None


def test_a_host_of_its_own(edge):
    route, backend = edge.serve(answering(response("200 OK")), upstream_host="web.internal:8080")
    assert ask(edge, route).take_head().status == 200
    _, fields = received(backend)
    assert fields["host"] == ["web.internal:8080"]
    assert fields["x-forwarded-host"] == [route.host]


@pytest.mark.parametrize(
    ("rewrite", "path", "expected"),
    [
        ("/", "/app/x?y=%2F", "/x?y=%2F"), ("/", "/app", "/"), ("/v2", "/app/", "/v2/"),
        ("/v2", "/app?q", "/v2?q"), ("/", "/app//evil.test", "/evil.test"),
        ("/v2", "//%61pp//x%2Fy", "/v2//x%2Fy"),
    ],
)  # fmt: skip
def test_a_prefix_is_replaced(edge, rewrite, path, expected):
    backend = edge.backend(answering(response("200 OK")))
    route = edge.route(backend, paths=("/app",), rewrite_prefix=rewrite)
    assert ask(edge, route, path).take_head().status == 200
    assert received(backend)[0] == f"GET {expected} HTTP/1.1"


def test_a_handshake_s_prefix_is_replaced_too(edge):
    backend = edge.backend(echo_websocket)
    route = edge.route(backend, paths=("/app",), rewrite_prefix="/ws")
    client = edge.ask(handshake(route.host, "/app/room?x"))
    assert client.take_head().status == 101
    client.send(frame(b"hello", BINARY, masked=True))
    assert take_frame(client)[1] == b"hello"
    assert received(backend)[0] == "GET /ws/room?x HTTP/1.1"


def test_response_fields_of_an_interim_answer_too(edge):
    def script(connection):
        connection.take_head()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nServer: pod/1\r\nLink: </a.css>\r\n\r\n")
        connection.send(response("200 OK", b"", "Server: pod/1"))
        connection.take_rest()

    route, _ = edge.serve(script, response_headers="-Server")
    client = ask(edge, route)
    early, last = client.take_head(), client.take_head()
    assert (early.status, last.status) == (103, 200)
    assert early.get("link") == "</a.css>"
    assert early.get("server") is None and last.get("server") is None


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_trace_is_passed_on(edge):
    route, backend = edge.serve(answering(response("200 OK")))
    fields = (f"traceparent: {TRACE}", "tracestate: a=b")
    assert ask(edge, route, "/", *fields).take_head().status == 200
    _, got = received(backend)
    assert got["traceparent"] == [TRACE] and got["tracestate"] == ["a=b"]
    (line,) = wait_until(lambda: edge.holdfast.access_log(ingress=route.name), "the line")
    assert line["trace_id"] == TRACE[3:35]


NOMINATED = ["Connection: traceparent", f"traceparent: {TRACE}", "tracestate: a=b"]


@pytest.mark.parametrize(
    "fields",
    [
        [], ["traceparent: nonsense", "tracestate: a=b"], [f"traceparent: {TRACE}"] * 2,
        NOMINATED,
    ],
)  # fmt: skip
def test_a_trace_is_started(edge, fields):
    route, backend = edge.serve(answering(response("200 OK")))
    assert ask(edge, route, "/", *fields).take_head().status == 200
    _, got = received(backend)
    (traceparent,) = got["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent)
    # One id in the logs of both sides.
    assert traceparent[3:35] == got["x-request-id"][0] and "tracestate" not in got
    (line,) = wait_until(lambda: edge.holdfast.access_log(ingress=route.name), "the line")
    assert line["request_id"] == traceparent[3:35] and "trace_id" not in line


def test_no_trace_is_started_where_none_is_wanted(edge):
    route, backend = edge.serve(answering(response("200 OK")), traceparent="pass")
    assert ask(edge, route).take_head().status == 200
    assert "traceparent" not in received(backend)[1]
    route, backend = edge.serve(answering(response("200 OK")), traceparent="pass")
    assert ask(edge, route, "/", *NOMINATED).take_head().status == 200
    got = received(backend)[1]
    assert "traceparent" not in got and "tracestate" not in got


def test_what_is_no_trace_passes_where_none_is_started(edge):
    route, backend = edge.serve(answering(response("200 OK")), traceparent="pass")
    fields = ("traceparent: nonsense", "tracestate: a=b")
    assert ask(edge, route, "/", *fields).take_head().status == 200
    _, got = received(backend)
    assert got["traceparent"] == ["nonsense"] and got["tracestate"] == ["a=b"]


def test_handshakes_go_to_their_own_service(edge):
    live_route, live = edge.serve(echo_websocket)
    plain = edge.backend(answering(response("200 OK", b"plain")))
    route = edge.route(plain, websocket_service=f"{live_route.name}:80")
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    assert ask(edge, route).take_response()[1] == b"plain"
    assert len(live.connections) == 1 and len(plain.connections) == 1
    assert edge.metrics().value(
        "holdfast_websockets_open", ingress=route.name, service=live_route.name
    ) == 1
    assert edge.metrics().value(
        "holdfast_http_requests_total", ingress=route.name, service=route.name
    ) == 1
    # Where it is not: 503 for handshakes alone.
    route.change(annotations={"websocket-service": "nowhere:80"})
    assert edge.ask(handshake(route.host)).take_head().status == 503
    assert ask(edge, route).take_response()[1] == b"plain"
    client.send(frame(b"still here", BINARY, masked=True))
    assert take_frame(client)[1] == b"still here"
