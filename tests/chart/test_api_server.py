"""Goal: whatever values make of the chart, a real API server takes it, and admits its pods.

Method: a dry run of every object, and of a pod of every template in a namespace of the Pod Security
level `restricted`. Kinds of the Prometheus operator are there as far as the chart uses them.
"""

import pathlib

import pytest
import yaml
from api_server import ApiError
from helm import NAMESPACE
from holdfast_test.process import wait_until
from values_matrix import MATRIX, pod_templates

CRDS = pathlib.Path(__file__).parent / "crds.yaml"
RESTRICTED = "restricted"
# What uses the node's ports is what `restricted` is there to refuse.
UNRESTRICTED = [
    name for name in MATRIX
    if MATRIX[name].get("hostNetwork") or MATRIX[name].get("hostPorts", {}).get("enabled")
]  # fmt: skip


def namespace(name, labels=None):
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


@pytest.fixture(scope="module")
def cluster(server):
    server.kubectl("apply", "-f", str(CRDS))
    level = {
        f"pod-security.kubernetes.io/{mode}": RESTRICTED for mode in ("enforce", "warn", "audit")
    }
    server.api.apply(namespace(NAMESPACE), namespace("team-a"), namespace(RESTRICTED, level))
    path = "/apis/monitoring.coreos.com/v1"

    def known():
        try:
            return len(server.api.request("GET", path)["resources"]) == 3
        except ApiError:
            return False

    wait_until(known, "the operator's kinds to be served")
    return server


@pytest.mark.parametrize("case", MATRIX)
def test_every_object_is_taken(helm, cluster, case):
    """Unknown fields are refused too. Each object says its namespace itself."""
    text = helm.render(MATRIX[case])
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)


def create(cluster, template):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "one"},
        "spec": template["spec"],
    }
    path = f"/api/v1/namespaces/{RESTRICTED}/pods?dryRun=All&fieldValidation=Strict"
    return cluster.api.request("POST", path, pod)


@pytest.mark.parametrize("case", MATRIX)
def test_pods_are_admitted_where_only_restricted_ones_are(helm, cluster, case):
    for _, template in pod_templates(helm.objects(MATRIX[case])):
        if case in UNRESTRICTED:
            with pytest.raises(ApiError, match="violates PodSecurity"):
                create(cluster, template)
        else:
            create(cluster, template)


def test_the_plain_manifests_are_taken(cluster):
    folder = CRDS.parents[2] / "deploy/manifests"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for path in files:
        kinds = {item["kind"] for item in yaml.safe_load_all(path.read_text()) if item}
        assert kinds & {"Deployment", "DaemonSet"}
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
