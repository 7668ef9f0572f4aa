"""Goal: WebSocket libraries that nobody here wrote talk through Holdfast, each as client and as
backend: Python's websockets, Node's ws, Go's gorilla/websocket, Rust's tungstenite.

Method: every pairing. Both sides tell the SHA-256 of each message they received, and the code and
reason with which the other closed.
"""

import itertools
import os

import pytest
from holdfast_test.peers import (
    CLOSE, TEXT, Backend, close_frame, frame, handshake, switching, take_frame,
)  # fmt: skip
from holdfast_test.process import wait_until
from programs import WEBSOCKET_PEERS, Server, as_bytes, run, told

CONTINUATION = 0
CODES = [1000, 1001, 3000, 4999]
REASON = "so long 🙂"
# tungstenite has no permessage-deflate.
DEFLATING = {"python", "node", "go"}
PAIRS = list(itertools.product(WEBSOCKET_PEERS, WEBSOCKET_PEERS))
TALKS = [(*pair, mode) for pair in PAIRS for mode in ("plain", "deflate")
         if mode == "plain" or pair[0] in DEFLATING]  # fmt: skip
MESSAGES = [
    "", "hello", "ü€🙂" * 20_000,
    # The largest of each form of a frame's length, and the smallest of the next.
    b"", *(os.urandom(size) for size in (125, 126, 65535, 65536)),
    bytes(1 << 20),
]  # fmt: skip
BIG = os.urandom(16 << 20)


class Stage:
    """The backends, each at a path of its own."""

    def __init__(self, edge, folder):
        self.edge = edge
        self._folder = folder
        self._numbers = itertools.count(1)
        self._servers = {}
        for name, command in WEBSOCKET_PEERS.items():
            self._servers[name] = Server(*command, "serve")
            edge.route(self._servers[name].endpoint, paths=(f"/{name}",), host="")

    def step(self, content, what=None):
        """The step of a client that sends this message."""
        kind, _, name = told(content).split()
        path = self._folder / name
        if not path.exists():
            path.write_bytes(as_bytes(content))
        return f"{what or kind}:{path}"

    def talk(self, client, backend, mode, *steps):
        """(lines of the client, lines of the backend, Holdfast's line) of one connection."""
        path = f"/{backend}/{next(self._numbers)}"
        url = f"ws://127.0.0.1:{self.edge.http}{path}"
        seen = run(*WEBSOCKET_PEERS[client], "connect", url, mode, *steps)
        server = self._servers[backend]
        ended = ("close", "broken")
        wait_until(lambda: any(x.startswith(ended) for x in server.told(path)), "the end")
        log = self.edge.holdfast.access_log
        name = wait_until(lambda: log(type="websocket_open", path=path), "an open")[0]["request_id"]
        closed = wait_until(lambda: log(type="websocket_close", request_id=name), "a close")[0]
        return seen, server.told(path), closed

    def stop(self):
        for server in self._servers.values():
            server.stop()


@pytest.fixture(scope="module")
def stage(running_edge, tmp_path_factory):
    running = Stage(running_edge, tmp_path_factory.mktemp("messages"))
    yield running
    running.stop()


def opened(client, backend, mode):
    deflated = mode == "deflate" and {client, backend} <= DEFLATING
    return f"open chat.v2 {'permessage-deflate' if deflated else ''}".rstrip()


@pytest.mark.parametrize(("client", "backend", "mode"), TALKS)
def test_messages_arrive_unchanged(stage, client, backend, mode):
    steps = [stage.step(message) for message in MESSAGES]
    seen, arrived, log = stage.talk(client, backend, mode, *steps, "close:1000 done")
    expected = [told(message) for message in MESSAGES]
    assert seen[0].rstrip() == opened(client, backend, mode)
    assert seen[1:-1] == expected
    assert arrived == [*expected, "close 1000 done"]
    size = sum(len(as_bytes(message)) for message in MESSAGES)
    for direction in ("upstreamward", "downstreamward"):
        assert log[f"messages_{direction}"] == len(MESSAGES)
        # Most of it is zeros.
        assert (log[f"bytes_{direction}"] < size / 2) == seen[0].endswith("permessage-deflate")


