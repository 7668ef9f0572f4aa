"""Goal: a client with an affinity cookie meets its pod again, on every worker and in every process,
and what happens when that pod is gone is what was asked for.

Method: pods that answer with their name, over connections of their own.
"""

import contextlib
import socket

import pytest
from holdfast_test.peers import Backend, handshake, response, switching, take_request
from holdfast_test.process import wait_until

COOKIE = "holdfast_pod"


def pod(name):
    """Answers plain requests with its name, and handshakes with it in a field."""

    def script(connection):
        while True:
            head, _ = take_request(connection)
            if head.get("upgrade"):
                connection.send(switching(f"X-Pod: {name}", key=head.get("sec-websocket-key")))
                connection.take_rest()
                return
            connection.send(response("200 OK", b"", f"X-Pod: {name}", "Set-Cookie: mine=1"))

    return script


class Visit:
    """One request on a connection of its own, and its answer."""

    def __init__(self, edge, route, cookie=None, upgrade=False, path="/"):
        fields = [] if cookie is None else [f"Cookie: a=b; {cookie}"]
        if upgrade:
            self.client = edge.ask(handshake(route.host, path, *fields))
            self.head = self.client.take_head()
        else:
            lines = [f"GET {path} HTTP/1.1", f"Host: {route.host}", *fields]
            self.client = edge.ask(("\r\n".join(lines) + "\r\n\r\n").encode())
            self.head, _ = self.client.take_response()
        self.status = self.head.status
        self.pod = self.head.get("x-pod")
        ours = [value for value in self.head.all("set-cookie") if value.startswith(COOKIE)]
        assert len(ours) <= 1
        self.set_cookie = ours[0] if ours else None
        self.cookie = ours[0].split(";")[0] if ours else None


def start(edge, count=2, **annotations):
    """(route, backends) of pods "0", "1", ..."""
    backends = [edge.backend(pod(str(i))) for i in range(count)]
    annotations = {"affinity": "cookie", "affinity_cookie_name": COOKIE, **annotations}
    return edge.route(*backends, **annotations), backends


def test_a_client_comes_back_in_every_process(own_edge):
    edges = [own_edge(), own_edge()]
    route, _ = start(edges[0], 3)
    edges[1].wait_for_change()
    first = Visit(edges[0], route)
    assert first.status == 200 and first.cookie is not None
    # The pods' own cookies stay.
    assert "mine=1" in first.head.all("set-cookie")
    for edge in edges * 4:
        for upgrade in (False, True):
            visit = Visit(edge, route, first.cookie, upgrade)
            assert (visit.pod, visit.set_cookie) == (first.pod, None)
    # Without the cookie the others are there as well.
    pods = {Visit(edges[1], route, upgrade=True).pod for _ in range(30)}
    assert pods >= {"0", "1", "2"} - {first.pod}


def test_the_cookie_has_its_attributes(edge):
    route, backends = start(edge)
    plain = Visit(edge, route)
    assert plain.set_cookie == f"{plain.cookie}; Path=/; SameSite=Lax; HttpOnly"
    assert len(plain.cookie) == len(COOKIE) + 1 + 40
    for backend in backends:
        assert str(backend.port) not in plain.cookie
    route = edge.route(
        *backends, paths=["/chat"], affinity="cookie", affinity_cookie_name=COOKIE,
        affinity_cookie_max_age="1h", affinity_cookie_same_site="none",
        affinity_cookie_http_only="false",
    )  # fmt: skip
    for upgrade in (False, True):
        visit = Visit(edge, route, path="/chat", upgrade=upgrade)
        assert visit.status == (101 if upgrade else 200)
        assert visit.set_cookie == (
            f"{visit.cookie}; Max-Age=3600; Path=/chat; SameSite=None; Secure"
        )


