"""The backend's side of RFC 6455 over asyncio streams: the handshake's answer and frames.

One WebSocket belongs to one asyncio task that calls receive(); send() and close() may be called
from any task of the same loop. What the peer does wrong ends in ProtocolError with the close code
to send.
"""

import asyncio
import base64
import hashlib
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
MESSAGE_BYTES_MOST = 16 * 1024  # a chat line, with room; the peer's error beyond it is 1009
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class ProtocolError(Exception):
    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code
        self.reason = reason


def accept_value(key):
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def is_upgrade(headers):
    """Whether a request, by its lower-case headers, asks for a WebSocket."""
    connection = [token.strip().lower() for token in headers.get("connection", "").split(",")]
    return headers.get("upgrade", "").lower() == "websocket" and "upgrade" in connection


def frame(opcode, payload):
    """One whole, unmasked frame."""
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + struct.pack("!BH", 126, len(payload)) + payload
    return head + struct.pack("!BQ", 127, len(payload)) + payload


class WebSocket:
    def __init__(self, reader, writer, subprotocol):
        self.subprotocol = subprotocol
        self.close_code = None  # the peer's, once its Close frame is in
        self._reader = reader
        self._writer = writer
        self._close_sent = False

    async def receive(self):
        """The next text message, or None at the end (close_code None: without a Close frame)."""
        parts = []
        size = 0
        while True:
            try:
                final, opcode, payload = await self._frame(MESSAGE_BYTES_MOST - size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            if opcode == CLOSE:
                self.close_code = struct.unpack("!H", payload[:2])[0] if len(payload) > 1 else 1005
                self.close(self.close_code if self.close_code != 1005 else 1000, "")
                return None
            if opcode == PING:
                self._send(PONG, payload)
                continue
            if opcode == PONG:
                continue
            if opcode == BINARY:
                raise ProtocolError(1003, "this chat speaks text")
            if (opcode == CONTINUATION) != bool(parts):
                raise ProtocolError(1002, "fragments out of order")
            parts.append(payload)
            size += len(payload)
            if final:
                try:
                    return b"".join(parts).decode()
                except UnicodeDecodeError:
                    raise ProtocolError(1007, "not UTF-8") from None

    async def _frame(self, bytes_most):
        first, second = await self._reader.readexactly(2)
        final, opcode, size = bool(first & 0x80), first & 0x0F, second & 0x7F
        if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolError(1002, "reserved bits or opcode")
        if not second & 0x80:
            raise ProtocolError(1002, "frames from a client are masked")
        if opcode >= CLOSE and (size > 125 or not final):
            raise ProtocolError(1002, "a control frame is short and whole")
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        if opcode < CLOSE and size > bytes_most:
            raise ProtocolError(1009, f"a message is at most {MESSAGE_BYTES_MOST} bytes")
        mask = await self._reader.readexactly(4)
        masked = await self._reader.readexactly(size)
        whole = mask * (size // 4 + 1)
        return final, opcode, bytes(a ^ b for a, b in zip(masked, whole))

    def send(self, text):
        self._send(TEXT, text.encode())

    def ping(self):
        self._send(PING, b"")

    def close(self, code, reason):
        """Sends a Close frame, once."""
        self._send(CLOSE, struct.pack("!H", code) + reason.encode()[:123])
        self._close_sent = True

    def _send(self, opcode, payload):
        if not self._close_sent and not self._writer.is_closing():
            self._writer.write(frame(opcode, payload))
