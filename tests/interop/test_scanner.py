"""Goal: a scanner that others use has nothing to object to in the TLS that is spoken here, and sees
the versions and ciphers of the profile and no others.

Method: SSLyze against the real binary, judged by Mozilla's own profiles, with a certificate of each
kind of key by an authority that it is told to trust.
"""

import json

import pytest
from holdfast_test.certificates import Authority, tls_ingress, tls_secret
from holdfast_test.peers import echo_websocket
from holdfast_test.process import wait_until

from programs import BUILT, ended

TLS12 = {
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
}
TLS13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
NONE = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1")


def serve(edge, authority):
    """The host, with a certificate of each kind of key."""
    route, _ = edge.serve(echo_websocket)
    secrets = []
    for key_type in ("EC", "RSA"):
        paths = authority.issue(route.host, route.host, key_type=key_type)
        secrets.append(tls_secret(key_type.lower(), *(path.read_bytes() for path in paths)))
    ingress = tls_ingress("tls", ([route.host], "ec"), ([route.host], "rsa"))
    edge.manifests.write("tls", [*secrets, ingress])
    wait_until(
        lambda: edge.metrics().value("holdfast_certificate_expiry_timestamp_seconds", secret="rsa"),
        "the certificates",
    )
    return route.host


@pytest.mark.parametrize("profile", ["intermediate", "modern"])
def test_the_scanner_finds_nothing(own_edge, tmp_path, profile):
    edge = own_edge("--tls-profile", profile)
    authority = Authority(tmp_path / "authority", "Authority")
    host = serve(edge, authority)
    (tmp_path / "roots.pem").write_bytes(authority.certificate)
    code, output = ended(
        BUILT / "scanner/bin/sslyze", "--sni", host, "--mozilla_config", profile,
        "--certinfo_ca_file", tmp_path / "roots.pem", "--json_out", tmp_path / "found.json",
        f"127.0.0.1:{edge.https}",
    )  # fmt: skip
    found = json.loads((tmp_path / "found.json").read_text())["server_scan_results"][0]
    assert found["scan_status"] == "COMPLETED", output
    results = {name: scan["result"] for name, scan in found["scan_result"].items()}

    def accepted(version):
        return {
            suite["cipher_suite"]["name"]
            for suite in results[f"{version}_cipher_suites"]["accepted_cipher_suites"]
        }

    assert [accepted(version) for version in NONE] == [set()] * len(NONE)
    assert accepted("tls_1_2") == (TLS12 if profile == "intermediate" else set())
    assert accepted("tls_1_3") == TLS13
    assert not results["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not results["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert not results["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert not results["tls_compression"]["supports_compression"]
    assert "OK - Compliant" in output and code == 0, output
