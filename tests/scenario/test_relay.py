"""Goal: an open WebSocket passes every byte as it is, mirrors how its peers end, and closes for one
reason that metrics and log tell.

Method: raw clients and backends; what Holdfast counted is compared with what they did.
"""

import os
import random
import threading

import pytest
from holdfast_test.metrics import wait_for_value
from holdfast_test.peers import (
    BINARY, CLOSE, PING, PONG, close_frame, echo_websocket, frame, handshake, switching, take_frame,
)  # fmt: skip
from holdfast_test.process import wait_until


def open_websocket(edge, route, **options):
    client = edge.connect(**options)
    client.send(handshake(route.host))
    assert client.take_head().status == 101
    return client


def wait_for_close(edge, route, reason, code="none"):
    wait_for_value(
        edge.admin, 1, "holdfast_websocket_closes_total", ingress=route.name, reason=reason,
        code=code,
    )  # fmt: skip
    wait_for_value(edge.admin, 0, "holdfast_websockets_open", ingress=route.name)
    line = wait_until(
        lambda: edge.holdfast.access_log(type="websocket_close", ingress=route.name), "a log line"
    )[0]
    assert line["reason"] == reason
    assert line["code"] == (0 if code == "none" else int(code))


def hold(connection):
    """Accepts the handshake and reads until the end."""
    connection.take_head()
    connection.send(switching())
    connection.take_rest()


def test_bytes_pass_unchanged_in_any_fragmentation(edge):
    """Frames of all kinds and sizes in pieces of any size, echoed as raw bytes."""
    seed = random.Random(5)
    stream = b"".join(
        frame(seed.randbytes(size), BINARY, masked=True, final=seed.random() < 0.5)
        + frame(seed.randbytes(7), PING, masked=True)
        for size in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20)
    )

    def script(connection):
        connection.take_head()
        connection.send(switching())
        connection.send(connection.take(len(stream)))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = open_websocket(edge, route)
    rest = stream
    while rest:
        size = seed.choice((1, 2, 3, 7, 100, 5000, 70000))
        client.send(rest[:size])
        rest = rest[size:]
    assert client.take(len(stream)) == stream


def test_the_closing_handshake_and_its_code(edge):
    route, _ = edge.serve(echo_websocket)
    client = open_websocket(edge, route)
    client.send(close_frame(4321, masked=True))
    assert take_frame(client)[0] == CLOSE
    client.close()
    wait_for_value(
        edge.admin, 1, "holdfast_websocket_closes_total", ingress=route.name,
        reason="downstream_close", code="4000-4999",
    )  # fmt: skip


def test_a_backends_close(edge):
    def script(connection):
        connection.take_head()
        connection.send(switching() + close_frame(1001))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = open_websocket(edge, route)
    assert take_frame(client) == (CLOSE, b"\x03\xe9", True)
    client.send(close_frame(1001, masked=True))
    client.close()
    wait_for_close(edge, route, "upstream_close", "1001")


def test_a_reset_in_mid_frame(edge):
    """What had come is delivered; then the connection breaks, without a made-up Close frame."""

    def script(connection):
        connection.take_head()
        connection.send(switching() + frame(b"x" * 1000)[:500])
        connection.take(1)
        connection.reset()

    route, _ = edge.serve(script)
    client = open_websocket(edge, route)
    assert client.take(500) == frame(b"x" * 1000)[:500]
    client.send(b"!")
    assert client.take_rest() == b""
    wait_for_close(edge, route, "upstream_reset")


def test_the_last_words_of_a_backend_that_breaks_off(edge):
    """A server that rejects a client says why and closes, with the client's bytes unread: the
    kernel resets the connection behind its words. They reach the client all the same."""
    words = frame(b"x" * 3000) + close_frame(1009)

    def script(connection):
        connection.take_head()
        connection.send(switching())
        take_frame(connection)
        connection.send(words)

    route, _ = edge.serve(script)
    for _ in range(60):
        client = open_websocket(edge, route)
        block = frame(b"y" * 4096, masked=True)
        try:
            for _ in range(200):
                client.send(block)
        except OSError:
            pass  # That is what a client sees whose server breaks off.
        assert client.take(len(words)) == words
        client.close()


@pytest.mark.in_the_clear
def test_a_client_that_vanishes_behind_a_stalled_backend(edge):
    """Its reset ends the relay at once, although bytes are owed to the backend."""
    stop = threading.Event()

    def script(connection):
        connection.take_head()
        connection.send(switching())
        stop.wait(60)

    route, _ = edge.serve(script)
    client = open_websocket(edge, route)
    client.socket.setblocking(False)
    block = frame(b"y" * 60000, masked=True)

    def blocked():
        try:
            client.socket.send(block)
            return False
        except BlockingIOError:
            return True

    wait_until(blocked, "the backend to be full")
    client.reset()
    wait_for_close(edge, route, "downstream_reset")
    stop.set()