@pytest.mark.parametrize(("client", "backend", "mode"), TALKS)
def test_16_mib_arrive_unchanged(stage, client, backend, mode):
    seen, arrived, _ = stage.talk(client, backend, mode, stage.step(BIG), "close:1000 done")
    assert seen[1:-1] == [told(BIG)]
    assert arrived == [told(BIG), "close 1000 done"]


@pytest.mark.parametrize(("client", "backend", "mode"), TALKS)
def test_fragmented_messages_arrive_whole(stage, client, backend, mode):
    content = os.urandom(50_000).hex()
    please = f"please split {content}"
    seen, arrived, log = stage.talk(
        client, backend, mode, stage.step(content, "split"), stage.step(please),
        "close:1000 done",
    )  # fmt: skip
    assert seen[1:-1] == [told(content)] * 2
    assert arrived == [told(content), told(please), "close 1000 done"]
    assert log["messages_upstreamward"] == log["messages_downstreamward"] == 2


@pytest.mark.parametrize(("client", "backend"), PAIRS)
def test_pings_of_either_side_are_answered(stage, client, backend):
    please = "please ping are you there"
    seen, arrived, _ = stage.talk(
        client, backend, "plain", "ping:anyone", stage.step(please), "close:1000 done"
    )
    assert seen[1:-1] == ["pong anyone", told("are you there")]
    assert arrived == [told(please), "pong are you there", "close 1000 done"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("client", "backend"), PAIRS)
def test_a_client_closes(stage, client, backend, code):
    _, arrived, log = stage.talk(client, backend, "plain", f"close:{code} {REASON}")
    assert arrived == [f"close {code} {REASON}"]
    assert (log["reason"], log["code"]) == ("downstream_close", code)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("client", "backend"), PAIRS)
def test_a_backend_closes(stage, client, backend, code):
    please = stage.step(f"please close {code} {REASON}")
    seen, _, log = stage.talk(client, backend, "plain", please)
    assert seen[1:] == [f"close {code} {REASON}"]
    assert (log["reason"], log["code"]) == ("upstream_close", code)


def take_message(connection):
    """(number of frames, text) of the next message."""
    opcode, text, final = take_frame(connection)
    assert opcode == TEXT
    frames = 1
    while not final:
        opcode, payload, final = take_frame(connection)
        assert opcode == CONTINUATION
        frames, text = frames + 1, text + payload
    return frames, text.decode()


@pytest.mark.parametrize("client", WEBSOCKET_PEERS)
def test_a_client_s_fragments_stay_apart(edge, stage, client):
    content = os.urandom(50_000).hex()
    took = []

    def script(connection):
        head = connection.take_head()
        connection.send(switching(
            "Sec-WebSocket-Protocol: chat.v2", key=head.get("sec-websocket-key")
        ))  # fmt: skip
        took.append(take_message(connection))
        connection.send(frame(b"took it"))
        assert take_frame(connection)[0] == CLOSE
        connection.send(close_frame(1000))

    route = edge.route(edge.keep(Backend(script)), paths=("/scripted",), host="")
    run(
        *WEBSOCKET_PEERS[client], "connect", f"ws://127.0.0.1:{edge.http}/scripted", "plain",
        stage.step(content, "split"), "close:1000 done",
    )  # fmt: skip
    route.delete()
    assert took[0][0] >= 3
    assert took[0][1] == content


@pytest.mark.parametrize("backend", WEBSOCKET_PEERS)
def test_a_backend_s_fragments_stay_apart(edge, backend, stage):
    content = os.urandom(50_000).hex()
    client = edge.ask(handshake("any", f"/{backend}"))
    assert client.take_head().status == 101
    client.send(frame(f"please split {content}".encode(), masked=True))
    frames, text = take_message(client)
    assert frames >= 3
    assert text == content
    client.send(close_frame(1000, masked=True))
    client.take_rest()
