"""Values that people use, each by the name of what it is for."""

SPLIT = {
    "mode": "split",
    "discovery": {
        "controllerSecret": "holdfast-controller",
        "proxySecret": "holdfast-proxy",
        "allow": ["proxy.test"],
    },
}
NODE_PORTS = {"kind": "DaemonSet", "rollout": {"maxSurge": 0, "maxUnavailable": 1}}
MONITORED = {
    "metrics": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "serviceMonitor": {"enabled": True, "interval": "10s"},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "edge"}},
    }
}

MATRIX = {
    "default": {},
    "single": {"mode": "single"},
    "split": SPLIT,
    "daemonset": {"kind": "DaemonSet"},
    "daemonset on the nodes' ports": {
        **NODE_PORTS, "hostPorts": {"enabled": True}, "service": {"enabled": False},
    },
    "host network": {**NODE_PORTS, "hostNetwork": True, "lowPorts": "node",
                     "ports": {"http": 80, "https": 443}},
    "split daemonset": {**SPLIT, "kind": "DaemonSet"},
    "low ports": {"lowPorts": "pod", "ports": {"http": 80, "https": 443}},
    "node ports": {"service": {"type": "NodePort", "nodePorts": {"http": 30080, "https": 30443},
                               "externalTrafficPolicy": "Cluster"}},
    "cluster ip": {"service": {"type": "ClusterIP"}},
    "cloud load balancer": {
        "service": {
            "loadBalancerClass": "example.com/nlb",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "annotations": {"example.com/scheme": "internal"},
            "labels": {"team": "edge"},
        }
    },
    "proxy protocol": {"proxyProtocol": {"enabled": True}, "trustedProxies": ["10.0.0.0/8"]},
    "proxy protocol on the nodes' ports": {
        **NODE_PORTS, "hostPorts": {"enabled": True}, "proxyProtocol": {"enabled": True},
        "trustedProxies": ["10.0.0.0/8", "192.0.2.7"],
    },
    "no https": {"https": {"enabled": False}},
    "tickets": {"https": {"ticketSecret": "tickets", "profile": "modern"}},
    "two namespaces": {"watch": {"namespaces": ["holdfast", "team-a"], "labelSelector": "a=b,c!=d"},
                       "defaultBackend": "team-a/front:80",
                       "defaultCertificate": "team-a/wildcard"},
    "endpoints": {"watch": {"endpointsApi": "endpoints", "withoutClass": True,
                            "streamedLists": True}},
    "default class": {"ingressClass": {"name": "edge", "default": True,
                                       "annotations": {"example.com/a": "b"}}},
    "defaults": {"defaults": {"idle-timeout": "2h", "slow-start": "0s", "hsts-preload": True,
                              "eject-after": 5}},
    "another's defaults": {"defaultsConfigMap": "team-a/settings"},
    "published addresses": {"status": {"publishAddresses": ["192.0.2.1", "edge.example.com"]}},
    "nothing written": {"events": False, "status": {"publishService": False}},
    "events of watched namespaces": {"watch": {"namespaces": ["team-a"]},
                                     "defaults": {"idle-timeout": "2h"}},
    "external names": {"externalNames": {"allow": True, "dnsServers": ["10.96.0.10:53"]}},
    "autoscaling": {"autoscaling": {"enabled": True}},
    "autoscaling by connections": {
        "autoscaling": {"enabled": True, "cpuPercent": 0, "openConnections": {"perPod": 20000}},
    },
    "budget": {"replicaCount": 5, "podDisruptionBudget": {"minAvailable": "60%"}},
    "no budget": {"podDisruptionBudget": {"enabled": False}, "replicaCount": 1},
    "network policy": {
        "networkPolicy": {
            "enabled": True,
            "trafficFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        }
    },
    "network policy of split": {**SPLIT, "networkPolicy": {"enabled": True}},
    "monitoring": MONITORED,
    "monitoring of split": {**SPLIT, **MONITORED},
    "another's account": {"serviceAccount": {"create": False, "name": "edge"},
                          "rbac": {"create": False}},
    "where pods run": {
        "nodeSelector": {"role": "edge"},
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}]}},
        "topologySpreadConstraints": [],
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"team": "edge"},
        "podAnnotations": {"example.com/a": "b"},
        "commonLabels": {"cost": "edge"},
        "imagePullSecrets": [{"name": "registry"}],
    },
    "hours of rollout": {"shutdown": {"delaySeconds": 14400, "stopSeconds": 60},
                         "rollout": {"maxSurge": "25%", "minReadySeconds": 60}},
    "no delay": {"shutdown": {"delaySeconds": 0}},
    "proxy's own": {
        "proxy": {
            "workers": 4, "zone": "a", "upstreamSources": ["10.0.0.1", "10.0.0.2"],
            "accessLog": "off", "state": {"medium": ""}, "extraArgs": ["--core-dumps"],
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "admin"}},
        },
        "logLevel": "debug",
    },
    "no state": {"proxy": {"state": {"enabled": False}}, "mode": "single"},
    "both families": {"listenAddresses": ["0.0.0.0", "[::]"]},
    "image by digest": {"image": {"repository": "registry.example.com/edge/holdfast",
                                  "digest": "sha256:" + "0" * 64, "pullPolicy": "Always"}},
    "other names": {"fullnameOverride": "front", "nameOverride": "door"},
}  # fmt: skip


def pod_templates(objects):
    """(name of the workload, pod template) of each."""
    return [
        (item["metadata"]["name"], item["spec"]["template"])
        for item in objects
        if item["kind"] in ("Deployment", "DaemonSet")
    ]
