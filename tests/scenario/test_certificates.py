"""Goal: hosts get the certificates of their Ingresses' Secrets, certificates change under open
connections, and a broken Secret takes nobody's certificate away.

Method: certificates made by openssl(1) for each run; Python's TLS client looks at what it is shown.
"""

import os
import ssl
import time

from holdfast_test.certificates import secret as opaque
from holdfast_test.certificates import tls_ingress
from holdfast_test.certificates import tls_secret as secret
from holdfast_test.metrics import get
from holdfast_test.peers import (
    TEXT, answering, echo_websocket, frame, handshake, response, take_frame,
    trusting_everybody,
)  # fmt: skip
from holdfast_test.process import wait_until


def tls_of(route, *entries):
    return tls_ingress(f"{route.name}-tls", *entries)


def shown(edge, name, **options):
    """The certificate that a client who asks for that name is shown, PEM."""
    client = edge.connect_tls(server_name=name, **options)
    der = client.socket.getpeercert(binary_form=True)
    client.close()
    return ssl.DER_cert_to_PEM_cert(der)


def same(pem, certificate):
    return pem.split() == certificate.decode().split()


def put(edge, name, *documents):
    edge.manifests.write(name, list(documents))


def open_websocket(edge, route):
    client = edge.connect_tls(server_name=route.host)
    client.send(handshake(route.host))
    assert client.take_head().status == 101
    return client


def test_each_host_has_its_certificate(own_edge, maker):
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    own, any_, other = maker.make(route.host), maker.make("*.any.test"), maker.make("x.any.test")
    put(edge, "secrets", secret("own", *own), secret("any", *any_), secret("other", *other))
    put(edge, "tls", tls_of(route, ([route.host], "own"), (["*.any.test"], "any"),
                            (["x.any.test"], "other")))  # fmt: skip
    wait_until(lambda: same(shown(edge, route.host), own[0]), "the host's certificate")
    assert same(shown(edge, "y.any.test"), any_[0])
    assert same(shown(edge, "x.any.test"), other[0])
    default = shown(edge, "unknown.test")
    assert shown(edge, "y.x.any.test") == default
    assert not any(same(default, certificate) for certificate, _ in (own, any_, other))


def test_a_host_that_only_asks_for_clients_certificates_shows_the_wildcards(own_edge, maker):
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    any_ = maker.make("*.any.test")
    ours = tls_of(route, (["*.any.test"], "any"))
    asking = tls_of(route)
    asking["metadata"].update(name="asking",
                              annotations={"holdfast.dev/client-ca-secret": "any-ca"})  # fmt: skip
    asking["spec"]["rules"] = [{"host": "x.any.test"}]
    authority = opaque("any-ca", ca_crt=any_[0])
    put(edge, "secrets", secret("any", *any_), authority)
    put(edge, "tls", ours, asking)
    wait_until(lambda: same(shown(edge, "y.any.test"), any_[0]), "the wildcard's certificate")
    assert same(shown(edge, "x.any.test"), any_[0])


def shown_to(edge, name, cipher):
    """The certificate that a TLS 1.2 client is shown which takes only that kind of key, PEM."""
    context = trusting_everybody()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    return shown(edge, name, tls=context)


