"""Goal: plain HTTP/1.1 requests pass in both directions, strictly framed, streamed, with
connections kept alive on both sides (RFC 9112, RFC 9110).

Method: raw clients, and backends that record exact bytes.
"""

import fcntl
import hashlib
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import termios
import threading

import pytest
from holdfast_test.metrics import wait_for_value
from holdfast_test.peers import Ended, answering, response, take_request
from holdfast_test.process import wait_until


def request(route, method="GET", path="/", *fields, body=b"", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", f"Host: {route.host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def test_both_connections_are_kept_alive(edge):
    route, backend = edge.serve(answering(response("200 OK", b"hello")))
    client = edge.connect()
    for i in range(5):
        client.send(request(route, "POST", f"/{i}", body=b"data"))
        assert client.take_response()[1] == b"hello"
    assert len(backend.connections) == 1
    assert backend.received.count(b"\r\n\r\ndata") == 5


def test_a_large_answer_leaves_the_connection_usable(edge):
    """Also one that did not come in one piece with its head."""
    body = b"x" * 300_000
    route, backend = edge.serve(answering(response("200 OK", body)))
    client = edge.connect()
    for _ in range(3):
        client.send(request(route))
        assert client.take_response()[1] == body
    assert len(backend.connections) == 1


def test_pipelined_requests_are_answered_in_order(edge):
    def script(connection):
        while True:
            head, _ = take_request(connection)
            connection.send(response("200 OK", head.start.split(" ")[1].encode()))

    route, _ = edge.serve(script)
    client = edge.ask(b"".join(request(route, "GET", f"/{i}") for i in range(10)))
    for i in range(10):
        assert client.take_response()[1] == f"/{i}".encode()


def test_chunked_both_ways_and_trailers_dropped(edge):
    def script(connection):
        _, body = take_request(connection)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"%x;ext=1\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n" % (len(body), body))
        connection.take_rest()

    route, backend = edge.serve(script)
    head = f"POST / HTTP/1.1\r\nHost: {route.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"3\r\nabc\r\n4;a=b\r\ndefg\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
    client = edge.ask(head.encode() + chunks)
    assert client.take_response()[1] == b"abcdefg"
    assert b"6.6.6.6" not in backend.received
    assert b"X-Trailer" not in client.raw


def test_a_chunk_passes_when_it_comes(edge):
    """Server-sent events: each piece reaches the client before the next is sent."""
    go_on = []

    def script(connection):
        take_request(connection)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        for i in range(5):
            connection.send(b"9\r\ndata: %d\n\n\r\n" % i)
            wait_until(lambda count=i: len(go_on) > count, "the client to have it")
        connection.send(b"0\r\n\r\n")
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(request(route))
    assert client.take_head().get("content-type") == "text/event-stream"
    for i in range(5):
        assert client.take_until(b"\n\n\r\n").endswith(b"data: %d\n\n\r\n" % i)
        go_on.append(i)
    assert client.take(5) == b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n"),
    ],
)
def test_answers_without_a_body(edge, method, answer):
    """They end at their head, whatever length they state, and the connection goes on."""
    route, _ = edge.serve(answering(answer, response("200 OK", b"next")))
    client = edge.ask(request(route, method))
    head = client.take_head()
    expected = None if head.status == 204 else "1234"
    assert head.get("content-length") == expected
    client.send(request(route))
    assert client.take_response()[1] == b"next"


def test_an_answer_that_ends_with_its_connection(edge):
    def script(connection):
        take_request(connection)
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        connection.close()

    route, _ = edge.serve(script)
    client = edge.ask(request(route))
    assert client.take_response()[1] == b"until the end"
    old = edge.ask(request(route, version="1.0"))
    assert old.take_rest().endswith(b"\r\n\r\nuntil the end")
    assert b"chunked" not in old.raw


def test_an_old_client_gets_no_chunks_and_no_100(edge):
    def script(connection):
        take_request(connection)
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"5\r\nhello\r\n0\r\n\r\n")  # fmt: skip
        connection.take_rest()

    route, backend = edge.serve(script)
    client = edge.ask(request(route, "GET", "/", "Connection: keep-alive", version="1.0"))
    text = client.take_rest()
    assert text.startswith(b"HTTP/1.1 200 ") and text.endswith(b"\r\n\r\nhello")
    assert b"GET / HTTP/1.1\r\n" in backend.received


