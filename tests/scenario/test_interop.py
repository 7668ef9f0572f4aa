"""Goal: WebSocket programs nobody here wrote talk through Holdfast, as clients and as backends:
Python's `websockets` and Node's `ws`; subprotocols, compression, fragments, pings, close codes.

Method: every pairing of the two libraries' clients and servers.
"""

import asyncio
import json
import os
import shutil
import subprocess
import threading

import pytest
import websockets
from holdfast_test.process import PATIENCE_SECONDS, ROOT

PROTOCOL = "chat.v2"
LIMIT = 64 << 20


class Loop:
    """An event loop in a thread, for the library's servers."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def node():
    """The command that runs peer.js, with `ws` installed outside the tree's sources."""
    folder = ROOT / "build/node"
    source = ROOT / "tests/scenario/node"
    folder.mkdir(parents=True, exist_ok=True)
    lock = source / "package-lock.json"
    installed = folder / "package-lock.json"
    for name in ("package.json", "peer.js"):
        shutil.copy(source / name, folder)
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        shutil.copy(lock, installed)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return ["node", folder / "peer.js"]


class PythonServer:
    def __init__(self):
        async def echo(socket):
            async for message in socket:
                if message == "close please":
                    await socket.close(4002, "as you wish")
                else:
                    await socket.send(message)

        async def start():
            return await websockets.serve(
                echo, "127.0.0.1", 0, subprotocols=[PROTOCOL], max_size=LIMIT
            )

        self._loop = Loop()
        self._server = self._loop.run(start())
        self.endpoint = self._server.sockets[0].getsockname()

    def stop(self):
        async def close():
            self._server.close()
            await self._server.wait_closed()

        self._loop.run(close())


class NodeServer:
    def __init__(self, node):
        self._process = subprocess.Popen(
            [*node, "serve", "127.0.0.1"], stdout=subprocess.PIPE, text=True
        )
        self.endpoint = ("127.0.0.1", int(self._process.stdout.readline()))

    def stop(self):
        self._process.kill()
        self._process.wait()


def python_client(port, host):
    async def talk():
        seen = {"echoed": 0}
        async with websockets.connect(
            f"ws://{host}/talk", host="127.0.0.1", port=port, subprotocols=[PROTOCOL],
            max_size=LIMIT,
        ) as socket:  # fmt: skip
            seen["protocol"] = socket.subprotocol
            seen["extensions"] = ",".join(extension.name for extension in socket.extensions)
            for message in ("hello", "", "ü€🙂" * 1000, os.urandom(1 << 20)):
                await socket.send(message)
                seen["echoed"] += await socket.recv() == message
            await socket.send(["in ", "fragments"])
            seen["echoed"] += await socket.recv() == "in fragments"
            await (await socket.ping("are you there"))
            seen["pong"] = "are you there"
            await socket.send("close please")
            try:
                await socket.recv()
            except websockets.ConnectionClosed as closed:
                seen["code"], seen["reason"] = closed.rcvd.code, closed.rcvd.reason
        return seen

    return Loop().run(talk())


def node_client(node, port, host):
    done = subprocess.run(
        [*node, "connect", f"ws://127.0.0.1:{port}/talk", host],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("server", ["python", "node"])
@pytest.mark.parametrize("client", ["python", "node"])
def test_talk(edge, node, client, server):
    backend = edge.keep(PythonServer() if server == "python" else NodeServer(node))
    route = edge.route(backend.endpoint)
    if client == "python":
        seen = python_client(edge.http, route.host)
    else:
        seen = node_client(node, edge.http, route.host)
    assert seen == {
        "echoed": 5,
        "protocol": PROTOCOL,
        "extensions": "permessage-deflate",
        "pong": "are you there",
        "code": 4002,
        "reason": "as you wish",
    }
