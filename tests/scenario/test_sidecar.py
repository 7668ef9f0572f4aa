"""Goal: `holdfast sidecar` is the same data plane from flags alone, in front of one application on
a TCP port or a Unix socket, small and without anything of gRPC running.

Method: the real binary, scripted applications; what it holds is read from /proc.
"""

import json
import os
import pathlib
import re
import socket
import subprocess

import pytest
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.peers import (
    CLOSE, Backend, answering, close_frame, connect, echo_websocket, frame, handshake, response,
    switching, take_frame, take_request,
)  # fmt: skip
from holdfast_test.process import BINARY, Holdfast, memory_kib, wait_until

MIB_IN_KIB = 1024
RESIDENT_KIB_MOST = 20 * MIB_IN_KIB
PRIVATE_KIB_MOST = 8 * MIB_IN_KIB
WORKERS = 2


class Sidecar:
    def __init__(self, upstream, *flags, workers=WORKERS, **options):
        self.holdfast = Holdfast(
            "sidecar", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
            "--workers", workers, "--upstream", upstream, *flags, **options,
        )  # fmt: skip
        self.http = self.holdfast.port("http")
        self.admin = self.holdfast.port("admin")
        wait_until(lambda: get(self.admin, "/readyz")[0] == 200, "readiness")

    def ask(self, request):
        client = connect(self.http)
        client.send(request)
        return client

    def get(self, *fields, path="/"):
        """(head, body) of one request."""
        lines = "".join(f"{field}\r\n" for field in fields)
        request = f"GET {path} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n".encode()
        return self.ask(request).take_response()


def upstream_of(backend):
    return backend.host if backend.port == 0 else f"{backend.host}:{backend.port}"


@pytest.fixture
def started():
    """started(backend, *flags): a sidecar in front of it; started(text, *flags): of an upstream."""
    things = []

    def start(upstream, *flags, **options):
        if isinstance(upstream, Backend):
            things.append(upstream.stop)
            upstream = upstream_of(upstream)
        sidecar = Sidecar(upstream, *flags, **options)
        things.append(lambda: stop(sidecar))
        return sidecar

    def stop(sidecar):
        assert sidecar.holdfast.stop() == 0, sidecar.holdfast.log_text()

    yield start
    for thing in reversed(things):
        thing()


@pytest.fixture(params=["tcp", "unix"])
def application(request, tmp_path):
    """application(script): a Backend on a TCP port, and once more on a Unix socket."""
    host = "127.0.0.1" if request.param == "tcp" else f"unix:{tmp_path}/app.sock"
    return lambda script: Backend(script, host)


def test_requests_over_kept_connections(application, started):
    backend = application(answering(response("200 OK", b"one"), response("200 OK", b"two")))
    sidecar = started(backend, workers=1)
    client = connect(sidecar.http)
    for expected in (b"one", b"two"):
        client.send(b"GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n")
        assert client.take_response()[1] == expected
    assert len(backend.connections) == 1
    received = backend.received
    # A Unix socket has no name to give: the Host stays the client's, as everywhere.
    assert received.count(b"\r\nHost: app.test\r\n") == 2
    assert b"X-Forwarded-For: 127.0.0.1\r\n" in received
    logged = wait_until(lambda: sidecar.holdfast.access_log(path="/x"), "a line")
    assert logged[0]["endpoint"] == upstream_of(backend)


def test_a_websocket_and_large_messages(application, started):
    backend = application(echo_websocket)
    sidecar = started(backend)
    client = sidecar.ask(handshake("app.test"))
    assert client.take_head().status == 101
    for size in (1, 70_000, 4 << 20):
        payload = os.urandom(size)
        client.send(frame(payload, masked=True))
        assert take_frame(client)[1] == payload
    status = json.loads(get(sidecar.admin, "/debug/status")[1])
    (entry,) = status["connections"]
    assert entry["endpoint"] == upstream_of(backend) and entry["kind"] == "websocket"
    client.send(close_frame(1000, masked=True))
    assert take_frame(client)[0] == CLOSE
    client.close()
    wait_for_value(
        sidecar.admin, 1, "holdfast_websocket_closes_total", namespace="sidecar",
        ingress="sidecar", service="upstream", code="1000",
    )  # fmt: skip