def ipv6_works():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not ipv6_works(), reason="this machine has no IPv6")
def test_a_client_comes_back_to_a_pod_at_its_other_address(edge):
    """A dual-stack Service whose set changes from IPv4 to IPv6 and back."""

    def at(index, family):
        target = {"targetRef": {"kind": "Pod", "name": f"p{index}", "uid": f"uid-{index}"}}
        return *pods[family][index].endpoint, target

    first = [edge.backend(pod(str(index))) for index in range(2)]
    pods = {4: first, 6: []}
    for index in range(2):
        # A pod has one port, at whichever address.
        pods[6].append(edge.keep(Backend(pod(str(index)), "::1", port=first[index].port)))
    annotations = {"affinity": "cookie", "affinity_cookie_name": COOKIE, "slow_start": "0s"}
    route = edge.route(*[at(index, 4) for index in range(2)], **annotations)
    visit = Visit(edge, route)
    for family in (6, 4):
        route.change(endpoints=[at(index, family) for index in range(2)])
        for _ in range(4):
            again = Visit(edge, route, visit.cookie)
            assert (again.pod, again.set_cookie) == (visit.pod, None)
    # The others are really there.
    assert {Visit(edge, route).pod for _ in range(30)} == {"0", "1"}


def test_a_service_without_a_uid_has_its_processes_secret(own_edge):
    """Nobody who knows the addresses can make its cookies, not even another process."""
    edges = [own_edge(), own_edge()]
    backends = [edges[0].backend(pod(str(index))) for index in range(2)]
    annotations = {"affinity": "cookie", "affinity_cookie_name": COOKIE, "slow_start": "0s"}
    route = edges[0].route(*backends, with_uid=False, **annotations)
    edges[1].wait_for_change()
    here, there = Visit(edges[0], route), Visit(edges[1], route)
    assert here.cookie.split("=")[1][:8] != there.cookie.split("=")[1][:8]
    # It says nothing elsewhere, and what it says here stays when endpoints change.
    assert Visit(edges[1], route, here.cookie).set_cookie is not None
    route.change(endpoints=[backends[int(here.pod)].endpoint])
    for _ in range(4):
        assert Visit(edges[0], route, here.cookie).set_cookie is None


@pytest.mark.parametrize("when_gone", ["rebalance", "fail"])
def test_a_pod_that_is_gone(edge, when_gone):
    route, backends = start(edge, affinity_when_gone=when_gone, slow_start="0s")
    first = Visit(edge, route)
    other = backends[1 - int(first.pod)]
    route.change(endpoints=[other.endpoint])
    visit = Visit(edge, route, first.cookie)
    if when_gone == "fail":
        # It is said once: the cookie goes, and whoever comes without it is welcome.
        gone = f"{COOKIE}=; Max-Age=0; Path=/; SameSite=Lax; HttpOnly"
        assert (visit.status, visit.set_cookie) == (503, gone)
        told = {"service": route.name, "status": 503, "reason": "affinity_gone"}
        wait_until(lambda: edge.holdfast.access_log(**told), "a line in the log")
        assert Visit(edge, route, first.cookie, upgrade=True).status == 503
        # Who has no cookie, or one that is none of ours, is welcome.
        assert Visit(edge, route, f"{COOKIE}=x").status == 200
    else:
        assert (visit.status, visit.pod != first.pod) == (200, True)
        assert visit.cookie not in (None, first.cookie)
        # With both cookies, the one that names a pod counts.
        both = Visit(edge, route, f"{first.cookie}; {visit.cookie}")
        assert (both.pod, both.set_cookie) == (visit.pod, None)


def test_a_browser_sees_one_503(edge):
    """It does as Set-Cookie says: the answer that tells of the loss takes the cookie away."""
    route, backends = start(edge, 3, affinity_when_gone="fail", slow_start="0s")
    cookie = Visit(edge, route).cookie
    gone = int(Visit(edge, route, cookie).pod)
    route.change(endpoints=[pod.endpoint for pod in backends if pod is not backends[gone]])
    statuses, pods = [], []
    for _ in range(4):
        visit = Visit(edge, route, cookie)
        statuses.append(visit.status)
        pods.append(visit.pod)
        if visit.set_cookie:
            cookie = None if "Max-Age=0" in visit.set_cookie else visit.cookie
    assert statuses == [503, 200, 200, 200]
    assert pods[1] == pods[2] == pods[3] != str(gone)


