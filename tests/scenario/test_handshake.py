"""Goal: a connection becomes a tunnel only on a valid handshake and a valid 101 (RFC 6455, section
4); everything else is an HTTP answer and nothing is tunnelled.

Method: raw clients and backends that send exactly what the test says.
"""

import contextlib

import pytest
from holdfast_test.metrics import wait_for_value
from holdfast_test.peers import (
    PING, TEXT, Ended, answering, echo_websocket, frame, handshake, response, switching,
    take_frame,
)  # fmt: skip
from holdfast_test.process import wait_until


def test_a_valid_handshake_reaches_the_backend_whole(edge):
    """Handshake fields arrive unchanged, with our forwarding fields; then frames pass."""
    route, backend = edge.serve(echo_websocket)
    client = edge.ask(
        handshake(
            route.host, "/a/b?c=%20d", "Origin: https://app.test", "Cookie: a=b; c=d",
            "Sec-WebSocket-Protocol: chat, superchat",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            "User-Agent: raw",
        )
    )  # fmt: skip
    head = client.take_head()
    assert head.status == 101
    assert head.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    client.send(frame(b"hello", masked=True))
    assert take_frame(client) == (TEXT, b"hello", True)
    seen = backend.connections[0].raw.decode("latin-1")
    for line in (
        "GET /a/b?c=%20d HTTP/1.1\r\n", f"Host: {route.host}\r\n", "Connection: Upgrade\r\n",
        "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n", "Origin: https://app.test\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Cookie: a=b; c=d\r\n",
        "Sec-WebSocket-Protocol: chat, superchat\r\n", "X-Forwarded-For: 127.0.0.1\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        f"X-Forwarded-Proto: {edge.scheme}\r\n", f"X-Forwarded-Host: {route.host}\r\n",
        f"X-Forwarded-Port: {edge.port}\r\n", "X-Real-IP: 127.0.0.1\r\n",
    ):  # fmt: skip
        assert line in seen, (line, seen)


