"""The processes of a bench: what is measured, its two peers, and what the kernel says of it."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from holdfast_test.process import wait_until  # noqa: E402

PR_SET_PDEATHSIG = 1
START_SECONDS = 20
STOP_SECONDS = 5
SETTLE_SECONDS = 10
RUN_SECONDS = 120
ECHO_HOST = "127.0.0.2"  # not 127.0.0.1: the connections' two sides draw on different ports

MANIFESTS = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: holdfast}}
spec: {{controller: holdfast.dev/ingress}}
---
apiVersion: v1
kind: Service
metadata: {{name: echo, namespace: bench}}
spec: {{ports: [{{name: http, port: 80, targetPort: {port}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: echo-1
  namespace: bench
  labels: {{kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{{name: http, port: {port}, protocol: TCP}}]
endpoints: [{{addresses: ["{host}"], conditions: {{ready: true}}}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: echo, namespace: bench}}
spec:
  ingressClassName: holdfast
  rules:
    - http:
        paths:
          - path: /
            pathType: Prefix
            backend: {{service: {{name: echo, port: {{name: http}}}}}}
"""

NGINX = """\
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
daemon off;
events {{ worker_connections 19990; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{listen} {tls} backlog=4096;
    {certificate}
    location / {{
      proxy_pass http://{host}:{port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host $host;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }}
  }}
}}
"""

NGINX_TLS = """\
ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {};
    ssl_certificate_key {};
"""


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def accepts(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def stop(process):
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cpu_seconds(pid):
    """CPU time of all threads so far, to the nanosecond (sched_info, proc(5))."""
    spent = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9


def anonymous_bytes(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.M)[1]) * 1024


class Subject:
    """One relay between the load and the echo backend: its name, its port, and its process."""

    def __init__(self, name, port, command, folder, cpu):
        self.name = name
        self.port = port
        with open(folder / f"{name}.log", "wb") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        try:
            wait_until(
                lambda: accepts("127.0.0.1", port) or self._process.poll() is not None,
                f"{name} to listen", START_SECONDS,
            )  # fmt: skip
            if self._process.poll() is not None:
                raise RuntimeError(f"{name} ended: " + (folder / f"{name}.log").read_text()[-500:])
        except (AssertionError, RuntimeError):
            self.stop()
            raise
        self.pid = self._worker_pid()
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setaffinity(int(thread), cpu)

    def _worker_pid(self):
        """nginx's worker is its master's only child; the others have none."""
        children = pathlib.Path(
            f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        ).read_text()
        return int(children.split()[0]) if children.split() else self._process.pid

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def anonymous_bytes(self):
        return anonymous_bytes(self.pid)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def settle(self, descriptors):
        """Waits until no more descriptors are open than before."""
        wait_until(
            lambda: self.descriptors() <= descriptors,
            f"{self.name} to close its connections, down to {descriptors} descriptors",
            SETTLE_SECONDS,
        )  # fmt: skip

    def stop(self):
        stop(self._process)


class Syscalls:
    """Counts every system call of a process (strace -c -f) between start() and stop()."""

    def __init__(self, pid, folder):
        self._pid = pid
        self._path = folder / "strace.txt"

    def start(self):
        self._strace = subprocess.Popen(
            ["strace", "-c", "-f", "-p", str(self._pid), "-o", str(self._path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._attached, "strace to attach", START_SECONDS)

    def _attached(self):
        tasks = pathlib.Path(f"/proc/{self._pid}/task").iterdir()
        return all("TracerPid:\t0" not in (task / "status").read_text() for task in tasks)

    def stop(self):
        """{name: calls}"""
        self._strace.send_signal(signal.SIGINT)
        self._strace.wait(STOP_SECONDS)
        calls = {}
        for line in self._path.read_text().splitlines():
            words = line.split()
            if len(words) > 4 and words[0].replace(".", "").isdigit() and words[-1] != "total":
                calls[words[-1]] = int(words[3])
        return calls


class Load:
    """bench_load, phase by phase: open when constructed, run() once, then close()."""

    def __init__(self, program, port, cpu, **options):
        flags = [word for name, value in options.items() for word in _flag(name, value)]
        self._process = subprocess.Popen(
            [program, "--connect", f"127.0.0.1:{port}", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpu),
        )  # fmt: skip
        self._expect()

    def _expect(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load ended with status {self._process.wait()}")
        return line

    def run(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._expect())

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(STOP_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


def _flag(name, value):
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def start_echo(programs, port, cpu):
    echo = subprocess.Popen(
        [programs / "bench_echo", f"{ECHO_HOST}:{port}"], preexec_fn=end_with_parent
    )
    os.sched_setaffinity(echo.pid, cpu)
    wait_until(lambda: accepts(ECHO_HOST, port), "the echo backend to listen", START_SECONDS)
    return echo


def start_holdfast(binary, folder, echo_port, cpu, over_tls=False):
    manifests = folder / "manifests"
    manifests.mkdir()
    (manifests / "echo.yaml").write_text(MANIFESTS.format(host=ECHO_HOST, port=echo_port))
    port, admin = free_port("127.0.0.1"), free_port("127.0.0.1")
    plain, tls = (f"127.0.0.1:{free_port('127.0.0.1')}", f"127.0.0.1:{port}")
    if not over_tls:
        plain, tls = tls, "off"
    command = [
        binary, "standalone", "--manifests", manifests, "--workers", "1", "--access-log", "off",
        "--http-listen", plain, "--https-listen", tls, "--admin-listen", f"127.0.0.1:{admin}",
    ]  # fmt: skip
    return Subject("holdfast", port, command, folder, cpu)


def start_relay(programs, folder, echo_port, cpu):
    port = free_port("127.0.0.1")
    command = [programs / "bench_relay", f"127.0.0.1:{port}", f"{ECHO_HOST}:{echo_port}"]
    return Subject("relay", port, command, folder, cpu)


def find_program(name):
    """None where it is not installed."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def start_nginx(folder, echo_port, cpu, certificate=None):
    """None where nginx is not installed. `certificate`: paths of (certificate, key), for TLS."""
    program = find_program("nginx")
    if not program:
        return None
    port = free_port("127.0.0.1")
    config = folder / "nginx.conf"
    tls = {"tls": "", "certificate": ""}
    if certificate:
        tls = {"tls": "ssl", "certificate": NGINX_TLS.format(*certificate)}
    config.write_text(
        NGINX.format(folder=folder, listen=port, host=ECHO_HOST, port=echo_port, **tls)
    )
    return Subject("nginx", port, [program, "-e", folder / "error.log", "-c", config], folder, cpu)
