"""Goal: deploy/example works as written, with what the chart installs by default.

Method: its own script puts it into the cluster; its container's command runs on the files of its
ConfigMap.
"""

import asyncio
import base64
import os
import ssl
import subprocess

import websockets
from client import wait_ready
from holdfast_test.process import ROOT, wait_until
from objects import endpoint_slice
from release import Release

HOST = "chat.example.com"
# Every such address is one of this namespace.
POD = "10.244.9.9"
PATIENCE_SECONDS = 20


class Applied:
    """What the example's script has put into the cluster, which serves it until stop()."""

    def __init__(self, server, folder):
        self._server = server
        self._environment = {
            **os.environ,
            "PATH": f"{server.assets}:{os.environ['PATH']}",
            "HOME": str(folder),
        }
        # The second time, everything is there.
        for _ in range(2):
            subprocess.run(
                [ROOT / "deploy/example/apply", "--kubeconfig", server.kubeconfig],
                check=True, env=self._environment,
            )  # fmt: skip

    def stop(self):
        self._server.api.delete("Ingress", "chat", "chat")


class Backend:
    """The example's container: its command and arguments, on the files of its ConfigMap."""

    def __init__(self, server, folder):
        template = server.api.request("GET", "/apis/apps/v1/namespaces/chat/deployments/chat")
        (container,) = template["spec"]["template"]["spec"]["containers"]
        program = server.api.request("GET", "/api/v1/namespaces/chat/configmaps/chat-program")
        for name, text in program["data"].items():
            (folder / name).write_text(text)
        (mount,) = container["volumeMounts"]
        python, script = container["command"]
        script = script.replace(mount["mountPath"], str(folder))
        arguments = [text.replace("$(POD_NAME)", "chat-0") for text in container["args"]]
        self._process = subprocess.Popen([f"/usr/bin/{python}", script, *arguments])

    def stop(self):
        self._process.kill()
        self._process.wait()


def say(address, port, certificate, text):
    async def talk():
        context = ssl.create_default_context(cadata=certificate)
        async with websockets.connect(
            f"wss://{HOST}/chat", host=address, port=port, ssl=context, server_hostname=HOST
        ) as socket:
            assert "on chat-0" in await socket.recv()
            await socket.send(text)
            return await socket.recv()

    return asyncio.run(asyncio.wait_for(talk(), PATIENCE_SECONDS))


def test_the_example_works(helm, server, started, tmp_path):
    release = started(Release(helm, server))
    release.install({})
    release.give_address("192.0.2.82")
    started(Applied(server, tmp_path))
    started(Backend(server, tmp_path))
    pods = endpoint_slice("chat", [POD], 8000, "http")
    pods["metadata"]["namespace"] = "chat"
    server.api.apply(pods)
    pod = started(release.pod(tmp_path)).start_all()
    wait_ready(pod.port("admin"), pod.address)

    kept = server.api.request("GET", "/api/v1/namespaces/chat/secrets/chat-certificate")["data"]
    certificate = base64.b64decode(kept["tls.crt"]).decode()

    def heard():
        try:
            return say(pod.address, pod.port("https"), certificate, "ahoy")
        except (ssl.SSLError, OSError, websockets.InvalidStatusCode):
            return None

    assert "ahoy" in wait_until(heard, "the chat")
    status = ("get", "ingress", "chat", "-n", "chat")
    wait_until(lambda: "192.0.2.82" in server.kubectl(*status), "the address")
    assert "Warning" not in server.kubectl("describe", "ingress", "chat", "-n", "chat")
