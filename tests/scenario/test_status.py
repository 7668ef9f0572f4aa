"""Goal: `holdfast status` tells what a running Holdfast serves, to a person and to a program.

Method: the real binary asks the real binary.
"""

import json
import re
import subprocess

import pytest
from holdfast_test.metrics import get
from holdfast_test.peers import echo_websocket, handshake
from holdfast_test.process import BINARY, Holdfast, wait_until

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def status(edge, *flags):
    return asked(f"127.0.0.1:{edge.admin}", *flags)


def asked(address, *flags):
    return subprocess.run(
        [BINARY, "status", "--admin", address, *flags], capture_output=True, text=True, timeout=30
    )


def page(edge, *flags):
    done = status(edge, "-o", "json", *flags)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def tables(edge, *flags):
    done = status(edge, *flags)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def sections(text):
    """Title -> rows, each split at two spaces or more, the heading among them."""
    found = {}
    for block in text.split("\n\n")[1:]:
        title, *rows = block.splitlines()
        found[title.split(":")[0]] = [re.split(r"  +", row) for row in rows]
    return found


def open_websocket(edge, route, path="/"):
    client = edge.ask(handshake(route.host, path))
    assert client.take_head().status == 101
    return client


def test_what_is_served_as_tables(edge):
    route, backend = edge.serve(echo_websocket, paths=("/ws",))
    client = open_websocket(edge, route, "/ws")
    text = tables(edge, "--ingress", route.name)
    assert re.search(rf"^Configuration \d+, in force since {TIME}\.$", text, re.M), text
    found = sections(text)
    (row,) = [row for row in found["Routes"] if row[0] == route.host]
    assert row[1:5] == ["/ws", "prefix", f"default/{route.name}:80", f"default/{route.name}"]
    assert re.fullmatch(TIME, row[5])
    endpoint = f"127.0.0.1:{backend.port}"
    (row,) = [row for row in found["Endpoints"] if row[1] == endpoint]
    assert row[0] == f"default/{route.name}:80" and row[4] == "1"
    heading, row = found["Connections"]
    assert heading[0] == "KIND"
    assert row[0] == "websocket" and row[2:5] == ["127.0.0.1", f"default/{route.name}", endpoint]
    # Columns stand under each other.
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Endpoints: "))
    column = lines[first + 1].index("STATE")
    assert all(line[column - 2 : column] == "  " for line in lines[first + 2 : first + 3])
    client.close()


def test_what_is_served_as_json(edge):
    backend = edge.backend(echo_websocket)
    route = edge.route((*backend.endpoint, {"zone": "east"}))
    client = open_websocket(edge, route)
    told = page(edge)
    assert set(told) == {
        "version", "configuration", "routes", "endpoints", "connections", "next_before",
        "problems",
    }  # fmt: skip
    assert set(told["configuration"]) == {
        "version", "since", "refused", "connected", "connection_since",
    }  # fmt: skip
    (served,) = [entry for entry in told["routes"] if entry["host"] == route.host]
    assert re.fullmatch(TIME, served.pop("since"))
    assert served == {
        "host": route.host, "match": "prefix", "path": "/", "namespace": "default",
        "ingress": route.name, "cluster": f"default/{route.name}/80", "websocket_cluster": "",
    }  # fmt: skip
    endpoint = f"127.0.0.1:{backend.port}"
    (told_of,) = [entry for entry in told["endpoints"] if entry["endpoint"] == endpoint]
    assert told_of["cluster"] == f"default/{route.name}/80" and told_of["open"] == 1
    assert told_of["age_seconds"] >= 0 and told_of["state"]
    assert told_of["zone"] == "east"
    client.close()


def test_since_is_the_last_change_of_the_route(edge):
    route, _ = edge.serve(echo_websocket, paths=("/a",))

    def since():
        told = page(edge)["routes"]
        return {entry["path"]: entry["since"] for entry in told if entry["host"] == route.host}

    before = since()["/a"]
    route.change(paths=("/a", "/b"))
    assert since()["/a"] == before
    route.change(annotations={"idle-timeout": "3h"})
    wait_until(lambda: since()["/a"] > before, "a later time")


def test_connections_by_filter(edge):
    one, backend = edge.serve(echo_websocket)
    two, _ = edge.serve(echo_websocket)
    clients = [open_websocket(edge, one), open_websocket(edge, one), open_websocket(edge, two)]
    for flags, count in (
        (["--ingress", one.name], 2),
        (["--service", two.name], 1),
        (["--endpoint", f"127.0.0.1:{backend.port}"], 2),
        (["--ingress", one.name, "--namespace", "default", "--kind", "websocket"], 2),
        (["--ingress", one.name, "--client", "127.0.0.1"], 2),
        (["--ingress", one.name, "--client", "127.0.0.9"], 0),
        (["--ingress", one.name, "--namespace", "other"], 0),
        (["--ingress", one.name, "--kind", "stream"], 0),
        (["--ingress", "a&limit=1000 b"], 0),
    ):
        assert len(page(edge, *flags)["connections"]) == count, flags
    text = tables(edge, "--ingress", one.name, "--limit", "1")
    assert "Connections: 1\n" in text and "--limit shows more" in text
    for client in clients:
        client.close()


def test_problems_are_shown(own_edge):
    edge = own_edge()
    edge.serve(echo_websocket, idle_timeout="soon")
    (row,) = [row for row in sections(tables(edge))["Problems"] if "idle-timeout" in row[2]]
    assert row[0] == "error" and row[1].startswith("Ingress default/")


def test_a_proxy_without_a_controller(tmp_path):
    holdfast = Holdfast(
        "proxy", "--discovery", f"unix:{tmp_path}/nobody", "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip
    try:
        done = asked(f"127.0.0.1:{holdfast.port('admin')}")
        assert done.returncode == 0
        assert "No configuration is in force yet." in done.stdout
        assert "The controller is not connected, since " in done.stdout
        assert "Problems" not in done.stdout
    finally:
        assert holdfast.stop() == 0


def test_a_controller_has_problems_alone(tmp_path):
    holdfast = Holdfast(
        "controller", "--manifests", tmp_path, "--admin-listen", "127.0.0.1:0",
        "--discovery-listen", f"unix:{tmp_path}/discovery.sock",
    )  # fmt: skip
    try:
        done = asked(f"127.0.0.1:{holdfast.port('admin')}", "-o", "json")
        assert done.returncode == 0
        assert set(json.loads(done.stdout)) == {"version", "problems"}
    finally:
        assert holdfast.stop() == 0


def test_nobody_answers(dead_port):
    done = asked(f"127.0.0.1:{dead_port}")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"holdfast: 127.0.0.1:{dead_port} does not answer: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_another_server_answers(edge):
    """The traffic port is no admin port."""
    done = asked(f"127.0.0.1:{edge.http}")
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "flags",
    [
        ["--admin", "nonsense"],
        ["--admin", "localhost:80"],
        ["-o", "xml"],
        ["--limit", "0"],
        ["--limit", "1001"],
        ["--limit", "many"],
        ["--colour"],
        ["extra"],
    ],
)
def test_bad_flags_are_one_sentence_and_64(flags):
    done = subprocess.run([BINARY, "status", *flags], capture_output=True, text=True, timeout=20)
    assert done.returncode == 64 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_the_page_refuses_a_wrong_query(edge):
    code, body = get(edge.admin, "/debug/status?colour=red")
    assert code == 400 and "limit=1 to 1000" in body