def test_a_large_body_both_ways(application, started):
    body = os.urandom(3 << 20)

    def script(connection):
        _, received = take_request(connection)
        connection.send(response("200 OK", received))

    sidecar = started(application(script))
    head = f"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {len(body)}\r\n\r\n"
    client = sidecar.ask(head.encode() + body)
    assert client.take_response()[1] == body


def test_an_answer_that_ends_with_the_connection(application, started):
    """A Unix socket tells at once that its peer is gone for good, with bytes left to read."""
    body = os.urandom(300_000)

    def script(connection):
        take_request(connection)
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)

    sidecar = started(application(script))
    client = sidecar.ask(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    client.take_head()
    assert client.take_chunked() == body


def test_an_application_that_goes_away(application, started):
    def script(connection):
        connection.send(switching(key=connection.take_head().get("sec-websocket-key")))
        take_frame(connection)

    backend = application(script)
    sidecar = started(backend)
    client = sidecar.ask(handshake("app.test"))
    assert client.take_head().status == 101
    client.send(frame(b"crash", masked=True))
    assert client.ends()
    backend.stop()
    assert sidecar.get()[0].status == 502
    wait_until(
        lambda: scrape(sidecar.admin).value("holdfast_connect_failures_total") > 0, "a failure"
    )


@pytest.mark.parametrize("kind", ["port", "path", "stale"])
def test_an_application_that_is_not_there_is_502(kind, started, dead_port, tmp_path):
    path = tmp_path / "app.sock"
    if kind == "stale":
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
    upstream = f"127.0.0.1:{dead_port}" if kind == "port" else f"unix:{path}"
    sidecar = started(upstream)
    # It is the proxy that is ready; whether the application is, its own probe says.
    assert sidecar.get()[0].status == 502
    assert sidecar.ask(handshake("app.test")).take_head().status == 502


def test_a_full_queue_of_a_unix_socket_is_waited_for(started, tmp_path):
    """connect(2) says EAGAIN where TCP would try again by itself."""
    path = f"{tmp_path}/app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    fillers = []
    while True:
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        fillers.append(filler)
        if filler.connect_ex(path) != 0:
            break
    sidecar = started(f"unix:{path}")
    client = sidecar.ask(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    wait_for_value(sidecar.admin, 1, "holdfast_http_requests_open")
    while True:
        accepted, _ = listener.accept()
        accepted.settimeout(20)
        # A filler never says anything; it is closed below, so that only a request has bytes.
        for filler in fillers:
            filler.close()
        if accepted.recv(65536):
            break
        accepted.close()
    accepted.sendall(response("200 OK", b"at last"))
    assert client.take_response()[1] == b"at last"
    accepted.close()
    listener.close()


def test_origins_are_checked(application, started):
    sidecar = started(
        application(echo_websocket),
        "--allowed-origins", "https://a.test", "--allowed-origins", "https://*.b.test",
    )  # fmt: skip
    for origin, status in (
        ("https://a.test", 101), ("https://x.b.test", 101), ("https://evil.test", 403),
    ):  # fmt: skip
        client = sidecar.ask(handshake("app.test", "/", f"Origin: {origin}"))
        assert client.take_head().status == status, origin
    assert sidecar.ask(handshake("app.test")).take_head().status == 403


def test_address_lists(application, started):
    backend = application(answering(response("200 OK")))
    sidecar = started(backend, "--deny-cidrs", "127.0.0.0/8")
    assert sidecar.get()[0].status == 403
    assert sidecar.ask(handshake("app.test")).take_head().status == 403
    assert not backend.connections


def test_the_client_that_a_trusted_proxy_names(application, started):
    backend = application(answering(response("200 OK")))
    sidecar = started(backend, "--trusted-proxies", "127.0.0.1", "--deny-cidrs", "192.0.2.0/24")
    assert sidecar.get("X-Forwarded-For: 192.0.2.7")[0].status == 403
    assert sidecar.get("X-Forwarded-For: 198.51.100.7")[0].status == 200
    assert b"X-Real-IP: 198.51.100.7\r\n" in backend.received


def test_headers_are_changed(application, started):
    backend = application(answering(response("200 OK", b"", "Server: app")))
    sidecar = started(
        backend, "--request-headers", "X-Pod: a", "--request-headers=-X-Secret",
        "--upstream-host", "inside.test",
        environment={"HOLDFAST_RESPONSE_HEADERS": "X-Frame-Options: DENY\n-Server"},
    )  # fmt: skip
    head, _ = sidecar.get("X-Secret: s")
    assert head.get("x-frame-options") == "DENY" and head.get("server") is None
    received = backend.received
    assert b"X-Pod: a\r\n" in received and b"X-Secret" not in received
    assert b"Host: inside.test\r\n" in received


def test_time_and_size_limits(application, started):
    def silent(connection):
        connection.take_until(b"never")

    sidecar = started(application(silent), "--request-timeout", "50ms", "--max-body-bytes", "4")
    assert sidecar.get()[0].status == 504
    client = sidecar.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345")
    assert client.take_head().status == 413


def test_every_ipv4_address_is_served(started, dead_port):
    sidecar = started(f"127.0.0.1:{dead_port}", "--listen", ":0")
    ports = sidecar.holdfast.ports("http")
    assert len(ports) == 2
    client = connect(ports[1], host="127.0.0.2")
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.take_head().status == 502


UPSTREAM = ["--upstream", "127.0.0.1:9"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--upstream"),
        (["--upstream", "nonsense"], "--upstream"),
        (["--upstream", "localhost:80"], "--upstream"),
        (["--upstream", "127.0.0.1:0"], "--upstream"),
        (["--upstream", "unix:relative"], "--upstream"),
        (["--upstream", "unix:/" + "a" * 200], "--upstream"),
        ([*UPSTREAM, "--listen", "8080"], "--listen"),
        ([*UPSTREAM, "--listen", "host:8080"], "--listen"),
        ([*UPSTREAM, "--idle-timeout", "2"], "--idle-timeout"),
        ([*UPSTREAM, "--idle-timeout", ""], "--idle-timeout"),
        ([*UPSTREAM, "--idle-timeout", "0s"], "--idle-timeout"),
        ([*UPSTREAM, "--idle-timeout", "1h", "--idle-timeout", "2h"], "--idle-timeout"),
        ([*UPSTREAM, "--connect-timeout", "soon"], "--connect-timeout"),
        ([*UPSTREAM, "--max-body-bytes", "-1"], "--max-body-bytes"),
        ([*UPSTREAM, "--allowed-origins", "a.test"], "--allowed-origins"),
        ([*UPSTREAM, "--allow-cidrs", "10.0.0.0/8,x"], "--allow-cidrs"),
        ([*UPSTREAM, "--deny-cidrs", "10.0.0.0/99"], "--deny-cidrs"),
        ([*UPSTREAM, "--request-headers", "Content-Length: 1"], "--request-headers"),
        ([*UPSTREAM, "--response-headers", "X: a\x01"], "--response-headers"),
        ([*UPSTREAM, "--missing-origin", "perhaps"], "--missing-origin"),
        # What chooses between pods or Services is an Ingress's.
        ([*UPSTREAM, "--load-balance", "round-robin"], "--load-balance"),
        ([*UPSTREAM, "--affinity", "cookie"], "--affinity"),
        ([*UPSTREAM, "--health-path", "/"], "--health-path"),
        ([*UPSTREAM, "--hash-by", "path"], "--hash-by"),
        ([*UPSTREAM, "--websocket-service", "a:80"], "--websocket-service"),
        ([*UPSTREAM, "--manifests", "/tmp"], "--manifests"),
    ],
)
def test_bad_flags_are_one_sentence_and_64(arguments, named):
    done = subprocess.run(
        [BINARY, "sidecar", *arguments], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 64
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert named in done.stderr and '"listening"' not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "flag"),
    [
        (b"HOLDFAST_IDLE_TIMEOUT", b"soon", "--idle-timeout"),
        # Set but empty is not the same as not set: it would let everybody in.
        (b"HOLDFAST_ALLOW_CIDRS", b"", "--allow-cidrs"),
        (b"HOLDFAST_ALLOW_CIDRS", b" , ", "--allow-cidrs"),
        (b"HOLDFAST_DENY_CIDRS", b"", "--deny-cidrs"),
        (b"HOLDFAST_ALLOWED_ORIGINS", b"", "--allowed-origins"),
        (b"HOLDFAST_IDLE_TIMEOUT", b"", "--idle-timeout"),
        (b"HOLDFAST_TRUSTED_PROXIES", b" ,", "--trusted-proxies"),
        (b"HOLDFAST_TRUSTED_PROXIES", b"10.0.0.1 10.0.0.2", "--trusted-proxies"),
        (b"HOLDFAST_REQUEST_HEADERS", b"X-Name: \xe9", "--request-headers"),
        (b"HOLDFAST_UPSTREAM_HOST", b"\xff", "--upstream-host"),
        (b"HOLDFAST_UPSTREAM", b"unix:/\xff", "--upstream"),
        (b"HOLDFAST_TRUSTED_PROXIES", b"::ffff:10.0.0.0/95", "--trusted-proxies"),
        (b"HOLDFAST_REWRITE_PREFIX", b"/a/../b", "--rewrite-prefix"),
    ],
)
def test_a_wrong_value_in_the_environment_is_said(variable, value, flag):
    upstream = [] if variable == b"HOLDFAST_UPSTREAM" else UPSTREAM
    done = subprocess.run(
        [BINARY, "sidecar", *upstream], capture_output=True, text=True, timeout=20,
        env={**os.environb, variable: value},
    )  # fmt: skip
    assert done.returncode == 64 and f"{flag}: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_flag_wins_over_an_empty_variable(started, dead_port):
    sidecar = started(
        f"127.0.0.1:{dead_port}", "--allow-cidrs", "192.0.2.0/24",
        environment={"HOLDFAST_ALLOW_CIDRS": ""},
    )  # fmt: skip
    assert sidecar.get()[0].status == 403


