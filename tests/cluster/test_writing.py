"""Goal: what Holdfast writes to the cluster is what people read there: addresses in the status of
Ingresses, and Events that tell of every problem and of its end. Written by one of several, and
without any of it traffic goes on.
"""

from client import WebSocket, wait_for_status, wait_ready
from halves import start_controller, start_proxy
from holdfast_test.metrics import scrape
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
# A lease runs for 15 s, and is looked at every 2 to 4.4 s.
TAKEOVER_SECONDS = 35


def start(server, *flags):
    return Holdfast(
        "ingress", "--kubeconfig", server.kubeconfig, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--workers", "1", *flags,
    )  # fmt: skip


def own_class(api, name):
    """Flags by which nobody else's Ingresses count; the Lease has the class's name."""
    api.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": name},
            "spec": {"controller": "holdfast.dev/ingress"},
        }
    )
    return ("--ingress-class", name)


def addresses(api, name):
    path = f"/apis/networking.k8s.io/v1/namespaces/default/ingresses/{name}"
    return api.request("GET", path)["status"]["loadBalancer"].get("ingress", [])


def wait_for_addresses(api, name, wanted, patience=20):
    wait_until(lambda: addresses(api, name) == wanted, f"{name} to have {wanted}", patience)


def set_load_balancer(api, name, ingress_points):
    api.request(
        "PATCH", f"/api/v1/namespaces/default/services/{name}/status",
        {"status": {"loadBalancer": {"ingress": ingress_points}}}, "application/merge-patch+json",
    )  # fmt: skip


def value(holdfast, name, **labels):
    return scrape(holdfast.port("admin")).value(name, **labels)


def test_status_from_the_published_service(server, api, started):
    """It appears, follows the Service, is not written twice, and goes with the class."""
    published = service("edge")
    published["spec"]["type"] = "LoadBalancer"
    flags = own_class(api, "published")
    api.apply(
        published,
        ingress("published", "published.test", {"/": ("none", 80)}, class_name="published"),
        ingress("foreign", "foreign.test", {"/": ("none", 80)}, class_name="other"),
    )
    holdfast = started(start(server, "--publish-service", "default/edge", *flags))
    wait_ready(holdfast.port("admin"))
    wait_until(lambda: value(holdfast, "holdfast_leader") == 1, "the lease")
    # The load balancer is still being made.
    assert addresses(api, "published") == []
    set_load_balancer(api, "edge", [{"ip": "192.0.2.1"}, {"hostname": "edge.example.com"}])
    both = [{"hostname": "edge.example.com"}, {"ip": "192.0.2.1"}]
    wait_for_addresses(api, "published", both)
    table = server.kubectl("get", "ingress", "published")
    assert "192.0.2.1,edge.example.com" in table, table
    set_load_balancer(api, "edge", [{"ip": "192.0.2.2"}])
    wait_for_addresses(api, "published", [{"ip": "192.0.2.2"}])
    # Somebody else's hand is corrected.
    api.request(
        "PATCH", "/apis/networking.k8s.io/v1/namespaces/default/ingresses/published/status",
        {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}},
        "application/merge-patch+json",
    )  # fmt: skip
    wait_for_addresses(api, "published", [{"ip": "192.0.2.2"}])
    writes = "holdfast_ingress_status_writes_total"
    wait_until(lambda: value(holdfast, writes, result="written") == 3, "three writes")
    # A change that is none of the status's, and one that proves that it was seen.
    api.apply(
        ingress("published", "renamed.test", {"/": ("none", 80)}, class_name="published")
    )
    wait_for_status(holdfast.port("http"), "renamed.test", 503)
    assert value(holdfast, writes) == 3
    assert addresses(api, "foreign") == []

    api.apply(ingress("published", "renamed.test", {"/": ("none", 80)}, class_name="other"))
    wait_for_addresses(api, "published", [])
    for name in ("published", "foreign"):
        api.delete("Ingress", name)
    api.delete("Service", "edge")
    api.delete("IngressClass", "published")


def test_two_classes_with_one_address(server, api, started):
    """An Ingress moves from one Holdfast to another: the first takes away what it wrote, and not
    what the second did, though it is the same."""
    address = ("--publish-address", "192.0.2.7")
    flags = {name: own_class(api, name) for name in ("first", "second")}
    api.apply(ingress("mover", "mover.test", {"/": ("none", 80)}, class_name="first"))
    instances = {
        name: started(start(server, *flags[name], *address)) for name in flags
    }
    writes = "holdfast_ingress_status_writes_total"

    def written(holdfast):
        return value(holdfast, writes, result="written")

    wait_for_addresses(api, "mover", [{"ip": "192.0.2.7"}])
    api.apply(ingress("mover", "mover.test", {"/": ("none", 80)}, class_name="second"))
    # The second has something to write only once the first has taken its own away.
    wait_until(lambda: written(instances["second"]) == 1, "the second to write")
    wait_until(lambda: written(instances["first"]) == 2, "the first to have taken it away")
    wait_for_addresses(api, "mover", [{"ip": "192.0.2.7"}])

    # One that begins anew knows nothing of what it did; what it finds is the second's. They are
    # looked at in the order of their names.
    instances["first"].stop()
    again = started(start(server, *flags["first"], *address))
    api.apply(ingress("next", "next.test", {"/": ("none", 80)}, class_name="first"))
    wait_for_addresses(api, "next", [{"ip": "192.0.2.7"}])
    assert addresses(api, "mover") == [{"ip": "192.0.2.7"}]
    assert (written(again), written(instances["second"])) == (1, 1)
    for name in ("mover", "next"):
        api.delete("Ingress", name)
    for name in ("first", "second"):
        api.delete("IngressClass", name)


