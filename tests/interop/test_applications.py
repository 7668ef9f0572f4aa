"""Goal: what applications put on top works through Holdfast: Socket.IO with its long polling and
its upgrade, GraphQL subscriptions, server-sent events.

Method: the usual implementation of each, a server and a client of it on Node.
"""

import pytest
from holdfast_test.process import wait_until
from programs import NODE, PEERS, Server, run, told


class Application:
    """The backend that a script of peers/node is, and its client, at every path of Holdfast."""

    def __init__(self, edge, script, *options):
        self._command = [*NODE, PEERS / "node" / script]
        self._edge = edge
        self._server = Server(*self._command, "serve", *options)
        self._route = edge.route(self._server.endpoint, host="")

    def connect(self, scheme, path, *options):
        """What the client has told."""
        url = f"{scheme}://127.0.0.1:{self._edge.http}{path}"
        return run(*self._command, "connect", url, *options)

    def wait_for(self, *lines):
        """The server has told these and nothing else."""
        expected = list(lines)
        wait_until(lambda: len(self._server.told()) >= len(expected), f"{expected}")
        assert self._server.told() == expected

    def logged(self, **fields):
        return self._edge.holdfast.access_log(service=self._route.name, **fields)

    def stop(self):
        self._route.delete()
        self._server.stop()


@pytest.fixture
def start(edge):
    """start(SCRIPT, OPTION...): an Application."""
    return lambda *arguments: edge.keep(Application(edge, *arguments))


@pytest.mark.parametrize("transports", ["polling", "websocket", "polling websocket"])
def test_socket_io(start, transports):
    first, *_, last = transports.split()[:1] + transports.split()
    application = start("socketio.js")
    seen = application.connect("http", "/", *transports.split())
    opening, wide, binary, question = (
        told(x) for x in ("first", "ü" * 50_000, b"holdfast" * (1 << 17), b"\x00\x01\xff")
    )
    application.wait_for(
        f"{first} connection",
        f"{first} {opening}",
        *([f"{last} upgrade"] if first != last else []),
        f"{last} {wide}",
        f"{last} {binary}",
        f"{last} answer {question}",
        f"{last} disconnect client namespace disconnect",
    )
    assert seen == [
        f"{first} connected",
        opening,
        f"{last} {wide}",
        f"{last} {binary}",
        f"{last} question {question}",
    ]
    wait_until(
        lambda: len(application.logged(type="websocket_close")) == ("websocket" in transports),
        "the WebSocket's end",
    )
    assert bool(application.logged(type="request", method="POST")) == ("polling" in transports)


def test_socket_io_over_two_pods(edge):
    """Only a cookie lets the requests of long polling and the upgrade meet one pod: round robin
    alone would send each to the other."""
    command = [*NODE, PEERS / "node" / "socketio.js"]
    servers = [edge.keep(Server(*command, "serve")) for _ in range(2)]
    pods = [server.endpoint for server in servers]
    route = edge.route(*pods, host="", load_balance="round-robin", affinity="cookie")

    def connect():
        """What the client has told; nothing when it could not connect."""
        try:
            url = f"http://127.0.0.1:{edge.http}/"
            return run(*command, "connect", url, "polling", "websocket")
        except AssertionError:
            return []

    try:
        for _ in range(4):
            seen = connect()
            assert [line.split()[0] for line in seen[-2:]] == ["websocket", "websocket"], seen
        assert all("polling connection" in server.told() for server in servers)
        route.change(annotations={"load-balance": "round-robin"})
        assert connect() == []
    finally:
        route.delete()


def test_graphql_subscriptions(start):
    application = start("graphql.js")
    assert application.connect("ws", "/graphql") == [
        '{"data":{"six":6}}',
        '{"data":{"count":1}}',
        '{"data":{"count":2}}',
        '{"data":{"count":3}}',
        "complete",
        '{"data":{"count":1}}',
        '{"data":{"six":6}}',
    ]
    application.wait_for(
        "connected graphql-transport-ws",
        "counted",
        "left",
        "close 1000 Normal Closure",
    )


@pytest.mark.parametrize("how", ["end", "destroy"])
def test_server_sent_events(start, how):
    """Each event is sent when the client has confirmed the one before, so none waits for another;
    the stream is broken off after every third, and goes on where it was."""
    application = start("eventsource.js", how)
    seen = application.connect("http", "/events", "7")
    events = [f"{i} event {i}" for i in range(1, 8)]
    assert seen == ["open", *events[:3], "lost", "open", *events[3:6], "lost", "open", events[6]]
    application.wait_for("open undefined", "closed", "open 3", "closed", "open 6", "closed")
