"""Goal: the rows of RFC 9110, RFC 9112 and of published vulnerabilities that the other files do not
have: limits at their edge, what is forwarded and what stays behind, refusals that leave nothing
behind, on both sides.

Method: exact bytes; what a backend gets is also held to the rules of holdfast_test.recorded.
"""

import os

import pytest
from holdfast_test.peers import (
    answering, echo_websocket, frame, handshake, response, switching, take_frame, take_request,
)  # fmt: skip
from holdfast_test.process import wait_until
from holdfast_test.recorded import Broken, check_requests

OURS = (
    "X-Forwarded-For: 1\r\nX-Forwarded-Proto: http\r\nX-Real-IP: 1\r\nX-Request-ID: {}\r\n"
)  # fmt: skip


def request(route, *fields, method="GET", path="/", version="1.1", body=""):
    lines = [f"{method} {path} HTTP/{version}", f"Host: {route.host}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def forwarded(backend, number=0):
    """The head that a backend got: (start line, [(name in lower case, value)])."""
    head = bytes(backend.connections[number].raw).split(b"\r\n\r\n")[0].decode("latin-1")
    start, *lines = head.split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return start, [(name.lower(), value) for name, value in pairs]


# The reader of records itself.


def recorded(*lines, rest="", request_id="a"):
    return ("\r\n".join(lines) + "\r\n" + OURS.format(request_id) + "\r\n" + rest).encode("latin-1")


GET = ("GET / HTTP/1.1", "Host: a")


@pytest.mark.parametrize(
    "received",
    [
        recorded(*GET) + recorded(*GET),
        recorded("GET / HTTP/1.0", "Host: a"),
        recorded("GET / HTTP/1.1"),
        recorded(*GET, "Host: b"),
        recorded(*GET, "Connection: close"),
        recorded(*GET, "TE: trailers"),
        recorded(*GET, "X : y"),
        recorded(*GET, "X: a\x01"),
        recorded(*GET, "Content-Length: 1", "Content-Length: 1", rest="x"),
        recorded(*GET, "Content-Length: +1", rest="x"),
        recorded(*GET, "Content-Length: 1", "Transfer-Encoding: chunked", rest="0\r\n\r\n"),
        recorded(*GET, "Transfer-Encoding: gzip"),
        recorded(*GET, "Transfer-Encoding: chunked", rest="1;x\r\na\r\n0\r\n\r\n"),
        recorded(*GET, "Transfer-Encoding: chunked", rest="1\r\nab\r\n0\r\n\r\n"),
        recorded(*GET, "Transfer-Encoding: chunked", rest="0\r\nX: y\r\n\r\n"),
        recorded(*GET, "Connection: Upgrade", "Upgrade: websocket", rest="\x81\x00"),
        recorded(*GET, "Connection: Upgrade", "Upgrade: h2c"),
        recorded(*GET, rest="tail\r\n\r\n"),
    ],
    ids=range(18),
)
def test_the_reader_sees_what_is_broken(received):
    with pytest.raises(Broken):
        check_requests(received, agreed=False)


def test_the_reader_takes_what_is_whole():
    tunnel = recorded(
        *GET, "Connection: Upgrade", "Upgrade: websocket", rest="\x81\x00", request_id="d"
    )
    received = (
        recorded("POST / HTTP/1.1", "Host: a", "Content-Length: 4", rest="\r\n\r\n")
        + recorded(*GET, "Transfer-Encoding: chunked", rest="1\r\na\r\n0\r\n\r\n", request_id="b")
        + recorded(*GET, request_id="c")
        + tunnel
    )
    assert check_requests(received, agreed=True) == ["a", "b", "c", "d"]


# Limits at their edge (README and http/limits.h).


@pytest.mark.parametrize(
    ("fields", "path", "status"),
    [
        ([], "/" + "a" * (8192 - len("GET / HTTP/1.1")), 200),
        ([], "/" + "a" * (8193 - len("GET / HTTP/1.1")), 414),
        (["X: " + "a" * (8192 - 3)], "/", 200),
        (["X: " + "a" * (8193 - 3)], "/", 431),
        (["X: y"] * 99, "/", 200),
        (["X: y"] * 100, "/", 431),
        (["X: " + "a" * 8000] * 4, "/", 200),
        (["X: " + "a" * 8000] * 4 + ["Y: " + "b" * 800], "/", 431),
        (["Connection: " + ", ".join(f"a{i}" for i in range(32))], "/", 200),
        (["Connection: " + ", ".join(f"a{i}" for i in range(33))], "/", 431),
    ],
    ids=range(10),
)
def test_a_heads_limits(edge, fields, path, status):
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(request(route, *fields, path=path))
    assert client.take_response()[0].status == status
    assert len(backend.connections) == (status == 200)


@pytest.mark.parametrize(
    ("chunk_line", "trailers", "status"),
    [
        ("1;" + "e" * 253, "", 200),
        ("1;" + "e" * 254, "", 400),
        ("1", "X: " + "t" * 4000 + "\r\nY: " + "t" * 4000 + "\r\n", 200),
        ("1", ("X: " + "t" * 4000 + "\r\n") * 3, 400),
    ],
    ids=range(4),
)
def test_a_chunked_bodys_limits(edge, chunk_line, trailers, status):
    route, _ = edge.serve(answering(response("200 OK")))
    body = f"{chunk_line}\r\nx\r\n0\r\n{trailers}\r\n"
    client = edge.ask(request(route, "Transfer-Encoding: chunked", method="POST", body=body))
    assert client.take_response()[0].status == status


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + "X: y\r\n" * 99, 200),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + "X: y\r\n" * 100, 502),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + "a" * 8189 + "\r\n", 200),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + "a" * 8190 + "\r\n", 502),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + ("X: " + "a" * 8000 + "\r\n") * 5, 502),
        ("HTTP/1.1 103 Early\r\n\r\n" * 16 + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 200),
    ],
    ids=range(6),
)
def test_an_answers_limits(edge, answer, status):
    route, _ = edge.serve(answering(answer.encode() + b"\r\n"))
    client = edge.ask(request(route))
    head = client.take_head()
    while head.status == 103:
        head = client.take_head()
    assert head.status == status


