"""Goal: what a real Prometheus makes of a pod's metrics is right: alerts stay quiet, and the
dashboard's panels show the traffic that there was.

Method: Debian's Prometheus scrapes the pod that the chart made, with the chart's rules; a window
that holds all traffic makes of a rate the count.
"""

import http.client
import json
import subprocess
import urllib.parse

import pytest
import yaml
from client import WebSocket, wait_ready
from holdfast_test.metrics import get
from holdfast_test.process import wait_until
from objects import endpoint_slice, ingress, service
from release import Release
from test_monitoring import ALERTS, queries

HOST = "chat.test"
PORT = 9090
WINDOW_SECONDS = 600
VARIABLES = {
    "$namespace": ".*", "$ingress": ".*", "$__rate_interval": f"{WINDOW_SECONDS}s",
}  # fmt: skip
# An increase is extrapolated beyond its samples, by half of their distance at either end.
SAMPLES_LEAST = 50
TOLERANCE = 1.5 / SAMPLES_LEAST
MESSAGES = 5


class Prometheus:
    def __init__(self, folder, *targets):
        config = {
            "global": {"scrape_interval": "100ms", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "holdfast", "honor_labels": True,
                                "static_configs": [{"targets": list(targets)}]}],
        }  # fmt: skip
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = open(folder / "prometheus.log", "wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{PORT}"],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def get(self, path, **arguments):
        status, text = get(PORT, f"/api/v1/{path}?{urllib.parse.urlencode(arguments)}")
        answer = json.loads(text)
        assert status == 200 and answer["status"] == "success", text
        return answer["data"]

    def ready(self):
        try:
            return get(PORT, "/-/ready")[0] == 200
        except OSError:
            return False

    def query(self, query):
        """[(labels, value)]"""
        data = self.get("query", query=query)
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def value(self, query):
        """Of all series together."""
        return sum(value for _, value in self.query(query))

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._log.close()


def panel(prometheus, title):
    """{the labels' values: value} of a panel's first query; rates as counts."""
    query = next(query for name, query in queries() if name == title)
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    factor = WINDOW_SECONDS if "rate(" in query and "quantile" not in query else 1
    return {
        tuple(sorted(labels.values())): value * factor for labels, value in prometheus.query(query)
    }


def refuse(pod):
    """A page that may not."""
    connection = http.client.HTTPConnection(pod.address, pod.port("http"), timeout=10)
    connection.request("GET", "/", headers={
        "Host": HOST, "Connection": "Upgrade", "Upgrade": "websocket",
        "Origin": "https://evil.test", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    })  # fmt: skip
    assert connection.getresponse().status == 403
    connection.close()


def ask(pod, host, status):
    connection = http.client.HTTPConnection(pod.address, pod.port("http"), timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    assert connection.getresponse().status == status
    connection.close()


def talk(pod):
    socket = WebSocket(pod.port("http"), HOST, address=pod.address)
    for number in range(MESSAGES):
        socket.echo(f"message {number}")
    return socket


def traffic(pod, opened, closed, refused, asked, lost):
    sockets = [talk(pod) for _ in range(opened)]
    for socket in sockets[:closed]:
        socket.close()
    for _ in range(refused):
        refuse(pod)
    for _ in range(asked):
        ask(pod, HOST, 200)
    for _ in range(lost):
        ask(pod, "nobody.test", 404)
    return sockets[closed:]


def about(count):
    return pytest.approx(count, rel=TOLERANCE)


def test_known_traffic(helm, server, backends, started, tmp_path):
    server.api.apply(
        service("chat"), endpoint_slice("chat", backends.addresses),
        ingress("chat", HOST, {"/": ("chat", 80)},
                {"holdfast.dev/allowed-origins": "same-origin",
                 "holdfast.dev/missing-origin": "allow"}),
    )  # fmt: skip
    release = started(Release(helm, server))
    release.install({})
    pod = started(release.pod(tmp_path)).start_all()
    wait_ready(pod.port("admin"), pod.address)
    targets = [f"{pod.address}:{pod.port(name)}" for name in ("admin", "admin-control")]
    prometheus = started(Prometheus(tmp_path, *targets))
    wait_until(prometheus.ready, "Prometheus")
    # Once of everything: the first of a kind makes its series, of which a rate sees nothing.
    traffic(pod, 1, 1, 1, 1, 1)
    seen = [
        "holdfast_websocket_closes_total", 'holdfast_upgrades_total{result="refused"}',
        "holdfast_http_requests_total", "holdfast_unrouted_requests_total",
    ]  # fmt: skip
    wait_until(lambda: all(prometheus.value(query) == 1 for query in seen), "the first of each")

    kept = traffic(pod, 4, 1, 2, 3, 1)
    wait_until(
        lambda: [prometheus.value(query) for query in seen] == [2, 3, 4, 2], "the rest of them"
    )
    counted = '{__name__=~"holdfast_(upgrades|websocket_closes|http_requests)_total"}'
    samples = f"min(count_over_time({counted}[{WINDOW_SECONDS}s]))"
    wait_until(lambda: prometheus.value(samples) > SAMPLES_LEAST, "enough samples")
    assert [target["health"] for target in prometheus.get("targets")["activeTargets"]] == ["up"] * 2

    proxy = targets[0]
    assert panel(prometheus, "WebSockets open, by Ingress") == {("chat", "default"): 3}
    assert panel(prometheus, "Clients' connections, by instance") == {(proxy,): len(kept)}
    handshakes = panel(prometheus, "Handshakes, by result")
    assert handshakes == {("opened",): about(4), ("refused",): about(2)}
    (reason,) = [v for v in panel(prometheus, "Refused, by reason").values() if v]
    assert reason == about(2)
    assert sum(panel(prometheus, "Who closes them, and why").values()) == about(1)
    # Each is greeted with the pod's address.
    assert panel(prometheus, "Messages") == {
        ("upstreamward",): about(4 * MESSAGES), ("downstreamward",): about(4 * (MESSAGES + 1)),
    }  # fmt: skip
    asked = {key: v for key, v in panel(prometheus, "Plain requests, by status").items() if v}
    assert asked == {("2xx",): about(3)}
    assert panel(prometheus, "Connected") == {(proxy,): 1}
    assert all(0 < v < 10 for v in panel(prometheus, "How long a handshake takes").values())
    assert set(panel(prometheus, "CPU")) == {(target,) for target in targets}

    for title, query in queries():
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)
        prometheus.query(query)
    (group,) = prometheus.get("rules")["groups"]
    wait_until(
        lambda: all(r["health"] == "ok" for r in prometheus.get("rules")["groups"][0]["rules"]),
        "every rule to be evaluated",
    )
    firing = {rule["name"] for rule in group["rules"] if rule["state"] == "firing"}
    assert not firing
