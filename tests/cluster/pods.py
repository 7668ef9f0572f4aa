"""Backends at pod addresses: as a program, it serves; as a module, it starts the program.

A WebSocket client is told the pod's address first and has every message echoed. A plain request is
answered with the pod's address.
"""

import asyncio
import http
import logging
import subprocess
import sys

PORT = 9000


class Pods:
    def __init__(self, addresses):
        self.addresses = addresses
        self._process = subprocess.Popen(
            [sys.executable, __file__, *addresses], stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline()
        assert line == "ready\n", line

    def stop(self):
        self._process.kill()
        self._process.wait()


async def serve(addresses):
    import websockets

    # A peer that goes away is nothing to report.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)

    async def echo(socket):
        await socket.send(socket.local_address[0])
        async for message in socket:
            await socket.send(message)

    def answer(address):
        async def process(_path, headers):
            if "Upgrade" in headers:
                return None
            return http.HTTPStatus.OK, [], address.encode()

        return process

    for address in addresses:
        await websockets.serve(
            echo, address, PORT, process_request=answer(address), max_size=None
        )
    print("ready", flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