# What is forwarded (RFC 9110, section 7.6.1 and 6.2 of the rules).


def test_what_concerns_one_hop_stays_behind(edge):
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(
        request(
            route,
            "Connection: keep-alive, X-Mine, h2c",
            "X-Mine: 1",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "TE: trailers, deflate",
            "Trailer: X",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
            "Upgrade: h2c",
            "X-Other: 2",
        )  # fmt: skip
    )
    assert client.take_response()[0].status == 200
    names = [name for name, _ in forwarded(backend)[1]]
    assert "x-other" in names
    for name in ("connection", "x-mine", "keep-alive", "proxy-connection", "te", "trailer",
                 "http2-settings", "upgrade"):  # fmt: skip
        assert name not in names


def test_the_same_of_an_answer(edge):
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: max=5\r\n"
        b"Proxy-Connection: close\r\nUpgrade: h2c\r\nTrailer: X\r\nX-Other: 2\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    route, _ = edge.serve(answering(answer))
    head = edge.ask(request(route)).take_head()
    assert head.get("x-other") == "2" and head.get("date") is not None
    for name in ("connection", "x-mine", "keep-alive", "proxy-connection", "upgrade", "trailer"):
        assert head.get(name) is None


@pytest.mark.parametrize(
    "nominated",
    ["X-Forwarded-For", "X-Real-IP, X-Forwarded-Proto", "Host", "Cookie, Authorization",
     "Content-Length, Transfer-Encoding", "X-Request-ID", "close, Content-Type"],
)  # fmt: skip
def test_connection_cannot_take_away_what_counts(edge, nominated):
    """CVE-2024-45410, CVE-2025-48865: naming a proxy's fields in Connection removes them."""
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(
        request(
            route,
            f"Connection: {nominated}",
            "Cookie: c",
            "Authorization: a",
            "Content-Type: text/plain",
            "Content-Length: 2",
            method="POST",
            body="ok",
        )  # fmt: skip
    )
    assert client.take_response()[0].status == 200
    fields = dict(forwarded(backend)[1])
    assert fields["x-forwarded-for"] == fields["x-real-ip"] == "127.0.0.1"
    assert fields["x-forwarded-proto"] == edge.scheme and fields["host"] == route.host
    assert (fields["cookie"], fields["authorization"], fields["content-length"]) == ("c", "a", "2")


