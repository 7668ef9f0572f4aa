"""A service account that may read what Holdfast reads, and tokens for it of any lifetime.

The API server takes no request for a token of less than ten minutes, so they are signed here, with
its own key (RFC 7519, ES256 as in RFC 7518, 3.4).
"""

import base64
import json
import os
import subprocess
import time

ISSUER = "https://kubernetes.default.svc"
# For so long after its end the API server still takes a token.
LEEWAY_SECONDS = 60
GROUP = "rbac.authorization.k8s.io"


def rules(verbs, cluster_scoped):
    """What Holdfast reads: of namespaces, or of the cluster alone."""
    if cluster_scoped:
        resources = {"networking.k8s.io": ["ingressclasses"]}
    else:
        resources = {
            "networking.k8s.io": ["ingresses"],
            "discovery.k8s.io": ["endpointslices"],
            "": ["services", "secrets"],
        }
    return [
        {"apiGroups": [group], "resources": names, "verbs": verbs}
        for group, names in resources.items()
    ]


class ServiceAccount:
    def __init__(self, server, name):
        self._server = server
        self.name = name
        made = server.api.apply(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": name, "namespace": "default"},
            }
        )
        self._uid = made["metadata"]["uid"]

    def allow(self, verbs, namespaces=None):
        """Everywhere, or in these namespaces and, of the cluster's own kinds, everywhere."""
        cluster = rules(verbs, True) + (rules(verbs, False) if namespaces is None else [])
        self._bind("ClusterRole", cluster, None)
        for namespace in namespaces or []:
            self._bind("Role", rules(verbs, False), namespace)

    def allow_config_maps(self, namespace, names):
        """To read these alone, as the README says."""
        verbs = ["get", "list", "watch"]
        rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": names}
        self._bind("Role", [{**rule, "verbs": verbs}], namespace, f"{self.name}-configmaps")

    def _bind(self, kind, granted, namespace, name=None):
        name = name or self.name
        metadata = {"name": name}
        if namespace:
            metadata["namespace"] = namespace
        subject = {"kind": "ServiceAccount", "name": self.name, "namespace": "default"}
        role = {"apiGroup": GROUP, "kind": kind, "name": name}
        version = f"{GROUP}/v1"
        self._server.api.apply(
            {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": granted},
            {"apiVersion": version, "kind": f"{kind}Binding", "metadata": metadata,
             "roleRef": role, "subjects": [subject]},
        )  # fmt: skip

    def token(self, seconds=3600):
        """One that the API server takes for so long."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": f"system:serviceaccount:default:{self.name}",
            "iat": now - 3600,
            "nbf": now - 3600,
            "exp": now + seconds - LEEWAY_SECONDS,
            "jti": os.urandom(8).hex(),
            "kubernetes.io": {
                "namespace": "default",
                "serviceaccount": {"name": self.name, "uid": self._uid},
            },
        }
        text = f"{_encoded({'alg': 'ES256', 'typ': 'JWT'})}.{_encoded(claims)}"
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._server.signing_key],
            input=text.encode(), check=True, capture_output=True,
        )  # fmt: skip
        return f"{text}.{_base64(_raw_signature(signed.stdout))}"


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encoded(value):
    return _base64(json.dumps(value).encode())


def _raw_signature(der):
    """SEQUENCE of two INTEGERs to r and s of 32 bytes each."""
    numbers = []
    at = 2
    for _ in range(2):
        length = der[at + 1]
        number = int.from_bytes(der[at + 2 : at + 2 + length], "big")
        numbers.append(number.to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)