@pytest.mark.parametrize(
    "lines",
    [
        ["Connection: keep-alive, Upgrade", "Upgrade: WebSocket"],
        ["connection: keep-alive", "Connection: upgrade", "upgrade: websocket"],
    ],
)
def test_tokens_in_any_case_and_any_list(edge, lines):
    route, _ = edge.serve(echo_websocket)
    request = ["GET / HTTP/1.1", f"Host: {route.host}", *lines, "Sec-WebSocket-Version: 13"]
    request += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    client = edge.ask(("\r\n".join(request) + "\r\n\r\n").encode())
    assert client.take_head().status == 101


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all!!!!!!=", 400),
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 777", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("GET / ", "POST / ", 400),
        ("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_a_broken_handshake_is_refused_before_the_backend(edge, old, new, status):
    route, backend = edge.serve(echo_websocket)
    request = handshake(route.host).decode().replace(old, new, 1)
    client = edge.ask(request.encode())
    head, _ = client.take_response()
    assert head.status == status
    if status == 426:
        assert head.get("sec-websocket-version") == "13"
        assert head.get("upgrade") == "websocket"
    assert client.ends()
    assert backend.connections == []


@pytest.mark.parametrize(
    "fields",
    [
        ["Upgrade: websocket"],
        ["Connection: upgrade"],
        ["Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
    ],
)
def test_half_an_upgrade_is_an_ordinary_request(edge, fields):
    """The Upgrade field goes no further."""
    route, backend = edge.serve(answering(response("200 OK", b"plain")))
    lines = ["GET / HTTP/1.1", f"Host: {route.host}", *fields]
    client = edge.ask(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert client.take_response()[1] == b"plain"
    assert b"pgrade" not in backend.received
    assert b"HTTP2" not in backend.received


@pytest.mark.parametrize(
    "status",
    ["200 OK", "204 No Content", "301 Moved", "403 Forbidden", "426 Upgrade Required", "500 X"],
)
def test_any_other_answer_is_passed_on_and_never_tunnelled(edge, status):
    """What the client sends behind it is a routed request again, or dropped; never raw bytes."""
    answer = response(status, b"", "X-From: backend")
    if status.startswith("204"):
        answer = b"HTTP/1.1 204 No Content\r\nX-From: backend\r\n\r\n"
    route, backend = edge.serve(answering(answer))
    client = edge.ask(handshake(route.host))
    head = client.take_head()
    assert head.start.startswith(f"HTTP/1.1 {status[:3]} ")
    assert head.get("x-from") == "backend"
    wait_for_value(
        edge.admin, 1, "holdfast_upgrades_total", ingress=route.name, result="refused",
        reason="upgrade_declined",
    )  # fmt: skip
    assert edge.holdfast.access_log(type="websocket_open", ingress=route.name) == []
    # The client may find the connection closed already.
    with contextlib.suppress(OSError):
        client.send(frame(b"smuggled", masked=True))
    client.take_rest()
    assert backend.received.count(b"\r\n\r\n") == 1
    assert backend.received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        switching(key="AAAAAAAAAAAAAAAAAAAAAA=="),
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        switching().replace(b"Upgrade: websocket\r\n", b""),
        switching().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        switching().replace(b"Connection: Upgrade\r\n", b""),
        switching("Sec-WebSocket-Protocol: never-offered"),
        switching("Sec-WebSocket-Extensions: permessage-deflate"),
    ],
)
def test_an_invalid_101_is_502(edge, answer):
    route, _ = edge.serve(answering(answer + frame(b"evil")))
    client = edge.ask(handshake(route.host))
    head, body = client.take_response()
    assert head.status == 502
    assert b"evil" not in body
    assert client.ends()
    metrics = edge.metrics()
    assert metrics.value("holdfast_upgrades_total", ingress=route.name, reason="bad_switch") == 1


def test_a_101_that_nobody_asked_for_is_502(edge):
    route, _ = edge.serve(answering(switching()))
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    assert client.take_head().status == 502


def test_a_frame_in_the_same_segment_as_the_101(edge):
    def script(connection):
        connection.take_head()
        connection.send(switching() + frame(b"first") + frame(b"second"))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    assert take_frame(client)[1] == b"first"
    assert take_frame(client)[1] == b"second"


def test_frames_before_the_101_are_held_until_it(edge):
    """They reach the backend after its 101, in order, and not before."""
    early = frame(b"early", masked=True)

    def script(connection):
        connection.take_head()
        assert len(connection.raw) == connection.raw.index(b"\r\n\r\n") + 4
        connection.send(switching())
        connection.send(frame(take_frame(connection)[1]))
        connection.send(frame(take_frame(connection)[1]))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(handshake(route.host) + early + frame(b"second", masked=True))
    assert client.take_head().status == 101
    assert take_frame(client)[1] == b"early"
    assert take_frame(client)[1] == b"second"


def test_frames_before_a_refusal_are_dropped_and_the_connection_ends(edge):
    """A pipelined request behind a handshake is not smuggled past the router either."""
    route, backend = edge.serve(answering(response("200 OK", b"no")))
    pipelined = f"GET /admin HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode()
    client = edge.ask(handshake(route.host) + pipelined)
    head, body = client.take_response()
    assert (head.status, body) == (200, b"no")
    assert head.get("connection") == "close"
    assert client.ends()
    assert b"/admin" not in backend.received


def test_a_silent_backend_is_504(edge):
    route, _ = edge.serve(lambda connection: connection.take_rest(), request_timeout="300ms")
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 504
    # Counted once the answer is on its way.
    upgrades = wait_until(
        lambda: edge.metrics().series("holdfast_upgrades_total", ingress=route.name), "the count"
    )
    assert [(labels["reason"], value) for labels, value in upgrades] == [("upstream_timeout", 1)]


def test_a_client_that_leaves_before_the_101_frees_the_backend(edge):
    seen = []

    def script(connection):
        connection.take_head()
        seen.append(connection.take_rest())

    route, backend = edge.serve(script)
    client = edge.ask(handshake(route.host))
    # Not before the handshake is there: who leaves earlier is not forwarded at all.
    wait_until(lambda: backend.received.endswith(b"\r\n\r\n"), "the handshake")
    client.close()
    wait_until(lambda: seen == [b""], "the backend's connection to end")
    wait_for_value(edge.admin, 1, "holdfast_upgrades_total", ingress=route.name, result="refused")


def test_a_head_byte_by_byte(edge):
    route, _ = edge.serve(echo_websocket)
    client = edge.connect()
    for byte in handshake(route.host):
        client.send(bytes([byte]))
    assert client.take_head().status == 101
    client.send(frame(b"ping me", PING, masked=True))
    assert take_frame(client) == (PING, b"ping me", True)


def test_a_backends_heads_byte_by_byte(edge):
    """Also an interim one in front (RFC 9110 section 15.2)."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"

    def script(connection):
        connection.take_head()
        for byte in hint + switching() + frame(b"first"):
            connection.send(bytes([byte]))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(handshake(route.host))
    early = client.take_head()
    assert (early.status, early.get("link")) == (103, "</a.css>")
    assert client.take_head().status == 101
    assert take_frame(client) == (TEXT, b"first", True)


def test_an_extension_passes_end_to_end(edge):
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

    def script(connection):
        connection.take_head()
        connection.send(switching("Sec-WebSocket-Extensions: permessage-deflate"))
        # RSV1: a compressed message, which nobody on the way understands.
        connection.send(b"\xc1\x03abc")
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(handshake(route.host, "/", offer))
    head = client.take_head()
    assert head.get("sec-websocket-extensions") == "permessage-deflate"
    assert client.take(5) == b"\xc1\x03abc"


def test_ended_before_an_answer(edge):
    """A backend that closes without a byte is asked three times in all, then it is 502."""
    route, backend = edge.serve(lambda connection: connection.take_head() and connection.close())
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 502
    assert len(backend.connections) == 3
    with pytest.raises(Ended):
        client.take_rest()
        client.take(1)
