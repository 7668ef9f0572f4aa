"""Goal: metrics and logs say what happened, in a form that Prometheus and JSON parsers take
whatever bytes the internet sends.

Method: known traffic, then the numbers; hostile bytes, then every line parsed.
"""

import json
import shutil
import subprocess

from holdfast_test.metrics import get, wait_for_value
from holdfast_test.peers import (
    answering, close_frame, echo_websocket, frame, handshake, response, take_frame,
)  # fmt: skip
from holdfast_test.process import wait_until


def get_request(route, path="/", agent="test"):
    return f"GET {path} HTTP/1.1\r\nHost: {route.host}\r\nUser-Agent: {agent}\r\n\r\n".encode()


def test_promtool_accepts_the_metrics(edge):
    route, _ = edge.serve(echo_websocket)
    client = edge.ask(handshake(route.host))
    client.take_head()
    client.send(close_frame(1000, masked=True))
    take_frame(client)
    edge.ask(b"nonsense\r\n\r\n").take_rest()
    promtool = shutil.which("promtool")
    assert promtool, "promtool comes with Debian's prometheus"
    done = subprocess.run(
        [promtool, "check", "metrics"], input=edge.metrics().text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_requests_by_status(edge):
    route, _ = edge.serve(
        answering(response("200 OK"), response("302 Found"), response("404 No"), response("500 X"))
    )
    client = edge.connect()
    for _ in range(4):
        client.send(get_request(route))
        client.take_response()
    for status in ("2xx", "3xx", "4xx", "5xx"):
        wait_for_value(
            edge.admin, 1, "holdfast_http_requests_total", ingress=route.name, status=status
        )


def test_unrouted_requests_by_reason(edge):
    before = edge.metrics().value("holdfast_unrouted_requests_total", reason="bad_request")
    edge.ask(b"GET / HTTP/1.1\r\n\r\n").take_rest()
    wait_for_value(
        edge.admin, before + 1, "holdfast_unrouted_requests_total", reason="bad_request"
    )


def test_histograms_have_every_observation(edge):
    handshakes = edge.metrics().value("holdfast_handshake_duration_seconds_count")
    lifetimes = edge.metrics().value("holdfast_websocket_lifetime_seconds_count")
    route, _ = edge.serve(echo_websocket)
    for _ in range(3):
        client = edge.ask(handshake(route.host))
        client.take_head()
        client.reset()
    wait_for_value(edge.admin, handshakes + 3, "holdfast_handshake_duration_seconds_count")
    wait_for_value(edge.admin, lifetimes + 3, "holdfast_websocket_lifetime_seconds_count")


def test_one_line_at_open_and_one_at_close(edge):
    route, backend = edge.serve(echo_websocket)
    client = edge.ask(handshake(route.host, "/room?x=1", "User-Agent: test/1"))
    client.take_head()
    opened = wait_until(
        lambda: edge.holdfast.access_log(type="websocket_open", ingress=route.name), "a line"
    )
    assert len(opened) == 1
    for key, value in {
        "status": 101, "path": "/room?x=1", "host": route.host, "user_agent": "test/1",
        "client": "127.0.0.1", "namespace": "default", "service": route.name,
        "endpoint": f"127.0.0.1:{backend.port}",
    }.items():  # fmt: skip
        assert opened[0][key] == value
    client.send(frame(b"hello", masked=True))
    take_frame(client)
    client.send(close_frame(1000, masked=True))
    take_frame(client)
    client.close()
    closed = wait_until(
        lambda: edge.holdfast.access_log(type="websocket_close", ingress=route.name), "a line"
    )
    assert len(closed) == 1
    assert closed[0]["request_id"] == opened[0]["request_id"]
    assert f"X-Request-ID: {opened[0]['request_id']}\r\n".encode() in backend.received
    assert closed[0]["messages_upstreamward"] == 1
    assert closed[0]["code"] == 1000


def test_every_line_is_json_whatever_comes(edge):
    """Quotes, escapes, control bytes and broken UTF-8 in every place that is logged."""
    route, _ = edge.serve(answering(response("200 OK")))
    hostile = ['"', "\\", "\x1b[31m", "\x7f", "\xff\xfe", "\xc3", '","reason":"x', "{{$}}", "%s%n"]
    before = len(edge.holdfast.access_lines())
    for text in hostile:
        for request in (
            f"GET /{text} HTTP/1.1\r\nHost: {route.host}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {route.host}\r\nUser-Agent: {text}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {text}\r\n\r\n",
            f"{text} / HTTP/1.1\r\nHost: {route.host}\r\n\r\n",
        ):
            client = edge.ask(request.encode("latin-1"))
            client.half_close()
            client.take_rest()
    expected = before + 4 * len(hostile)
    wait_until(lambda: len(edge.holdfast.access_lines()) >= expected, "every line")
    lines = edge.holdfast.access_lines()
    assert len(lines) == expected
    for line in lines:
        json.loads(line)
        assert line.isprintable() or not any(ord(character) < 32 for character in line)


def test_error_pages_name_the_request_and_nothing_else(edge):
    route = edge.route()
    client = edge.ask(get_request(route))
    head, body = client.take_response()
    line = wait_until(
        lambda: edge.holdfast.access_log(ingress=route.name, reason="no_endpoint"), "a line"
    )[0]
    assert head.status == 503
    assert line["request_id"] in body.decode()
    assert route.name not in body.decode() and "holdfast" not in body.decode().lower()


def test_debug_config_shows_what_is_served(edge):
    route, backend = edge.serve(echo_websocket)
    config = edge.config()
    for side in ("control_plane", "data_plane"):
        text = json.dumps(config[side]["resources"])
        assert route.host in text and str(backend.port) in text
    assert config["data_plane"]["ready"] is True


def test_admin_answers_only_what_it_has(edge):
    assert get(edge.admin, "/healthz")[0] == 200
    assert get(edge.admin, "/readyz")[0] == 200
    assert get(edge.admin, "/nothing")[0] == 404
