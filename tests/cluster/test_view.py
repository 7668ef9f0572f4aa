"""Goal: --namespaces, --label-selector, --watch-list and --ingress-class choose what is seen, and
what is not chosen is left alone.
"""

from client import status_of, wait_for_status, wait_ready
from holdfast_test.metrics import scrape
from holdfast_test.process import Holdfast
from objects import endpoint_slice, ingress, service
from service_account import ServiceAccount


def start(kubeconfig, *flags):
    return Holdfast(
        "ingress", "--kubeconfig", kubeconfig, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--workers", "1", *flags,
    )  # fmt: skip


def serve(api, pods, namespace, name, labels=None, class_name="holdfast"):
    """Objects for NAME.test."""
    made = [
        service(name),
        endpoint_slice(name, pods.addresses[:1]),
        ingress(name, f"{name}.test", {"/": (name, 80)}, class_name=class_name),
    ]
    for item in made:
        item["metadata"]["namespace"] = namespace
    made[-1]["metadata"]["labels"] = labels or {}
    api.apply(*made)


def test_namespaces_labels_and_classes(server, api, pods, tmp_path, started):
    """With no more rights than to list and to watch, in those namespaces.

    Rows: 3.3.
    """
    for name in ("one", "two", "three"):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    serve(api, pods, "one", "chosen", {"team": "a"})
    serve(api, pods, "two", "relabelled", {"team": "b"})
    serve(api, pods, "three", "elsewhere", {"team": "a"})
    serve(api, pods, "one", "foreign", {"team": "a"}, "other")
    account = ServiceAccount(server, "narrow")
    account.allow(["list", "watch"], ["one", "two"])
    server.write_kubeconfig(tmp_path / "kubeconfig", {"token": account.token()})
    narrow = started(
        start(
            tmp_path / "kubeconfig", "--namespaces=one,two", "--label-selector=team=a",
            "--watch-list",
        )
    )  # fmt: skip
    wide = started(start(server.kubeconfig, "--ingress-class", "other"))
    port = narrow.port("http")
    wait_ready(narrow.port("admin"))
    wait_for_status(port, "chosen.test", 200)
    for host in ("relabelled.test", "elsewhere.test", "foreign.test"):
        assert status_of(port, host) == 404
    # An object that comes to match, and one that no longer does, are events of the watch.
    serve(api, pods, "two", "relabelled", {"team": "a"})
    wait_for_status(port, "relabelled.test", 200)
    serve(api, pods, "one", "chosen", {"team": "b"})
    wait_for_status(port, "chosen.test", 404)
    metrics = scrape(narrow.port("admin"))
    assert metrics.value("holdfast_watch_objects", kind="Ingress") == 2
    assert metrics.value("holdfast_watch_errors_total") == 0
    assert metrics.value("holdfast_watch_connected") == 5
    # One of each kind in each namespace, and one of IngressClasses.
    assert metrics.value("holdfast_watch_lists_total") == 2 * 4 + 1
    # Each came as a stream, which a bookmark ended.
    assert metrics.value("holdfast_watch_events_total", type="bookmark") >= 2 * 4 + 1

    port = wide.port("http")
    wait_ready(wide.port("admin"))
    wait_for_status(port, "foreign.test", 200)
    assert status_of(port, "relabelled.test") == 404
