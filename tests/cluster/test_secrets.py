"""Goal: certificates and authorities come from the API server's Secrets, from those of one type and
those that are named and from no others, and a restarted controller takes nobody's away.

Method: controller and proxy as two processes; certificates made by openssl(1).
"""

import socket
import ssl

from client import wait_ready
from holdfast_test.certificates import Authority, Maker, secret, tls_secret
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service
from service_account import ServiceAccount

HOST = "secure.test"


def start_controller(kubeconfig, path):
    return Holdfast(
        "controller", "--kubeconfig", kubeconfig, "--discovery-listen", f"unix:{path}",
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip


def shown(port, own=None):
    """The certificate that is shown for the host, PEM; None: who has no better one is refused."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if own is not None:
        context.load_cert_chain(*own)
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            with context.wrap_socket(plain, server_hostname=HOST) as client:
                # With TLS 1.3 a client learns only now whether its own certificate is taken.
                client.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                if not client.recv(1):
                    return None
                return ssl.DER_cert_to_PEM_cert(client.getpeercert(binary_form=True))
    except OSError:
        return None


def test_secrets(server, api, pods, tmp_path, started):
    maker, authority = Maker(tmp_path), Authority(tmp_path / "authority", "Clients")
    certificate, key = maker.make(HOST)
    secured = ingress(
        "secure", HOST, {"/": ("secure", 80)}, {"holdfast.dev/client-ca-secret": "clients"}
    )
    secured["spec"]["tls"] = [{"hosts": [HOST], "secretName": "secure"}]
    api.apply(
        service("secure"),
        endpoint_slice("secure", pods.addresses[:1]),
        tls_secret("secure", certificate, key),
        secret("clients", ca_crt=authority.certificate),
        secret("password", password=b"nobody's business"),
        secured,
    )
    account = ServiceAccount(server, "secretary")
    account.allow(["get", "list", "watch"])
    kubeconfig = tmp_path / "kubeconfig"
    server.write_kubeconfig(kubeconfig, {"token": account.token()})
    path = tmp_path / "discovery"
    controller = started(start_controller(kubeconfig, path))
    proxy = started(
        Holdfast(
            "proxy", "--discovery", f"unix:{path}", "--http-listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--workers", "2",
        )
    )  # fmt: skip
    wait_ready(proxy.port("admin"))
    port = proxy.port("https")
    alice = authority.issue("alice")
    assert shown(port, alice).split() == certificate.decode().split()
    assert shown(port) is None
    # The API server's own objects have no certificate either.
    admin = controller.port("admin")
    assert scrape(admin).value("holdfast_watch_objects", kind="Secret") == 2
    for page in ("/debug/config", "/metrics"):
        assert "PRIVATE KEY" not in get(admin, page)[1]

    controller.kill()
    successor = started(start_controller(kubeconfig, path))
    wait_ready(successor.port("admin"))
    wait_for_value(proxy.port("admin"), 1, "holdfast_discovery_connected")
    wait_until(
        lambda: '"current":true' in get(successor.port("admin"), "/debug/config")[1],
        "the successor to know that the proxy is current",
    )
    sent = scrape(successor.port("admin")).value("holdfast_discovery_resources_sent_total")
    assert sent == 0, "nothing had changed"
    assert shown(port, alice) is not None

    renewed, key = maker.make(HOST)
    api.apply(tls_secret("secure", renewed, key))
    wait_until(
        lambda: shown(port, alice).split() == renewed.decode().split(), "the new certificate"
    )
    stranger = Authority(tmp_path / "stranger", "Others")
    api.apply(secret("clients", ca_crt=stranger.certificate))
    wait_until(lambda: shown(port, alice) is None, "the other authority to count")
    assert shown(port, stranger.issue("bob")) is not None
    carol = stranger.issue("carol")
    api.delete("Secret", "clients")
    api.delete("Secret", "secure")

    def problems():
        return get(successor.port("admin"), "/debug/config")[1].count("there is no Secret")

    wait_until(lambda: problems() >= 2, "both to be missed")
    assert shown(port, carol).split() == renewed.decode().split()
    # One that has never seen them good takes them from nobody.
    successor.kill()
    last = started(start_controller(kubeconfig, path))
    wait_ready(last.port("admin"))
    wait_until(
        lambda: '"current":true' in get(last.port("admin"), "/debug/config")[1],
        "the last one to know that the proxy is current",
    )
    assert shown(port, carol).split() == renewed.decode().split()
    assert shown(port) is None
