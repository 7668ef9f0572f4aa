"""Goal: where an Ingress asks for clients' certificates nobody passes without a good one, pods
learn who came, and a change of the authorities is for those who come next.

Method: an authority of the test's own, and one that nobody named.
"""

import ssl

import pytest
from holdfast_test.certificates import Authority, secret
from holdfast_test.peers import (
    TEXT, Ended, answering, connect, echo_websocket, frame, handshake, response, take_frame,
    trusting_everybody,
)  # fmt: skip
from holdfast_test.process import wait_until


@pytest.fixture
def stranger(tmp_path):
    return Authority(tmp_path / "stranger", "Stranger")


def client_of(authority, name="alice"):
    context = trusting_everybody()
    if authority is not None:
        context.load_cert_chain(*authority.issue(name))
    return context


def ask(edge, route, tls, *fields):
    """(status, request) of one over TLS; None: the handshake or what follows it was refused."""
    lines = "".join(f"{field}\r\n" for field in fields)
    request = f"GET / HTTP/1.1\r\nHost: {route.host}\r\n{lines}\r\n".encode()
    try:
        client = edge.connect_tls(server_name=route.host, tls=tls)
        client.send(request)
        return client.take_head().status
    except (Ended, OSError):
        return None


def serve(edge, authority, **annotations):
    edge.manifests.write("roots", [secret("roots", ca_crt=authority.certificate)])
    return edge.serve(
        answering(*[response("200 OK", b"ok")] * 20), client_ca_secret="roots", **annotations
    )


def head_of(backend):
    return backend.received.rsplit(b"GET / ", 1)[1].decode().lower()


def test_required(own_edge, authority, stranger):
    edge = own_edge()
    route, backend = serve(edge, authority, client_certificate_to_pod="true")
    assert wait_until(lambda: ask(edge, route, client_of(authority)), "to be let in") == 200
    head = head_of(backend)
    assert "ssl-client-verify: success" in head and "ssl-client-subject-dn: cn=alice" in head
    assert "client-cert: :" in head
    assert ask(edge, route, client_of(None)) is None
    assert ask(edge, route, client_of(stranger)) is None
    # Who comes without TLS has shown nothing.
    plain = edge.ask(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
    assert plain.take_head().status == 308
    failures = edge.metrics()
    assert failures.value("holdfast_tls_handshake_failures_total") >= 2


def test_optional(own_edge, authority, stranger):
    edge = own_edge()
    route, backend = serve(edge, authority, client_certificate="optional")
    assert wait_until(lambda: ask(edge, route, client_of(authority)), "to be let in") == 200
    lie = ("ssl-client-verify: SUCCESS", "Ssl_Client_Subject_Dn: CN=root", "Client-Cert: :AA==:")
    assert ask(edge, route, client_of(None), *lie) == 200
    head = head_of(backend)
    assert "ssl-client-verify: none" in head
    assert "cn=root" not in head and "client-cert" not in head and "success" not in head
    assert ask(edge, route, client_of(stranger)) is None


def test_other_authorities_are_for_those_who_come_next(own_edge, authority, stranger):
    edge = own_edge()
    edge.manifests.write("roots", [secret("roots", ca_crt=authority.certificate)])
    route, _ = edge.serve(echo_websocket, client_ca_secret="roots")
    client = edge.connect_tls(server_name=route.host, tls=client_of(authority))
    client.send(handshake(route.host))
    assert client.take_head().status == 101

    def lets_in(who):
        try:
            other = edge.connect_tls(server_name=route.host, tls=client_of(who))
            other.send(handshake(route.host))
            return other.take_head().status == 101
        except (Ended, OSError):
            return False

    edge.manifests.write("roots", [secret("roots", ca_crt=stranger.certificate)])
    wait_until(lambda: lets_in(stranger), "the other authority to count")
    assert not lets_in(authority)
    # What makes no sense changes nothing.
    edge.manifests.write("roots", [secret("roots", ca_crt=b"garbage")])
    wait_until(
        lambda: "it held before" in str(edge.config()["control_plane"]["problems"]), "a problem"
    )
    assert lets_in(stranger) and not lets_in(authority)
    client.send(frame(b"still here", masked=True))
    assert take_frame(client) == (TEXT, b"still here", True)


def test_a_secret_that_is_not_there_lets_nobody_in(own_edge, authority):
    edge = own_edge()
    route, _ = edge.serve(answering(response("200 OK", b"ok")), client_ca_secret="gone")
    assert ask(edge, route, client_of(authority)) is None
    assert ask(edge, route, client_of(None)) is None
    assert "nobody is let in to host" in str(edge.config()["control_plane"]["problems"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_from_where_nothing_is_asked_gets_in_nowhere_else(own_edge, authority, version):
    """CVE-2025-23419."""
    edge = own_edge()
    open_to_all, _ = edge.serve(answering(*[response("200 OK", b"ok")] * 20))
    asking, _ = serve(edge, authority)
    wait_until(lambda: ask(edge, asking, client_of(authority)) == 200, "the host that asks")
    context = trusting_everybody()
    context.minimum_version = context.maximum_version = version

    def status_of(route, session):
        """(status, the session was resumed, the session now); what is refused has no status."""
        with connect(edge.https).socket as plain:
            try:
                with context.wrap_socket(plain, server_hostname=route.host, session=session) as tls:
                    tls.sendall(f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode())
                    answer = tls.recv(1000)
                    return answer[9:12], tls.session_reused, tls.session
            except OSError:
                return b"", False, None

    status, resumed, session = status_of(open_to_all, None)
    assert (status, resumed) == (b"200", False)
    assert status_of(open_to_all, session)[:2] == (b"200", True)
    assert status_of(asking, session)[:2] == (b"", False)
