"""Goal: controller and proxies on other machines know each other by certificates, and each proxy
sees what its identity allows: everything else is refused.

Method: both as processes, joined by TCP; certificates of the test's own authorities, renewed live.
"""

import os
import shutil
import subprocess

import pytest
from holdfast_test.certificates import Authority
from holdfast_test.edge import Manifests, objects_for
from holdfast_test.metrics import get, scrape
from holdfast_test.peers import Backend, connect, echo_websocket, frame, handshake, take_frame
from holdfast_test.process import BINARY, Holdfast, wait_until

SERVER = "controller.test"
PROXY = "spiffe://cluster.test/ns/edge/sa/proxy"


class Pki:
    """An authority, and the files of whoever it has certified."""

    def __init__(self, folder, name):
        self.authority = Authority(folder, name)
        self._folder = folder
        self.ca = folder / "ca.crt"

    def files(self, who, *alternatives, ca=None):
        """The flags of one end; called again, the same files are new."""
        certificate, key = self.authority.issue(who, *alternatives)
        own = self._folder / who
        own.mkdir(exist_ok=True)
        for source, name in ((key, "tls.key"), (certificate, "tls.crt")):
            shutil.copy(source, own / f".{name}")
            os.replace(own / f".{name}", own / name)
        return (
            "--discovery-certificate", own / "tls.crt", "--discovery-key", own / "tls.key",
            "--discovery-ca", ca or self.ca,
        )  # fmt: skip


@pytest.fixture
def pki(tmp_path):
    return Pki(tmp_path / "pki", "Authority")


@pytest.fixture
def manifests(tmp_path):
    (tmp_path / "manifests").mkdir()
    return Manifests(tmp_path / "manifests")


def write(manifests, backend, name, namespace):
    objects = objects_for(name, f"{name}.test", [backend.endpoint], ["/"], {})
    for item in objects:
        item["metadata"]["namespace"] = namespace
    manifests.write(name, objects)


