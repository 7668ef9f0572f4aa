"""Goal: the program as an operator meets it: flags, environment, exit statuses, signals, and what
happens when descriptors run out or nobody reads its log.

Method: the binary as a process of its own for each test.
"""

import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from holdfast_test.certificates import tls_ingress
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.peers import (
    Ended, answering, connect, echo_websocket, frame, handshake, response, take_frame,
)  # fmt: skip
from holdfast_test.process import BINARY, Holdfast, wait_until


# What the Edge starts, and kAcceptPause.
WORKERS = 2
PAUSE_SECONDS = 0.1


def run(*arguments, environment=None):
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, timeout=20,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


@pytest.mark.parametrize("flags", [[], ["--core-dumps"]])
def test_memory_with_keys_is_nobody_elses(flags):
    """Of a process that may be dumped, /proc belongs to its user."""
    user = 65532
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = shutil.copy(BINARY, folder)
        owner = owner_of_memory(binary, user, flags)
    assert owner == (user if flags else 0)


def owner_of_memory(binary, user, flags):
    holdfast = Holdfast(
        "sidecar", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--admin-listen",
        "127.0.0.1:0", *flags, binary=binary,
        prefix=("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"),
    )  # fmt: skip
    try:
        # What it says of itself it still reads.
        assert scrape(holdfast.port("admin")).value("process_open_fds") > 0
        return os.stat(f"/proc/{holdfast.process.pid}/environ").st_uid
    finally:
        holdfast.stop()


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("holdfast ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["standalone"],
        ["standalone", "--manifests", "/does/not/exist"],
        ["standalone", "--manifests", "{dir}", "--workers", "0"],
        ["standalone", "--manifests", "{dir}", "--workers", "many"],
        ["standalone", "--manifests", "{dir}", "--http-listen", "nonsense"],
        ["standalone", "--manifests", "{dir}", "--http-listen", "127.0.0.1:99999"],
        ["standalone", "--manifests", "{dir}", "--access-log", "xml"],
        ["standalone", "--manifests", "{dir}", "--trusted-proxies", "10.0.0.0/33"],
        ["standalone", "--manifests", "{dir}", "--trusted-proxies", "10.0.0.0/8,proxy.test"],
        ["standalone", "--manifests", "{dir}", "--http-proxy-listen", "127.0.0.1:0"],
        [
            "standalone", "--manifests", "{dir}", "--trusted-proxies", "10.0.0.0/8",
            "--http-proxy-listen", "8080",
        ],
        ["standalone", "--manifests", "{dir}", "--defaults-configmap", "no-namespace"],
        ["standalone", "--manifests", "{dir}", "--defaults-configmap", "infra/a/b"],
        ["standalone", "--manifests", "{dir}", "--no-such-flag"],
        ["standalone", "--manifests", "{dir}", "--dns-server", "dns.test:53"],
        ["standalone", "--manifests", "{dir}", "--dns-server", "127.0.0.1"],
        [
            "standalone", "--manifests", "{dir}",
            "--dns-server", "10.0.0.1:53,10.0.0.2:53,10.0.0.3:53,10.0.0.4:53",
        ],
        ["ingress", "--kubeconfig", "/does/not/exist"],
        ["ingress", "--kubeconfig", "/does/not/exist", "--namespaces", "a,Not-A-Name"],
        ["ingress", "--kubeconfig", "/does/not/exist", "--label-selector", "a=b&c"],
        [
            "controller", "--manifests", "{dir}", "--discovery-listen", "unix:/tmp/x",
            "--namespaces", "a",
        ],
        ["proxy", "--discovery", "192.0.2.1:1234"],
        ["proxy", "--discovery", "unix:/tmp/a#b"],
        ["controller", "--kubeconfig", "/does/not/exist", "--discovery-listen", "unix:/tmp/x"],
        ["no-such-command"],
    ],
)
def test_bad_flags_are_one_sentence_and_64(tmp_path, arguments):
    done = run(*[argument.replace("{dir}", str(tmp_path)) for argument in arguments])
    assert done.returncode == 64
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert '"listening"' not in done.stderr


