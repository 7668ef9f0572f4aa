"""Goal: an operator sees every open WebSocket, stream and request, and finds one among many.

Method: /debug/connections of the real binary, beside clients that are open.
"""

import json

import pytest
from holdfast_test.metrics import get
from holdfast_test.peers import echo_websocket, frame, handshake, take_frame
from holdfast_test.process import wait_until


def listed(edge, **query):
    text = "&".join(f"{key}={value}" for key, value in query.items())
    status, body = get(edge.admin, f"/debug/connections?{text}")
    assert status == 200, body
    return json.loads(body)


def open_websocket(edge, route):
    client = edge.ask(handshake(route.host))
    assert client.take_head().status == 101
    return client


def test_a_websocket_and_what_it_has_done(edge):
    route, backend = edge.serve(echo_websocket)
    client = open_websocket(edge, route)
    for text in (b"one", b"three"):
        client.send(frame(text, masked=True))
        assert take_frame(client)[1] == text
    page = listed(edge, ingress=route.name)
    assert page["next_before"] is None
    (entry,) = page["connections"]
    assert isinstance(entry.pop("number"), int)
    assert 0 < entry.pop("age_seconds") < 60
    logged = {"type": "websocket_open", "ingress": route.name}
    line = wait_until(lambda: edge.holdfast.access_log(**logged), "its line")[0]
    assert entry == {
        "kind": "websocket", "namespace": "default", "ingress": route.name, "service": route.name,
        "endpoint": f"127.0.0.1:{backend.port}", "client": "127.0.0.1",
        "request_id": line["request_id"], "bytes_upstreamward": 2 * 6 + 8,
        "bytes_downstreamward": 2 * 2 + 8, "messages_upstreamward": 2, "messages_downstreamward": 2,
    }  # fmt: skip
    client.close()
    wait_until(lambda: not listed(edge, ingress=route.name)["connections"], "it to be gone")


def test_a_request_and_a_stream(edge):
    def script(connection):
        connection.take_until(b"go on")
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        connection.take_until(b"never")

    route, _ = edge.serve(script)
    client = edge.ask(
        f"POST / HTTP/1.1\r\nHost: {route.host}\r\nContent-Length: 9\r\n\r\n".encode()
    )
    wait_until(
        lambda: listed(edge, ingress=route.name, kind="request")["connections"], "the request"
    )
    client.send(b"go on")
    client.take_until(b"abc")
    (entry,) = listed(edge, ingress=route.name)["connections"]
    assert entry["kind"] == "stream"
    assert (entry["bytes_upstreamward"], entry["bytes_downstreamward"]) == (5, 3)


def test_pages_hold_every_connection_once(edge):
    route, backend = edge.serve(echo_websocket)
    clients = [open_websocket(edge, route) for _ in range(25)]
    seen, before = [], None
    for size in (10, 10, 5):
        query = {} if before is None else {"before": before}
        page = listed(edge, ingress=route.name, limit=10, **query)
        assert len(page["connections"]) == size
        seen += [entry["number"] for entry in page["connections"]]
        before = page["next_before"]
    assert before is None
    assert seen == sorted(set(seen), reverse=True) and len(seen) == len(clients)
    # Each filter alone, with what is escaped in a query.
    for query in (
        {"service": route.name}, {"endpoint": f"127.0.0.1%3A{backend.port}"},
        {"client": "127.0.0.1", "ingress": route.name},
        {"namespace": "default", "ingress": route.name},
    ):  # fmt: skip
        assert len(listed(edge, **query)["connections"]) == 25, query
    for query in ({"client": "127.0.0.2"}, {"namespace": "other"}, {"kind": "stream"}):
        assert not listed(edge, ingress=route.name, **query)["connections"], query


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "before=-1", "colour=red", "%"]
)
def test_a_wrong_query_is_told(edge, query):
    status, body = get(edge.admin, f"/debug/connections?{query}")
    assert status == 400 and "limit=1 to 1000" in body
