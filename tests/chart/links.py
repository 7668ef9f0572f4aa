"""Connections to the API server that can be cut, all at once; new ones are made again."""

import asyncio
import contextlib
import threading

PIECE_BYTES = 64 << 10
PATIENCE_SECONDS = 10


class Links:
    """Listens on `host`, on a port of the kernel's choice, and leads to `target`: (host, port)."""

    def __init__(self, host, target):
        self._target = target
        self._ends = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        server = self._call(asyncio.start_server(self._serve, host, 0))
        self.port = server.sockets[0].getsockname()[1]

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    async def _serve(self, reader, writer):
        upstream, sender = await asyncio.open_connection(*self._target)
        self._ends.update((writer, sender))
        await asyncio.gather(self._pass(reader, sender), self._pass(upstream, writer))
        self._ends.difference_update((writer, sender))

    async def _pass(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def cut(self):
        async def apply():
            for end in list(self._ends):
                end.transport.abort()

        self._call(apply())

    def stop(self):
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
