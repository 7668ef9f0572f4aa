"""Goal: what is malformed, ambiguous or oversized is refused with its status and then closed;
nothing of it reaches a backend (RFC 9112).

Method: exact bytes on raw sockets, and a backend that records every byte it gets.
"""

import pytest
from holdfast_test.peers import answering, response

HOST = "{host}"
OK = "Host: {host}\r\n"

ROWS = [
    # Request line and target.
    ("GET  / HTTP/1.1\r\n" + OK, 400),
    ("GET / HTTP/1.1 \r\n" + OK, 400),
    ("GET /\r\n" + OK, 400),
    ("get\x00 / HTTP/1.1\r\n" + OK, 400),
    ("G@T / HTTP/1.1\r\n" + OK, 400),
    ("GET x HTTP/1.1\r\n" + OK, 400),
    ("GET /a#/../b HTTP/1.1\r\n" + OK, 400),
    ("GET /\xe4 HTTP/1.1\r\n" + OK, 400),
    ("GET /\x01 HTTP/1.1\r\n" + OK, 400),
    ("GET * HTTP/1.1\r\n" + OK, 400),
    ("CONNECT {host}:443 HTTP/1.1\r\n" + OK, 405),
    ("GET / HTTP/2.0\r\n" + OK, 505),
    ("GET / HTTP/1\r\n" + OK, 400),
    ("GET / http/1.1\r\n" + OK, 400),
    ("GET /" + "a" * 9000 + " HTTP/1.1\r\n" + OK, 414),
    # Host.
    ("GET / HTTP/1.1\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + OK, 400),
    ("GET / HTTP/1.1\r\nHost: {host}:80:80\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a@{host}\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: {host}/\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: {host}:port\r\n", 400),
    # Field lines.
    ("GET / HTTP/1.1\r\n Content-Length: 5\r\n" + OK, 400),
    ("GET / HTTP/1.1\r\n" + OK + "X : y\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + ": y\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "X: a\r\n b\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "X: a\rb\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "X: a\x00b\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "X: a\nY: b\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "no colon\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "X_Forwarded_For: 1.2.3.4\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "X: " + "a" * 9000 + "\r\n", 431),
    ("GET / HTTP/1.1\r\n" + OK + "X: y\r\n" * 200, 431),
    ("GET / HTTP/1.1\r\n" + OK + ("X: " + "a" * 4000 + "\r\n") * 10, 431),
    # Framing.
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: \r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: +1\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: 0x1\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: 5\r\nContent-Length: 6\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: 5, 5\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: 18446744073709551616\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    ("OPTIONS / HTTP/1.1\r\n" + OK + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Transfer-Encoding: xchunked\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Transfer-Encoding: identity\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Transfer-Encoding: gzip, chunked\r\n", 501),
    ("POST / HTTP/1.1\r\n" + OK + "Transfer-Encoding: chunked, chunked\r\n", 400),
    ("POST / HTTP/1.1\r\n" + OK + "Transfer-Encoding: chunked\x0b\r\n", 400),
    ("POST / HTTP/1.0\r\n" + OK + "Transfer-Encoding: chunked\r\n", 400),
    ("GET / HTTP/1.1\r\n" + OK + "Content-Length0" + "a" * 270 + ": 5\r\nHost: b\r\n", 400),
]


@pytest.mark.parametrize(("head", "status"), ROWS, ids=range(len(ROWS)))
def test_a_bad_head_is_refused(edge, head, status):
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(head.replace(HOST, route.host).encode("latin-1") + b"\r\n")
    answer, _ = client.take_response()
    assert answer.status == status
    assert answer.get("connection") == "close"
    assert client.ends()
    assert backend.connections == []


@pytest.mark.parametrize(
    "body",
    [
        b"5;\nxx\r\nhello\r\n0\r\n\r\n",
        b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
        b"5\r\nhelloXX0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\nhello",
        b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"X: " + b"a" * 9000 + b"\r\n\r\n",
        b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    ],
)
def test_bad_chunks_end_the_request(edge, body):
    """400 and close; the backend never gets a complete request, nor one byte of the broken part."""

    def script(connection):
        connection.take_head()
        connection.take_rest()

    route, backend = edge.serve(script)
    head = f"POST / HTTP/1.1\r\nHost: {route.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = edge.ask(head.encode() + body)
    answer, _ = client.take_response()
    assert answer.status == 400
    assert client.ends()
    assert not backend.received.endswith(b"0\r\n\r\n")
    assert b"XX" not in backend.received


def test_one_empty_line_in_front_is_forgiven(edge):
    route, _ = edge.serve(answering(response("200 OK", b"ok")))
    client = edge.ask(f"\r\nGET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    assert client.take_response()[1] == b"ok"


def test_the_absolute_form_decides_the_host(edge):
    """RFC 9112, 3.2.2: its authority wins, and the backend gets that value."""
    route, backend = edge.serve(answering(response("200 OK", b"ok")))
    client = edge.ask(f"GET http://{route.host}/p?q HTTP/1.1\r\nHost: other.test\r\n\r\n".encode())
    assert client.take_response()[1] == b"ok"
    assert f"GET /p?q HTTP/1.1\r\nHost: {route.host}\r\n".encode() in backend.received
    assert b"other.test" not in backend.received


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"hello world\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" * 17 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=range(11),
)
def test_a_backends_broken_head_is_502(edge, answer):
    route, _ = edge.serve(answering(answer))
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    head = client.take_head()
    while head.status == 103:
        head = client.take_head()
    assert head.status == 502


def test_a_response_with_both_framings_loses_its_length(edge):
    """RFC 9112, 6.3: Transfer-Encoding wins, and the connection is not used again."""
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
    )
    route, backend = edge.serve(answering(answer))
    client = edge.connect()
    for _ in range(2):
        client.send(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
        head, body = client.take_response()
        assert head.get("content-length") is None
        assert body == b"hello"
    assert len(backend.connections) == 2


def test_a_second_answer_reaches_nobody(edge):
    """Extra bytes behind an answer are dropped with their connection, never given to the next."""
    answers = response("200 OK", b"one") + response("200 OK", b"evil")
    route, backend = edge.serve(answering(answers))
    client = edge.connect()
    for _ in range(2):
        client.send(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
        assert client.take_response()[1] == b"one"
    assert len(backend.connections) == 2
