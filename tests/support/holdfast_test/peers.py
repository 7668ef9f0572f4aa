"""Scripted peers on raw sockets: a backend that records every byte and a client that can misbehave.

Everything has a deadline; nothing sleeps.
"""

import base64
import collections
import contextlib
import hashlib
import os
import socket
import ssl
import struct
import threading

from holdfast_test.process import PATIENCE_SECONDS, wait_until
from holdfast_test.recorded import check_requests

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# README, "When things go wrong".
TRIES_MOST = 3
# In so much of one write a 101 is looked for.
HEADS_BYTES = 4096
# ip(7); Python's socket has no name for it.
IP_BIND_ADDRESS_NO_PORT = 24
# What PROXY headers begin with.
PROXY_V1, PROXY_V2 = b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Ended(Exception):
    """The peer ended or reset the connection before what was waited for came."""


def accept_value(key=KEY):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def handshake(host, path="/", *fields, key=KEY):
    """A WebSocket handshake request; `fields` are whole lines."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *fields,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def switching(*fields, key=KEY):
    """A backend's 101."""
    lines = [
        "HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
        f"Sec-WebSocket-Accept: {accept_value(key)}", *fields,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(payload, opcode=TEXT, masked=False, final=True):
    """One WebSocket frame."""
    head = bytes([(0x80 if final else 0) | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def close_frame(code, masked=False):
    return frame(struct.pack(">H", code), CLOSE, masked)


class Connection:
    """A socket with deadlines that remembers all it received in `raw`."""

    def __init__(self, sock):
        self.socket = sock
        self.socket.settimeout(PATIENCE_SECONDS)
        self.raw = bytearray()
        # A 101 was sent here.
        self.agreed = False
        self._taken = 0

    def send(self, data):
        self.agreed |= b"HTTP/1.1 101 " in data[:HEADS_BYTES]
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as error:
            raise Ended(f"reset after {bytes(self.raw[-200:])!r}") from error
        if not data:
            raise Ended(f"ended after {bytes(self.raw[-200:])!r}")
        self.raw += data

    def take(self, count):
        """The next `count` bytes."""
        while len(self.raw) - self._taken < count:
            self._more()
        self._taken += count
        return bytes(self.raw[self._taken - count : self._taken])

    def take_until(self, end):
        """The next bytes up to and with `end`."""
        while (found := self.raw.find(end, self._taken)) < 0:
            self._more()
        return self.take(found + len(end) - self._taken)

    def take_head(self):
        return Head(self.take_until(b"\r\n\r\n"))

    def take_head_alone(self):
        """Reads not one byte behind it, for who reads the rest from the socket itself."""
        while not self.raw.endswith(b"\r\n\r\n", self._taken):
            byte = self.socket.recv(1)
            if not byte:
                raise Ended(f"ended after {bytes(self.raw[-200:])!r}")
            self.raw += byte
        self._taken = len(self.raw)

    def take_proxy_header(self):
        """(version, (address, port) of the source, of the destination) of the PROXY header that the
        connection begins with; None, None of one that names nobody. `raw` has only what is
        behind it."""
        ends = [None, None]
        if self.take(len(PROXY_V1)) == PROXY_V1:
            family, *named = self.take_until(b"\r\n").decode().split()
            if family != "UNKNOWN":
                source, destination, *ports = named
                assert family == ("TCP6" if ":" in source else "TCP4"), family
                ends = [(source, int(ports[0])), (destination, int(ports[1]))]
        else:
            command, family, size = struct.unpack(">BBH", self.take(10)[-4:])
            assert bytes(self.raw[: len(PROXY_V2)]) == PROXY_V2 and command in (0x20, 0x21)
            if command == 0x20:
                assert (family, size) == (0, 0)
            else:
                ends = self._take_addresses(family, size)
        version = 1 if self.raw.startswith(PROXY_V1) else 2
        del self.raw[: self._taken]
        self._taken = 0
        return version, *ends

    def _take_addresses(self, family, size):
        """[source, destination] of version 2."""
        kind, width = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}[family]
        block = self.take(size)
        ports = struct.unpack_from(">HH", block, 2 * width)
        return [
            (socket.inet_ntop(kind, block[i * width : (i + 1) * width]), ports[i])
            for i in range(2)
        ]

    def take_response(self):
        """(head, body) of a response with a Content-Length, or chunked."""
        head = self.take_head()
        if head.get("transfer-encoding") == "chunked":
            return head, self.take_chunked()
        return head, self.take(int(head.get("content-length", "0")))

    def take_chunked(self):
        body = b""
        while size := int(self.take_until(b"\r\n"), 16):
            body += self.take(size)
            assert self.take(2) == b"\r\n"
        assert self.take(2) == b"\r\n"
        return body

    def take_rest(self):
        """Everything up to the end of the stream."""
        with contextlib.suppress(Ended):
            while True:
                self._more()
        rest = bytes(self.raw[self._taken :])
        self._taken = len(self.raw)
        return rest

    def ends(self):
        """True when the peer ends the stream (or resets it) without another byte."""
        return self.take_rest() == b""

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class Head:
    """A message head: start line and fields, names in lower case."""

    def __init__(self, data):
        self.data = data
        lines = data.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.fields = [line.split(": ", 1) for line in lines[1:] if line]

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)


def trusting_everybody():
    """Settings of a TLS client that looks at no certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(port, host="127.0.0.1", receive_buffer=None, source=None, tls=None, server_name=None):
    """`tls`: the settings (ssl.SSLContext) of a client that speaks it, and names `server_name`."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source is not None:
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
    sock.settimeout(PATIENCE_SECONDS)
    sock.connect((host, port))
    if tls is not None:
        sock = tls.wrap_socket(
            sock, server_hostname=server_name, suppress_ragged_eofs=False
        )
    return Connection(sock)


class Backend:
    """Serves each connection with `script(connection)` in a thread of its own.

    The connection is closed when its script returns. A script that fails makes stop() fail, unless
    the failure is only that its peer went away; so does a request that breaks the rules of
    recorded.py. `host` may be "unix:/PATH"; port 0 lets the kernel choose. `tls`: the settings
    (ssl.SSLContext) of one that speaks it; what fails its handshake is no connection.
    """

    def __init__(self, script, host="127.0.0.1", port=0, tls=None):
        self._script = script
        self._tls = tls
        self.host = host
        if host.startswith("unix:"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.bind(host.removeprefix("unix:"))
            self._socket.listen(512)
            self.port = 0
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=512)
            self.port = self._socket.getsockname()[1]
        self.connections = []
        self._failures = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                if self._tls is not None:
                    threading.Thread(target=self._shake_hands, args=(sock,), daemon=True).start()
                    continue
                connection = Connection(sock)
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _shake_hands(self, sock):
        sock.settimeout(PATIENCE_SECONDS)
        try:
            connection = Connection(self._tls.wrap_socket(sock, server_side=True))
        except OSError:
            sock.close()
            return
        self.connections.append(connection)
        self._serve(connection)

    def _serve(self, connection):
        try:
            self._script(connection)
        except (Ended, OSError):
            pass  # The peer went away, or stop() closed the socket under the script.
        except Exception as error:
            self._failures.append(error)
        finally:
            connection.close()

    @property
    def endpoint(self):
        return (self.host, self.port)

    @property
    def received(self):
        """Every byte of every connection."""
        return b"".join(connection.raw for connection in self.connections)

    def wait_connections(self, count):
        wait_until(lambda: len(self.connections) >= count, f"{count} backend connections")

    def stop(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.close()
        if self._failures:
            raise self._failures[0]
        self._check_requests()

    def _check_requests(self):
        """A request is forwarded once, or up to three times where one try after another failed."""
        ids = collections.Counter()
        for connection in self.connections:
            ids.update(check_requests(connection.raw, connection.agreed))
        assert all(count <= TRIES_MOST for count in ids.values()), ids


def proxy_header_v2(source, destination, command=0x21, rest=b""):
    """Of two (address, port) pairs of one family."""
    kind = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    block = b"".join(socket.inet_pton(kind, address) for address, _ in (source, destination))
    block += struct.pack(">HH", source[1], destination[1]) + rest
    family = 0x21 if kind == socket.AF_INET6 else 0x11
    return PROXY_V2 + struct.pack(">BBH", command, family, len(block)) + block


def echo_websocket(connection):
    """Accepts any handshake and sends every byte back, frames unparsed but unmasked heads aside."""
    head = connection.take_head()
    connection.send(switching(key=head.get("sec-websocket-key")))
    while True:
        opcode, payload, final = take_frame(connection)
        connection.send(frame(payload, opcode, final=final))
        if opcode == CLOSE:
            return


def take_frame(connection):
    """(opcode, payload, final) of the next frame."""
    first, second = connection.take(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", connection.take(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", connection.take(8))
    mask = connection.take(4) if second & 0x80 else bytes(4)
    payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(connection.take(size)))
    return first & 0x0F, payload, bool(first & 0x80)


def answering(*responses):
    """A script that answers each request of a connection with the next of `responses`, and with the
    last for ever."""

    def script(connection):
        turn = 0
        while True:
            take_request(connection)
            connection.send(responses[min(turn, len(responses) - 1)])
            turn += 1

    return script


def take_request(connection):
    """(head, body) of a request."""
    head = connection.take_head()
    if head.get("transfer-encoding") == "chunked":
        return head, connection.take_chunked()
    return head, connection.take(int(head.get("content-length", "0")))


def response(status, body=b"", *fields):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
