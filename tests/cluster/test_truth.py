"""Goal: after whatever happens to the API server, to etcd and to the network, routing is soon what
the objects say.

Method: faults of the real thing; what was lost is read from Holdfast's own metrics. Rows are those
of tests/unit/kube/README.md.
"""

import signal

import pytest
from client import WebSocket, status_of, wait_for_status, wait_ready
from far_node import FarNode
from holdfast_test.metrics import get, scrape
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service

# How long a wrong view may last: the longest wait, and what the requests after it take.
RECOVERY_SECONDS = 35
# TCP keepalive: 15 s, then three probes in 15 s; and what a busy machine adds.
DEAD_LINK_SECONDS = 45
KINDS = 5


def start(server, *flags, **options):
    flags = flags or ("--admin-listen", "127.0.0.1:0")
    return Holdfast(
        "ingress", "--kubeconfig", server.kubeconfig, "--http-listen", "127.0.0.1:0",
        "--workers", "1", *flags, **options,
    )  # fmt: skip


def serve(api, pods, name):
    """Objects for NAME.test."""
    api.apply(
        service(name),
        endpoint_slice(name, pods.addresses[:1]),
        ingress(name, f"{name}.test", {"/": (name, 80)}),
    )


def watched(metrics):
    return metrics.value("holdfast_watch_connected")


@pytest.fixture(scope="module")
def far(server, api, pods):
    """A Holdfast whose link was cut, without a word to either end, while much changed."""
    serve(api, pods, "before")
    node = FarNode()
    admin = f"{node.admin_address}:10254"
    holdfast = start(server, "--admin-listen", admin, prefix=node.prefix)
    try:
        wait_until(
            lambda: holdfast.ports("admin")
            and watched(scrape(10254, node.admin_address)) == KINDS,
            "the far Holdfast to watch",
        )
        node.cut()
        for i in range(50):
            api.apply(ingress("busy", "busy.test", {f"/{i}": ("before", 80)}))
        serve(api, pods, "meanwhile")
        server.compact()
        yield node, holdfast
    finally:
        holdfast.stop()
        node.stop()
        print(holdfast.log_text())


def test_a_cluster_restored_from_a_backup(server, api, pods, far, started):
    """Versions go backwards, and a watch from one that is still to come says nothing.

    Rows: L2.
    """
    serve(api, pods, "kept")
    holdfast = started(start(server))
    wait_ready(holdfast.port("admin"))
    port = holdfast.port("http")
    wait_for_status(port, "kept.test", 200)
    server.back_up()
    serve(api, pods, "undone")
    for i in range(300):
        api.apply(ingress("undone", "undone.test", {f"/{i}": ("undone", 80)}))
    wait_for_status(port, "undone.test", 200, "/299", RECOVERY_SECONDS)
    socket = WebSocket(port, "kept.test")
    server.restore()
    wait_for_status(port, "undone.test", 404, "/299", RECOVERY_SECONDS)
    assert status_of(port, "kept.test") == 200
    lists = scrape(holdfast.port("admin"))
    assert lists.value("holdfast_watch_lists_total", reason="version_unavailable") > 0
    assert lists.value("holdfast_watch_lists_total", reason="silent_watch") == 0
    serve(api, pods, "afterwards")
    wait_for_status(port, "afterwards.test", 200, patience=RECOVERY_SECONDS)
    socket.echo("still here")


def test_a_stopped_process_catches_up(server, api, pods, started):
    """Whose stream the API server may give up meanwhile.

    Rows: W13.
    """
    serve(api, pods, "slow")
    holdfast = started(start(server))
    wait_ready(holdfast.port("admin"))
    port = holdfast.port("http")
    wait_for_status(port, "slow.test", 200)
    holdfast.process.send_signal(signal.SIGSTOP)
    try:
        # A quarter of a MiB each, which is more than is kept for one who does not read.
        filler = {f"filler-{i}": "x" * 60_000 for i in range(4)}
        for i in range(60):
            api.apply(ingress("slow", "slow.test", {f"/{i}": ("slow", 80)}, filler))
        api.delete("Ingress", "before")
    finally:
        holdfast.process.send_signal(signal.SIGCONT)
    wait_for_status(port, "slow.test", 200, "/59", RECOVERY_SECONDS)
    wait_for_status(port, "before.test", 404, patience=RECOVERY_SECONDS)
    assert status_of(port, "slow.test", "/58") == 404


def test_a_half_open_connection_and_the_410_behind_it(server, api, pods, far):
    """Nobody closed the connection, and the version is compacted away.

    Rows: W3, W12.
    """
    node, holdfast = far
    wait_until(
        lambda: watched(scrape(10254, node.admin_address)) == 0,
        "the dead link to be found",
        DEAD_LINK_SECONDS,
    )
    assert get(10254, "/readyz", node.admin_address)[0] == 200
    node.mend()
    ingresses = len(api.request("GET", "/apis/networking.k8s.io/v1/ingresses")["items"])

    def recovered():
        metrics = scrape(10254, node.admin_address)
        known = metrics.value("holdfast_watch_objects", kind="Ingress")
        return known == ingresses and watched(metrics) == KINDS

    wait_until(recovered, "the far Holdfast to see everything again", RECOVERY_SECONDS)
    metrics = scrape(10254, node.admin_address)
    assert metrics.value("holdfast_watch_lists_total", reason="expired") > 0
