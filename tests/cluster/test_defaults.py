"""Goal: the ConfigMap of an IngressClass and that of --defaults-configmap are in force as they are
edited, on open connections too, which nobody closes for it; with the right to read these alone.

Method: what is in force on an open WebSocket is seen by when it is closed for idleness. Beside each
that must live stands a younger one with the short timeout as its own annotation: once that is
closed, the older one would have been.
"""

import json

import pytest
from client import WebSocket, wait_ready
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service
from service_account import ServiceAccount

CLASS = "defaulted"
# Longer than an edit takes to be in force, and a test can wait as long.
SHORT = "5s"


def config_map(name, **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "infra"},
        "data": {key.replace("_", "-"): value for key, value in data.items()},
    }


def ingress_class(parameters_name):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS},
        "spec": {
            "controller": "holdfast.dev/ingress",
            "parameters": {
                "kind": "ConfigMap",
                "name": parameters_name,
                "namespace": "infra",
                "scope": "Namespace",
            },
        },
    }


@pytest.fixture(scope="module")
def account(server, api):
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "infra"}})
    made = ServiceAccount(server, "defaults")
    made.allow(["list", "watch"])
    made.allow_config_maps("infra", ["of-the-class", "another", "global"])
    return made


@pytest.fixture
def holdfast(server, api, pods, account, tmp_path, started):
    """Serves silent.test, whose Ingress says nothing, and short.test, whose Ingress says SHORT."""
    for name in ("another", "forbidden", "of-the-class", "global"):
        api.delete("ConfigMap", name, "infra")
    api.apply(
        config_map("of-the-class", idle_timeout=SHORT),
        config_map("global", idle_timeout=SHORT),
        ingress_class("of-the-class"),
        service("defaults"),
        endpoint_slice("defaults", pods.addresses[:1]),
        ingress("silent", "silent.test", {"/": ("defaults", 80)}, class_name=CLASS),
        ingress(
            "short", "short.test", {"/": ("defaults", 80)}, {"holdfast.dev/idle-timeout": SHORT},
            class_name=CLASS,
        ),
    )  # fmt: skip
    server.write_kubeconfig(tmp_path / "kubeconfig", {"token": account.token()})
    running = started(
        Holdfast(
            "ingress", "--kubeconfig", tmp_path / "kubeconfig", "--http-listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--workers", "2", "--ingress-class", CLASS,
            "--defaults-configmap", "infra/global",
        )
    )  # fmt: skip
    wait_ready(running.port("admin"))
    return running


def config(holdfast):
    return json.loads(get(holdfast.port("admin"), "/debug/config")[1])


def problems(holdfast):
    return json.dumps(config(holdfast)["control_plane"]["problems"])


def idle_timeout(holdfast):
    """In force for silent.test on the workers."""
    for resource in config(holdfast)["data_plane"]["resources"]:
        host = resource.get("virtual_host")
        if host is not None and host["host"] == "silent.test":
            return host["policies"][0]["idle_timeout"]
    return None


def wait_for_idle_timeout(holdfast, expected, patience=20):
    wait_until(lambda: idle_timeout(holdfast) == expected, f"{expected} to be in force", patience)


def websockets(holdfast):
    """One of silent.test, which is returned, and a younger one of short.test."""
    silent = WebSocket(holdfast.port("http"), "silent.test")
    WebSocket(holdfast.port("http"), "short.test")
    return silent


def assert_outlives(holdfast, silent):
    """The WebSocket of silent.test is open when the younger one has been closed for idleness."""
    closed = wait_until(lambda: holdfast.access_log(type="websocket_close"), "the younger to end")
    assert [(line["ingress"], line["reason"]) for line in closed] == [("short", "idle_timeout")]
    silent.echo("still here")


def test_the_class_configmap_is_edited(api, holdfast):
    """The first WebSockets already have what it says: nothing was published before it was read."""
    assert idle_timeout(holdfast) == SHORT
    silent = websockets(holdfast)
    api.apply(config_map("of-the-class", idle_timeout="2h"))
    wait_for_idle_timeout(holdfast, "7200s")
    assert_outlives(holdfast, silent)
    # What is wrong is a problem of the ConfigMap, and the next that says it counts.
    api.apply(
        config_map("of-the-class", idle_timeout="2 hours", idel_timeout="2h"),
        config_map("global", idle_timeout="3h"),
    )
    wait_for_idle_timeout(holdfast, "10800s")
    told = problems(holdfast)
    assert "2 hours" in told and "did you mean idle-timeout?" in told
    silent.echo("still here")
    silent.close()


def test_the_global_configmap_is_edited(api, holdfast):
    api.apply(config_map("of-the-class", connect_timeout="2s"))
    metrics = holdfast.port("admin")
    wait_for_idle_timeout(holdfast, SHORT)
    silent = websockets(holdfast)
    api.apply(config_map("global", idle_timeout="4h"))
    wait_for_idle_timeout(holdfast, "14400s")
    assert_outlives(holdfast, silent)
    # Deleted, it applies no longer; made again, it does.
    api.delete("ConfigMap", "global", "infra")
    wait_for_idle_timeout(holdfast, "3600s")
    assert "--defaults-configmap" in problems(holdfast)
    api.apply(config_map("global", idle_timeout="6h"))
    wait_for_idle_timeout(holdfast, "21600s")
    assert "--defaults-configmap" not in problems(holdfast)
    silent.echo("still here")
    assert scrape(metrics).value("holdfast_watch_objects", kind="ConfigMap") == 2
    assert scrape(metrics).value("holdfast_watch_lists_total", kind="ConfigMap") == 2
    silent.close()


def test_the_class_names_another(api, holdfast, account):
    """Watches come and go with what is named; what may not be read waits, and is told."""
    silent = websockets(holdfast)
    api.apply(config_map("another", idle_timeout="5h"), ingress_class("another"))
    wait_for_idle_timeout(holdfast, "18000s")
    assert_outlives(holdfast, silent)
    wait_for_value(holdfast.port("admin"), 2, "holdfast_watch_objects", kind="ConfigMap")
    api.apply(
        config_map("global", idle_timeout="7h"),
        config_map("forbidden", idle_timeout="8h"),
        ingress_class("forbidden"),
    )
    wait_until(lambda: "HTTP 403" in problems(holdfast), "the refusal to be told")
    # Until the patience is over the class counts as it was, with "another".
    assert idle_timeout(holdfast) == "18000s"
    wait_for_idle_timeout(holdfast, "25200s")
    assert "does not exist or was never read" in problems(holdfast)
    account.allow_config_maps("infra", ["of-the-class", "another", "global", "forbidden"])
    # The next try comes within 30 s, whatever the number of tries before.
    wait_for_idle_timeout(holdfast, "28800s", patience=40)
    assert "HTTP 403" not in problems(holdfast)
    silent.echo("still here")
    silent.close()
