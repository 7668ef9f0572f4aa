"""A real etcd and a real kube-apiserver in a network namespace of this process's own.

enter_namespace() moves the calling process into a fresh network namespace without a way out:
10.200.0.1 is the node, every 10.244.x.y can be bound and stands for a pod. Children inherit it, and
it is gone with the last of them.
"""

import ctypes
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import urllib.parse

from holdfast_test.process import ROOT, wait_until

NODE = "10.200.0.1"
PORT = 6443
TOKEN = "test-admin-token"
CLONE_NEWNET = 0x40000000
START_SECONDS = 120

PATHS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Service": ("/api/v1", "services", True),
    "Endpoints": ("/api/v1", "endpoints", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Secret": ("/api/v1", "secrets", True),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices", True),
    "Ingress": ("/apis/networking.k8s.io/v1", "ingresses", True),
    "IngressClass": ("/apis/networking.k8s.io/v1", "ingressclasses", False),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
}


def enter_namespace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare: the cluster tests need root")
    for command in (
        "ip link set lo up",
        "ip link add br0 type bridge",
        f"ip addr add {NODE}/24 dev br0",
        "ip link set br0 up",
        "ip route add local 10.244.0.0/16 dev lo",
    ):
        subprocess.run(command.split(), check=True)


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:500]}")
        self.status = status


class Api:
    """A client that writes objects. A request whose connection breaks is sent once more: all are
    idempotent."""

    def __init__(self, ca_file):
        self._ca_file = ca_file
        self._connection = None

    def request(self, method, path, body=None, content_type="application/json", token=TOKEN):
        try:
            return self._request(method, path, body, content_type, token)
        except (OSError, http.client.HTTPException):
            return self._request(method, path, body, content_type, token)

    def _request(self, method, path, body, content_type, token):
        if self._connection is None:
            context = ssl.create_default_context(cafile=self._ca_file)
            self._connection = http.client.HTTPSConnection(NODE, PORT, context=context, timeout=30)
        try:
            self._connection.request(
                method, path, body=json.dumps(body) if body is not None else None,
                headers={"Authorization": f"Bearer {token}", "Content-Type": content_type},
            )  # fmt: skip
            response = self._connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise
        if response.status >= 400:
            raise ApiError(response.status, text)
        return json.loads(text) if text.startswith("{") else text

    def _path(self, kind, name, namespace):
        prefix, plural, namespaced = PATHS[kind]
        place = f"/namespaces/{namespace}" if namespaced else ""
        return f"{prefix}{place}/{plural}/{urllib.parse.quote(name)}"

    def apply(self, *objects):
        """Server-side apply: creates, or changes to exactly this. Returns the last as it is now."""
        answer = None
        for item in objects:
            metadata = item["metadata"]
            path = self._path(item["kind"], metadata["name"], metadata.get("namespace", "default"))
            answer = self.request(
                "PATCH", f"{path}?fieldManager=tests&force=true", item,
                "application/apply-patch+yaml",
            )  # fmt: skip
        return answer

    def delete(self, kind, name, namespace="default"):
        try:
            self.request("DELETE", self._path(kind, name, namespace))
        except ApiError as error:
            if error.status != 404:
                raise

    def accepts(self, token):
        """Whether the API server takes this token for somebody's."""
        try:
            self.request("GET", "/version", token=token)
        except ApiError as error:
            return error.status != 401
        return True

    def ready(self):
        try:
            return self.request("GET", "/readyz") == "ok"
        except (OSError, http.client.HTTPException, ApiError):
            return False


