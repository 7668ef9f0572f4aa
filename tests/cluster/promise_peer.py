"""The two ends of the promise test: numbered messages in both directions, checked by the receiver.

As a program: `serve ADDRESS...` is the pods, `connect PORT TLS_PORT HOST COUNT` is the clients,
half of them over TLS. Every connection carries two independent streams of messages; each message
has its number, a digest of its content, and content of a random size, now and then in fragments;
one too small for that is the start of its number's digest. At the end both sides say how many they
have sent, so that a lost message cannot hide, and close. The clients' own count is what the test
reads.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import random
import ssl
import struct
import sys

import websockets

PORT = 9000
# Pauses between the messages of one stream, so that 500 connections keep two CPUs busy but no more.
PAUSE_SECONDS = (0.5, 1.5)
# Of whole messages, in bytes; among them both sides of each size where a frame's header grows.
SIZES = (1, 20, 125, 126, 1000, 4096, 65535, 65536)
SIZE_WEIGHTS = (20, 40, 10, 10, 20, 10, 1, 1)
HEADER = struct.Struct(">Q8s")
FRAGMENTED_SHARE = 0.1
FINISH_SECONDS = 60
CONNECTS_AT_ONCE = 25
# The others connect one by one while everything changes.
FIRST_SHARE = 0.8
JOIN_SECONDS = 0.1


class Stream:
    """One end of one connection: what it has sent and received, and what was wrong with it."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self.sent = 0
        self.received = 0
        self.altered = 0
        self.misplaced = 0

    def next_message(self):
        message = self._message(self._random.choices(SIZES, SIZE_WEIGHTS)[0])
        self.sent += 1
        if self._random.random() < FRAGMENTED_SHARE and len(message) > 3:
            cut = sorted(self._random.sample(range(1, len(message)), 2))
            return [message[: cut[0]], message[cut[0] : cut[1]], message[cut[1] :]]
        return message

    def _message(self, size):
        if size < HEADER.size:
            return number_alone(self.sent, size)
        content = self._random.randbytes(size - HEADER.size)
        return HEADER.pack(self.sent, digest(content)) + content

    def check(self, message):
        if len(message) < HEADER.size:
            self.misplaced += message != number_alone(self.received, len(message))
        else:
            number, expected = HEADER.unpack_from(message)
            self.misplaced += number != self.received
            self.altered += expected != digest(message[HEADER.size :])
        self.received += 1

    async def send_until(self, socket, finished):
        while not finished.is_set():
            await socket.send(self.next_message())
            try:
                await asyncio.wait_for(finished.wait(), self._random.uniform(*PAUSE_SECONDS))
            except asyncio.TimeoutError:
                continue


def digest(content):
    return hashlib.blake2b(content, digest_size=8).digest()


def number_alone(number, size):
    return digest(struct.pack(">Q", number))[:size]


async def pod(socket):
    """Sends and checks until the client says that it has finished; then both sides compare."""
    stream = Stream(id(socket))
    finished = asyncio.Event()
    sender = asyncio.create_task(stream.send_until(socket, finished))
    async for message in socket:
        if isinstance(message, bytes):
            stream.check(message)
            continue
        finished.set()
        await sender
        await socket.send(
            json.dumps(
                {
                    "sent": stream.sent,
                    "lost": int(message) - stream.received,
                    "altered": stream.altered,
                    "misplaced": stream.misplaced,
                }
            )
        )


async def serve(addresses):
    for address in addresses:
        await websockets.serve(pod, address, PORT, max_size=None, ping_interval=None)
    print("ready", flush=True)
    await asyncio.Future()


class Edge:
    """Where clients connect to; whoever answers over TLS is believed."""

    def __init__(self, port, tls_port, host):
        self.port, self.tls_port, self.host = port, tls_port, host
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE


class Client:
    """One connection; `result` is the verdict of both directions."""

    def __init__(self, number):
        self._stream = Stream(number)
        # Uncompressed, a message's size is its frame's; compressed is what browsers ask for.
        self._compression = "deflate" if number % 2 else None
        self._over_tls = number % 4 >= 2
        self.result = {"closed": 1, "lost": 0, "altered": 0, "misplaced": 0, "messages": 0}

    async def connect(self, edge):
        over_tls = {"ssl": edge.tls, "port": edge.tls_port} if self._over_tls else {}
        self._socket = await websockets.connect(
            f"{'wss' if over_tls else 'ws'}://{edge.host}/",
            **{"host": "127.0.0.1", "port": edge.port, "max_size": None, "ping_interval": None,
               "open_timeout": 60, "compression": self._compression, **over_tls},
        )  # fmt: skip

    async def run(self, finished):
        try:
            verdict = asyncio.create_task(self._receive())
            sender = asyncio.create_task(self._stream.send_until(self._socket, finished))
            await finished.wait()
            pod = await asyncio.wait_for(self._finish(sender, verdict), FINISH_SECONDS)
            self.result = {
                "closed": 0,
                "lost": pod["lost"] + pod["sent"] - self._stream.received,
                "altered": pod["altered"] + self._stream.altered,
                "misplaced": pod["misplaced"] + self._stream.misplaced,
                "messages": self._stream.sent + pod["sent"],
            }
        except (websockets.ConnectionClosed, asyncio.TimeoutError) as error:
            print(f"closed: {error!r}", file=sys.stderr)

    async def _finish(self, sender, verdict):
        await sender
        await self._socket.send(str(self._stream.sent))
        pod = await verdict
        await self._socket.close()
        if self._socket.close_code != 1000:
            raise websockets.ConnectionClosedError(None, None)
        return pod

    async def _receive(self):
        async for message in self._socket:
            if isinstance(message, str):
                return json.loads(message)
            self._stream.check(message)
        raise websockets.ConnectionClosedOK(None, None)


async def join_later(clients, edge, runs, finished):
    """Connects while everything changes, again and again where there is no route just then."""
    turned_away = 0
    for client in clients:
        while not finished.is_set():
            try:
                await client.connect(edge)
            except websockets.InvalidStatusCode:
                turned_away += 1
            else:
                runs.append(asyncio.create_task(client.run(finished)))
                break
            finally:
                await pause(finished)
    return turned_away


async def pause(finished):
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(finished.wait(), JOIN_SECONDS)


async def connect(edge, count):
    clients = [Client(number) for number in range(count)]
    first = int(count * FIRST_SHARE)
    for start in range(0, first, CONNECTS_AT_ONCE):
        batch = clients[start : min(start + CONNECTS_AT_ONCE, first)]
        await asyncio.gather(*(client.connect(edge) for client in batch))
    finished = asyncio.Event()
    runs = [asyncio.create_task(client.run(finished)) for client in clients[:first]]
    later = asyncio.create_task(join_later(clients[first:], edge, runs, finished))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    finished.set()
    turned_away = await later
    await asyncio.gather(*runs)
    opened = clients[: len(runs)]
    total = {key: sum(client.result[key] for client in opened) for key in clients[0].result}
    print(
        json.dumps({"connections": len(runs), **total, "turned_away": turned_away}), flush=True
    )


if __name__ == "__main__":
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2:]))
    else:
        served = Edge(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        asyncio.run(connect(served, int(sys.argv[5])))
