"""Goal: pods that speak TLS are spoken to, once they have proved who they are.

Method: backends of the test's own with certificates of its own authorities.
"""

import ssl

import pytest
from holdfast_test.certificates import Authority, secret
from holdfast_test.edge import objects_for
from holdfast_test.peers import (
    TEXT, Backend, answering, echo_websocket, frame, handshake, response, take_frame,
)  # fmt: skip
from holdfast_test.process import wait_until

NAME = "pods.test"


def server(authority, *names, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("pod", *names))
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.certificate.decode())
    return context


def serve(edge, script, tls, **annotations):
    backend = edge.keep(Backend(script, tls=tls))
    return edge.route(backend, backend_protocol="HTTPS", **annotations), backend


def status_of(edge, route):
    request = f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode()
    return edge.ask(request).take_head().status


def test_a_websocket_to_a_pod_over_tls(own_edge, authority):
    edge = own_edge()
    edge.manifests.write("roots", [secret("roots", ca_crt=authority.certificate)])
    route, backend = serve(
        edge, echo_websocket, server(authority, NAME),
        upstream_tls_secret="roots", upstream_tls_name=NAME,
    )  # fmt: skip
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    for size in (1, 20_000, 200_000):
        client.send(frame(b"x" * size, masked=True))
        assert take_frame(client) == (TEXT, b"x" * size, True)
    assert backend.connections[0].socket.version() == "TLSv1.3"


@pytest.mark.parametrize("own_name", [True, False])
def test_by_the_port_s_own_protocol_and_the_service_s_own_name(own_edge, authority, own_name):
    edge = own_edge()
    name = "secure.default.svc" if own_name else "other.default.svc"
    backend = edge.keep(
        Backend(answering(response("200 OK", b"ok")), tls=server(authority, name))
    )
    annotations = {"holdfast.dev/upstream-tls-secret": "roots"}
    objects = objects_for("secure", "secure.test", [backend.endpoint], ["/"], annotations)
    objects[0]["spec"]["ports"][0]["appProtocol"] = "https"
    edge.manifests.write("roots", [secret("roots", ca_crt=authority.certificate)])
    edge.manifests.write("secure", objects)
    edge.wait_for_change()
    answer = edge.ask(b"GET / HTTP/1.1\r\nHost: secure.test\r\n\r\n").take_head().status
    assert answer == (200 if own_name else 502)
    assert (backend.received == b"") == (not own_name)


def test_a_pod_that_cannot_prove_who_it_is(own_edge, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger", "Stranger")
    edge = own_edge()
    edge.manifests.write("roots", [secret("roots", ca_crt=authority.certificate)])
    wanted = {"upstream_tls_secret": "roots", "upstream_tls_name": NAME}
    ok = answering(*[response("200 OK", b"ok")] * 3)
    for tls in (server(authority, "elsewhere.test"), server(stranger, NAME)):
        route, backend = serve(edge, ok, tls, **wanted)
        assert status_of(edge, route) == 502
        assert backend.received == b""
        route, _ = serve(edge, ok, tls, **wanted, upstream_tls_verify="false")
        assert status_of(edge, route) == 200
    # One that does not speak TLS at all.
    plain = edge.backend(lambda connection: connection.send(response("400 Bad Request")))
    route = edge.route(plain, backend_protocol="HTTPS", **wanted)
    assert status_of(edge, route) == 502
    failures = edge.metrics()
    assert failures.value("holdfast_connect_failures_total", reason="tls") > 0
    # Without the Secret nobody is trusted.
    route, backend = serve(
        edge, ok, server(authority, NAME), upstream_tls_secret="gone", upstream_tls_name=NAME
    )
    assert status_of(edge, route) in (502, 503)
    assert backend.received == b""


def test_a_pod_that_wants_to_know_who_we_are(own_edge, authority, tmp_path):
    edge = own_edge()
    certificate, key = authority.issue("holdfast")
    ok = answering(*[response("200 OK", b"ok")] * 3)
    route, backend = serve(
        edge, ok, server(authority, NAME, clients=authority),
        upstream_tls_secret="both", upstream_tls_name=NAME,
    )  # fmt: skip

    def put(**values):
        edge.manifests.write("both", [secret("both", ca_crt=authority.certificate, **values)])

    put()
    wait_until(lambda: status_of(edge, route) == 502, "the pod to refuse us")
    put(tls_crt=certificate.read_bytes(), tls_key=key.read_bytes())
    wait_until(lambda: status_of(edge, route) == 200, "the pod to take us")
    subject = dict(pair for entry in backend.connections[-1].socket.getpeercert()["subject"]
                   for pair in entry)  # fmt: skip
    assert subject["commonName"] == "holdfast"


def test_other_authorities_for_pods_leave_open_websockets_alone(own_edge, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger", "Stranger")
    edge = own_edge()
    edge.manifests.write("roots", [secret("roots", ca_crt=authority.certificate)])
    route, _ = serve(
        edge, echo_websocket, server(authority, NAME),
        upstream_tls_secret="roots", upstream_tls_name=NAME,
    )  # fmt: skip
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    edge.manifests.write("roots", [secret("roots", ca_crt=stranger.certificate)])

    def status():
        return edge.ask(handshake(route.host)).take_head().status

    wait_until(lambda: status() == 502, "the pod to be trusted no longer")
    client.send(frame(b"still here", masked=True))
    assert take_frame(client) == (TEXT, b"still here", True)