class ApiServer:
    """etcd and kube-apiserver, which tests may end and start as they like."""

    url = f"https://{NODE}:{PORT}"
    token = TOKEN

    def __init__(self, folder, *flags):
        """`flags`: more of them for kube-apiserver."""
        self._folder = pathlib.Path(folder)
        self._flags = flags
        built = subprocess.run(
            [ROOT / "tests/cluster/assets/build"], check=True, capture_output=True, text=True
        )
        self.assets = pathlib.Path(built.stdout.strip())
        self._log = open(self._folder / "servers.log", "ab")
        self._processes = {}
        self._write_credentials()
        self._start_etcd()
        self.start()
        self.api = Api(self.certificate)
        self.wait_ready()
        self.kubeconfig = self._folder / "kubeconfig"
        self.write_kubeconfig(self.kubeconfig, {"token": TOKEN})

    @property
    def certificate(self):
        """The API server's certificate, with the authority that signed it."""
        return self._folder / "certs/apiserver.crt"

    @property
    def signing_key(self):
        """Of service account tokens."""
        return self._folder / "sa.key"

    def _write_credentials(self):
        (self._folder / "tokens.csv").write_text(f'{TOKEN},admin,1,"system:masters"\n')
        key, public = self._folder / "sa.key", self._folder / "sa.pub"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-out", key], check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run(
            ["openssl", "pkey", "-in", key, "-pubout", "-out", public],
            check=True, capture_output=True,
        )  # fmt: skip

    def _spawn(self, name, *arguments):
        self._processes[name] = subprocess.Popen(
            [self.assets / name, *arguments],
            stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _start_etcd(self):
        self._spawn(
            "etcd", f"--data-dir={self._folder}/etcd", "--unsafe-no-fsync",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
        )  # fmt: skip

    def start(self):
        self._spawn(
            "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0",
            f"--secure-port={PORT}", f"--advertise-address={NODE}",
            "--endpoint-reconciler-type=none", f"--cert-dir={self._folder}/certs",
            f"--token-auth-file={self._folder}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._folder}/sa.pub",
            f"--service-account-signing-key-file={self._folder}/sa.key",
            "--authorization-mode=RBAC", "--anonymous-auth=false",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
            # Rows: W15. Those who speak HTTP/2 are sent away now and then.
            "--goaway-chance=0.02",
            # Rows: W16. Without it, SIGTERM waits a minute for watches to end.
            "--shutdown-watch-termination-grace-period=1s", *self._flags,
        )  # fmt: skip
        wait_until(self.certificate.exists, "the API server to make its certificate", START_SECONDS)

    def wait_ready(self):
        def ready():
            for name, process in self._processes.items():
                assert process.poll() is None, f"{name} exited: {self.log_end()}"
            return self.api.ready()

        wait_until(ready, "the API server to be ready", START_SECONDS)

    def log_end(self):
        return (self._folder / "servers.log").read_text()[-2000:]

    def write_kubeconfig(self, path, user, ca_file=None):
        """`user` as in users[].user of a kubeconfig."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{
                "name": "test",
                "cluster": {
                    "server": self.url,
                    "certificate-authority": str(ca_file or self.certificate),
                },
            }],
            "users": [{"name": "test", "user": user}],
        }  # fmt: skip
        path.write_text(json.dumps(config))

    def kubectl(self, *arguments, stdin=None):
        done = subprocess.run(
            [self.assets / "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin, capture_output=True, text=True,
            env={**os.environ, "HOME": str(self._folder)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _kill(self, name):
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def kill(self):
        """SIGKILL to the API server; etcd stays."""
        self._kill("kube-apiserver")

    def shut_down(self):
        """SIGTERM to the API server, which ends in order; etcd stays."""
        process = self._processes.pop("kube-apiserver")
        process.terminate()
        process.wait(START_SECONDS)

    def forget_certificate(self):
        """The next start() makes a certificate of another authority."""
        shutil.rmtree(self._folder / "certs")

    def compact(self):
        """What was before now is gone from etcd, as it is every five minutes elsewhere."""
        etcd = http.client.HTTPConnection("127.0.0.1", 2379, timeout=30)
        header = self._etcd(etcd, "/v3/kv/range", {"key": "AA=="})["header"]
        self._etcd(etcd, "/v3/kv/compaction", {"revision": header["revision"], "physical": True})
        etcd.close()

    @staticmethod
    def _etcd(connection, path, body):
        connection.request("POST", path, body=json.dumps(body))
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, text
        return json.loads(text)

    def back_up(self):
        """Keeps etcd's data as it is now, for restore()."""
        self._kill("etcd")
        shutil.rmtree(self._folder / "backup", ignore_errors=True)
        shutil.copytree(self._folder / "etcd", self._folder / "backup")
        self._start_etcd()
        self.wait_ready()

    def restore(self):
        """What back_up() kept is the truth again."""
        self.kill()
        self._kill("etcd")
        shutil.rmtree(self._folder / "etcd")
        shutil.copytree(self._folder / "backup", self._folder / "etcd")
        self._start_etcd()
        self.start()
        self.wait_ready()

    def stop(self):
        self.kill()
        self._kill("etcd")
        self._log.close()
