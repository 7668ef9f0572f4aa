"""The API server's audit log of service accounts in the chart's namespace."""

import json

from helm import NAMESPACE

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # Watches are written when they begin: they may not end in a test's time.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{NAMESPACE}"]},
        {"level": "None"},
    ],
}


class AuditLog:
    def __init__(self, folder):
        self._log = folder / "audit.log"
        policy = folder / "policy.json"
        policy.write_text(json.dumps(POLICY))
        self.flags = [f"--audit-policy-file={policy}", f"--audit-log-path={self._log}"]

    def requests(self, account):
        """{(resource, verb): whether it was allowed} of that account; one refusal counts."""
        user = f"system:serviceaccount:{NAMESPACE}:{account}"
        found = {}
        for line in self._log.read_text().splitlines():
            entry = json.loads(line)
            if entry["user"]["username"] != user or "objectRef" not in entry:
                continue
            of = entry["objectRef"]
            asked = ("/".join(filter(None, (of["resource"], of.get("subresource")))), entry["verb"])
            allowed = entry["annotations"]["authorization.k8s.io/decision"] == "allow"
            found[asked] = found.get(asked, True) and allowed
        return found