def test_everything_else_passes_in_order_and_unchanged(edge):
    """RFC 9110, sections 5.1, 5.3, 7.7 and 11.7."""
    path = "/a//b/...%2e/%61%zz/c;d=e?q=%00&&=/../~'\"<>|{}\\^`"
    sent = [("x-list", "1"), ("set-cookie", "a"), ("x-list", "2"), ("x-empty", ""),
            ("proxy-authorization", "Basic eDp5"), ("x-list", "3"), ("x-high", "\xe4\xff\t!"),
            ("range", "bytes=0-"), ("accept-encoding", "br;q=1.0, *;q=0")]  # fmt: skip
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(request(route, *(f"{name}: {value}" for name, value in sent), path=path))
    assert client.take_response()[0].status == 200
    start, fields = forwarded(backend)
    assert start == f"GET {path} HTTP/1.1"
    names = {name for name, _ in sent}
    assert [pair for pair in fields if pair[0] in names] == sent
    assert ("via", "1.1 holdfast") in fields


def test_an_answers_fields_pass_in_order_and_unchanged(edge):
    lines = ["Set-Cookie: a=1; Path=/", "X-High: \xe4", "Set-Cookie: b=2", "Via: 1.1 other",
             "Proxy-Authenticate: Basic", "Date: Tue, 24 Nov 2026 00:00:00 GMT"]  # fmt: skip
    route, _ = edge.serve(
        answering(response("299 Odd \xe4", b"", *lines).decode().encode("latin-1"))
    )
    head = edge.ask(request(route)).take_head()
    assert head.start == "HTTP/1.1 299 Odd \xe4"
    got = [f"{name}: {value}" for name, value in head.fields]
    assert [line for line in got if line in lines] == lines
    assert len(head.all("date")) == 1


@pytest.mark.parametrize(
    ("version", "status"), [("1.2", 200), ("1.9", 200), ("2.0", 505), ("0.9", 505)]
)
def test_versions(edge, version, status):
    """RFC 9110, section 2.5: a later 1.x is taken as 1.1, and our own version is sent on."""
    route, backend = edge.serve(answering(response("200 OK")))
    head = edge.ask(request(route, version=version)).take_head()
    assert head.status == status and head.start.startswith("HTTP/1.1 ")
    assert [b" HTTP/1.1\r\n" in peer.raw for peer in backend.connections] == [True] * (
        status == 200
    )


@pytest.mark.parametrize(
    ("version", "fields", "stays"),
    [
        ("1.1", [], True), ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: Foo, CLOSE"], False), ("1.0", [], False),
    ],
)  # fmt: skip
def test_whether_a_connection_stays(edge, version, fields, stays):
    """RFC 9112, sections 9.3 and 9.6: behind a close nothing more is looked at."""
    route, backend = edge.serve(answering(response("200 OK", b"ok")))
    client = edge.ask(2 * request(route, *fields, version=version))
    head, body = client.take_response()
    assert body == b"ok"
    assert (head.get("connection") == "close") == (not stays)
    if stays:
        assert client.take_response()[1] == b"ok"
    else:
        assert client.ends()
    assert backend.received.count(b"\r\n\r\n") == 1 + stays


