"""Goal: what the chart installs works: install, upgrade, rollback, uninstall on a real API server.

Method: the stored pod templates are run as a node would run them (kubelet.py).
"""

import pytest
from client import WebSocket, wait_ready
from helm import NAMESPACE
from holdfast_test.certificates import Authority, secret
from holdfast_test.metrics import scrape
from holdfast_test.process import wait_until
from objects import endpoint_slice, endpoints, ingress, service
from release import NAME, Release
from values_matrix import MATRIX, SPLIT

HOST = "chat.test"


@pytest.fixture
def release(helm, server, started):
    return started(Release(helm, server))


@pytest.fixture
def chat(server, backends):
    server.api.apply(
        service("chat"),
        endpoint_slice("chat", backends.addresses),
        ingress("chat", HOST, {"/": ("chat", 80)}),
    )


def ready(pod):
    """As its readiness probe sees it."""
    wait_ready(pod.port("admin"), pod.address)
    return pod


def connect(pod, port="http"):
    return WebSocket(pod.port(port), HOST, address=pod.address)


def test_install_upgrade_rollback_uninstall(release, server, chat, started, tmp_path):
    said = release.install({})
    assert f"rollout status deployment/{NAME}" in said
    first = ready(started(release.pod(tmp_path)).start_all())
    assert release.get("deployment", NAME)["spec"]["replicas"] == 2
    socket = connect(first)
    socket.echo("hello")

    release.upgrade({"logLevel": "debug", "defaults": {"idle-timeout": "2h"}, "replicaCount": 3})
    assert release.get("deployment", NAME)["spec"]["replicas"] == 3
    second = ready(started(release.pod(tmp_path)).start_all())
    assert any(line["level"] == "debug" for line in second.containers["controller"].log())
    wait_until(
        lambda: "2h" in str(release.get("configmap", f"{NAME}-defaults")["data"]), "the defaults"
    )
    assert scrape(second.port("admin-control"), second.address).value(
        "holdfast_watch_connected", kind="ConfigMap"
    ) == 1
    connect(second).echo("hello again")
    socket.echo("still here")

    release.rollback(1)
    assert not release.get("configmap")
    third = ready(started(release.pod(tmp_path)).start_all())
    assert third.spec == first.spec
    connect(third).echo("and again")
    socket.echo("as before")

    release.uninstall()
    for kind in ("deployment", "service", "configmap", "serviceaccount", "clusterrole", "role",
                 "clusterrolebinding", "rolebinding", "ingressclass", "pdb"):  # fmt: skip
        assert not release.get(kind), kind
    socket.echo("to the end")


def test_the_controller_of_a_pair_may_die(release, server, chat, backends, started, tmp_path):
    """And comes back on the same socket; the proxy's own restart begins with the state folder."""
    release.install({})
    pod = ready(started(release.pod(tmp_path)).start_all())
    socket = connect(pod)
    pod.containers["controller"].kill()
    socket.echo("nobody tells me anything")
    connected = "holdfast_discovery_connected"
    wait_until(
        lambda: scrape(pod.port("admin"), pod.address).value(connected) == 0, "the stream to end"
    )
    connect(pod).echo("new ones are served too")
    pod.containers["proxy"].kill()
    pod.start("proxy")
    ready(pod)
    connect(pod).echo("out of the state folder")
    pod.start("controller")
    wait_until(
        lambda: scrape(pod.port("admin"), pod.address).value(connected) == 1, "the stream again"
    )


def test_single(release, server, chat, started, tmp_path):
    release.install({"mode": "single"})
    pod = ready(started(release.pod(tmp_path)).start_all())
    connect(pod).echo("one for all")


def test_low_ports(release, server, chat, started, tmp_path):
    """Nobody but the pod's sysctl lets that user open port 80."""
    release.install({"lowPorts": "pod", "ports": {"http": 80, "https": 443}})
    pod = ready(started(release.pod(tmp_path)).start_all())
    assert pod.port("http") == 80
    connect(pod).echo("down here")


def test_watched_namespaces(release, server, chat, started, tmp_path):
    """With Roles alone what is in them is served, and told of, and nothing else is seen."""
    server.api.apply(
        ingress("odd", "odd.test", {"/": ("chat", 80)}, {"holdfast.dev/idle-timeout": "for ever"})
    )
    release.install({"watch": {"namespaces": ["default"]}})
    rules = release.get("clusterrole", f"{NAMESPACE}-{NAME}")["rules"]
    assert [rule["resources"] for rule in rules] == [["ingressclasses"]]
    release.give_address("192.0.2.81")
    pod = ready(started(release.pod(tmp_path)).start_all())
    connect(pod).echo("from one namespace")
    wait_until(
        lambda: "192.0.2.81" in server.kubectl("get", "ingress", "odd", "-o", "wide"), "the status"
    )
    wait_until(lambda: "for ever" in server.kubectl("describe", "ingress", "odd"), "the Event")


def test_modes_can_be_changed(release, server):
    """What serves traffic keeps its name and its selector, which no upgrade could change."""
    release.install({})
    first = release.get("deployment", NAME)
    for values in ({"mode": "single"}, SPLIT, MATRIX["low ports"]):
        release.upgrade(values)
        assert release.get("deployment", NAME)["metadata"]["uid"] == first["metadata"]["uid"]
    assert [item["metadata"]["name"] for item in release.get("deployment")] == [NAME]
    # Without any value helm would keep the last ones.
    for kind, other in (("DaemonSet", "deployment"), ("Deployment", "daemonset")):
        release.upgrade({"kind": kind})
        assert release.get(kind.lower(), NAME)["spec"]["selector"] == first["spec"]["selector"]
        assert not release.get(other)


def test_endpoints_in_place_of_slices(release, server, chat, started, tmp_path):
    """The rule changes with the flag."""
    server.api.apply(endpoints("chat", ["10.244.1.1"]))
    release.install({"watch": {"endpointsApi": "endpoints"}})
    pod = ready(started(release.pod(tmp_path)).start_all())
    connect(pod).echo("the old way")


def discovery_secret(name, authority, certificate_name):
    """As cert-manager writes it, in the release's namespace."""
    certificate, key = authority.issue(name, certificate_name)
    made = secret(
        name, "kubernetes.io/tls", tls_crt=certificate.read_bytes(), tls_key=key.read_bytes(),
        ca_crt=authority.certificate,
    )  # fmt: skip
    made["metadata"]["namespace"] = NAMESPACE
    return made


def test_split(release, server, dns, chat, started, tmp_path):
    authority = Authority(tmp_path / "ca", "discovery")
    discovery = f"{NAME}-discovery.{NAMESPACE}.svc"
    server.api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        discovery_secret("holdfast-controller", authority, discovery),
        discovery_secret("holdfast-proxy", authority, "proxy.test"),
    )
    release.install(SPLIT)
    controller = started(release.pod(tmp_path, name=f"{NAME}-controller")).start_all()
    wait_ready(controller.port("admin-control"), controller.address)
    dns.set(f"{discovery}.cluster.local", controller.address)
    pod = started(release.pod(tmp_path)).start_all()
    assert list(pod.containers) == ["proxy"]
    ready(pod)
    connect(pod).echo("from afar")
