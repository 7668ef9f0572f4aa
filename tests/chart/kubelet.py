"""What a node does of a Pod, as far as Holdfast can tell: its network, its volumes, its containers.

A container gets exactly the Pod's args, environment, user, mounts and token, nothing of the test's.
"""

import base64
import os
import pathlib
import subprocess

from api_server import NODE, PORT
from holdfast_test.process import BINARY, ROOT, Holdfast, wait_until

CONTAINER = ROOT / "tests/chart/container"
# Pods that run here are on the node's bridge, from this address on.
FIRST_ADDRESS = 16


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


class Network:
    """A network namespace with one address on the node's bridge."""

    def __init__(self, number, sysctls):
        self.address = f"10.200.0.{FIRST_ADDRESS + number}"
        # Whose namespace it is; gone with it.
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        there = f"/proc/{self._holder.pid}/ns/net"
        wait_until(
            lambda: os.readlink(there) != os.readlink("/proc/self/ns/net"), "the pod's namespace"
        )
        self.prefix = ["nsenter", f"--net={there}"]
        near, far = f"pod{number}", "eth0"
        run("ip", "link", "add", near, "type", "veth", "peer", "name", f"far{number}")
        run("ip", "link", "set", f"far{number}", "netns", self._holder.pid)
        run("ip", "link", "set", near, "master", "br0", "up")
        run(*self.prefix, "ip", "link", "set", f"far{number}", "name", far)
        run(*self.prefix, "ip", "addr", "add", f"{self.address}/24", "dev", far)
        run(*self.prefix, "ip", "link", "set", "lo", "up")
        run(*self.prefix, "ip", "link", "set", far, "up")
        run(*self.prefix, "ip", "route", "add", "default", "via", NODE)
        for sysctl in sysctls:
            run(*self.prefix, "sysctl", "-qw", f"{sysctl['name']}={sysctl['value']}")

    def stop(self):
        self._holder.kill()
        self._holder.wait()


class Container(Holdfast):
    """One that runs. It is waited for by its pod's admin ports, as probes do."""


class Pod:
    """`template`: the pod template as the API server has it, which its containers find at
    `api_port` of the node."""

    count = 0

    def __init__(self, server, namespace, template, folder, api_port=PORT):
        Pod.count += 1
        self._server = server
        self._namespace = namespace
        self._template = template
        self._api_port = api_port
        self.spec = template["spec"]
        self._folder = pathlib.Path(folder) / f"pod-{Pod.count}"
        self._folder.mkdir()
        security = self.spec["securityContext"]
        self.network = Network(Pod.count, security.get("sysctls", []))
        self.address = self.network.address
        self._volumes = {volume["name"]: self._volume(volume) for volume in self.spec["volumes"]}
        self.containers = {}
        # dnsPolicy: ClusterFirst.
        domains = " ".join(f"{part}cluster.local" for part in (f"{namespace}.svc.", "svc.", ""))
        self._resolver = self._folder / "resolv.conf"
        self._resolver.write_text(f"nameserver {NODE}\nsearch {domains}\noptions ndots:5\n")

    def _own(self, path, mode):
        """As fsGroup does it."""
        os.chown(path, 0, self.spec["securityContext"]["fsGroup"])
        os.chmod(path, mode)

    def _volume(self, volume):
        folder = self._folder / "volumes" / volume["name"]
        folder.mkdir(parents=True)
        self._own(folder, 0o2777)
        for name, (content, mode) in self._files(volume).items():
            (folder / name).write_bytes(content)
            self._own(folder / name, mode)
        return folder

    def _files(self, volume):
        if "emptyDir" in volume:
            return {}
        if "secret" in volume:
            source = volume["secret"]
            secret = self._get("secrets", source["secretName"])
            return {
                name: (base64.b64decode(value), source["defaultMode"])
                for name, value in secret["data"].items()
            }
        (kind,) = set(volume) - {"name"}
        assert kind == "projected", volume
        mode = volume["projected"]["defaultMode"]
        files = {}
        for source in volume["projected"]["sources"]:
            files.update({name: (text, mode) for name, text in self._projected(source).items()})
        return files

    def _projected(self, source):
        if "serviceAccountToken" in source:
            wanted = source["serviceAccountToken"]
            return {wanted["path"]: self.token(wanted["expirationSeconds"]).encode()}
        if "downwardAPI" in source:
            return {
                item["path"]: self._field(item["fieldRef"]["fieldPath"]).encode()
                for item in source["downwardAPI"]["items"]
            }
        # The controller manager, which does not run here, copies it into every namespace.
        assert source["configMap"]["name"] == "kube-root-ca.crt", source
        return {"ca.crt": pathlib.Path(self._server.certificate).read_bytes()}

    def _get(self, plural, name):
        return self._server.api.request(
            "GET", f"/api/v1/namespaces/{self._namespace}/{plural}/{name}"
        )

    def token(self, seconds):
        """One that the API server issues for the pod's account."""
        account = self.spec["serviceAccountName"]
        answer = self._server.api.request(
            "POST",
            f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds},
            },
        )
        return answer["status"]["token"]

    def _field(self, path):
        if path.startswith("metadata.labels['"):
            return self._template["metadata"]["labels"].get(path.split("'")[1], "")
        return {
            "metadata.namespace": self._namespace,
            "metadata.name": self._folder.name,
            "status.podIP": self.address,
        }[path]

    def _environment(self, container):
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME": self._folder.name,
            "KUBERNETES_SERVICE_HOST": NODE,
            "KUBERNETES_SERVICE_PORT": str(self._api_port),
        }
        for variable in container.get("env", []):
            if "value" in variable:
                variables[variable["name"]] = variable["value"]
            elif "valueFrom" in variable:
                path = variable["valueFrom"]["fieldRef"]["fieldPath"]
                variables[variable["name"]] = self._field(path)
        return [f"{name}={value}" for name, value in variables.items()]

    def start(self, name):
        """Starts the container of that name, anew when it has ended."""
        (container,) = [item for item in self.spec["containers"] if item["name"] == name]
        pod, own = self.spec["securityContext"], container["securityContext"]
        assert own["readOnlyRootFilesystem"] and own["capabilities"] == {"drop": ["ALL"]}
        assert own["allowPrivilegeEscalation"] is False
        mounts = [
            f"{self._volumes[mount['name']]}:{mount['mountPath']}:"
            + ("ro" if mount.get("readOnly") else "rw")
            for mount in container["volumeMounts"]
        ]
        mounts.append(f"{self._resolver}:/etc/resolv.conf:ro")
        root = self._folder / f"root-{name}"
        root.mkdir(exist_ok=True)
        prefix = [
            *self.network.prefix, "unshare", "--mount", "--propagation", "private", CONTAINER,
            root, BINARY, pod["runAsUser"], f"{pod['runAsGroup']},{pod['fsGroup']}", *mounts, "--",
            "env", "-i", *self._environment(container),
        ]  # fmt: skip
        self.containers[name] = Container(
            *container["args"], prefix=[str(part) for part in prefix], binary="/usr/bin/holdfast"
        )
        return self.containers[name]

    def start_all(self):
        for container in self.spec["containers"]:
            self.start(container["name"])
        return self

    def port(self, name):
        """The number of a container's port."""
        (port,) = [
            port["containerPort"]
            for container in self.spec["containers"]
            for port in container["ports"]
            if port["name"] == name
        ]
        return port

    def stop(self):
        for container in self.containers.values():
            container.stop()
        self.network.stop()
