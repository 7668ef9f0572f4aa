"""Between a proxy and its controller, both on Unix sockets: passes on, cuts, stalls, slows,
freezes."""

import asyncio
import contextlib
import threading

PIECE_BYTES = 4096


class StreamRelay:
    """Listens at `path`, connects to `target`. Its faults hold for what is open and what comes,
    that of freeze() aside."""

    def __init__(self, path, target):
        self._target = str(target)
        self._loop = asyncio.new_event_loop()
        self._flow = asyncio.Event()
        # Nobody is to wait for the rate any more.
        self._hurry = asyncio.Event()
        self._rate = None
        self._left = None
        self._pairs = set()
        self._frozen = set()
        # What has passed in all, and how many connections were made.
        self.bytes = 0
        self.connections = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(asyncio.start_unix_server(self._serve, str(path)))
        self.calm()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _set(self, flows, rate=None, left=None):
        async def apply():
            self._rate, self._left = rate, left
            (self._flow.set if flows else self._flow.clear)()
            (self._hurry.set if rate is None else self._hurry.clear)()

        self._call(apply())

    def calm(self):
        self._set(True)

    def stall(self):
        """Accepts and reads, and passes nothing on."""
        self._set(False)

    def slow(self, bytes_a_second):
        self._set(True, rate=bytes_a_second)

    def cut_after(self, count):
        """So many bytes still pass, be it the half of a message; then everything is cut, once."""
        self._set(True, left=count)

    def cut(self):
        async def apply():
            for writer in list(self._pairs):
                writer.transport.abort()

        self._call(apply())

    def freeze(self):
        """Nothing passes where a connection is open now, and neither end is told; others pass."""

        async def apply():
            self._frozen = set(self._pairs)

        self._call(apply())

    def stop(self):
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            upstream, sender = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, sender)
        self._pairs.update(pair)
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._pass(reader, sender)),
                    asyncio.ensure_future(self._pass(upstream, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._pairs.difference_update(pair)
            self._frozen.difference_update(pair)
            for end in pair:
                end.transport.abort()

    async def _pass(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                await self._flow.wait()
                if writer in self._frozen:
                    continue
                if self._left is not None:
                    data = data[: self._left]
                    self._left -= len(data)
                writer.write(data)
                await writer.drain()
                self.bytes += len(data)
                if self._left == 0:
                    self._left = None
                    return
                if self._rate is not None:
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._hurry.wait(), len(data) / self._rate)