def test_expect_100_continue(edge):
    """The head goes on at once; the client sends its body when the backend says so."""

    def script(connection):
        connection.take_head()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.take(5) == b"hello"
        connection.send(response("200 OK", b"thanks"))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(request(route, "POST", "/", "Expect: 100-continue", "Content-Length: 5"))
    assert client.take_head().status == 100
    client.send(b"hello")
    assert client.take_response()[1] == b"thanks"


def test_an_early_answer_ends_the_connection(edge):
    """The rest of the body is nobody's: it is not taken for a next request."""

    def script(connection):
        connection.take_head()
        connection.send(response("413 Too Large", b"no"))
        connection.take_rest()

    route, backend = edge.serve(script)
    client = edge.ask(
        request(route, "POST", "/", "Content-Length: 1000") + b"GET /evil HTTP/1.1\r\n"
    )
    head, body = client.take_response()
    assert (head.status, body, head.get("connection")) == (413, b"no", "close")
    assert client.ends()
    assert len(backend.connections) == 1


def resident_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


SIZE = 8 << 20


def test_a_large_upload_and_download(edge):
    """Hashed on both ends."""
    blob = os.urandom(SIZE)

    def script(connection):
        _, body = take_request(connection)
        connection.send(response("200 OK", body))
        connection.take_rest()

    route, _ = edge.serve(script)
    client = edge.ask(request(route, "PUT", "/", body=blob))
    digest = hashlib.sha256(client.take_response()[1]).digest()
    assert digest == hashlib.sha256(blob).digest()