def test_lists_may_have_spaces(application, started):
    backend = application(answering(response("200 OK")))
    sidecar = started(
        backend, "--listen", "127.0.0.1:0, 127.0.0.2:0",
        environment={"HOLDFAST_TRUSTED_PROXIES": "192.0.2.1,\t127.0.0.1 ,"},
    )  # fmt: skip
    assert len(sidecar.holdfast.ports("http")) == 3
    assert sidecar.get("X-Forwarded-For: 198.51.100.7")[0].status == 200
    assert b"X-Real-IP: 198.51.100.7\r\n" in backend.received


def test_a_header_value_may_be_any_utf8(application, started):
    backend = application(answering(response("200 OK")))
    assert started(backend, "--request-headers", "X-Name: é").get()[0].status == 200
    assert "X-Name: é\r\n".encode() in backend.received


def test_health_and_configuration(application, started):
    sidecar = started(application(answering(response("200 OK"))))
    assert get(sidecar.admin, "/healthz")[0] == 200
    config = json.loads(get(sidecar.admin, "/debug/config")[1])
    assert "control_plane" not in config and config["data_plane"]["ready"]
    assert sidecar.get()[0].status == 200
    wait_for_value(
        sidecar.admin, 1, "holdfast_http_requests_total", namespace="sidecar", ingress="sidecar",
        service="upstream", status="2xx",
    )  # fmt: skip
    assert "holdfast_discovery" not in scrape(sidecar.admin).text


