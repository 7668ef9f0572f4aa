"""A blocking WebSocket client for tests, on the `websockets` library's own asyncio client."""

import asyncio
import threading

import websockets
from holdfast_test.metrics import get
from holdfast_test.process import wait_until

PATIENCE_SECONDS = 20
_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True).start()


def _run(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(PATIENCE_SECONDS)


class WebSocket:
    """Connected through Holdfast; `pod` is the address of the pod that answered."""

    def __init__(self, port, host, path="/", address="127.0.0.1"):
        async def connect():
            socket = await websockets.connect(
                f"ws://{host}{path}", host=address, port=port, max_size=None
            )
            return socket, await socket.recv()

        self._socket, self.pod = _run(connect())

    def echo(self, message):
        async def exchange():
            await self._socket.send(message)
            return await self._socket.recv()

        answer = _run(exchange())
        assert answer == message, answer[:100]

    @property
    def open(self):
        return self._socket.open

    def close(self):
        _run(self._socket.close())


def wait_for_pod(port, host, pod, patience=PATIENCE_SECONDS):
    """Opens new WebSockets until one lands on that pod, and closes each."""

    def lands():
        socket = WebSocket(port, host)
        socket.close()
        return socket.pod == pod

    wait_until(lands, f"a new connection for {host} to land on {pod}", patience)


def status_of(port, host, path="/"):
    """The status of a plain GET through Holdfast."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def wait_for_status(port, host, status, path="/", patience=PATIENCE_SECONDS):
    wait_until(
        lambda: status_of(port, host, path) == status, f"{host}{path} to answer {status}", patience
    )


class Visitors:
    """Come one after the other, in a thread: `visit` is called again and again, `pause` seconds
    apart, and raises what is wrong."""

    def __init__(self, visit, pause=0.0):
        self.served = 0
        self.failures = []
        self._visit = visit
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._over.wait(self._pause):
            try:
                self._visit()
                self.served += 1
            except Exception as error:
                self.failures.append(repr(error))

    def wait_for(self, more):
        wanted = self.served + more
        wait_until(lambda: self.served >= wanted, f"{more} more visitors to be served")

    def stop(self):
        self._over.set()
        self._thread.join()


def wait_ready(admin_port, address="127.0.0.1"):
    def ready():
        try:
            return get(admin_port, "/readyz", address)[0] == 200
        except OSError:
            return False

    wait_until(ready, "readiness")
