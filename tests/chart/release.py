"""A release of the chart on the API server, and its pods: made of the templates that are stored
there, as the controllers of a real cluster would."""

import json

from helm import CHART, NAMESPACE, RELEASE
from kubelet import Pod

NAME = "edge-holdfast"


class Release:
    def __init__(self, helm, server, name=RELEASE, namespace=NAMESPACE):
        self._helm = helm
        self._server = server
        self.name = name
        self.namespace = namespace

    def _run(self, *arguments):
        return self._helm.must(
            *arguments, "--namespace", self.namespace, kubeconfig=self._server.kubeconfig
        )

    def install(self, values):
        return self._run(
            "install", self.name, CHART, "--create-namespace", "-f", self._helm.values_file(values)
        )

    def upgrade(self, values):
        return self._run("upgrade", self.name, CHART, "-f", self._helm.values_file(values))

    def rollback(self, revision):
        return self._run("rollback", self.name, str(revision))

    def uninstall(self):
        return self._run("uninstall", self.name)

    def stop(self):
        self._helm.run(
            "uninstall", self.name, "--namespace", self.namespace, "--ignore-not-found",
            kubeconfig=self._server.kubeconfig,
        )  # fmt: skip

    def get(self, kind, name=None, namespace=None):
        """The objects of that kind, or one."""
        place = ["-n", namespace or self.namespace]
        named = [name] if name else ["-l", f"app.kubernetes.io/instance={self.name}"]
        answer = json.loads(self._server.kubectl("get", kind, *named, *place, "-o", "json"))
        return answer if name else answer["items"]

    def give_address(self, address):
        """As a cloud would, to the chart's Service."""
        self._server.api.request(
            "PATCH", f"/api/v1/namespaces/{self.namespace}/services/{NAME}/status",
            {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}},
            "application/merge-patch+json",
        )  # fmt: skip

    def template(self, kind="deployment", name=NAME):
        return self.get(kind, name)["spec"]["template"]

    def pod(self, folder, kind="deployment", name=NAME):
        """Not started yet."""
        return Pod(self._server, self.namespace, self.template(kind, name), folder)
