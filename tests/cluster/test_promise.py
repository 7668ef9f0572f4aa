"""The promise: no change in the cluster closes a connection that could have stayed open.

500 WebSockets, half of them over TLS and a fifth opened meanwhile, carry numbered messages,
independently in both directions, while 500 changes go through the real API server: routes added and
removed, endpoints churned (those that carry connections too), Ingresses deleted and created again,
certificates rotated, the watch cut, the API server and (where it is a process of its own) the
controller killed and started again. Counted by the clients themselves: 0 closed; 0 lost, altered,
duplicated or reordered. The data plane's resident memory does not grow.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from client import wait_for_status, wait_ready
from holdfast_test.certificates import Maker, tls_secret
from holdfast_test.metrics import scrape, wait_for_value
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, ingress, service
from promise_peer import FIRST_SHARE

# The promise at its full size is HOLDFAST_PROMISE=2000,10000.
CONNECTIONS, CHANGES = (
    int(number) for number in os.environ.get("HOLDFAST_PROMISE", "500,500").split(",")
)
FAULT_PERIOD = 500
# Every wait between two tries is capped at 30 s.
RECOVERY_SECONDS = 35
# A fifth of the clients come during the run: 100 of them are less than a MiB.
MEMORY_NOISE = 0.05
MESSAGES_BETWEEN_CHANGES = 60
ADDRESSES = [f"10.244.2.{i}" for i in range(1, 9)]
HOST = "promise.test"
DATA_PLANE_FLAGS = (
    "--http-listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0", "--admin-listen",
    "127.0.0.1:0", "--workers", "2", "--access-log", "off",
)  # fmt: skip
CERTIFICATES = 8
PEER = pathlib.Path(__file__).with_name("promise_peer.py")


class Peer:
    """One of the two programs of promise_peer.py."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, PEER, *[str(argument) for argument in arguments]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line == "ready\n", line

    def finish(self):
        self.process.stdin.write("finish\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


class TwoProcesses:
    """`holdfast controller` and `holdfast proxy`, joined by a Unix socket."""

    def __init__(self, kubeconfig, folder, started):
        self._started = started
        self._controller_arguments = (
            "controller", "--kubeconfig", kubeconfig, "--discovery-listen",
            f"unix:{folder}/discovery", "--admin-listen", "127.0.0.1:0",
        )  # fmt: skip
        self._start_controller()
        self.data_plane = started(
            Holdfast("proxy", "--discovery", f"unix:{folder}/discovery", *DATA_PLANE_FLAGS)
        )

    def _start_controller(self):
        self.control_plane = self._started(Holdfast(*self._controller_arguments))
        wait_ready(self.control_plane.port("admin"))

    def kill_controller(self):
        self.control_plane.kill()
        self._start_controller()
        return True


class OneProcess:
    """`holdfast ingress`."""

    def __init__(self, kubeconfig, _folder, started):
        self.data_plane = started(
            Holdfast("ingress", "--kubeconfig", kubeconfig, *DATA_PLANE_FLAGS)
        )
        self.control_plane = self.data_plane

    def kill_controller(self):
        return False


def promised_ingress(paths):
    """Served over TLS, and without it."""
    described = ingress("promise", HOST, paths, {"holdfast.dev/ssl-redirect": "false"})
    described["spec"]["tls"] = [{"hosts": [HOST], "secretName": "promise"}]
    return described


class Cluster:
    """What is changed, and what may die."""

    def __init__(self, server, api, holdfast, maker):
        self._certificates = [maker.make(HOST) for _ in range(CERTIFICATES)]
        self._server = server
        self._api = api
        self._holdfast = holdfast
        self.counts = {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def kill_controller(self, number):
        if self._holdfast.kill_controller():
            self.count("controller killed")
        else:
            self.endpoints(number)

    def _watches(self, metric, **labels):
        admin = self._holdfast.control_plane.port("admin")
        return scrape(admin).value(f"holdfast_watch_{metric}", **labels)

    def restart_api_server(self, _number):
        self._server.kill()
        self._server.start()
        self._server.wait_ready()
        self.count("API server killed")

    def cut_watches(self, _number):
        # The API server may have been killed a moment ago.
        wait_until(lambda: self._watches("connected") > 0, "watches", RECOVERY_SECONDS)
        before = self._watches("errors_total", reason="lost")
        subprocess.run(["ss", "-K", "dport", "=", ":6443"], check=True, capture_output=True)
        wait_until(
            lambda: self._watches("errors_total", reason="lost") > before, "the watches to break"
        )
        self.count("watches cut")

    def endpoints(self, number):
        """A window over the pods moves on; now and then there is none."""
        size = number % 5
        chosen = [ADDRESSES[(number + i) % len(ADDRESSES)] for i in range(size)]
        self._api.apply(endpoint_slice("promise", chosen))
        self.count("endpoint changes")

    def route(self, number):
        paths = {"/": ("promise", 80)} if number % 4 else {"/moved": ("promise", 80)}
        paths[f"/extra-{number % 7}"] = ("promise", 80)
        self._api.apply(promised_ingress(paths))
        self.count("routes changed")

    def ingress(self, number):
        if number % 2:
            self._api.delete("Ingress", "promise")
        else:
            self._api.apply(promised_ingress({"/": ("promise", 80)}))
        self.count("Ingresses deleted or created")

    def certificate(self, number):
        self._api.apply(tls_secret("promise", *self._certificates[number % CERTIFICATES]))
        self.count("certificates rotated")

    def other(self, number):
        """Somebody else's application comes, changes and goes."""
        name = f"other-{number % 10}"
        if number % 3 == 0:
            self._api.delete("Ingress", name)
            self._api.delete("Service", name)
        else:
            self._api.apply(
                service(name), ingress(name, f"{name}.test", {f"/{number}": (name, 80)})
            )
        self.count("changes of others")

    def change(self, number):
        faults = {
            60: self.kill_controller, 120: self.cut_watches, 180: self.restart_api_server,
            260: self.kill_controller, 300: self.cut_watches, 340: self.restart_api_server,
            400: self.kill_controller, 460: self.cut_watches,
        }  # fmt: skip
        kinds = (
            self.endpoints, self.route, self.endpoints, self.ingress, self.certificate, self.other,
        )  # fmt: skip
        do = faults.get(number % FAULT_PERIOD, kinds[number % len(kinds)])
        do(number // len(kinds))

    def settle(self):
        """Back to the first state."""
        self._api.apply(
            service("promise"),
            endpoint_slice("promise", ADDRESSES[:4]),
            tls_secret("promise", *self._certificates[0]),
            promised_ingress({"/": ("promise", 80)}),
        )


def resident_bytes(holdfast):
    pages = int(pathlib.Path(f"/proc/{holdfast.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait_for_traffic(admin):
    """Some messages pass between any two changes, so that all of them meet traffic."""

    def messages():
        return scrape(admin).value("holdfast_websocket_messages_total", ingress="promise")

    before = messages()
    wait_until(lambda: messages() >= before + MESSAGES_BETWEEN_CHANGES, "traffic")


@pytest.mark.parametrize("topology", [TwoProcesses, OneProcess])
def test_the_promise(topology, server, api, tmp_path, started):
    pods = started(Peer("serve", *ADDRESSES))
    holdfast = topology(server.kubeconfig, tmp_path, started)
    cluster = Cluster(server, api, holdfast, Maker(tmp_path))
    cluster.settle()
    admin = holdfast.data_plane.port("admin")
    wait_ready(admin)
    port = holdfast.data_plane.port("http")
    # A plain request to a `websockets` backend is answered with 426.
    wait_for_status(port, HOST, 426)
    tls_port = holdfast.data_plane.port("https")
    clients = started(Peer("connect", port, tls_port, HOST, CONNECTIONS))
    first = int(CONNECTIONS * FIRST_SHARE)
    wait_until(
        lambda: scrape(admin).value("holdfast_websockets_open", ingress="promise") >= first,
        "the first clients",
    )

    memory = []
    for number in range(CHANGES):
        wait_for_traffic(admin)
        cluster.change(number)
        memory.append(resident_bytes(holdfast.data_plane))
    # A change that arrives after all of these proves that they have been seen.
    cluster.settle()
    last = f"{topology.__name__.lower()}.test"
    api.apply(ingress("last", last, {"/": ("promise", 80)}))
    wait_for_status(port, last, 426, patience=60)
    # Nobody is turned away any more.
    wait_for_value(admin, CONNECTIONS, "holdfast_websockets_open", ingress="promise")

    open_now = scrape(admin).value("holdfast_websockets_open", ingress="promise")
    transactions = scrape(admin).value("holdfast_snapshot_version")
    over_tls = scrape(admin).value("holdfast_tls_handshakes_total")
    result = clients.finish()
    print(f"\nthe promise, {topology.__name__}: {result}")
    print(f"{transactions:.0f} transactions, {cluster.counts}")
    curve = [memory[len(memory) * i // 10] for i in range(10)] + memory[-1:]
    print(f"resident MiB: {[round(size / 2**20, 1) for size in curve]}")
    faults = {key: result[key] for key in ("closed", "lost", "altered", "misplaced")}
    assert faults == {"closed": 0, "lost": 0, "altered": 0, "misplaced": 0}
    assert result["connections"] == CONNECTIONS
    assert over_tls >= CONNECTIONS // 2
    assert result["messages"] > 10 * CONNECTIONS
    assert open_now == result["connections"]
    quarter = len(memory) // 4
    second, last = sum(memory[quarter : 2 * quarter]), sum(memory[-quarter:])
    assert last < second * (1 + MEMORY_NOISE), "resident memory grows"
    assert transactions > CHANGES / 4
    assert pods.process.poll() is None
    wait_for_value(admin, 0, "holdfast_websockets_open", ingress="promise")
    api.delete("Ingress", "promise")
    api.delete("Secret", "promise")
