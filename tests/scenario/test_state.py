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


def shake(holdfast, host, path="/"):
    """(client, status) of a handshake."""
    client = connect(holdfast.port("http"))
    client.send(handshake(host, path))
    return client, client.take_head().status


def open_websocket(holdfast, host, path="/"):
    client, status = shake(holdfast, host, path)
    assert status == 101
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
        assert shake(alone, "b.test")[1] == 404
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


def test_what_changed_while_both_were_away_is_caught_up_on(tmp_path):
    """A path that moved, an Ingress that is gone, and one that is new; in the state folder, too."""
    (tmp_path / "manifests").mkdir()
    manifests = Manifests(tmp_path / "manifests")
    path, state = tmp_path / "discovery", tmp_path / "state"
    backend = Backend(echo_websocket)
    started = []

    def write(name, paths):
        host = f"{name}.test"
        manifests.write(name, objects_for(name, host, [backend.endpoint], paths, {}))

    def begin(holdfast):
        started.append(holdfast)
        return holdfast

    try:
        write("moved", ["/old"])
        write("gone", ["/"])
        controller = begin(start_controller(manifests.folder, path))
        proxy = begin(start_proxy(path, state))
        wait_until(lambda: is_ready(proxy), "readiness")
        controller.kill()
        proxy.kill()
        write("moved", ["/new"])
        manifests.remove("gone")
        write("made", ["/"])

        proxy = begin(start_proxy(path, state))
        wait_until(lambda: is_ready(proxy), "readiness without a controller")
        places = [
            ("moved.test", "/old"), ("gone.test", "/"), ("moved.test", "/new"), ("made.test", "/"),
        ]  # fmt: skip
        assert [shake(proxy, *place)[1] for place in places] == [101, 101, 404, 404]
        clients = [open_websocket(proxy, "moved.test", "/old"), open_websocket(proxy, "gone.test")]
        controller = begin(start_controller(manifests.folder, path))
        wait_for_value(proxy.port("admin"), 1, "holdfast_discovery_transactions_applied_total")
        assert [shake(proxy, *place)[1] for place in places] == [404, 404, 101, 101]
        for client in clients:
            echoes(client, b"still here")

        controller.kill()
        proxy.kill()
        proxy = begin(start_proxy(path, state))
        wait_until(lambda: is_ready(proxy), "readiness with what was caught up on")
        assert [shake(proxy, *place)[1] for place in places] == [404, 404, 101, 101]
    finally:
        for holdfast in started:
            if holdfast.process.poll() is None:
                assert holdfast.stop() == 0
        backend.stop()


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