@pytest.mark.parametrize(
    "host", ["{}.", "{}:80", "{}:", "UPPER"], ids=["trailing dot", "port", "empty port", "case"]
)
def test_a_host_is_one_value_for_the_route_and_the_backend(edge, host):
    """CVE-2026-2836: routed by the value that the backend gets."""
    route, backend = edge.serve(answering(response("200 OK")))
    sent = route.host.upper() if host == "UPPER" else host.format(route.host)
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: {sent}\r\n\r\n".encode())
    assert client.take_response()[0].status == 200
    fields = dict(forwarded(backend)[1])
    assert fields["host"] == fields["x-forwarded-host"] == sent


# Framing and smuggling.


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "MADEUP"])
def test_both_framings_are_refused_of_every_method(edge, method):
    """CVE-2026-29057."""
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(
        request(
            route,
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
            method=method,
            body="0\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n",
        )  # fmt: skip
    )
    assert client.take_response()[0].status == 400
    assert client.ends() and backend.connections == []


@pytest.mark.parametrize("path", ["/unrouted", "/"])
def test_a_refused_requests_body_is_no_request(edge, path):
    """CVE-2025-4366: the body of a refused request is read or the connection ends."""
    route = edge.route(paths=("/",)) if path == "/" else None
    host = route.host if route else "nobody.test"
    evil = f"GET /evil HTTP/1.1\r\nHost: {host}\r\n\r\n"
    client = edge.ask(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(evil)}\r\n\r\n".encode()
        + evil.encode()
    )
    assert client.take_response()[0].status == (503 if route else 404)
    assert client.ends()


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        (["Expect: 100-continue", "Content-Length: 5"], "POST"),
        (["Expect: y 100-continue", "Content-Length: 5"], "POST"),
        (["Expect: 100-Continue, x", "Content-Length: 5"], "POST"),
        (["Content-Length: 5"], "GET"),
        (["Content-Length: 5"], "HEAD"),
        (["Transfer-Encoding: Chunked"], "DELETE"),
    ],
)
def test_a_body_goes_with_its_request_whatever_announces_it(edge, fields, method):
    """Pause-based and 0.CL desync: the head, a pause until the backend has it, then the body."""

    def script(connection):
        for _ in range(2):
            head, _ = take_request(connection)
            body = b"" if head.start.startswith("HEAD") else b"ok"
            connection.send(response("200 OK", b"ok")[: None if body else -2])

    route, backend = edge.serve(script)
    client = edge.ask(request(route, *fields, method=method))
    wait_until(lambda: backend.connections and backend.connections[0].raw, "the head")
    chunked = fields[-1].startswith("Transfer")
    client.send(b"5\r\nGET\r\n\r\n0\r\n\r\n" if chunked else b"GET\r\n")
    client.take_head() if method == "HEAD" else client.take_response()
    client.send(request(route, path="/next"))
    assert client.take_response()[1] == b"ok"
    starts = [line for line in backend.received.split(b"\r\n") if line.endswith(b" HTTP/1.1")]
    assert starts == [f"{method} / HTTP/1.1".encode(), b"GET /next HTTP/1.1"]


def test_a_body_that_ends_early_is_no_request(edge):
    """RFC 9112, section 8: the backend sees that it is cut; nothing follows on its connection."""
    cut = []

    def script(connection):
        connection.take_head()
        cut.append(connection.take_rest())

    route, _ = edge.serve(script)
    client = edge.ask(request(route, "Content-Length: 10", method="POST", body="half"))
    client.half_close()
    wait_until(lambda: cut, "the backend's connection to end")
    assert cut == [b"half"]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"),
        (
            "GET",
            b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        ),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"),
    ],
)
def test_a_body_where_none_may_be_reaches_nobody(edge, method, answer):
    """Response smuggling: the client gets the head alone or 502, and then its own answer."""
    route, backend = edge.serve(answering(answer))
    other = edge.route(edge.backend(answering(response("200 OK", b"mine"))))
    client = edge.ask(request(route, method=method))
    head = client.take_head()
    assert head.status in (int(answer.split()[1]), 502)
    if head.status == 204:
        assert head.get("content-length") is None and head.get("transfer-encoding") is None
    if head.get("connection") != "close":
        client.send(request(other))
        assert client.take_response()[1] == b"mine"
    fresh = edge.ask(request(route, method=method))
    assert fresh.take_head().status == head.status
    assert b"evil" not in client.raw + fresh.raw
    assert len(backend.connections) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nevil",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nevilHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 4\n\nevil",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 4\r\n\r\nevil",
        b"ICY 200 OK\r\n\r\nevil",
    ],
    ids=range(10),
)
def test_a_backends_ambiguous_answer_is_502(edge, answer):
    route, _ = edge.serve(lambda peer: (take_request(peer), peer.send(answer), peer.take_rest()))
    client = edge.ask(request(route))
    head = client.take_head()
    if head.status == 100:
        head = client.take_head()
    assert head.status == 502
    assert b"evil" not in client.raw


