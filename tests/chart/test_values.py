"""Goal: what is wrong with values is said before anything reaches a cluster; what is right renders.

Method: helm and the binary alone; no API server.
"""

import re
import subprocess

import pytest
import yaml
from helm import CHART, NAMESPACE, RELEASE
from holdfast_test.process import BINARY, ROOT
from values_matrix import MATRIX, NODE_PORTS, SPLIT, pod_templates

EXIT_USAGE = 64


def test_lint(helm):
    helm.must("lint", "--strict", CHART)
    for values in MATRIX.values():
        helm.must("lint", "--strict", CHART, "-f", helm.values_file(values))


def test_one_version():
    """Of chart, image and binary: CMakeLists.txt says it."""
    cmake = (ROOT / "CMakeLists.txt").read_text()
    version = re.search(r"project\(holdfast VERSION (\S+) ", cmake)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == version
    said = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"holdfast {version}\n"


def test_the_values_reference_is_current():
    done = subprocess.run(
        [ROOT / "deploy/values-reference", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_plain_manifests_are_current(helm, tmp_path):
    subprocess.run(
        [ROOT / "deploy/render", tmp_path], check=True, env={"PATH": "/usr/bin:/bin",
                                                            "HELM": str(helm.program)},
    )  # fmt: skip
    kept = ROOT / "deploy/manifests"
    names = sorted(path.name for path in kept.glob("*.yaml"))
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        current = (tmp_path / name).read_text()
        assert (kept / name).read_text() == current, f"{name}: run deploy/render"


def test_the_schema_knows_every_value_and_no_other():
    """As the API server's structs do: a key that is not there is a typing error."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def known(node, value, path):
        node = schema["definitions"][node["$ref"].split("/")[-1]] if "$ref" in node else node
        if "properties" not in node:
            return
        assert node["additionalProperties"] is False, path
        if not path.endswith(".resources"):
            assert set(node["properties"]) - {"global"} == set(value), path
        for key, inner in node["properties"].items():
            if key in value:
                known(inner, value[key], f"{path}.{key}")

    known(schema, values, "")


SCHEMA_REFUSES = {
    "an unknown value": ({"replicas": 3}, "replicas"),
    "a typing error inside": ({"service": {"typ": "NodePort"}}, "typ"),
    "a typing error deep inside": ({"metrics": {"podMonitor": {"enable": True}}}, "enable"),
    "an unknown mode": ({"mode": "double"}, "'pair', 'single', 'split'"),
    "a kind that cannot be": ({"kind": "StatefulSet"}, "/kind"),
    "a word for a number": ({"replicaCount": "many"}, "/replicaCount"),
    "a word for a truth": ({"hostNetwork": "yes"}, "/hostNetwork"),
    "a port that cannot be": ({"ports": {"http": 70000}}, "/ports/http"),
    "a name that cannot be": ({"fullnameOverride": "Edge_1"}, "/fullnameOverride"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "/image/digest"),
    "a flag that is none": ({"proxy": {"extraArgs": ["verbose"]}}, "/proxy/extraArgs"),
    "a selector that is none": ({"watch": {"labelSelector": "a=b;c"}}, "/watch/labelSelector"),
    "a namespace twice": ({"watch": {"namespaces": ["a", "a"]}}, "/watch/namespaces"),
    "no address": ({"listenAddresses": []}, "/listenAddresses"),
    "an IPv6 address without brackets": ({"listenAddresses": ["::"]}, "/listenAddresses"),
    "a ConfigMap without its namespace": ({"defaultsConfigMap": "settings"}, "/defaultsConfigMap"),
    "a size that is none": ({"proxy": {"state": {"sizeLimit": "a lot"}}}, "/proxy/state/sizeLimit"),
    "a setting with a prefix": ({"defaults": {"holdfast.dev/idle-timeout": "1h"}},
                              "does not match pattern"),
}  # fmt: skip


@pytest.mark.parametrize("case", SCHEMA_REFUSES)
def test_the_schema_refuses(helm, case):
    values, said = SCHEMA_REFUSES[case]
    refusal = helm.refusal(values)
    assert "don't meet the specifications of the schema" in refusal
    assert said in refusal


CONTRADICTIONS = {
    "split without certificates": ({"mode": "split"}, "name the two Secrets"),
    "split that lets nobody in": (
        {**SPLIT, "discovery": {**SPLIT["discovery"], "allow": []}}, "list the DNS name or URI"),
    "certificates without split": ({"discovery": SPLIT["discovery"]}, "set mode: split"),
    "a scaled DaemonSet": (
        {"kind": "DaemonSet", "autoscaling": {"enabled": True}}, "choose one of the two"),
    "two pods on one node's ports": (
        {"kind": "DaemonSet", "hostPorts": {"enabled": True}}, "set rollout.maxSurge: 0"),
    "a rollout that cannot go on": ({"rollout": {"maxSurge": 0}}, "set one of them to 1"),
    "fewer at most than at least": (
        {"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 3}}, "raise the one"),
    "nothing to scale by": (
        {"autoscaling": {"enabled": True, "cpuPercent": 0}}, "set autoscaling.cpuPercent or"),
    "per cent of nothing": (
        {"autoscaling": {"enabled": True}, "proxy": {"resources": {"requests": {"cpu": None}}}},
        "set proxy.resources.requests.cpu"),
    "a budget that lets nothing go": (
        {"podDisruptionBudget": {"minAvailable": 2}}, "lower it, or have more pods"),
    "a budget of none": ({"podDisruptionBudget": {"maxUnavailable": 0}}, "set it to 1"),
    "the node's ports twice": (
        {**NODE_PORTS, "hostNetwork": True, "hostPorts": {"enabled": True}},
        "take hostPorts.enabled away"),
    "a low port": ({"ports": {"http": 80}}, "set lowPorts: pod"),
    "the pod's sysctl of the node": (
        {**NODE_PORTS, "hostNetwork": True, "lowPorts": "pod", "ports": {"http": 80}},
        "and lowPorts: node"),
    "low ports that are high": ({"lowPorts": "pod"}, "take lowPorts away"),
    "one port for two": ({"ports": {"http": 8443}}, "give each its own"),
    "nobody to believe": ({"proxyProtocol": {"enabled": True}}, "list the load balancer's"),
    "two places for defaults": (
        {"defaults": {"idle-timeout": "1h"}, "defaultsConfigMap": "a/b"}, "into that ConfigMap"),
    "servers for names that are not served": (
        {"externalNames": {"dnsServers": ["10.0.0.1:53"]}}, "set externalNames.allow: true"),
    "a certificate out of sight": (
        {"defaultCertificate": "b/c", "watch": {"namespaces": ["a"]}}, "add its namespace there"),
    "a backend out of sight": (
        {"defaultBackend": "b/c:80", "watch": {"namespaces": ["a"]}}, "add its namespace there"),
    "a load balancer's class": (
        {"service": {"type": "NodePort", "loadBalancerClass": "a/b"}}, "take the class away"),
    "a load balancer's ranges": (
        {"service": {"type": "NodePort", "loadBalancerSourceRanges": ["10.0.0.0/8"]}},
        "take the ranges away"),
    "a node's port of no node": (
        {"service": {"type": "ClusterIP", "nodePorts": {"http": 30000}}}, "take the ports away"),
    "roles for everybody": ({"serviceAccount": {"create": False}}, "name an account"),
    "a probe by a program": (
        {"proxy": {"livenessProbe": {"exec": {"command": ["true"]}}}}, "httpGet or tcpSocket"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions(helm, case):
    values, advice = CONTRADICTIONS[case]
    refusal = helm.refusal(values)
    assert "_checks.tpl" in refusal or "workload.yaml" in refusal, refusal
    assert advice in refusal


@pytest.mark.parametrize("case", MATRIX)
def test_the_binary_takes_every_flag(helm, case):
    """Flags are parsed before an address is looked at: only the one that was spoilt is refused."""
    for _, template in pod_templates(helm.objects(MATRIX[case])):
        for container in template["spec"]["containers"]:
            spoilt = [
                "--admin-listen=nowhere:1" if flag.startswith("--admin-listen=") else flag
                for flag in container["args"]
            ]
            assert spoilt != container["args"]
            done = subprocess.run([BINARY, *spoilt], capture_output=True, text=True)
            assert done.returncode == EXIT_USAGE, done.stderr
            assert 'holdfast: --admin-listen: "nowhere"' in done.stderr


NOTES = {
    "default": "get service edge-holdfast --watch",
    "node ports": "jsonpath='{.spec.ports[0].nodePort}'",
    "cluster ip": "port-forward service/edge-holdfast 8080:80",
    "daemonset on the nodes' ports": "http://ADDRESS-OF-A-NODE:80/",
    "host network": "get service edge-holdfast --watch",
    "default class": "--class=edge",
}


@pytest.mark.parametrize("case", NOTES)
def test_the_notes_say_what_to_do_next(helm, case):
    said = helm.must(
        "install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client", "-f",
        helm.values_file(MATRIX[case]),
    )  # fmt: skip
    notes = said.split("NOTES:")[1]
    kind = MATRIX[case].get("kind", "Deployment").lower()
    assert f"kubectl -n {NAMESPACE} rollout status {kind}/edge-holdfast" in notes
    assert "kubectl create ingress chat" in notes
    assert NOTES[case] in notes


def test_the_grace_period_is_what_the_shutdown_takes(helm):
    for delay, stop in ((0, 5), (15, 15), (14400, 60)):
        values = {**SPLIT, "shutdown": {"delaySeconds": delay, "stopSeconds": stop}}
        for _, template in pod_templates(helm.objects(values)):
            spec = template["spec"]
            assert spec["terminationGracePeriodSeconds"] == delay + stop
            hooks = [container.get("lifecycle") for container in spec["containers"]]
            wanted = {"preStop": {"sleep": {"seconds": delay}}} if delay else None
            assert hooks == [wanted] * len(hooks)


def test_the_token_is_the_controllers_alone(helm):
    """Whoever gets hold of a proxy must not be able to read Secrets at the API server."""
    for values in ({}, SPLIT):
        for _, template in pod_templates(helm.objects(values)):
            assert template["spec"]["automountServiceAccountToken"] is False
            for container in template["spec"]["containers"]:
                has = any("serviceaccount" in m["mountPath"] for m in container["volumeMounts"])
                assert has == (container["name"] == "controller"), container["name"]


def test_a_new_chart_alone_replaces_no_pod(helm):
    """Pods name no version of the chart: what is the same for them leaves them alone."""
    for _, template in pod_templates(helm.objects({})):
        assert not any(key.startswith("helm.sh/") for key in template["metadata"]["labels"])