def test_rotations_close_nothing(own_edge, maker):
    """New handshakes see the new certificates, of both kinds, on both workers; open WebSockets live
    and echo. HOLDFAST_ROTATIONS says how many times, 10 where it is not set."""
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    put(edge, "tls", tls_of(route, ([route.host], "ec"), ([route.host], "rsa")))

    def rotate():
        fresh = {key: maker.make(route.host, key_type=key) for key in ("EC", "RSA")}
        put(edge, "secrets", *[secret(key.lower(), *pair) for key, pair in fresh.items()])
        for key, cipher in (("EC", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                            ("RSA", "ECDHE-RSA-AES128-GCM-SHA256")):  # fmt: skip
            certificate = fresh[key][0]
            wait_until(
                lambda: same(shown_to(edge, route.host, cipher), certificate),  # noqa: B023
                "the new certificate",
            )
            assert all(same(shown_to(edge, route.host, cipher), certificate) for _ in range(5))

    rotate()
    clients = [open_websocket(edge, route) for _ in range(20)]
    echoes = 0
    for rotation in range(int(os.environ.get("HOLDFAST_ROTATIONS", "10"))):
        rotate()
        if rotation % 10 == 0:
            clients.append(open_websocket(edge, route))
        for client in clients:
            client.send(frame(b"%d" % rotation, masked=True))
            assert take_frame(client) == (TEXT, b"%d" % rotation, True)
            echoes += 1
    print(f"{rotation + 1} rotations, {len(clients)} WebSockets, {echoes} echoes")
    assert edge.metrics().value("holdfast_websockets_open", ingress=route.name) == len(clients)


def test_a_certificate_that_is_about_to_expire_is_said(own_edge, maker):
    """Those of the maker are good for two days."""
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    put(edge, "secrets", secret("own", *maker.make(route.host)))
    put(edge, "tls", tls_of(route, ([route.host], "own")))

    def lines():
        return [line for line in edge.holdfast.log() if "about to expire" in line["message"]]

    line = wait_until(lines, "the warning")[0]
    assert (line["level"], line["secret"], line["hours_left"]) == ("warn", "default/own", 47)


def test_a_broken_secret_leaves_the_last_good_one(own_edge, maker):
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    good, other = maker.make(route.host), maker.make(route.host)
    put(edge, "secrets", secret("own", *good))
    put(edge, "tls", tls_of(route, ([route.host], "own")))
    wait_until(lambda: same(shown(edge, route.host), good[0]), "the certificate")

    def problems():
        found = edge.config()["control_plane"]["problems"]
        return [problem for problem in found if "spec.tls" in problem["field"]]

    for broken in ((other[0], good[1]), (b"garbage", good[1]), (b"", b"")):
        put(edge, "secrets", secret("own", *broken))
        wait_until(problems, "a problem")
        assert same(shown(edge, route.host), good[0])
        assert "PRIVATE KEY" not in get(edge.admin, "/debug/config")[1]
        put(edge, "secrets", secret("own", *good))
        wait_until(lambda: not problems(), "the problem to go")
    expiry = edge.metrics().value("holdfast_certificate_expiry_timestamp_seconds", secret="own")
    assert 86400 < expiry - time.time() < 2 * 86400 + 60


def test_plain_requests_are_sent_to_https(own_edge, maker):
    edge = own_edge()
    route, _ = edge.serve(answering(response("200 OK", b"ok")))
    put(edge, "secrets", secret("own", *maker.make(route.host)))
    put(edge, "tls", tls_of(route, ([route.host], "own")))
    wait_until(lambda: shown(edge, route.host), "TLS")
    request = f"GET /a?b=c HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode()

    def redirected():
        head = edge.ask(request).take_head()
        return head if head.status == 308 else None

    head = wait_until(redirected, "a redirect")
    assert head.get("location") == f"https://{route.host}/a?b=c"
    challenge = request.replace(b"/a?b=c", b"/.well-known/acme-challenge/token")
    assert edge.ask(challenge).take_head().status == 200


def asked_on(edge, name, host):
    """The status of a request for that host, by a client that has asked TLS for that name."""
    client = edge.connect_tls(server_name=name)
    client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    try:
        return client.take_head().status
    finally:
        client.close()


def test_a_host_of_another_certificate_is_misdirected(own_edge, maker):
    """RFC 9110, 15.5.20: what the name in the ClientHello and the Host field say together."""
    edge = own_edge()
    a, b, c, closed = [
        edge.serve(answering(*[response("200 OK", b"ok")] * 20), **options)[0]
        for options in ({}, {}, {}, {"client_ca_secret": "roots"})
    ]
    shared, other = maker.make(a.host, b.host, closed.host), maker.make(c.host)
    put(edge, "secrets", secret("shared", *shared), secret("other", *other),
        opaque("roots", ca_crt=shared[0]))  # fmt: skip
    put(edge, "tls", tls_of(a, ([a.host, b.host, closed.host], "shared"), ([c.host], "other")))
    wait_until(lambda: same(shown(edge, c.host), other[0]), "the certificates")
    assert asked_on(edge, a.host, a.host) == 200
    assert asked_on(edge, a.host, b.host) == 200
    assert asked_on(edge, a.host, c.host) == 421
    assert asked_on(edge, c.host, a.host) == 421
    # The same certificate, but clients must show theirs there.
    assert asked_on(edge, a.host, closed.host) == 421
    # Without a name in the ClientHello, the Host decides.
    assert asked_on(edge, None, c.host) == 200
    assert asked_on(edge, None, closed.host) == 421
    assert asked_on(edge, "unknown.test", a.host) == 421


def test_an_expired_certificate_is_served_and_said(own_edge, maker):
    """Which is better than none: clients decide."""
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    expired = maker.make_expired(route.host)
    put(edge, "secrets", secret("own", *expired))
    put(edge, "tls", tls_of(route, ([route.host], "own")))
    wait_until(lambda: same(shown(edge, route.host), expired[0]), "the certificate")
    client = open_websocket(edge, route)
    client.send(frame(b"hello", masked=True))
    assert take_frame(client) == (TEXT, b"hello", True)

    def lines():
        return [line for line in edge.holdfast.log() if "expired" in line["message"]]

    line = wait_until(lines, "the error")[0]
    assert (line["level"], line["secret"]) == ("error", "default/own")
    expiry = edge.metrics().value("holdfast_certificate_expiry_timestamp_seconds", secret="own")
    assert expiry < time.time()
