"""Goal: a browser talks over wss:// to a host whose certificate is by an authority that it trusts,
and a rotation of the certificate closes nothing that is open.

Method: Chromium with a home of its own, where an authority of the test's is trusted (NSS); names of
the test's domain lead to this machine. That it looks at certificates is shown by one that it
refuses.
"""

import os
import ssl
import subprocess

import pytest
from devtools import Browser
from holdfast_test.certificates import Authority, tls_ingress, tls_secret
from holdfast_test.edge import own_edge
from holdfast_test.process import wait_until
from test_websocket import Echo, talk

__all__ = ["own_edge"]

HOST = "wss.test"
FLAGS = ["--host-resolver-rules=MAP *.test 127.0.0.1"]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority", "Authority")


@pytest.fixture
def trusting_browser(chromium_program, authority, tmp_path):
    database = tmp_path / "home/.pki/nssdb"
    database.mkdir(parents=True)
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run(
        [*certutil, "-A", "-t", "C,,", "-n", "authority", "-i", tmp_path / "ca.pem"], check=True
    )
    environment = {**os.environ, "HOME": str(tmp_path / "home")}
    browser = Browser(chromium_program, tmp_path / "profile", FLAGS, environment)
    yield browser
    browser.close()


def certify(edge, secret_of):
    """`secret_of`: whose certificate each host shows."""
    ingress = tls_ingress("tls", *[([host], host) for host in secret_of])
    secrets = [tls_secret(host, *pair) for host, pair in secret_of.items()]
    edge.manifests.write("tls", [ingress, *secrets])
    for host, (certificate, _) in secret_of.items():
        der = ssl.PEM_cert_to_DER_cert(certificate.decode())
        wait_until(lambda: shown(edge, host) == der, "the certificate")  # noqa: B023


def shown(edge, host):
    client = edge.connect_tls(server_name=host)
    with client.socket as tls:
        return tls.getpeercert(binary_form=True)


def serve_echo(edge):
    edge.route(edge.keep(Echo()), paths=("/echo",), host=HOST)


def issued(authority, host=HOST):
    return [path.read_bytes() for path in authority.issue(host, host)]


def test_a_browser_talks_over_wss(own_edge, trusting_browser, authority, tmp_path):
    edge = own_edge()
    stranger = Authority(tmp_path / "stranger", "Stranger")
    serve_echo(edge)
    certify(edge, {HOST: issued(authority), "odd.test": issued(stranger, "odd.test")})
    page = trusting_browser.open(f"https://{HOST}:{edge.https}/nothing")
    assert page.evaluate("window.isSecureContext") is True
    seen = talk(page, ["() => 'hello'", "() => ({close: [3001, 'bye']})"])
    assert seen[0].startswith("open  permessage-deflate; ")
    assert [line.split()[0] for line in seen] == ["open", "sent", "got", "close"]
    assert seen[-1] == "close 3001 bye true"
    refused = page.call("Page.navigate", url=f"https://odd.test:{edge.https}/nothing")
    assert refused["errorText"] == "net::ERR_CERT_AUTHORITY_INVALID"


def test_a_rotation_leaves_a_browsers_websocket_open(own_edge, trusting_browser, authority):
    edge = own_edge()
    serve_echo(edge)
    certify(edge, {HOST: issued(authority)})
    page = trusting_browser.open(f"https://{HOST}:{edge.https}/nothing")
    page.evaluate(
        "new Promise((resolve) => { window.kept = new WebSocket(`wss://${location.host}/echo`);"
        " kept.onopen = resolve; })"
    )
    certify(edge, {HOST: issued(authority)})
    assert page.evaluate(
        "new Promise((resolve) => { kept.onmessage = (event) => resolve(event.data);"
        " kept.onclose = () => resolve('closed'); kept.send('still here'); })"
    ) == "still here"  # fmt: skip