def start_controller(manifests, files, *allowed, listen="127.0.0.1:0"):
    allow = [text for identity in allowed for text in ("--discovery-allow", identity)]
    return Holdfast(
        "controller", "--manifests", manifests.folder, "--discovery-listen", listen, *files,
        *allow, "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip


def start_proxy(controller, files, server_name=SERVER):
    return Holdfast(
        "proxy", "--discovery", f"127.0.0.1:{controller.port('discovery')}", *files,
        "--discovery-server-name", server_name, "--http-listen", "127.0.0.1:0", "--admin-listen",
        "127.0.0.1:0", "--log-level", "debug",
    )  # fmt: skip


def is_ready(holdfast):
    return get(holdfast.port("admin"), "/readyz")[0] == 200


def status_of(proxy, host):
    client = connect(proxy.port("http"))
    client.send(handshake(host))
    return client.take_head().status


def test_a_proxy_that_is_known(started, pki, manifests):
    backend = started(Backend(echo_websocket))
    write(manifests, backend, "a", "one")
    controller = started(
        start_controller(manifests, pki.files("controller", f"DNS:{SERVER}"), PROXY)
    )
    proxy = started(start_proxy(controller, pki.files("proxy", f"URI:{PROXY}")))
    wait_until(lambda: is_ready(proxy), "readiness")
    client = connect(proxy.port("http"))
    client.send(handshake("a.test"))
    assert client.take_head().status == 101

    # New certificates at both ends: the stream stays, and so does the WebSocket.
    pki.files("controller", f"DNS:{SERVER}")
    pki.files("proxy", f"URI:{PROXY}")
    write(manifests, backend, "b", "two")
    wait_until(lambda: status_of(proxy, "b.test") == 101, "the next change")
    client.send(frame(b"still here", masked=True))
    assert take_frame(client)[1] == b"still here"


def test_another_authority_takes_over(started, pki, manifests, tmp_path):
    """Files that change are for those who come next; whoever is connected stays."""
    backend = started(Backend(echo_websocket))
    write(manifests, backend, "a", "one")
    files = pki.files("controller", f"DNS:{SERVER}")
    controller = started(start_controller(manifests, files, PROXY))
    old = started(start_proxy(controller, pki.files("proxy", f"URI:{PROXY}")))
    wait_until(lambda: is_ready(old), "readiness")

    successor = Pki(tmp_path / "successor", "Successor")
    fresh = successor.files("controller", f"DNS:{SERVER}")
    for ours, theirs in zip(files[1::2], fresh[1::2]):
        shutil.copy(theirs, f"{ours}.next")
        os.replace(f"{ours}.next", ours)
    new = started(start_proxy(controller, successor.files("proxy", f"URI:{PROXY}")))
    wait_until(lambda: is_ready(new), "the successor's proxy to be let in")
    write(manifests, backend, "b", "one")
    for proxy in (old, new):
        wait_until(lambda: status_of(proxy, "b.test") == 101, "the next change")
    assert scrape(controller.port("admin")).value("holdfast_discovery_clients") == 2


def test_nobody_else(started, pki, manifests, tmp_path):
    """Each with one thing wrong."""
    backend = started(Backend(echo_websocket))
    write(manifests, backend, "a", "one")
    controller = started(
        start_controller(manifests, pki.files("controller", f"DNS:{SERVER}"), PROXY)
    )
    stranger = Pki(tmp_path / "stranger", "Stranger")
    wrong = [
        start_proxy(controller, pki.files("other", "URI:spiffe://cluster.test/ns/edge/sa/other")),
        start_proxy(controller, pki.files("dns", "DNS:proxy")),
        start_proxy(controller, stranger.files("proxy", f"URI:{PROXY}", ca=pki.ca)),
        start_proxy(controller, pki.files("trusting", f"URI:{PROXY}", ca=stranger.ca)),
        start_proxy(controller, pki.files("misled", f"URI:{PROXY}"), "elsewhere.test"),
        start_proxy(controller, ()),
    ]
    for proxy in wrong:
        started(proxy)
    right = started(start_proxy(controller, pki.files("proxy", f"URI:{PROXY}")))
    wait_until(lambda: is_ready(right), "readiness")
    denied = "holdfast_discovery_denied_total"
    admin = controller.port("admin")
    wait_until(lambda: scrape(admin).value(denied) >= 2, "two to be denied")
    for proxy in wrong:
        assert not is_ready(proxy)
        assert scrape(proxy.port("admin")).value("holdfast_discovery_connected") == 0
    assert scrape(admin).value("holdfast_discovery_clients") == 1
    assert status_of(right, "a.test") == 101


def test_an_identity_sees_its_namespaces(started, pki, manifests):
    backend = started(Backend(echo_websocket))
    write(manifests, backend, "a", "one")
    write(manifests, backend, "b", "two")
    controller = started(
        start_controller(
            manifests, pki.files("controller", f"DNS:{SERVER}"), f"{PROXY}=one", "all.test"
        )
    )
    some = started(start_proxy(controller, pki.files("proxy", f"URI:{PROXY}")))
    everything = started(start_proxy(controller, pki.files("all", "DNS:all.test")))
    for proxy in (some, everything):
        wait_until(lambda: is_ready(proxy), "readiness")
    assert status_of(some, "a.test") == 101
    assert status_of(some, "b.test") == 404
    assert "two/" not in get(some.port("admin"), "/debug/config")[1]
    assert status_of(everything, "b.test") == 101
    # It comes into view, and goes out of it.
    write(manifests, backend, "b", "one")
    wait_until(lambda: status_of(some, "b.test") == 101, "what is now its own")
    write(manifests, backend, "a", "two")
    wait_until(lambda: status_of(some, "a.test") == 404, "what is no longer its own")
    assert status_of(everything, "a.test") == 101


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--discovery-listen", "0.0.0.0:0"), "mutual TLS"),
        (("--discovery-listen", "0.0.0.0:0", "--discovery-certificate", "x"), "need each other"),
        (("--discovery-listen", "127.0.0.1:0", "--discovery-allow", "x"), "nobody has an identity"),
        (("--discovery-listen", "unix:/tmp/x", "FILES", "--discovery-allow", "x"), "mode"),
        (("--discovery-listen", "0.0.0.0:0", "FILES"), "--discovery-allow"),
        (("--discovery-listen", "0.0.0.0:0", "FILES", "--discovery-allow", "x="), "namespace"),
    ],
)
def test_flags_that_make_no_sense(pki, manifests, flags, word):
    files = [str(text) for text in pki.files("controller", f"DNS:{SERVER}")]
    arguments = []
    for flag in flags:
        arguments += files if flag == "FILES" else [flag]
    done = subprocess.run(
        [BINARY, "controller", "--manifests", manifests.folder, *arguments], capture_output=True,
        text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 64, done.stderr
    assert word in done.stderr


def test_files_that_make_no_sense(pki, manifests):
    files = pki.files("controller", f"DNS:{SERVER}")
    files[3].write_text("garbage")
    done = subprocess.run(
        [BINARY, "controller", "--manifests", manifests.folder, "--discovery-listen", "0.0.0.0:0",
         *files, "--discovery-allow", PROXY],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 64
    assert "--discovery-certificate" in done.stderr
