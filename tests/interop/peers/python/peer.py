"""Python's `websockets` as client or backend; ../../README.md has the command line."""

import asyncio
import hashlib
import pathlib
import sys

import websockets

PROTOCOL = "chat.v2"


def describe(message):
    kind = "text" if isinstance(message, str) else "binary"
    data = message.encode() if isinstance(message, str) else message
    return f"{kind} {len(data)} {hashlib.sha256(data).hexdigest()}"


def describe_end(socket):
    return f"close {socket.close_code} {socket.close_reason}"


def split(text):
    third = len(text) // 3
    return [text[:third], text[third : 2 * third], text[2 * third :]]


async def close(socket, words):
    code, _, reason = words.partition(" ")
    await socket.close(int(code), reason)


async def answer(socket, message):
    """The data of a pong, when the answer was to ping."""
    please, what, rest = [*str(message[:100]).split(" ", 2), "", ""][:3]
    if (please, what) == ("please", "split"):
        await socket.send(split(message.split(" ", 2)[2]))
    elif (please, what) == ("please", "ping"):
        await (await socket.ping(rest))
        await socket.send(rest)
        return rest
    elif (please, what) == ("please", "close"):
        await close(socket, rest)
    else:
        await socket.send(message)
    return None


async def serve():
    async def talk(socket):
        def tell(what):
            print(socket.path, what, flush=True)

        async for message in socket:
            tell(describe(message))
            pong = await answer(socket, message)
            if pong is not None:
                tell(f"pong {pong}")

    async def talk_and_tell_the_end(socket):
        try:
            await talk(socket)
        except websockets.ConnectionClosedError:
            pass  # Its code is told below like any other.
        await socket.wait_closed()
        print(socket.path, describe_end(socket), flush=True)

    server = await websockets.serve(
        talk_and_tell_the_end, "127.0.0.1", 0, subprotocols=[PROTOCOL], max_size=None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


async def step(socket, words):
    what, _, detail = words.partition(":")
    if what == "ping":
        await (await socket.ping(detail))
        return f"pong {detail}"
    if what == "close":
        await close(socket, detail)
        return describe_end(socket)
    data = pathlib.Path(detail).read_bytes()
    if what != "binary":
        data = data.decode()
    await socket.send(split(data) if what == "split" else data)
    try:
        return describe(await socket.recv())
    except websockets.ConnectionClosed:
        return describe_end(socket)


async def connect(url, mode, *steps):
    socket = await websockets.connect(
        url,
        subprotocols=["chat.v1", PROTOCOL],
        compression="deflate" if mode == "deflate" else None,
        max_size=None,
    )
    extensions = ",".join(extension.name for extension in socket.extensions)
    print("open", socket.subprotocol, extensions)
    for words in steps:
        print(await step(socket, words))


what, *arguments = sys.argv[1:]
asyncio.run(serve() if what == "serve" else connect(*arguments))