def events_of(api, name):
    """[(type, reason, message, count)], as kubectl describe asks for them."""
    found = api.request(
        "GET", f"/apis/networking.k8s.io/v1/namespaces/default/ingresses/{name}"
    )["metadata"]
    selector = (
        f"involvedObject.name%3D{name},involvedObject.namespace%3Ddefault,"
        f"involvedObject.kind%3DIngress,involvedObject.uid%3D{found['uid']}"
    )
    listed = api.request("GET", f"/api/v1/namespaces/default/events?fieldSelector={selector}")
    return sorted(
        (event["type"], event["reason"], event["message"], event["count"])
        for event in listed["items"]
    )


def test_describe_tells_the_whole_story(server, api, started):
    """Each problem is an Event once, whoever restarts, and its end is one too."""
    flags = own_class(api, "told")
    api.apply(
        ingress(
            "told", "told.test", {"/": ("missing", 80)}, {"holdfast.dev/idle-timeout": "soon"},
            "told",
        )
    )  # fmt: skip
    holdfast = started(start(server, *flags))
    wait_until(lambda: len(events_of(api, "told")) == 2, "two Events")
    text = server.kubectl("describe", "ingress", "told")
    assert "idle-timeout" in text and '"soon"' in text, text
    assert "missing" in text and "Warning" in text, text
    assert {event[0] for event in events_of(api, "told")} == {"Warning"}

    # Another process finds them told.
    holdfast.stop()
    again = started(start(server, *flags))
    written = "holdfast_events_written_total"
    wait_until(lambda: value(again, written, result="written") >= 2, "both to be told again")
    assert len(events_of(api, "told")) == 2
    assert value(again, written, result="failed") == 0

    api.apply(
        service("missing"),
        ingress("told", "told.test", {"/": ("missing", 80)}, class_name="told"),
    )
    wait_until(
        lambda: len([e for e in events_of(api, "told") if e[1] == "ProblemGone"]) == 2,
        "both to be gone",
    )
    text = server.kubectl("describe", "ingress", "told")
    assert "no longer so" in text, text
    api.delete("Ingress", "told")
    api.delete("Service", "missing")
    api.delete("IngressClass", "told")


def test_one_of_several_writes(server, api, pods, tmp_path, started):
    """Two pods, each a controller and a proxy. The leader is killed: a connection through its
    proxy lives, and the other takes its place."""
    api.apply(
        service("several"),
        endpoint_slice("several", pods.addresses[:1]),
        ingress("several", "several.test", {"/": ("several", 80)}),
    )
    flags = ("--publish-address", "192.0.2.3", "--leader-lease", "default/several")
    controllers = {}
    proxies = {}
    for name in ("a", "b"):
        path = tmp_path / name
        controllers[name] = started(start_controller(server, path, *flags))
        proxies[name] = started(start_proxy(path, "--workers", "1"))
        wait_ready(proxies[name].port("admin"))
    wait_for_addresses(api, "several", [{"ip": "192.0.2.3"}])

    def leaders():
        return [name for name in controllers if value(controllers[name], "holdfast_leader") == 1]

    wait_until(lambda: len(leaders()) == 1, "one leader")
    leader = leaders()[0]
    other = "b" if leader == "a" else "a"
    held = api.request("GET", f"{LEASES}/several")["spec"]
    sockets = [WebSocket(proxies[name].port("http"), "several.test") for name in ("a", "b")]
    controllers.pop(leader).kill()
    api.apply(ingress("several-2", "several-2.test", {"/": ("several", 80)}))
    wait_for_status(proxies[other].port("http"), "several-2.test", 200)
    wait_for_addresses(api, "several-2", [{"ip": "192.0.2.3"}], TAKEOVER_SECONDS)
    taken = api.request("GET", f"{LEASES}/several")["spec"]
    assert taken["holderIdentity"] != held["holderIdentity"]
    assert taken["leaseTransitions"] == held["leaseTransitions"] + 1
    for socket in sockets:
        socket.echo("still here")
        socket.close()
    # One that ends in order lets go.
    controllers[other].stop()
    assert api.request("GET", f"{LEASES}/several")["spec"].get("holderIdentity", "") == ""
    for name in ("several", "several-2"):
        api.delete("Ingress", name)