def test_flags_from_the_environment(tmp_path):
    holdfast = Holdfast(
        "standalone",
        environment={
            "HOLDFAST_MANIFESTS": str(tmp_path), "HOLDFAST_HTTP_LISTEN": "127.0.0.1:0",
            "HOLDFAST_ADMIN_LISTEN": "127.0.0.1:0", "HOLDFAST_WORKERS": "1",
        },
    )  # fmt: skip
    try:
        assert get(holdfast.port("admin"), "/healthz")[0] == 200
    finally:
        assert holdfast.stop() == 0


def test_several_listeners_and_ipv6(tmp_path):
    holdfast = Holdfast(
        "standalone", "--manifests", tmp_path, "--admin-listen", "127.0.0.1:0",
        "--http-listen", "127.0.0.1:0", "--http-listen", "[::1]:0",
    )  # fmt: skip
    try:
        wait_until(lambda: len(holdfast.ports("http")) == 2, "two listeners")
        wait_until(lambda: get(holdfast.port("admin"), "/readyz")[0] == 200, "readiness")
        for port, host in zip(holdfast.ports("http"), ("127.0.0.1", "::1")):
            client = connect(port, host)
            client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            assert client.take_head().status == 404
    finally:
        assert holdfast.stop() == 0


def test_a_taken_port_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(
            "standalone", "--manifests", str(tmp_path), "--http-listen", address,
            "--admin-listen", "127.0.0.1:0",
        )  # fmt: skip
    assert done.returncode not in (0, 64)
    assert address in done.stderr


