"""Goal: much of everything, slowly or all at once, costs no memory beyond named limits and harms
nobody else.

Method: raw sockets in numbers on the real binary; its peak of resident memory, which the kernel
keeps (proc(5), clear_refs).
"""

import pathlib
import re
import selectors
import threading
import zlib

import pytest
from holdfast_test.metrics import wait_for_value
from holdfast_test.peers import (
    answering, echo_websocket, frame, handshake, response, switching, take_frame,
)  # fmt: skip
from holdfast_test.process import PATIENCE_SECONDS, wait_until

MIB = 1 << 20
# Two reads' worth of a worker, and what an allocator keeps.
PEAK_MIB_MOST = 16
# AddressSanitizer keeps freed memory for a while (its quarantine).
PEAK_MIB_MOST_SANITIZED = 400


class Peak:
    """How far resident memory rises above what it is now."""

    def __init__(self, process):
        self._folder = pathlib.Path(f"/proc/{process.pid}")
        (self._folder / "clear_refs").write_text("5")
        self._before = self._kib("VmRSS")

    def _kib(self, name):
        status = (self._folder / "status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M)[1])

    def mib(self):
        return (self._kib("VmHWM") - self._before) / 1024

    def mib_most(self):
        sanitized = "libasan" in (self._folder / "maps").read_text()
        return PEAK_MIB_MOST_SANITIZED if sanitized else PEAK_MIB_MOST


def receive_exactly(sock, count, buffer, checksum=0):
    """The checksum with the next `count` bytes, which are not kept."""
    while count > 0:
        got = sock.recv_into(buffer, min(count, len(buffer)))
        assert got > 0, "ended early"
        checksum = zlib.crc32(memoryview(buffer)[:got], checksum)
        count -= got
    return checksum


def receive_chunked(connection, buffer):
    """(size, checksum) of a chunked body."""
    reader = connection.socket.makefile("rb", buffering=MIB)
    size, checksum = 0, 0
    while chunk := int(reader.readline(), 16):
        data = reader.read(chunk)
        size, checksum = size + chunk, zlib.crc32(data, checksum)
        assert reader.readline() == b"\r\n"
    assert reader.readline() == b"\r\n"
    return size, checksum


@pytest.mark.parametrize("framing", ["Content-Length: {}", "Transfer-Encoding: chunked"])
def test_a_gigabyte_each_way_at_constant_memory(edge, framing):
    blocks, block = 1024, bytes(range(256)) * (MIB // 256)
    sent = 0
    for _ in range(blocks):
        sent = zlib.crc32(block, sent)
    chunked = "chunked" in framing
    seen = []

    def send_all(sock):
        for _ in range(blocks):
            if chunked:
                sock.sendall(b"%x\r\n" % MIB)
            sock.sendall(block)
            if chunked:
                sock.sendall(b"\r\n")
        if chunked:
            sock.sendall(b"0\r\n\r\n")

    def receive_all(connection):
        buffer = bytearray(MIB)
        if chunked:
            return receive_chunked(connection, buffer)
        return blocks * MIB, receive_exactly(connection.socket, blocks * MIB, buffer)

    field = framing.format(blocks * MIB)

    def script(connection):
        connection.take_head_alone()
        seen.append(receive_all(connection))
        connection.send(f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n".encode())
        send_all(connection.socket)

    route, _ = edge.serve(script)
    peak = Peak(edge.holdfast)
    client = edge.ask(f"POST / HTTP/1.1\r\nHost: {route.host}\r\n{field}\r\n\r\n".encode())
    send_all(client.socket)
    client.take_head_alone()
    assert receive_all(client) == (blocks * MIB, sent)
    assert seen == [(blocks * MIB, sent)]
    assert peak.mib() < peak.mib_most()


def test_ten_million_fragments_of_a_byte(edge):
    """CVE-2026-48779: nobody collects them here."""
    fragments, messages = 100_000, 100
    masked = b"\x81\x00\x00\x00\x00x"
    block = b"\x01" + masked + (b"\x00" + masked) * (fragments - 2) + b"\x80" + masked
    received = []

    def script(connection):
        connection.take_head_alone()
        connection.send(switching())
        receive_exactly(connection.socket, len(block) * messages, bytearray(MIB))
        received.append(True)
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    peak = Peak(edge.holdfast)
    for _ in range(messages):
        client.send(block)
    wait_until(lambda: received, "the last fragment")
    up = {"ingress": route.name, "direction": "upstreamward"}
    wait_for_value(edge.admin, messages, "holdfast_websocket_messages_total", **up)
    wait_for_value(edge.admin, messages * len(block), "holdfast_websocket_bytes_total", **up)
    assert peak.mib() < peak.mib_most()


class Slow:
    """Many clients of three kinds that send a byte each round, or read nothing."""

    def __init__(self, edge, route, each):
        head = f"GET / HTTP/1.1\r\nHost: {route.host}\r\nX-Slow: "
        body = f"POST / HTTP/1.1\r\nHost: {route.host}\r\nContent-Length: 1000\r\n\r\n"
        page = f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n"
        self.heads = [self._begin(edge, head) for _ in range(each)]
        self.bodies = [self._begin(edge, body) for _ in range(each)]
        self.readers = [self._begin(edge, page, receive_buffer=4096) for _ in range(each)]
        self.all = self.heads + self.bodies + self.readers

    @staticmethod
    def _begin(edge, text, **options):
        client = edge.connect(**options)
        client.send(text.encode())
        return client

    def trickle(self):
        for client in self.heads + self.bodies:
            client.send(b"x")


def test_two_thousand_slow_clients(edge):
    """Heads and bodies byte by byte, answers that nobody reads: others are served, memory stays
    within what limits.h gives each, and the heads are answered when their time is over."""
    each = 667
    page = response("200 OK", b"x" * MIB)

    def script(connection):
        head = connection.take_head()
        if head.start.startswith("POST"):
            connection.take(1000)
        connection.send(page)

    route, backend = edge.serve(script)
    good, _ = edge.serve(answering(response("200 OK", b"ok")))
    talk, _ = edge.serve(echo_websocket)
    peak = Peak(edge.holdfast)
    slow = Slow(edge, route, each)
    backend.wait_connections(2 * each)
    tunnel = edge.ask(handshake(talk.host))
    assert tunnel.take_head().status == 101
    client = edge.connect()
    for i in range(20):
        slow.trickle()
        client.send(f"GET /{i} HTTP/1.1\r\nHost: {good.host}\r\n\r\n".encode())
        assert client.take_response()[1] == b"ok"
        tunnel.send(frame(b"%d" % i, masked=True))
        assert take_frame(tunnel)[1] == b"%d" % i
    # A stalled reader is owed one read of 64 KiB, in a string that has grown; the others hold a
    # head buffer at most.
    assert peak.mib() < peak.mib_most() + each * (2 * 64 + 2 * 44) / 1024
    with selectors.DefaultSelector() as selector:
        for one in slow.heads:
            selector.register(one.socket, selectors.EVENT_READ, one)
        while selector.get_map():
            ready = selector.select(PATIENCE_SECONDS)
            assert ready, f"{len(selector.get_map())} heads without an answer"
            for key, _ in ready:
                selector.unregister(key.fileobj)
                assert key.data.take_head().status == 408
    for one in slow.all:
        one.reset()


def test_silent_clients_are_closed_without_a_word(edge):
    """Who sends nothing within the head deadline is owed no answer."""
    clients = [edge.connect() for _ in range(300)]
    ended = []
    threads = [threading.Thread(target=lambda one=one: ended.append(one.ends())) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert ended == [True] * len(clients)
