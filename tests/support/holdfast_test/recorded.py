"""Reads what a backend has received, strictly and by rules of its own: one well-formed HTTP/1.1
request after another, each with one framing field at most (RFC 9112, section 6), and nothing of a
tunnel that the backend did not agree to.
"""

import re

# Of what a connection carried so much is read; a test that moves more says what it has seen itself.
READ_BYTES_MOST = 4 << 20
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)")
START = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x22\x24-\x7e]+) HTTP/1\.1")
SIZE = re.compile(rb"[0-9a-f]{1,16}")
# Of one hop, not of the request (RFC 9110, section 7.6.1).
OF_ONE_HOP = {
    "keep-alive", "proxy-connection", "te", "trailer", "http2-settings", "transfer-encoding",
    "connection", "upgrade",
}  # fmt: skip
HEALTH_CHECK = b"User-Agent: holdfast-health-check\r\nConnection: close"


class Broken(AssertionError):
    """What was received breaks a rule."""


def demand(holds, rule, detail):
    if not holds:
        raise Broken(f"{rule}: {bytes(detail[:500])!r}")


def values_of(fields, name):
    return [value for key, value in fields if key.lower() == name]


def check_head(head):
    """(fields, is a handshake) of a request's head, empty line excluded."""
    start, *lines = head.decode("latin-1").split("\r\n")
    demand(START.fullmatch(start), "a request line", head)
    fields = []
    for line in lines:
        match = FIELD.fullmatch(line)
        demand(match, "a field line", line.encode("latin-1"))
        fields.append(match.groups())
    for name in ("host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-real-ip"):
        demand(len(values_of(fields, name)) == 1, f"{name} once", head)
    names = [key.lower() for key, _ in fields]
    hop_by_hop = [(key.lower(), value) for key, value in fields if key.lower() in OF_ONE_HOP]
    handshake = hop_by_hop == [("connection", "Upgrade"), ("upgrade", "websocket")]
    chunked = hop_by_hop == [("transfer-encoding", "chunked")]
    demand(handshake or chunked or not hop_by_hop, "no field of the hop before", head)
    lengths = values_of(fields, "content-length")
    demand(names.count("content-length") <= 1, "one length", head)
    demand(all(re.fullmatch(r"\d{1,20}", length) for length in lengths), "a length", head)
    demand(not (lengths and chunked), "one framing field", head)
    demand(not (lengths and handshake), "a handshake without a body", head)
    return fields, handshake


def end_of_chunked(data, at):
    """Behind the last chunk of a body that begins there; None: it is not whole."""
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        line = data[at:line_end]
        demand(SIZE.fullmatch(line), "a chunk size without an extension", line)
        size = int(line, 16)
        at = line_end + 2 + size
        if len(data) < at + 2:
            return None
        demand(data[at : at + 2] == b"\r\n", "the end of a chunk, and no trailer", data[at:])
        at += 2
        if size == 0:
            return at


def check_requests(received, agreed):
    """The X-Request-IDs of the requests of one connection. `agreed`: the backend has sent a 101.
    The last request may have been cut off."""
    data = bytes(received[:READ_BYTES_MOST])
    ids, at = [], 0
    if HEALTH_CHECK in data[: data.find(b"\r\n\r\n")]:
        # Holdfast's own: nobody's request is forwarded here.
        demand(data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1, "one check", data)
        return []
    while at < len(data):
        head_end = data.find(b"\r\n\r\n", at)
        if head_end < 0:
            break
        fields, handshake = check_head(data[at:head_end])
        ids += values_of(fields, "x-request-id")
        at = head_end + 4
        if handshake:
            demand(agreed or at == len(received), "no byte of a tunnel before a 101", data[at:])
            break
        if values_of(fields, "transfer-encoding"):
            end = end_of_chunked(data, at)
            if end is None:
                break
            at = end
        else:
            at += int((values_of(fields, "content-length") or ["0"])[0])
    demand(len(ids) == len(set(ids)), "a request once on a connection", " ".join(ids).encode())
    return ids