def test_a_port_that_another_holdfast_serves_is_said(own_edge, tmp_path):
    """SO_REUSEPORT, which the workers share a port by, would let two processes share it too."""
    address = f"127.0.0.1:{own_edge().http}"
    done = run(
        "standalone", "--manifests", str(tmp_path), "--http-listen", address,
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip
    assert done.returncode not in (0, 64)
    assert address in done.stderr


def test_sigterm_ends_open_connections_and_exits_0(own_edge):
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    client = edge.ask(handshake(route.host))
    client.take_head()
    edge.holdfast.process.send_signal(signal.SIGTERM)
    assert edge.holdfast.wait() == 0
    assert client.ends()
    line = edge.holdfast.access_log(type="websocket_close")[0]
    assert line["reason"] == "shutdown"


def test_a_controller_that_is_away_is_said(tmp_path):
    """Once when it is lost, or was never there, and once when it is back; and by `status`."""
    discovery = f"unix:{tmp_path}/discovery"
    proxy = Holdfast(
        "proxy", "--discovery", discovery, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip

    def said(part):
        return [line for line in proxy.log() if part in line["message"]]

    def status():
        return run("status", "--admin", f"127.0.0.1:{proxy.port('admin')}").stdout

    try:
        (line,) = wait_until(lambda: said("the controller cannot be reached"), "the line")
        assert line["level"] == "warn"
        assert "The controller is not connected, since " in status()
        folder = tmp_path / "manifests"
        folder.mkdir()
        controller = Holdfast(
            "controller", "--manifests", folder, "--discovery-listen", discovery,
            "--admin-listen", "127.0.0.1:0",
        )  # fmt: skip
        wait_until(lambda: said("the controller is reached again"), "the line")
        assert "not connected" not in status()
        assert controller.stop() == 0
        assert len(said("the controller cannot be reached")) == 1
    finally:
        assert proxy.stop() == 0


def test_ready_only_with_a_configuration(tmp_path):
    """A proxy without a controller is alive, not ready, and answers 503."""
    holdfast = Holdfast(
        "proxy", "--discovery", f"unix:{tmp_path}/nobody", "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip
    try:
        admin = holdfast.port("admin")
        assert get(admin, "/healthz")[0] == 200
        assert get(admin, "/readyz")[0] == 503
        client = connect(holdfast.port("http"))
        client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert client.take_head().status == 503
    finally:
        assert holdfast.stop() == 0


def test_the_soft_descriptor_limit_is_raised(own_edge):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    edge = own_edge(prefix=["prlimit", f"--nofile=512:{hard}"])
    limits = open(f"/proc/{edge.holdfast.pid}/limits").read()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3] == str(hard)


@pytest.mark.parametrize("soft, hard, refused", [(160, 160, 20), (160, 4096, 0)])
def test_secrets_by_name_are_bounded_by_the_raised_limit(own_edge, soft, hard, refused):
    """An eighth of the descriptors; 40 Ingresses name a Secret each."""
    edge = own_edge(prefix=["prlimit", f"--nofile={soft}:{hard}"])
    ingresses = []
    for number in range(40):
        asking = tls_ingress(f"asks-{number}", ([f"h{number}.test"], "own"))
        asking["metadata"]["annotations"] = {"holdfast.dev/client-ca-secret": f"s{number}"}
        ingresses.append(asking)
    edge.manifests.write("asking", ingresses)

    def problems():
        return [p["message"] for p in edge.config()["control_plane"]["problems"]]

    wait_until(lambda: any("client" in text or "nobody" in text for text in problems()), "them")
    assert sum("Ingresses name more" in text for text in problems()) == refused


def test_when_descriptors_run_out_accepting_pauses(own_edge):
    """Beyond the limit connections wait in the kernel's queue; nothing spins; when one closes they
    are served."""
    edge = own_edge(prefix=["prlimit", "--nofile=200:200"])
    route, _ = edge.serve(echo_websocket)
    clients = []
    for _ in range(120):
        client = edge.connect()
        client.send(handshake(route.host))
        clients.append(client)
    wait_until(lambda: edge.metrics().value("holdfast_accept_paused") > 0, "accepting to pause")
    open_now = edge.metrics().value("holdfast_downstream_connections")
    assert open_now < 100
    # Pausing means trying again ten times a second in each worker, not spinning: however slow the
    # machine is, no more often than that.
    begun = time.monotonic()
    pauses = edge.metrics().value("holdfast_accept_pauses_total")
    accepted = edge.metrics().value("holdfast_downstream_accepted_total")
    more = wait_until(
        lambda: max(0, edge.metrics().value("holdfast_accept_pauses_total") - pauses - 10),
        "more than ten pauses",
    )
    assert 10 + more <= WORKERS * (1 + (time.monotonic() - begun) / PAUSE_SECONDS)
    assert edge.metrics().value("holdfast_downstream_accepted_total") == accepted
    for client in clients:
        client.take_head()
        client.reset()
    wait_for_value(edge.admin, 0, "holdfast_accept_paused")
    fresh = edge.ask(handshake(route.host))
    assert fresh.take_head().status == 101


def test_a_stuck_log_pipe_costs_lines_not_connections(own_edge):
    """Nobody reads standard output: requests go on, lost lines are counted."""
    reader, writer = os.pipe()
    edge = own_edge(stdout=writer)
    os.close(writer)
    route, _ = edge.serve(answering(response("200 OK", b"ok")))
    client = edge.connect()
    agent = "x" * 4000
    request = f"GET / HTTP/1.1\r\nHost: {route.host}\r\nUser-Agent: {agent}\r\n\r\n".encode()

    def lost():
        for _ in range(200):
            client.send(request)
            assert client.take_response()[1] == b"ok"
        return scrape(edge.admin).value("holdfast_log_lines_lost_total", log="access") > 0

    wait_until(lost, "lines to be lost", 60)
    tunnel = edge.ask(handshake(route.host))
    assert tunnel.take_head().status == 200
    assert edge.stop() == 0
    os.close(reader)


def test_connections_of_a_stopped_process_end(own_edge):
    edge = own_edge()
    route, _ = edge.serve(echo_websocket)
    client = edge.ask(handshake(route.host))
    client.take_head()
    client.send(frame(b"x", masked=True))
    take_frame(client)
    edge.holdfast.kill()
    with pytest.raises(Ended):
        client.take(1)