def socket_inodes(pid):
    links = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    return {match[1] for link in links if (match := re.match(r"socket:\[(\d+)\]", link))}


def test_nothing_of_grpc_runs(application, started):
    """Threads: main, two log writers, the admin server, the workers. Sockets: what listens."""
    sidecar = started(application(answering(response("200 OK"))))
    pid = sidecar.holdfast.pid
    assert len(os.listdir(f"/proc/{pid}/task")) == 4 + WORKERS
    lines = pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    listening = {line.split()[9] for line in lines if line.split()[3] == "0A"}
    own = socket_inodes(pid)
    assert own & listening and len(own & listening) == WORKERS + 1

    def others():
        return socket_inodes(pid) - listening

    # Those of the readiness probe end when the admin server has seen their end.
    wait_until(lambda: not others(), "no other socket")


def is_sanitized(pid):
    program = pathlib.Path(f"/proc/{pid}/exe").read_bytes()
    return any(name in program for name in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))


def test_memory_when_idle(application, started):
    """Private is what no other process maps too: where only one sidecar runs, most of its libraries
    as well. Sanitizers have memory of their own and are not measured."""
    sidecar = started(application(answering(response("200 OK"))))
    resident, private = memory_kib(sidecar.holdfast.pid)
    measured = f"resident {resident} KiB, private {private} KiB"
    if not is_sanitized(sidecar.holdfast.pid):
        assert resident <= RESIDENT_KIB_MOST, measured
        assert private <= PRIVATE_KIB_MOST, measured
