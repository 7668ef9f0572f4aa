"""Goal: TLS ends here as clients expect it, with a certificate of our own where nobody gave one.

Method: Python's own TLS client. What passes over the connections is the concern of the other
scenario tests, which run over TLS as well.
"""

import contextlib
import socket
import ssl

import pytest
from holdfast_test.metrics import wait_for_value
from holdfast_test.peers import (
    CLOSE, answering, close_frame, connect, echo_websocket, frame, handshake, response, take_frame,
    trusting_everybody,
)  # fmt: skip
from holdfast_test.process import Holdfast, wait_until

REQUEST = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"


def speaking(version=None, alpn=None):
    context = trusting_everybody()
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    return context


def served(edge, route, **options):
    client = edge.connect_tls(**options)
    client.send(REQUEST.format(route.host).encode())
    assert client.take_response()[0].status == 200
    return client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_on_every_worker(edge, version):
    """Which of the two workers a connection gets is the kernel's choice."""
    route, _ = edge.serve(answering(response("200 OK", b"ok")))
    context = speaking(version)
    session = served(edge, route, tls=context).socket.session
    resumed = []
    for _ in range(20):
        client = connect(edge.https)
        with context.wrap_socket(client.socket, session=session) as sock:
            sock.sendall(REQUEST.format(route.host).encode())
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
            resumed.append(sock.session_reused)
            session = sock.session
    assert all(resumed)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_on_another_replica(own_edge, tmp_path_factory, version, shared):
    """Where both derive their tickets' keys from one secret."""
    secret = tmp_path_factory.mktemp("tickets") / "secret"
    secret.write_bytes(b"x" * 32)
    flags = ("--tls-ticket-secret", secret) if shared else ()
    one, other = own_edge(*flags), own_edge(*flags)
    route, _ = one.serve(answering(*[response("200 OK", b"ok")] * 4))
    context = speaking(version)
    request = REQUEST.format(route.host).encode()

    def is_served():
        client = other.connect_tls()
        client.send(request)
        return client.take_head().status == 200

    wait_until(is_served, "the other replica to serve the host")
    session = served(one, route, tls=context).socket.session
    client = connect(other.https)
    with context.wrap_socket(client.socket, session=session) as sock:
        sock.sendall(request)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        assert sock.session_reused == shared


def test_a_ticket_secret_that_is_none(tmp_path):
    (tmp_path / "short").write_bytes(b"x" * 31)
    for path in ("short", "gone"):
        holdfast = Holdfast(
            "standalone", "--manifests", tmp_path, "--http-listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--tls-ticket-secret", tmp_path / path,
        )  # fmt: skip
        assert holdfast.process.wait(20) != 0
        assert "ticket secret" in holdfast.log_text()
        assert "xxx" not in holdfast.log_text()


def test_the_modern_profile(own_edge):
    edge = own_edge("--tls-profile", "modern")
    route, _ = edge.serve(answering(response("200 OK", b"ok")))
    served(edge, route, tls=speaking(ssl.TLSVersion.TLSv1_3))
    with pytest.raises(ssl.SSLError):
        edge.connect_tls(tls=speaking(ssl.TLSVersion.TLSv1_2))
    wait_for_value(
        edge.admin, 1, "holdfast_tls_handshake_failures_total", reason="protocol_version"
    )


def test_the_protocol_is_negotiated(edge):
    assert edge.connect_tls(tls=speaking(alpn=["h2", "http/1.1"])).socket.selected_alpn_protocol() \
        == "http/1.1"  # fmt: skip
    with pytest.raises(ssl.SSLError):
        edge.connect_tls(tls=speaking(alpn=["h2"]))


def test_a_websocket_ends_with_a_close_frame_and_close_notify(edge):
    route, _ = edge.serve(echo_websocket)
    client = edge.connect_tls()
    client.send(handshake(route.host))
    assert client.take_head().status == 101
    client.send(frame(b"hello", masked=True))
    assert take_frame(client)[1] == b"hello"
    client.send(close_frame(1000, masked=True))
    assert take_frame(client)[0] == CLOSE
    # An end without close_notify would be an SSLEOFError.
    assert client.socket.recv(1) == b""


def test_the_client_is_told_from_the_pod_that_it_spoke_tls(edge):
    route, backend = edge.serve(answering(response("200 OK", b"ok")))
    client = edge.connect_tls()
    client.send(
        b"GET / HTTP/1.1\r\nHost: " + route.host.encode() + b"\r\nSSL-Client-Verify: SUCCESS\r\n"
        b"ssl_client_subject_dn: CN=admin\r\nClient-Cert: :AAAA:\r\n\r\n"
    )
    assert client.take_response()[0].status == 200
    seen = backend.connections[0].raw.decode().lower()
    assert "x-forwarded-proto: https\r\n" in seen and f"x-forwarded-port: {edge.https}\r\n" in seen
    # What is said of a certificate is our word alone.
    assert "client" not in seen.replace(route.host, "")


def test_plain_http_where_tls_is_spoken(edge):
    client = connect(edge.https)
    client.send(REQUEST.format("a.test").encode())
    assert client.take_head().status == 400
    client.take_rest()


def test_handshakes_that_stall_are_in_nobodys_way(edge):
    route, _ = edge.serve(answering(response("200 OK", b"ok")))
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", edge.https)))
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        wait_for_value(edge.admin, 300, "holdfast_tls_handshakes_under_way")
        served(edge, route)


def test_it_can_be_off(tmp_path):
    holdfast = Holdfast(
        "standalone", "--manifests", tmp_path, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--https-listen", "off",
    )  # fmt: skip
    try:
        # It is said last.
        assert holdfast.port("admin")
        assert holdfast.ports("https") == []
    finally:
        assert holdfast.stop() == 0
