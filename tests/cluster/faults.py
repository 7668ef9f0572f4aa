"""A man in the middle between Holdfast and the API server, and a crowd that changes objects.

As a program: `proxy SERVER_URL CA TOKEN SEED` listens in plain HTTP at 127.0.0.1, prints its port,
and does to some of the answers what networks, load balancers and API servers have been seen to do;
`write SERVER_URL CA TOKEN SEED RATE` changes objects. A line on standard input ends either; both
then print what they did as JSON. The proxy goes on without faults after that, until it is killed.
"""

import asyncio
import collections
import contextlib
import http.client
import json
import random
import ssl
import sys
import threading
import time
import urllib.parse

from objects import ingress

HEAD_BYTES_MOST = 64 * 1024
# The share of answers that are not what the server said, from their beginning.
FAULTY_SHARE = {"list": 0.4, "watch": 0.3, "probe": 0.3}
STALL_SECONDS = (0.5, 6)
# Between two faults of a watch.
FAULT_SECONDS = (0.0, 3.0)
# What a faulty connection is cut into, and how many events are told a second time.
SLICE_BYTES_MOST = 4000
REPLAYED_MOST = 5
GOODBYE_SECONDS = 5
SERVICES = 40
PODS = [f"10.244.3.{i}" for i in range(1, 41)]
WRITERS = 4
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"


def status_body(code, reason, message, **details):
    return json.dumps(
        {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": message, **details,
        }
    ).encode()  # fmt: skip


REFUSALS = {
    "410": (410, status_body(410, "Expired", "too old resource version"), ""),
    "429": (429, status_body(429, "TooManyRequests", "slow down"), "Retry-After: 1\r\n"),
    "500": (500, status_body(500, "InternalError", "etcdserver: leader changed"), ""),
    "503": (503, b"no healthy upstream", "Retry-After: 1\r\n"),
    "504": (504, status_body(504, "Timeout", "request did not complete"), ""),
    "502": (502, b"<html><body>Bad Gateway</body></html>", ""),
}
LIST_FAULTS = [*REFUSALS, "cut", "truncate", "short", "empty", "html", "stall", "slice"]
ERROR_EVENTS = {
    "error 410": status_body(410, "Expired", "too old resource version"),
    "error 500": status_body(500, "InternalError", "etcdserver: no leader"),
    "error 504": status_body(504, "Timeout", "watch timed out"),
    "error 429": status_body(429, "TooManyRequests", "slow down"),
    "error ?": b'{"kind":"Surprise","apiVersion":"v7"}',
}
# The last four do not end a watch, and come as often as all others together.
WATCH_FAULTS = [*ERROR_EVENTS, "cut", "truncate", "end", "garbage"]
WATCH_FAULTS += 2 * ["stall", "slice", "replay", "unknown event"]
# What a list is prescribed for: L2 and W3 (410), W4 (whatever is neither 500 nor 429), and W11 and
# its like (a stream that cannot be read any further). After five 500s in a row W4 asks for one too.
RELISTS = {"410", "error 410", "error 504", "error ?", "error 500", "garbage", "truncate"}


class Cut(Exception):
    """The client's connection is to be broken as it is."""


class Ended(Exception):
    """The answer is complete, in its own way."""