def test_a_slow_reader_holds_the_backend_back(edge):
    """A client that does not read stops the backend; memory stays where it was."""
    offered = 64 << 20
    taken = []

    def script(connection):
        take_request(connection)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % offered)
        # It is held back when nothing is taken for so long, however slow the machine.
        connection.socket.settimeout(2)
        block = b"x" * 65536
        sent = 0
        try:
            while sent < offered:
                sent += connection.socket.send(block)
        except TimeoutError:
            pass
        taken.append(sent)
        connection.socket.settimeout(60)
        connection.take_rest()

    before = resident_kib(edge.holdfast.pid)
    route, _ = edge.serve(script)
    clients = [edge.connect(receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.send(request(route))
        client.take_head()
    wait_until(lambda: len(taken) == len(clients), "every backend to be held back", 60)
    # The kernel's buffers, which grow to some megabytes, took the rest.
    assert max(taken) < offered / 2
    # A pending write and a share of buffers each, even in a sanitized build.
    assert resident_kib(edge.holdfast.pid) - before < 20 * 1024


def test_a_cut_answer_is_cut_for_the_client(edge):
    """No last chunk is made up."""

    def script(connection):
        take_request(connection)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        connection.close()

    route, _ = edge.serve(script)
    client = edge.ask(request(route))
    client.take_head()
    with pytest.raises(Ended):
        client.take_chunked()
    assert edge.metrics().value("holdfast_http_requests_total", ingress=route.name) == 1


def test_a_cut_answer_is_cut_for_an_old_client(edge):
    """Its answers end with their connection, so that only a reset says that one is cut."""

    def script(connection):
        take_request(connection)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        connection.take_until(b"never")

    route, backend = edge.serve(script)
    client = edge.ask(request(route, version="1.0"))
    assert client.take_until(b"\r\n\r\nhello").startswith(b"HTTP/1.1 200 OK\r\n")
    backend.connections[0].half_close()
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        client.socket.recv(1)


@pytest.mark.parametrize("body", [b"ZZ\r\n", b"3\r\nabc\r\nZZ\r\n"])
def test_bad_chunks_right_behind_the_head_are_502(edge, body):
    """Nothing has been sent yet, so the client gets an answer, and log and metric tell which."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    route, _ = edge.serve(answering(head + body))
    client = edge.ask(request(route))
    assert client.take_response()[0].status == 502
    wait_for_value(edge.admin, 1, "holdfast_http_requests_total", ingress=route.name, status="5xx")


def unacknowledged(peer):
    """Bytes that the other side's kernel has not taken yet (tcp(7), SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(peer.socket, termios.TIOCOUTQ, bytes(4)))[0]


def all_stopped(pid):
    return all(
        (task / "stat").read_text().rsplit(") ", 1)[1].startswith("T")
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
    )


def test_stray_bytes_on_a_kept_connection_are_nobodys_answer(edge):
    """They came before the next request was sent: that request goes elsewhere. The process is held
    still meanwhile, so that it learns of the bytes and of the request at once."""
    route, backend = edge.serve(answering(response("200 OK", b"good")))
    clients = [edge.connect() for _ in range(8)]
    for client in clients:
        client.send(request(route))
        assert client.take_response()[1] == b"good"
    kept = list(backend.connections)
    edge.holdfast.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: all_stopped(edge.holdfast.pid), "every thread to stand still")
        for client in clients:
            client.send(request(route))
        for connection in kept:
            connection.send(response("200 POISON", b"evil"))
        wait_until(lambda: not any(map(unacknowledged, kept)), "the bytes to arrive")
    finally:
        edge.holdfast.process.send_signal(signal.SIGCONT)
    for client in clients:
        assert client.take_response()[1] == b"good"
    assert len(backend.connections) > len(kept)


def test_an_old_request_without_a_host(edge):
    """It is forwarded as HTTP/1.1, so it gets a Host, though an empty one."""
    backend = edge.backend(answering(response("200 OK", b"ok")))
    route = edge.route(backend, host="")
    try:
        client = edge.ask(b"GET / HTTP/1.0\r\n\r\n")
        assert client.take_rest().endswith(b"ok")
        assert b"GET / HTTP/1.1\r\nHost: \r\n" in backend.received
        assert b"X-Forwarded-Host" not in backend.received
    finally:
        route.delete()


@pytest.mark.in_the_clear
def test_forwarding_fields_are_ours(edge):
    """What a client claims about itself is replaced; hop-by-hop fields end here."""
    route, backend = edge.serve(answering(response("200 OK", b"", "Connection: X-Secret",
                                                   "X-Secret: 1", "Keep-Alive: timeout=5",
                                                   "Proxy-Connection: x")))  # fmt: skip
    client = edge.ask(
        request(
            route, "GET", "/", "X-Forwarded-For: 6.6.6.6", "x-forwarded-proto: https",
            "X-Forwarded-Host: evil.test", "X-Forwarded-Port: 1", "X-Real-IP: 6.6.6.6",
            "X-Request-ID: mine", "Connection: X-Hop, X-Forwarded-For, Host, Cookie",
            "X-Hop: 1", "Keep-Alive: 1", "Proxy-Connection: x", "TE: trailers",
            "Trailer: X", "Cookie: a=b", "X-Unknown: kept", "X-Unknown: in order",
        )
    )  # fmt: skip
    head, _ = client.take_response()
    seen = backend.received.decode()
    for absent in ("6.6.6.6", "evil.test", "mine", "X-Hop", "Keep-Alive", "Proxy-Connection",
                   "TE:", "Trailer", "https"):  # fmt: skip
        assert absent not in seen, (absent, seen)
    for present in ("X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n",
                    f"X-Forwarded-Host: {route.host}\r\n", f"Host: {route.host}\r\n",
                    "Cookie: a=b\r\n", "X-Unknown: kept\r\n"):  # fmt: skip
        assert present in seen, (present, seen)
    assert seen.index("X-Unknown: kept") < seen.index("X-Unknown: in order")
    for absent in ("x-secret", "keep-alive", "proxy-connection"):
        assert head.get(absent) is None
    assert head.get("date") is not None


def request_failures(edge, route):
    """[(reason, count)] of its plain requests."""
    failures = edge.metrics().series("holdfast_http_request_failures_total", ingress=route.name)
    return [(labels["reason"], count) for labels, count in failures]


def test_connect_refused_then_another_endpoint(edge, dead_port):
    backend = edge.backend(answering(response("200 OK", b"ok")))
    route = edge.route(("127.0.0.1", dead_port), backend)
    for _ in range(6):
        client = edge.ask(request(route))
        assert client.take_response()[1] == b"ok"
    wait_for_value(edge.admin, 6, "holdfast_http_requests_total", ingress=route.name, status="2xx")
    assert request_failures(edge, route) == []


def test_every_connect_refused_is_502(edge, dead_port):
    route = edge.route(("127.0.0.1", dead_port), ("127.0.0.2", dead_port))
    client = edge.ask(request(route))
    assert client.take_head().status == 502
    failures = edge.metrics().series("holdfast_connect_failures_total", ingress=route.name)
    assert [(labels["reason"], value) for labels, value in failures] == [("refused", 2)]
    wait_until(lambda: request_failures(edge, route) == [("connect_failed", 1)], "its reason")
    line = wait_until(lambda: edge.holdfast.access_log(ingress=route.name), "its line")[0]
    # The one that was tried last.
    assert line["endpoint"] in (f"127.0.0.1:{dead_port}", f"127.0.0.2:{dead_port}")


def test_no_endpoint_is_503_and_no_route_404(edge):
    route = edge.route()
    client = edge.connect()
    client.send(request(route))
    head, body = client.take_response()
    assert head.status == 503 and int(head.get("retry-after")) > 0
    assert head.get("x-request-id", "") in body.decode()
    wait_until(lambda: request_failures(edge, route) == [("no_endpoint", 1)], "its reason")
    # The connection is still good.
    client.send(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n")
    assert client.take_response()[0].status == 404


def test_a_dead_kept_connection_is_replaced(edge):
    """A backend that closes an idle connection costs no request."""
    route, backend = edge.serve(
        lambda connection: [take_request(connection), connection.send(response("200 OK", b"ok")),
                            connection.close()]
    )  # fmt: skip
    client = edge.connect()
    for i in range(5):
        client.send(request(route))
        assert client.take_response()[1] == b"ok"
        backend.wait_connections(i + 1)


def test_only_what_is_safe_is_sent_twice(edge):
    """A POST whose connection closes without an answer is 502 at once; a GET has three tries."""
    route, backend = edge.serve(lambda connection: [connection.take_head(), connection.close()])
    client = edge.ask(request(route, "POST", "/", body=b"x"))
    assert client.take_head().status == 502
    assert len(backend.connections) == 1
    client = edge.ask(request(route))
    assert client.take_head().status == 502
    assert len(backend.connections) == 4


def test_a_slow_answer_is_504(edge):
    route, _ = edge.serve(lambda connection: connection.take_rest(), request_timeout="200ms")
    client = edge.ask(request(route))
    assert client.take_head().status == 504


@pytest.mark.in_the_clear
def test_a_half_closed_client_gets_its_answer(edge):
    """printf ... | nc does that."""
    route, _ = edge.serve(answering(response("200 OK", b"for you")))
    client = edge.ask(request(route))
    client.half_close()
    assert client.take_response()[1] == b"for you"


def test_ipv6_endpoints(edge):
    route, _ = edge.serve(answering(response("200 OK", b"six")))
    backend = edge.backend(answering(response("200 OK", b"six")), host="::1")
    route.change(endpoints=[backend.endpoint])
    assert edge.ask(request(route)).take_response()[1] == b"six"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("*/*", "application/json"),
    ],
)
def test_an_error_is_a_page_or_an_object(edge, accept, content_type):
    """RFC 9110 section 12.5.1: as the client likes it."""
    client = edge.ask(f"GET / HTTP/1.1\r\nHost: nobody.test\r\nAccept: {accept}\r\n\r\n".encode())
    head, body = client.take_response()
    assert head.status == 404
    assert head.get("content-type").split(";")[0] == content_type
    request_id = head.get("x-request-id")
    if content_type == "text/html":
        assert b"<h1>404 Not Found</h1>" in body and request_id.encode() in body
    else:
        answer = json.loads(body)
        assert (answer["status"], answer["request_id"]) == (404, request_id)


