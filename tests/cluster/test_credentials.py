"""Goal: tokens expire and authorities change under a running Holdfast, and nothing is lost.

Rows are those of tests/unit/kube/README.md.
"""

from client import wait_for_status, wait_ready
from holdfast_test.metrics import scrape
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service
from service_account import ServiceAccount

RECOVERY_SECONDS = 35
TOKEN_SECONDS = 8
# The API server remembers for ten seconds whom it took a token for.
EXPIRY_PATIENCE_SECONDS = TOKEN_SECONDS + 30


def start(kubeconfig):
    return Holdfast(
        "ingress", "--kubeconfig", kubeconfig, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--workers", "1",
    )  # fmt: skip


def serve(api, pods, name):
    api.apply(
        service(name),
        endpoint_slice(name, pods.addresses[:1]),
        ingress(name, f"{name}.test", {"/": (name, 80)}),
    )


def unprescribed_lists(admin):
    """All but those after a 410: an API server that has just begun remembers nothing older."""
    metrics = scrape(admin)
    lists = "holdfast_watch_lists_total"
    return metrics.value(lists) - metrics.value(lists, reason="expired")


def test_a_token_expires_and_a_new_one_is_found(server, api, pods, tmp_path, started):
    """A running watch goes on after its token; after a restart of the API server the old token is
    refused, the new one taken, and nothing is listed for that.

    Rows: 3.4 (token), W5, W16.
    """
    account = ServiceAccount(server, "expiring")
    account.allow(["get", "list", "watch"])
    token = tmp_path / "token"
    old = account.token(TOKEN_SECONDS)
    token.write_text(old)
    server.write_kubeconfig(tmp_path / "kubeconfig", {"tokenFile": "token"})
    holdfast = started(start(tmp_path / "kubeconfig"))
    admin, port = holdfast.port("admin"), holdfast.port("http")
    wait_ready(admin)
    wait_until(lambda: not api.accepts(old), "the token to expire", EXPIRY_PATIENCE_SECONDS)
    serve(api, pods, "expired")
    wait_for_status(port, "expired.test", 200)
    assert scrape(admin).value("holdfast_watch_errors_total") == 0
    lists = unprescribed_lists(admin)

    server.shut_down()
    server.start()
    server.wait_ready()
    refused = "holdfast_watch_errors_total"
    wait_until(
        lambda: scrape(admin).value(refused, reason="unauthorized") > 0,
        "the old token to be refused",
        RECOVERY_SECONDS,
    )
    token.write_text(account.token())
    serve(api, pods, "renewed")
    wait_for_status(port, "renewed.test", 200, patience=RECOVERY_SECONDS)
    assert unprescribed_lists(admin) == lists
    assert old not in holdfast.log_text()


def test_another_authority(server, api, pods, tmp_path, started):
    """A file without sense changes nothing, one with the new authority is taken soon.

    Rows: 3.4 (certificate authorities).
    """
    ca_file = tmp_path / "ca.crt"
    ca_file.write_bytes(server.certificate.read_bytes())
    server.write_kubeconfig(tmp_path / "kubeconfig", {"token": server.token}, ca_file)
    holdfast = started(start(tmp_path / "kubeconfig"))
    port = holdfast.port("http")
    wait_ready(holdfast.port("admin"))
    ca_file.write_text("")
    serve(api, pods, "same-connection")
    wait_for_status(port, "same-connection.test", 200)
    ca_file.write_text("-----BEGIN nonsense")

    server.shut_down()
    server.forget_certificate()
    server.start()
    server.wait_ready()
    wait_until(
        lambda: "certificate verify failed" in holdfast.log_text()
        and "certificate files unusable" in holdfast.log_text(),
        "the new certificate to be refused",
        RECOVERY_SECONDS,
    )
    ca_file.write_bytes(server.certificate.read_bytes())
    serve(api, pods, "other-authority")
    wait_for_status(port, "other-authority.test", 200, patience=RECOVERY_SECONDS)
