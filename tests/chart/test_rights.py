"""Goal: the chart's roles are enough for the controller, and no verb of any rule is too much.

Method: controllers with nothing but a token that the API server issued, one with all rules, and one
for every verb of every rule without just that. Their connections are cut, so that they do what they
do then; the API server's audit log says what they asked for, and whether they might.
"""

import copy

from api_server import NODE, PORT
from helm import NAMESPACE
from holdfast_test.certificates import secret
from holdfast_test.process import wait_until
from kubelet import Pod
from links import Links
from objects import endpoint_slice, ingress, service
from release import NAME, Release


def verbs_of(role):
    """(resource, verb) of everything it allows."""
    return {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def verbs_in(roles):
    return set().union(*(verbs_of(role) for role in roles))


def without(role, resource, verb):
    """That role without one verb of one rule."""
    left = copy.deepcopy(role)
    for rule in left["rules"]:
        if rule["resources"] == [resource]:
            rule["verbs"] = [one for one in rule["verbs"] if one != verb]
    left["rules"] = [rule for rule in left["rules"] if rule["verbs"]]
    assert verbs_of(left) == verbs_of(role) - {(resource, verb)}
    return left


def grant(server, account, roles):
    """A new account with these roles, as the chart binds them."""
    metadata = {"name": account, "namespace": NAMESPACE}
    server.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    group = "rbac.authorization.k8s.io"
    for role in roles:
        name = f"{role['metadata']['name']}-{account}"
        place = {"name": name}
        if role["kind"] == "Role":
            place["namespace"] = role["metadata"]["namespace"]
        server.api.apply(
            {"apiVersion": f"{group}/v1", "kind": role["kind"], "metadata": place,
             "rules": role["rules"]},
            {"apiVersion": f"{group}/v1", "kind": f"{role['kind']}Binding", "metadata": place,
             "roleRef": {"apiGroup": group, "kind": role["kind"], "name": name},
             "subjects": [{"kind": "ServiceAccount", **metadata}]},
        )  # fmt: skip


def wait_until_known(server, account, roles):
    """Roles are new to the API server's own cache for a moment."""

    def allowed(namespace, rule):
        attributes = {
            "group": rule["apiGroups"][0], "resource": rule["resources"][0],
            "verb": rule["verbs"][0], "name": rule.get("resourceNames", [""])[0],
            "namespace": namespace,
        }  # fmt: skip
        answer = server.api.request(
            "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
             "spec": {"resourceAttributes": attributes,
                      "user": f"system:serviceaccount:{NAMESPACE}:{account}"}},
        )  # fmt: skip
        return answer["status"]["allowed"]

    for role in roles:
        for rule in role["rules"]:
            namespace = role["metadata"].get("namespace", "")
            wait_until(lambda n=namespace, r=rule: allowed(n, r), f"{rule} to be known")


def name_a_secret(server):
    """An Ingress that names a Secret which is not of the type that is listed."""
    server.api.apply(
        service("chat"),
        endpoint_slice("chat", ["10.244.1.1"]),
        secret("pods", ca_crt=b"nothing of use"),
        ingress("secure", "secure.test", {"/": ("chat", 80)},
                {"holdfast.dev/backend-protocol": "HTTPS",
                 "holdfast.dev/upstream-tls-secret": "pods"}),
    )  # fmt: skip


def prepare_controller(server, links, template, account, folder):
    changed = copy.deepcopy(template)
    changed["spec"]["serviceAccountName"] = account
    return Pod(server, NAMESPACE, changed, folder, links.port)


def test_the_roles_are_enough_and_not_too_much(helm, server, audit, started, tmp_path):
    release = started(Release(helm, server))
    release.install({"defaults": {"idle-timeout": "2h"}})
    name_a_secret(server)
    template = release.template()
    cluster_role = release.get("clusterrole", f"{NAMESPACE}-{NAME}")
    role = release.get("role", f"{NAMESPACE}-{NAME}-defaults")
    granted = verbs_in([cluster_role, role])
    assert not verbs_of(cluster_role) & verbs_of(role)

    variants = {"everything": [cluster_role, role]}
    for resource, verb in sorted(granted):
        left = [
            without(one, resource, verb) if (resource, verb) in verbs_of(one) else one
            for one in (cluster_role, role)
        ]
        variants[f"no-{verb}-{resource}"] = left
    links = started(Links(NODE, (NODE, PORT)))
    pods = {}
    for account, roles in variants.items():
        grant(server, account, roles)
        pods[account] = started(prepare_controller(server, links, template, account, tmp_path))
    for account, roles in variants.items():
        wait_until_known(server, account, roles)
        pods[account].start("controller")

    def waits_for(account, verb):
        """What it has not asked for yet: all resources, but those that it may not list."""
        resources = {resource for resource, one in verbs_in(variants[account]) if one == "list"}
        return resources - {resource for resource, one in audit.requests(account) if one == verb}

    for account in pods:
        wait_until(lambda a=account: not waits_for(a, "watch"), f"the watches of {account}")
    links.cut()
    for account in pods:
        if account.startswith(("everything", "no-get-")):
            wait_until(lambda a=account: not waits_for(a, "get"), f"the questions of {account}")

    everything = audit.requests("everything")
    assert all(everything.values()), everything
    assert set(everything) == granted
    for resource, verb in granted:

        def refused(account=f"no-{verb}-{resource}"):
            answers = audit.requests(account)
            return {asked for asked, allowed in answers.items() if not allowed}

        wait_until(refused, f"{verb} of {resource} to be refused")
        assert refused() == {(resource, verb)}
