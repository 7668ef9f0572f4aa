"""Goal: local ports that run out are answered with 503 at once, and every further source address
brings further ports.

Method: a network namespace with eight ephemeral ports, entered by a thread of the test, so that all
that it starts is in there.
"""

import ctypes
import os
import pathlib
import subprocess
import threading

import pytest
from holdfast_test.peers import echo_websocket, frame, handshake, take_frame
from holdfast_test.process import wait_until

CLONE_NEWNET = 0x40000000
PORTS = 8


def enter_namespace():
    """Moves the calling thread, and what it starts from now on, to a network of its own."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def in_namespace(body):
    """body() on a thread in a network namespace that goes when it is done."""
    failures = []

    def run():
        try:
            enter_namespace()
            body()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("sources", [[], ["127.0.0.1", "127.0.0.2"]])
def test_ports_that_run_out_are_503_and_come_back(own_edge, sources):
    def body():
        flags = [text for source in sources for text in ("--upstream-source", source)]
        edge = own_edge(*flags)
        route, backend = edge.serve(echo_websocket)
        pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"50000 {49999 + PORTS}")
        numbers = iter(range(1, 200))

        def ask():
            # Each client has an address of its own, so that ports run out on the other side only.
            client = edge.connect(source=f"127.0.1.{next(numbers)}")
            client.send(handshake(route.host))
            return client, client.take_head()

        opened = [ask() for _ in range(PORTS * max(1, len(sources)))]
        assert [head.status for _, head in opened] == [101] * len(opened)
        for _ in range(3):
            client, head = ask()
            assert (head.status, head.get("retry-after")) == (503, "5")
        found = {"reason": "ports_exhausted", "status": 503}
        wait_until(lambda: len(edge.holdfast.access_log(**found)) == 3, "three in the log")
        counted = edge.metrics().value("holdfast_connect_failures_total", reason="ports")
        assert counted == 3
        addresses = {peer.socket.getpeername()[0] for peer in backend.connections}
        assert addresses == set(sources or ["127.0.0.1"])
        # Nobody else was touched, and a port that is given back is used.
        for client, _ in opened:
            client.send(frame(b"still here", masked=True))
            assert take_frame(client)[1] == b"still here"
        opened[0][0].reset()
        wait_until(lambda: ask()[1].status == 101, "a port to be free")
        assert edge.stop() == 0

    in_namespace(body)


def test_a_source_that_is_not_ours_is_told(own_edge, tmp_path):
    with pytest.raises(AssertionError, match="the upstream source 192.0.2.1 cannot be used"):
        own_edge("--upstream-source", "192.0.2.1")
