"""Goal: what a real browser does with WebSockets and streams passes Holdfast unchanged:
subprotocols, permessage-deflate, messages of 16 MiB, fragments, close codes, EventSource, a
streamed fetch.

Method: the browser stands on Holdfast's own page for an address where nothing is served, so that it
has the origin; both sides hash what they received.
"""

import asyncio
import contextlib
import hashlib
import json
import queue
import threading

import pytest
import websockets
from holdfast_test.edge import edge, running_edge
from holdfast_test.peers import response, take_request
from holdfast_test.process import PATIENCE_SECONDS, wait_until

__all__ = ["edge", "running_edge"]

BIG_BYTES = 16 << 20
# Resolves to what happened on one WebSocket; `steps` are functions that give what is sent next.
TALK = """(steps, protocols) => new Promise((resolve) => {
  const hash = async (data) => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  };
  const seen = [];
  const socket = new WebSocket(
    `${location.protocol.replace('http', 'ws')}//${location.host}/echo`, protocols);
  socket.binaryType = 'arraybuffer';
  const next = async () => {
    const step = steps.shift()();
    if (step.close) { socket.close(...step.close); return; }
    seen.push(`sent ${await hash(step)}`);
    socket.send(step);
  };
  socket.onopen = () => { seen.push(`open ${socket.protocol} ${socket.extensions}`); next(); };
  socket.onmessage = async (event) => { seen.push(`got ${await hash(event.data)}`); next(); };
  socket.onclose = (event) => {
    seen.push(`close ${event.code} ${event.reason} ${event.wasClean}`);
    resolve(seen);
  };
})"""


class Echo:
    """Python's `websockets` as a backend: sends each message back, a text in three fragments, and
    remembers hashes and closes."""

    def __init__(self):
        self.seen = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._ready.wait()

    def _run(self):
        self._loop.run_until_complete(self._serve())
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self):
        server = await websockets.serve(
            self._talk, "127.0.0.1", 0, subprotocols=["chat.v2"], max_size=None
        )
        self.endpoint = server.sockets[0].getsockname()

    async def _talk(self, socket):
        # Any code but 1000 ends the loop with an exception; the code is noted either way.
        with contextlib.suppress(websockets.ConnectionClosedError):
            await self._answer(socket)
        self.seen.append((socket.close_code, socket.close_reason))

    async def _answer(self, socket):
        async for message in socket:
            data = message.encode() if isinstance(message, str) else message
            self.seen.append(hashlib.sha256(data).hexdigest())
            if message == "close please":
                await socket.close(4321, "as you like")
            elif isinstance(message, str):
                third = len(message) // 3
                await socket.send([message[:third], message[third:-third], message[-third:]])
            else:
                await socket.send(message)

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def page(edge, browser):
    return browser.open(f"http://127.0.0.1:{edge.http}/nothing")


@pytest.fixture
def echo(edge):
    echo = edge.keep(Echo())
    route = edge.route(echo, paths=("/echo",), host="")
    yield echo
    route.delete()


def talk(page, steps, protocols=()):
    return page.evaluate(f"({TALK})([{', '.join(steps)}], {json.dumps(list(protocols))})")


def test_a_browser_talks(page, echo):
    big = f"() => new Uint8Array({BIG_BYTES}).map((_, i) => (i * 2654435761) >>> 24)"
    seen = talk(
        page,
        ["() => 'hello'", "() => 'ü€🙂'.repeat(20000)", "() => new Uint8Array([0, 1, 255])", big,
         "() => ({close: [3001, 'bye 🙂']})"],
        ["chat.v1", "chat.v2"],
    )  # fmt: skip
    assert seen[0].startswith("open chat.v2 permessage-deflate; ")
    assert seen[-1] == "close 3001 bye 🙂 true"
    sent = [line.split()[1] for line in seen if line.startswith("sent")]
    got = [line.split()[1] for line in seen if line.startswith("got")]
    assert sent == got and len(set(sent)) == 4
    assert wait_until(lambda: len(echo.seen) == 5 and echo.seen, "the backend's side") == [
        *sent, (3001, "bye 🙂"),
    ]  # fmt: skip


def test_a_backends_close_reaches_the_browser(page, echo):
    seen = talk(page, ["() => 'close please'"])
    assert seen[0].startswith("open  permessage-deflate; ")
    assert seen[-1] == "close 4321 as you like true"


LISTEN = """new Promise((resolve) => {
  const seen = [];
  const confirm = () => fetch('/confirm', {method: 'POST'});
  const source = new EventSource('/events');
  source.onmessage = async (event) => {
    // The next event may come before this one's confirmation is answered.
    const number = seen.push(`${event.lastEventId} ${event.data}`);
    await confirm();
    if (number < 3) return;
    source.close();
    const reader = (await fetch('/stream')).body.getReader();
    for (let piece; !(piece = await reader.read()).done; await confirm()) {
      seen.push(new TextDecoder().decode(piece.value));
    }
    resolve(seen);
  };
})"""


def test_events_and_a_streamed_answer(edge, page):
    """Each piece is in the browser before the next is sent."""
    confirmed = queue.Queue()

    def script(connection):
        while True:
            head, _ = take_request(connection)
            path = head.start.split()[1]
            if path == "/confirm":
                confirmed.put(True)
                connection.send(response("204 No Content"))
                continue
            kind, piece = ("event-stream", "id: {0}\ndata: event {0}\n\n")
            if path == "/stream":
                kind, piece = ("plain", "piece {0}")
            connection.send(
                f"HTTP/1.1 200 OK\r\nContent-Type: text/{kind}\r\nCache-Control: no-store\r\n"
                "Transfer-Encoding: chunked\r\n\r\n".encode()
            )
            for i in range(3):
                data = piece.format(i).encode()
                connection.send(b"%x\r\n%s\r\n" % (len(data), data))
                confirmed.get(timeout=PATIENCE_SECONDS)
            connection.send(b"0\r\n\r\n")

    route = edge.route(edge.backend(script), paths=("/events", "/stream", "/confirm"), host="")
    assert page.evaluate(LISTEN) == [
        "0 event 0", "1 event 1", "2 event 2", "piece 0", "piece 1", "piece 2",
    ]  # fmt: skip
    route.delete()