class Proxy:
    def __init__(self, server, ca, token, seed):
        parsed = urllib.parse.urlsplit(server)
        self._upstream = (parsed.hostname, parsed.port)
        self._context = ssl.create_default_context(cafile=ca)
        self._token = token
        self._random = random.Random(seed)
        self._calm = asyncio.Event()
        self.counts = collections.Counter()

    def calm(self):
        """No more faults; what stalls is cut."""
        self._calm.set()

    async def serve(self, reader, writer):
        try:
            await self._serve(reader, writer)
        except Ended:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                writer.write_eof()
                await asyncio.wait_for(reader.read(), GOODBYE_SECONDS)
        except (Cut, OSError, EOFError):
            self.counts["connections cut"] += 1
        finally:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ")[1].decode()
        parsed = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(parsed.query)
        kind = "watch" if "watch" in query else "list"
        # Whether a version is there is asked of an object that does not exist.
        if parsed.path.endswith("/holdfast-probe"):
            kind = "probe"
        if kind == "list" and "continue" not in query:
            self.counts["lists"] += 1
        fault = None
        if not self._calm.is_set() and self._random.random() < FAULTY_SHARE[kind]:
            fault = self._random.choice(list(REFUSALS) if kind == "watch" else LIST_FAULTS)
            self.counts[f"{kind}: {fault}"] += 1
        if fault in REFUSALS:
            code, body, fields = REFUSALS[fault]
            await self._answer(writer, code, body, fields)
        upstream, sender = await asyncio.open_connection(*self._upstream, ssl=self._context)
        try:
            sender.write(
                f"GET {target} HTTP/1.1\r\nHost: {self._upstream[0]}\r\nConnection: close\r\n"
                f"Authorization: Bearer {self._token}\r\nAccept: application/json\r\n\r\n".encode()
            )
            response = await upstream.readuntil(b"\r\n\r\n")
            code = int(response.split(b" ")[1])
            body = body_of(upstream, response)
            if kind == "watch" and code == 200:
                await self._watch(writer, body)
            await self._list(writer, code, b"".join([piece async for piece in body]), fault)
        finally:
            sender.transport.abort()

    async def _answer(self, writer, code, body, fields="", sliced=False):
        writer.write(
            f"HTTP/1.1 {code} Whatever\r\nContent-Type: application/json\r\n{fields}"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        await self._write(writer, body, sliced)
        raise Ended

    async def _list(self, writer, code, body, fault):
        if fault == "html":
            body = b"<html>please log in</html>"
        elif fault == "empty":
            body = b""
        elif fault == "truncate":
            body = body[: self._random.randrange(len(body))]
        elif fault == "cut":
            raise Cut
        elif fault == "short":
            writer.write(f"HTTP/1.1 {code} OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            await self._write(writer, body[: self._random.randrange(len(body))])
            raise Cut
        elif fault == "stall":
            await self._stall()
        await self._answer(writer, code, body, sliced=fault == "slice")

    async def _stall(self):
        try:
            await asyncio.wait_for(self._calm.wait(), self._random.uniform(*STALL_SECONDS))
        except asyncio.TimeoutError:
            return
        raise Cut

    async def _write(self, writer, data, sliced=False):
        while sliced and data:
            size = self._random.randrange(1, SLICE_BYTES_MOST)
            writer.write(data[:size])
            await writer.drain()
            data = data[size:]
        writer.write(data)
        await writer.drain()

    async def _chunk(self, writer, data, sliced=False):
        await self._write(writer, f"{len(data):x}\r\n".encode() + data + b"\r\n", sliced)

    async def _watch(self, writer, body):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n"
        )
        pieces = asyncio.Queue(maxsize=16)
        pump = asyncio.ensure_future(fill(pieces, body))
        try:
            await self._relay_watch(writer, pieces)
        finally:
            pump.cancel()

    async def _relay_watch(self, writer, pieces):
        recent = collections.deque(maxlen=REPLAYED_MOST)
        rest = b""
        fault, due = None, self._next_fault()
        while True:
            try:
                piece = await asyncio.wait_for(pieces.get(), max(0.0, due - time.monotonic()))
            except asyncio.TimeoutError:
                piece = None
            if piece == b"":
                await self._chunk(writer, b"")
                raise Ended
            *lines, rest = (rest + (piece or b"")).split(b"\n")
            for line in lines:
                recent.append(line + b"\n")
                await self._chunk(writer, line + b"\n", fault == "slice")
            if time.monotonic() >= due and not self._calm.is_set():
                fault, due = self._random.choice(WATCH_FAULTS), self._next_fault()
                self.counts[f"watch: {fault}"] += 1
                await self._break(writer, fault, list(recent))

    def _next_fault(self):
        return time.monotonic() + self._random.uniform(*FAULT_SECONDS)

    async def _break(self, writer, fault, recent):
        """Returns where the watch goes on after its fault."""
        if fault == "cut":
            raise Cut
        if fault == "stall":
            return await self._stall()
        if fault == "slice":
            return None
        if fault == "replay":
            return await self._chunk(writer, b"".join(recent) or b"\n")
        if fault == "unknown event":
            event = b'{"type":"RENAMED","object":{"kind":"Table"}}\n'
            return await self._chunk(writer, event)
        if fault in ERROR_EVENTS:
            await self._chunk(writer, b'{"type":"ERROR","object":' + ERROR_EVENTS[fault] + b"}\n")
        elif fault == "truncate":
            event = recent[-1] if recent else b'{"type":"ADDED","object":{}}\n'
            await self._chunk(writer, event[: self._random.randrange(1, len(event) - 1)])
        elif fault == "garbage":
            await self._chunk(writer, b"\xff\xfe{{{]\n")
        await self._chunk(writer, b"")
        raise Ended


async def body_of(upstream, response):
    if b"chunked" not in response.lower():
        while piece := await upstream.read(65536):
            yield piece
        return
    while size := int(await upstream.readuntil(b"\r\n"), 16):
        yield await upstream.readexactly(size)
        await upstream.readexactly(2)


async def fill(pieces, body):
    """Ends with an empty piece, also where the server broke off."""
    with contextlib.suppress(OSError, EOFError, ValueError):
        async for piece in body:
            await pieces.put(piece)
    await pieces.put(b"")


def until_told(then):
    def wait():
        sys.stdin.readline()
        then()

    threading.Thread(target=wait, daemon=True).start()


async def run_proxy(server, ca, token, seed):
    proxy = Proxy(server, ca, token, int(seed))
    listener = await asyncio.start_server(
        proxy.serve, "127.0.0.1", 0, limit=HEAD_BYTES_MOST
    )
    loop = asyncio.get_running_loop()
    print(listener.sockets[0].getsockname()[1], flush=True)

    def calm():
        proxy.calm()
        print(json.dumps(proxy.counts), flush=True)

    until_told(lambda: loop.call_soon_threadsafe(calm))
    await asyncio.Future()


class Writers:
    """Change objects at a steady rate, each of them its own."""

    def __init__(self, server, ca, token, seed, rate):
        self._server = urllib.parse.urlsplit(server)
        self._context = ssl.create_default_context(cafile=ca)
        self._token = token
        self._seed = int(seed)
        self._pause = WRITERS / float(rate)
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self.counts = collections.Counter()

    def run(self):
        threads = [threading.Thread(target=self._write, args=(i,)) for i in range(WRITERS)]
        for thread in threads:
            thread.start()
        self._finished.wait()
        for thread in threads:
            thread.join()

    def finish(self):
        self._finished.set()

    def _write(self, writer):
        chance = random.Random(self._seed + writer)
        connection = http.client.HTTPSConnection(
            self._server.hostname, self._server.port, context=self._context, timeout=30
        )
        mine = range(writer, SERVICES, WRITERS)
        due = time.monotonic()
        while not self._finished.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause, time.monotonic() - 1)
            kind, method, path, body = change(chance, chance.choice(mine))
            connection.request(
                method, path, body=json.dumps(body) if body else None,
                headers={
                    "Authorization": f"Bearer {self._token}",
                    "Content-Type": "application/json" if method == "POST"
                    else "application/merge-patch+json",
                },
            )  # fmt: skip
            response = connection.getresponse()
            response.read()
            with self._lock:
                self.counts[kind if response.status < 300 else f"{kind}: {response.status}"] += 1


