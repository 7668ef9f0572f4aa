"""Goal: who may come in, by address and by Origin, is decided before a backend is touched.

Method: the real binary, handshakes and requests with exact fields; the reason stands in the log and
in the metrics.
"""

import pytest
from holdfast_test.peers import answering, echo_websocket, handshake, response
from holdfast_test.process import wait_until


def asked(edge, route, *fields, path="/"):
    return edge.ask(handshake(route.host, path, *fields)).take_head().status


ORIGINS = "https://chat.test, https://*.chat.test, same-origin"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://chat.test", 101), ("https://a.chat.test", 101), ("https://CHAT.test:443", 101),
        ("http://{host}", 101), ("https://{host}", 101),
        ("https://evil.test", 403), ("https://chat.test.evil.test", 403), ("null", 403),
        ("https://a.b.chat.test", 403), ("http://chat.test", 403), (None, 403),
    ],
)  # fmt: skip
def test_only_allowed_pages_open_websockets(edge, origin, status):
    """CSWSH; RFC 6455, section 10.2."""
    route, backend = edge.serve(echo_websocket, allowed_origins=ORIGINS)
    fields = [] if origin is None else [f"Origin: {origin.format(host=route.host)}"]
    assert asked(edge, route, *fields) == status
    assert len(backend.connections) == (status == 101)
    if status == 101 and fields:
        assert fields[0].encode() in backend.received


def test_programs_without_an_origin_where_they_may(edge):
    route, _ = edge.serve(echo_websocket, allowed_origins=ORIGINS, missing_origin="allow")
    assert asked(edge, route) == 101
    assert asked(edge, route, "Origin: https://evil.test") == 403


def test_an_origin_says_nothing_of_plain_requests(edge):
    route, _ = edge.serve(answering(response("200 OK")), allowed_origins=ORIGINS)
    request = f"GET / HTTP/1.1\r\nHost: {route.host}\r\nOrigin: https://evil.test\r\n\r\n"
    assert edge.ask(request.encode()).take_response()[0].status == 200


def test_addresses_that_may_not(edge):
    route, backend = edge.serve(echo_websocket, allow_cidrs="127.0.0.0/8", deny_cidrs="127.0.0.1")
    assert asked(edge, route) == 403
    head, body = edge.ask(
        f"GET / HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode()
    ).take_response()
    assert head.status == 403 and b"address" in body and b"127." not in body
    assert backend.connections == []
    route.change(annotations={"allow-cidrs": "127.0.0.0/8"})
    assert asked(edge, route) == 101
    route.change(annotations={"allow-cidrs": "10.0.0.0/8"})
    assert asked(edge, route) == 403


def ask_plainly(edge, host, path):
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    return edge.ask(request.encode()).take_response()[0].status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin", 403), ("/admin/x", 403), ("//admin", 403), ("/%61dmin", 403),
        ("/admin%2Fx", 403), ("%2Fadmin", 400), ("/%2fadmin", 403),
        ("///%61dmi%6E//x?/public", 403),
        ("/x/../admin", 400), ("/./admin", 400), ("/x/%2e%2e/admin", 400), ("/x/.%2E/admin", 400),
        ("/x%2f..%2fadmin", 400), ("/%2e/admin", 400), ("/admin/..", 400), ("/x/.", 400),
        ("http://{host}/x/../admin", 400), ("http://{host}//admin", 403),
        ("/administrator", 200), ("/%2561dmin", 200), ("/.well-known/a", 200),
        ("/x?/../admin", 200),
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_around_its_list(edge, path, status):
    """RFC 3986, section 6.2.2: a pod may take any of them for the same path."""
    route, backend = edge.serve(answering(response("200 OK")))
    edge.route(backend, host=route.host, paths=["/admin"], allow_cidrs="10.0.0.0/8")
    path = path.format(host=route.host)
    assert ask_plainly(edge, route.host, path) == status
    assert len(backend.connections) == (status == 200)
    if status == 200:
        assert f"GET {path} HTTP/1.1\r\n".encode() in backend.received


def test_a_dot_segment_is_told_in_the_log(edge):
    route, _ = edge.serve(answering(response("200 OK")))
    assert ask_plainly(edge, route.host, "/a/%2e./b") == 400
    (line,) = wait_until(lambda: edge.holdfast.access_log(host=route.host), "the line")
    assert (line["reason"], line["status"], line["path"]) == ("bad_path", 400, "/a/%2e./b")


def test_a_refusal_is_told_in_log_and_metrics(edge):
    route, _ = edge.serve(echo_websocket, allowed_origins="https://chat.test")
    assert asked(edge, route, "Origin: https://evil.test") == 403
    assert edge.metrics().value(
        "holdfast_upgrades_total", ingress=route.name, result="refused", reason="origin_refused"
    ) == 1


def test_a_wrong_deny_list_lets_nobody_in(edge):
    route, backend = edge.serve(echo_websocket, deny_cidrs="10.0.0.x")
    assert asked(edge, route) == 403 and backend.connections == []
    problems = edge.config()["control_plane"]["problems"]
    assert [p["message"] for p in problems if p["name"] == route.name] == [
        '"10.0.0.x" is not an address or a block such as "10.0.0.0/8"; everybody gets 403'
    ]