def test_a_body_longer_than_its_limit_is_413(edge):
    """By its length, before the backend hears of it; of a chunked one, at most the limit passes."""
    route, backend = edge.serve(answering(response("200 OK")), max_body_bytes="1Ki")
    fits = edge.ask(request(route, "POST", body=b"x" * 1024))
    assert fits.take_response()[0].status == 200
    client = edge.ask(request(route, "POST", body=b"x" * 1025))
    head, _ = client.take_response()
    assert (head.status, head.get("connection")) == (413, "close")
    assert client.ends()
    assert backend.received.count(b"POST") == 1
    head = f"POST / HTTP/1.1\r\nHost: {route.host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    client = edge.ask(head + b"400\r\n" + b"y" * 1024 + b"\r\n1\r\nz\r\n0\r\n\r\n")
    assert client.take_response()[0].status == 413
    assert client.ends()
    assert b"z\r\n" not in backend.received
    wait_until(lambda: edge.holdfast.access_log(ingress=route.name, reason="body_too_long"), "log")


def test_a_client_that_reads_only_once_it_has_written_sees_its_413(edge):
    """RFC 9112 section 9.6: what it still sends is read, or a reset would take the answer away."""
    route, _ = edge.serve(answering(response("200 OK")), max_body_bytes="1Ki")
    size = 10 << 20
    client = edge.ask(
        f"POST / HTTP/1.1\r\nHost: {route.host}\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    block = b"x" * 65536
    for _ in range(size // len(block)):
        client.send(block)
    assert client.take_response()[0].status == 413
    assert client.ends()


def test_a_request_goes_no_further_than_it_may(edge):
    """RFC 9110 section 7.6.2: Max-Forwards of OPTIONS and TRACE counts the hops."""
    route, backend = edge.serve(answering(response("200 OK")))
    client = edge.ask(request(route, "OPTIONS", "*", "Max-Forwards: 1"))
    assert client.take_response()[0].status == 200
    assert b"Max-Forwards: 0\r\n" in backend.received
    client.send(request(route, "OPTIONS", "/", "Max-Forwards: 0"))
    head, _ = client.take_response()
    assert head.status == 200 and "OPTIONS" in head.get("allow")
    client.send(request(route, "TRACE", "/", "Max-Forwards: 0"))
    assert client.take_response()[0].status == 405
    assert backend.received.count(b"HTTP/1.1\r\n") == 1
    other = edge.ask(request(route, "GET", "/", "Max-Forwards: 0"))
    assert other.take_response()[0].status == 200
    assert backend.received.count(b"Max-Forwards: 0\r\n") == 2


def test_a_circle_of_proxies_is_broken(edge):
    """RFC 9110 section 7.6.3: a route whose endpoint is this proxy itself comes around for ever."""
    route = edge.route(("127.0.0.1", edge.http))
    client = edge.ask(request(route))
    assert client.take_response()[0].status == 508
    wait_until(lambda: edge.holdfast.access_log(reason="loop"), "the last in the log")
    assert len(edge.holdfast.access_log(ingress=route.name)) < 20


def test_open_requests_and_streams_are_counted(edge):
    def script(connection):
        connection.take_head()
        connection.take_until(b"go on")
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        connection.take_until(b"and on")
        connection.send(b"0\r\n\r\n")

    route, _ = edge.serve(script)
    requests, streams = "holdfast_http_requests_open", "holdfast_http_streams_open"
    head = f"POST / HTTP/1.1\r\nHost: {route.host}\r\nContent-Length: 11\r\n\r\n"
    client = edge.ask(head.encode())
    wait_for_value(edge.admin, 1, requests, ingress=route.name)
    assert edge.metrics().value(streams, ingress=route.name) == 0
    client.send(b"go on")
    wait_for_value(edge.admin, 1, streams, ingress=route.name)
    client.send(b"and on")
    assert client.take_response()[1] == b"x"
    wait_for_value(edge.admin, 0, streams, ingress=route.name)
    wait_for_value(edge.admin, 0, requests, ingress=route.name)
