"""Goal: the chart's roles are enough for the controller, and no verb of any rule is too much.

Method: controllers with nothing but a token that the API server issued, one with all rules, and one
for every verb of every rule without just that. Each has a class of its own with one Ingress, so
that each leads. Their connections are cut and those that write are restarted, so that they do what
they do then; the API server's audit log says what they asked for, and whether they might.
"""

import copy
import json

from api_server import NODE, PORT
from helm import NAMESPACE
from holdfast_test.certificates import secret
from holdfast_test.process import wait_until
from kubelet import Pod
from links import Links
from objects import endpoint_slice, ingress, service
from release import NAME, Release

GROUP = "rbac.authorization.k8s.io"
EVERYTHING = "everything"
LEASE = "holdfast-holdfast"


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


def roles_of(release):
    roles = [release.get("clusterrole", f"{NAMESPACE}-{NAME}"), *release.get("role")]
    granted = [pair for role in roles for pair in verbs_of(role)]
    # Else a verb that is taken from one role would be left in the other.
    assert len(granted) == len(set(granted))
    return roles


def variants_of(roles):
    """{account: roles}: all of them, and all but one verb."""
    variants = {EVERYTHING: roles}
    for resource, verb in sorted(verbs_in(roles)):
        variants[account_without(resource, verb)] = [
            without(role, resource, verb) if (resource, verb) in verbs_of(role) else role
            for role in roles
        ]
    return variants


def account_without(resource, verb):
    return f"no-{verb}-{resource.replace('/', '-')}"


def grant(server, account, roles):
    """A new account with these roles, as the chart binds them, but for the Lease of its class."""
    metadata = {"name": account, "namespace": NAMESPACE}
    server.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    for role in roles:
        name = f"{role['metadata']['name']}-{account}"
        place = {"name": name}
        if role["kind"] == "Role":
            place["namespace"] = role["metadata"]["namespace"]
        rules = json.loads(json.dumps(role["rules"]).replace(f'"{LEASE}"', f'"{account}"'))
        server.api.apply(
            {"apiVersion": f"{GROUP}/v1", "kind": role["kind"], "metadata": place, "rules": rules},
            {"apiVersion": f"{GROUP}/v1", "kind": f"{role['kind']}Binding", "metadata": place,
             "roleRef": {"apiGroup": GROUP, "kind": role["kind"], "name": name},
             "subjects": [{"kind": "ServiceAccount", **metadata}]},
        )  # fmt: skip


def wait_until_known(server, account, roles):
    """Roles are new to the API server's own cache for a moment."""

    def allowed(namespace, rule):
        resource, _, subresource = rule["resources"][0].partition("/")
        name = rule.get("resourceNames", [""])[0]
        attributes = {
            "group": rule["apiGroups"][0], "resource": resource, "subresource": subresource,
            "verb": rule["verbs"][0], "name": account if name == LEASE else name,
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


def make_work(server, account):
    """A class, and an Ingress of it that names a Secret which is not of the type that is listed,
    and has a problem to be told of."""
    server.api.apply(
        {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
         "metadata": {"name": account}, "spec": {"controller": "holdfast.dev/ingress"}},
        ingress(account, f"{account}.test", {"/": ("chat", 80)},
                {"holdfast.dev/backend-protocol": "HTTPS",
                 "holdfast.dev/upstream-tls-secret": "pods",
                 "holdfast.dev/idle-timeout": "for ever"}, account),
    )  # fmt: skip


def prepare_controller(server, links, template, account, folder):
    changed = copy.deepcopy(template)
    changed["spec"]["serviceAccountName"] = account
    (controller,) = [c for c in changed["spec"]["containers"] if c["name"] == "controller"]
    own = {
        "--ingress-class=holdfast": f"--ingress-class={account}",
        f"--leader-lease={NAMESPACE}/{LEASE}": f"--leader-lease={NAMESPACE}/{account}",
    }
    assert set(own) < set(controller["args"])
    controller["args"] = [own.get(flag, flag) for flag in controller["args"]]
    return Pod(server, NAMESPACE, changed, folder, links.port)


def test_the_roles_are_enough_and_not_too_much(helm, server, audit, started, tmp_path):
    release = started(Release(helm, server))
    release.install({"defaults": {"idle-timeout": "2h"}})
    release.give_address("192.0.2.80")
    server.api.apply(
        service("chat"), endpoint_slice("chat", ["10.244.1.1"]),
        secret("pods", ca_crt=b"nothing of use"),
    )  # fmt: skip
    template = release.template()
    roles = roles_of(release)
    granted = verbs_in(roles)
    variants = variants_of(roles)
    links = started(Links(NODE, (NODE, PORT)))
    pods = {}
    for account, left in variants.items():
        grant(server, account, left)
        make_work(server, account)
        pods[account] = started(prepare_controller(server, links, template, account, tmp_path))
    for account, left in variants.items():
        wait_until_known(server, account, left)
        pods[account].start("controller")

    def waits_for(account, verb):
        """What it has not asked for yet, of all that it may list."""
        resources = {resource for resource, one in verbs_in(variants[account]) if one == "list"}
        return resources - {resource for resource, one in audit.requests(account) if one == verb}

    def refused(account):
        asked = audit.requests(account)
        return {pair for pair, allowed in asked.items() if not allowed}

    for account in pods:
        wait_until(lambda a=account: not waits_for(a, "watch"), f"the watches of {account}")
    links.cut()
    for account in pods:
        if account.startswith((EVERYTHING, "no-get-")):
            wait_until(lambda a=account: not waits_for(a, "get"), f"the questions of {account}")
    # An Event that is there already is counted, not made.
    for account in (EVERYTHING, account_without("events", "patch")):
        wait_until(lambda a=account: ("events", "create") in audit.requests(a), "an Event")
        pods[account].containers["controller"].stop()
        pods[account].start("controller")
    wait_until(lambda: set(audit.requests(EVERYTHING)) >= granted, "everything to be asked for")

    everything = audit.requests(EVERYTHING)
    assert all(everything.values()), everything
    assert set(everything) == granted
    for resource, verb in granted:
        account = account_without(resource, verb)
        wait_until(lambda a=account: refused(a), f"{verb} of {resource} to be refused")
        assert refused(account) == {(resource, verb)}