# Handshakes.


def test_a_request_behind_a_handshake_is_not_the_backends(edge):
    """CVE-2026-2833: bytes behind an upgrade request wait for its 101; without one they go."""
    go_on = []

    def script(connection):
        connection.take_head()
        wait_until(lambda: go_on, "the client to have sent all")
        connection.send(response("200 OK", b"no"))
        connection.take_rest()

    route, backend = edge.serve(script)
    client = edge.ask(handshake(route.host) + request(route, path="/admin"))
    go_on.append(True)
    head, body = client.take_response()
    assert (head.status, body) == (200, b"no") and head.get("connection") == "close"
    assert client.ends()
    assert b"/admin" not in backend.received


def test_a_wrong_version_is_426_and_the_connection_no_tunnel(edge):
    """websocket-smuggle: what follows is refused with it, or routed, never passed through."""
    route, backend = edge.serve(echo_websocket)
    wrong = handshake(route.host).replace(b"Version: 13", b"Version: 777")
    client = edge.ask(wrong + request(route, path="/internal"))
    head, _ = client.take_response()
    assert head.status == 426
    assert (head.get("sec-websocket-version"), head.get("upgrade")) == ("13", "websocket")
    assert client.ends() and backend.connections == []


@pytest.mark.parametrize(
    "fields",
    [["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"],
     ["Upgrade: TLS/1.0", "Connection: upgrade"]],
)  # fmt: skip
def test_other_protocols_are_not_asked_for(edge, fields):
    """h2c smuggling: the request goes on without its upgrade, and a 101 to it is 502."""
    answers = (response("200 OK", b"plain"), switching().replace(b"websocket", b"h2c"))
    route, backend = edge.serve(answering(*answers))
    client = edge.ask(request(route, *fields))
    assert client.take_response()[1] == b"plain"
    assert b"pgrade" not in backend.received and b"HTTP2" not in backend.received
    client.send(request(route, *fields))
    assert client.take_response()[0].status == 502


def test_expect_and_upgrade_together(edge):
    """RFC 9110, section 7.8: the 100 comes before the 101."""

    def script(connection):
        connection.take_head()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" + switching())
        opcode, payload, _ = take_frame(connection)
        connection.send(frame(payload, opcode))

    route, _ = edge.serve(script)
    client = edge.ask(handshake(route.host, "/", "Expect: 100-continue"))
    assert [client.take_head().status for _ in range(2)] == [100, 101]
    client.send(frame(b"x", masked=True))
    assert take_frame(client)[1] == b"x"


def test_a_thousand_refusals_leave_no_descriptor(edge):
    """kemal #767: refused upgrades, some of them from a connection that stays."""
    route, _ = edge.serve(answering(response("403 Forbidden", b"no")))
    folder = f"/proc/{edge.holdfast.pid}/fd"
    before = len(os.listdir(folder))
    bad = handshake(route.host).replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short")
    for i in range(500):
        for head, status in ((bad, 400), (handshake(route.host), 403)):
            client = edge.ask(head)
            assert client.take_response()[0].status == status, i
            client.close()
    wait_until(lambda: len(os.listdir(folder)) <= before + 2, "every connection to be closed")