def test_a_pod_on_its_way_out_keeps_its_clients(edge):
    route, backends = start(edge, slow_start="0s")
    first = Visit(edge, route)
    leaving = {"conditions": {"ready": False, "serving": True, "terminating": True}}
    pods = [backend.endpoint for backend in backends]
    pods[int(first.pod)] += (leaving,)
    route.change(endpoints=pods)
    visit = Visit(edge, route, first.cookie)
    assert (visit.pod, visit.set_cookie) == (first.pod, None)
    assert Visit(edge, route).pod != first.pod


@pytest.mark.parametrize("when_gone", ["rebalance", "fail"])
def test_a_pod_that_refuses(edge, when_gone):
    route, backends = start(edge, affinity_when_gone=when_gone)
    first = Visit(edge, route, upgrade=True)
    backends[int(first.pod)].stop()
    visit = Visit(edge, route, first.cookie, upgrade=True)
    if when_gone == "fail":
        assert (visit.status, visit.set_cookie) == (502, None)
    else:
        assert visit.status == 101
        assert (visit.pod != first.pod, visit.cookie not in (None, first.cookie)) == (True, True)


@pytest.mark.parametrize("when_gone", ["rebalance", "fail"])
def test_a_pod_that_closes_unanswered(edge, when_gone):
    closing = set()

    def script(name):
        def serve(connection):
            if name in closing:
                connection.take_head()
            else:
                pod(name)(connection)

        return serve

    backends = [edge.backend(script(name)) for name in "01"]
    route = edge.route(
        *backends, affinity="cookie", affinity_cookie_name=COOKIE, affinity_when_gone=when_gone
    )
    first = Visit(edge, route, upgrade=True)
    closing.add(first.pod)
    visit = Visit(edge, route, first.cookie, upgrade=True)
    if when_gone == "fail":
        assert (visit.status, visit.set_cookie) == (502, None)
        assert len(backends[int(first.pod)].connections) == 4
    else:
        assert visit.status == 101
        assert (visit.pod != first.pod, visit.cookie not in (None, first.cookie)) == (True, True)


@pytest.mark.parametrize("when_gone", ["rebalance", "fail"])
def test_services_of_one_host_share_a_cookie(edge, when_gone):
    """A browser keeps one cookie of a name and a path, whichever of them has set it last."""
    more = {"affinity_cookie_path": "/", "affinity_when_gone": when_gone}
    rooms, backends = start(edge, 3, **more)
    mail = edge.route(
        *[edge.backend(pod(name)) for name in "345"], host=rooms.host, paths=["/mail"],
        affinity="cookie", affinity_cookie_name=COOKIE, **more,
    )  # fmt: skip
    first = Visit(edge, rooms)
    other = Visit(edge, mail, first.cookie, path="/mail")
    assert other.cookie.startswith(f"{COOKIE}=")
    for _ in range(6):
        for visit, path in ((first, "/"), (other, "/mail")):
            again = Visit(edge, rooms, other.cookie, path=path)
            assert (again.pod, again.set_cookie) == (visit.pod, None)
    # What frees the client of a pod that is gone leaves the other's alone.
    left = [backend.endpoint for i, backend in enumerate(backends) if str(i) != first.pod]
    rooms.change(endpoints=left)
    freed = Visit(edge, rooms, other.cookie)
    assert freed.status == (503 if when_gone == "fail" else 200)
    if when_gone == "fail":
        freed = Visit(edge, rooms, freed.cookie)
        assert freed.status == 200
    for visit, path in ((freed, "/"), (other, "/mail")):
        again = Visit(edge, rooms, freed.cookie, path=path)
        assert (again.pod, again.set_cookie) == (visit.pod, None)


def test_two_services_have_two_cookies(edge):
    """Handshakes that go to a Service of their own do not take the plain requests' cookie away."""
    live, _ = start(edge)
    route, _ = start(edge, websocket_service=f"{live.name}:80", affinity_when_gone="fail")
    page = Visit(edge, route)
    live_page = Visit(edge, route, page.cookie, upgrade=True)
    assert live_page.cookie.startswith(f"{COOKIE}-websocket=")
    for _ in range(4):
        for first, upgrade in ((page, False), (live_page, True)):
            again = Visit(edge, route, f"{page.cookie}; {live_page.cookie}", upgrade)
            assert (again.pod, again.set_cookie) == (first.pod, None)