def change(chance, number):
    """(what, method, path, body) of one random change of one Service, its slice or its Ingress."""
    what = chance.choices(["endpoints", "route", "gone", "made"], [80, 12, 4, 4])[0]
    name = f"fire-{number}"
    if what == "endpoints":
        body = {
            "endpoints": [
                {
                    "addresses": [address],
                    "conditions": {"ready": chance.random() < 0.8, "serving": True},
                }
                for address in chance.sample(PODS, chance.randrange(6))
            ]
        }
        return what, "PATCH", f"{SLICES}/{name}-1", body
    if what == "route":
        body = {"metadata": {"annotations": {
            "holdfast.dev/idle-timeout": f"{chance.randrange(1, 100)}m",
        }}}  # fmt: skip
        return what, "PATCH", f"{INGRESSES}/{name}", body
    if what == "gone":
        return what, "DELETE", f"{INGRESSES}/{name}", None
    return what, "POST", INGRESSES, ingress(name, f"{name}.test", {"/": (name, 80)})


def main():
    command, *arguments = sys.argv[1:]
    if command == "proxy":
        asyncio.run(run_proxy(*arguments))
    else:
        writers = Writers(*arguments)
        until_told(writers.finish)
        writers.run()
        print(json.dumps(writers.counts), flush=True)


if __name__ == "__main__":
    main()