def test_a_client_that_vanishes(edge):
    route, backend = edge.serve(hold)
    client = open_websocket(edge, route)
    client.reset()
    wait_for_close(edge, route, "downstream_reset")


@pytest.mark.in_the_clear
def test_a_half_close_is_passed_on_and_the_rest_delivered(edge):
    def script(connection):
        connection.take_head()
        connection.send(switching())
        assert connection.take_rest().endswith(b"last words")
        connection.send(frame(b"the answer to your last words"))
        connection.close()

    route, _ = edge.serve(script)
    client = open_websocket(edge, route)
    client.send(b"last words")
    client.half_close()
    assert take_frame(client)[1] == b"the answer to your last words"
    assert client.ends()
    wait_for_close(edge, route, "downstream_ended")


def test_slow_frames_live(edge):
    """One byte at a time is no reason to wait for a whole frame."""
    got = []

    def script(connection):
        connection.take_head()
        connection.send(switching())
        while True:
            got.append(connection.take(1))

    route, _ = edge.serve(script)
    client = open_websocket(edge, route)
    for i, byte in enumerate(frame(b"slow", masked=True)):
        client.send(bytes([byte]))
        wait_until(lambda count=i: len(got) == count + 1, "the byte")


def test_ping_and_pong_are_the_peers_own(edge):
    route, _ = edge.serve(echo_websocket)
    client = open_websocket(edge, route)
    client.send(frame(b"a", PONG, masked=True))
    assert take_frame(client) == (PONG, b"a", True)


def test_idle_for_too_long(edge):
    route, _ = edge.serve(hold, idle_timeout="1s")
    client = open_websocket(edge, route)
    assert client.ends()
    wait_for_close(edge, route, "idle_timeout")


def test_a_shorter_idle_timeout_reaches_open_connections(edge):
    """Live settings are the route's newest."""
    route, _ = edge.serve(hold, idle_timeout="1h")
    client = open_websocket(edge, route)
    route.change(annotations={"idle-timeout": "1s"})
    assert client.ends()
    wait_for_close(edge, route, "idle_timeout")


def test_a_reader_that_stalls_stalls_only_itself(edge):
    """A backend that floods a client which does not read is held back; others are served."""

    def script(connection):
        connection.take_head()
        connection.send(switching())
        connection.socket.settimeout(1)
        block = frame(os.urandom(1 << 16), BINARY)
        try:
            for _ in range(1000):
                connection.send(block)
        except TimeoutError:
            stalled.append(True)

    stalled = []
    route, _ = edge.serve(script)
    slow = open_websocket(edge, route, receive_buffer=4096)
    other, _ = edge.serve(echo_websocket)
    wait_until(lambda: stalled, "the backend to be held back")
    client = open_websocket(edge, other)
    client.send(frame(b"hello", masked=True))
    assert take_frame(client)[1] == b"hello"
    slow.close()


def test_counts_while_it_lives(edge):
    """Open connections, messages and bytes are in the metrics before anything closes."""
    route, _ = edge.serve(echo_websocket)
    clients = [open_websocket(edge, route) for _ in range(3)]
    for client in clients:
        for _ in range(4):
            client.send(frame(b"part one", final=False, masked=True))
            client.send(frame(b"part two", opcode=0, masked=True))
        for _ in range(8):
            take_frame(client)
    labels = {"namespace": "default", "ingress": route.name, "service": route.name}
    metrics = edge.metrics()
    assert metrics.value("holdfast_websockets_open", **labels) == 3
    assert metrics.value("holdfast_upgrades_total", result="opened", **labels) == 3
    for direction, size in (("upstreamward", 14), ("downstreamward", 10)):
        name = "holdfast_websocket_messages_total"
        assert metrics.value(name, direction=direction, **labels) == 12
        name = "holdfast_websocket_bytes_total"
        assert metrics.value(name, direction=direction, **labels) == 3 * 8 * size


@pytest.mark.in_the_clear
def test_a_wrong_frame_is_the_peers_affair(edge):
    """A length with its top bit set is followed, not judged; nothing is allocated for it."""
    route, backend = edge.serve(hold)
    client = open_websocket(edge, route)
    client.send(b"\x82\xff" + b"\xff" * 8 + b"mask" + b"x" * 100_000)
    wait_until(lambda: backend.received.endswith(b"x" * 100_000), "the bytes")
    client.close()
    wait_for_close(edge, route, "downstream_ended")
