"""One running standalone Holdfast a module, and a folder of manifests that its tests write to."""

import itertools
import json
import os
import pathlib
import signal
import socket

import pytest
from holdfast_test.metrics import get, scrape
from holdfast_test.peers import Backend, connect, trusting_everybody
from holdfast_test.process import Holdfast, wait_until

_numbers = itertools.count(1)


class Manifests:
    """A folder of manifests: one file a host, replaced in one step."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.write(
            "class",
            [
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "IngressClass",
                    "metadata": {"name": "holdfast"},
                    "spec": {"controller": "holdfast.dev/ingress"},
                }
            ],
        )

    def path(self, name):
        return self.folder / f"{name}.json"

    def write_text(self, name, text):
        draft = self.folder / f".{name}.draft"
        draft.write_text(text)
        draft.rename(self.path(name))

    def write(self, name, objects):
        self.write_text(name, json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def remove(self, name):
        self.path(name).unlink()


def objects_for(name, host, endpoints, paths, annotations, with_uid=True):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, **({"uid": f"uid-of-{name}"} if with_uid else {})},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    # A slice has one port for all its endpoints, so each endpoint has a slice of its own.
    slices = [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-{address}-{port}".replace(":", "-"),
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv6" if ":" in address else "IPv4",
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": [address], **dict(*more)}],
        }
        for address, port, *more in endpoints
    ]
    backend = {"service": {"name": name, "port": {"number": 80}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "ingressClassName": "holdfast",
            "rules": [
                {
                    "host": host,
                    "http": {
                        "paths": [
                            {"path": path, "pathType": "Prefix", "backend": backend}
                            for path in paths
                        ]
                    },
                }
            ],
        },
    }
    return [service, *slices, ingress]


class Route:
    """A host of its own with its Service, Ingress and endpoints; change() edits them live."""

    def __init__(self, edge, endpoints, paths, annotations, host=None, with_uid=True):
        self.name = f"app{next(_numbers)}"
        self.host = f"{self.name}.test" if host is None else host
        self._edge = edge
        self._state = {
            "endpoints": list(endpoints),
            "paths": list(paths),
            "annotations": {f"holdfast.dev/{key}": value for key, value in annotations.items()},
            "with_uid": with_uid,
        }
        self._write()

    def change(self, endpoints=None, paths=None, annotations=None):
        if endpoints is not None:
            self._state["endpoints"] = list(endpoints)
        if paths is not None:
            self._state["paths"] = list(paths)
        if annotations is not None:
            self._state["annotations"] = {
                f"holdfast.dev/{key}": value for key, value in annotations.items()
            }
        self._write()

    def _write(self):
        state = self._state
        self._edge.manifests.write(self.name, objects_for(self.name, self.host, **state))
        self._edge.wait_for_change()

    def delete(self):
        self._edge.manifests.remove(self.name)
        self._edge.wait_for_change()


# Whether clients that do not say otherwise speak TLS.
OVER_TLS = bool(os.environ.get("HOLDFAST_OVER_TLS"))


class Edge:
    """A running Holdfast with its manifests."""

    scheme = "https" if OVER_TLS else "http"

    def __init__(self, folder, *flags, **options):
        self.manifests = Manifests(folder)
        self.holdfast = Holdfast(
            "standalone", "--manifests", folder, "--http-listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--workers", "2", *flags, **options,
        )  # fmt: skip
        self.http = self.holdfast.port("http")
        self.https = self.holdfast.port("https")
        self.port = self.https if OVER_TLS else self.http
        self.admin = self.holdfast.port("admin")
        self._things = []
        self._version = 0
        wait_until(lambda: get(self.admin, "/readyz")[0] == 200, "readiness")
        self._version = self.metrics().value("holdfast_snapshot_version")

    def wait_for_change(self):
        """The change just written is in force on every worker."""

        def changed():
            version = self.metrics().value("holdfast_snapshot_version")
            if version == self._version:
                return False
            self._version = version
            return True

        wait_until(changed, "a change to be in force")

    def metrics(self):
        return scrape(self.admin)

    def config(self):
        return json.loads(get(self.admin, "/debug/config")[1])

    def backend(self, script, host="127.0.0.1"):
        return self.keep(Backend(script, host))

    def keep(self, thing):
        self._things.append(thing)
        return thing

    def route(self, *endpoints, paths=("/",), host=None, with_uid=True, **annotations):
        """Endpoints are Backends, or (address, port), or (address, port, {more of the slice's
        endpoint}); annotations have no prefix and '_' for '-'.
        Without a host it has one of its own; "" is every host. `with_uid` is about its Service."""
        pairs = [item.endpoint if hasattr(item, "endpoint") else item for item in endpoints]
        named = {key.replace("_", "-"): value for key, value in annotations.items()}
        return Route(self, pairs, paths, named, host, with_uid)

    def serve(self, script, **annotations):
        """(route, backend) of a new host that `script` serves."""
        backend = self.backend(script)
        return self.route(backend, **annotations), backend

    def connect(self, **options):
        if not OVER_TLS:
            return connect(self.http, **options)
        return self.connect_tls(**options)

    def connect_tls(self, **options):
        return connect(self.https, **{"tls": trusting_everybody(), **options})

    def ask(self, request):
        """Sends raw bytes on a new connection."""
        client = self.connect()
        client.send(request)
        return client

    def stop_peers(self):
        things, self._things = self._things, []
        for thing in things:
            thing.stop()

    def stop(self):
        try:
            self.stop_peers()
        finally:
            status = self.holdfast.stop()
        return status


@pytest.fixture(scope="module")
def running_edge(tmp_path_factory):
    edge = Edge(tmp_path_factory.mktemp("manifests"))
    yield edge
    assert edge.stop() == 0, edge.holdfast.log_text()


@pytest.fixture
def edge(running_edge):
    yield running_edge
    running_edge.stop_peers()
    assert running_edge.holdfast.process.poll() is None, running_edge.holdfast.log_text()


@pytest.fixture
def own_edge(tmp_path):
    """A Holdfast of the test's own: own_edge(*flags, **options of Holdfast)."""
    edges = []

    def start(*flags, **options):
        edges.append(Edge(tmp_path, *flags, **options))
        return edges[-1]

    yield start
    for edge in edges:
        # Where a test has killed it on purpose it has no status of its own.
        assert edge.stop() in (0, -signal.SIGKILL), edge.holdfast.log_text()


@pytest.fixture
def dead_port():
    """A port that nobody listens on, of any loopback address: it stays bound for the test."""
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        yield sock.getsockname()[1]
