"""Goal: a proxy that starts while its controller is away serves what it served last.

Method: controller and proxy as two processes, both ended by SIGKILL; then the proxy alone.
"""

from holdfast_test.edge import Manifests, objects_for
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.peers import Backend, connect, echo_websocket, frame, handshake, take_frame
from holdfast_test.process import Holdfast, wait_until


def start_controller(folder, path):
    return Holdfast(
        "controller", "--manifests", folder, "--discovery-listen", f"unix:{path}",
        "--admin-listen", "127.0.0.1:0",
    )  # fmt: skip


def start_proxy(path, state, *flags):
    return Holdfast(
        "proxy", "--discovery", f"unix:{path}", "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--state-folder", state, *flags,
    )  # fmt: skip


def is_ready(holdfast):
    return get(holdfast.port("admin"), "/readyz")[0] == 200


def open_websocket(holdfast, host):
    client = connect(holdfast.port("http"))
    client.send(handshake(host))
    assert client.take_head().status == 101
    return client


def echoes(client, text):
    client.send(frame(text, masked=True))
    assert take_frame(client)[1] == text


def test_a_proxy_without_its_controller_serves_its_last_state(tmp_path):
    (tmp_path / "manifests").mkdir()
    manifests = Manifests(tmp_path / "manifests")
    path, state = tmp_path / "discovery", tmp_path / "state"
    first, second = Backend(echo_websocket), Backend(echo_websocket)
    started = []
    try:
        manifests.write("a", objects_for("a", "a.test", [first.endpoint], ["/"], {}))
        manifests.write("b", objects_for("b", "b.test", [first.endpoint], ["/"], {}))
        controller = start_controller(manifests.folder, path)
        proxy = start_proxy(path, state)
        started += [controller, proxy]
        wait_until(lambda: is_ready(proxy), "readiness")
        echoes(open_websocket(proxy, "a.test"), b"before")
        version = scrape(proxy.port("admin")).value("holdfast_snapshot_version")
        manifests.write("a", objects_for("a", "a.test", [second.endpoint], ["/"], {}))
        wait_for_value(proxy.port("admin"), version + 1, "holdfast_snapshot_version")
        manifests.remove("b")
        wait_for_value(proxy.port("admin"), version + 2, "holdfast_snapshot_version")
        controller.kill()
        proxy.kill()
        first.stop()

        alone = start_proxy(path, state)
        started.append(alone)
        wait_until(lambda: is_ready(alone), "readiness without a controller")
        client = open_websocket(alone, "a.test")
        echoes(client, b"alone")
        gone = connect(alone.port("http"))
        gone.send(handshake("b.test"))
        assert gone.take_head().status == 404
        assert scrape(alone.port("admin")).value("holdfast_discovery_connected") == 0

        successor = start_controller(manifests.folder, path)
        started.append(successor)
        wait_for_value(alone.port("admin"), 1, "holdfast_discovery_connected")
        wait_for_value(alone.port("admin"), 1, "holdfast_discovery_transactions_applied_total")
        # Nothing had changed, so nothing was sent.
        sent = scrape(successor.port("admin")).value("holdfast_discovery_resources_sent_total")
        assert sent == 0
        echoes(client, b"and with a controller again")
    finally:
        for holdfast in started:
            if holdfast.process.poll() is None:
                assert holdfast.stop() == 0
        first.stop()
        second.stop()


def test_a_damaged_state_is_told_and_does_not_keep_a_proxy_from_starting(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "state").write_bytes(b"\xff" * 1000)
    proxy = start_proxy(tmp_path / "nobody", state)
    try:
        assert not is_ready(proxy)
        assert "the state file ends early or is damaged" in proxy.log_text()
    finally:
        assert proxy.stop() == 0


def test_a_state_folder_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "state").write_text("")
    proxy = start_proxy(tmp_path / "nobody", tmp_path / "state")
    assert proxy.wait() == 1
    assert f"the state folder {tmp_path}/state cannot be used" in proxy.log_text()
