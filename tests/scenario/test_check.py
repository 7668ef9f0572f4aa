"""Goal: `holdfast check` tells, before anything is applied, what would be served of manifests and
what is wrong with them, to a person and to CI.

Method: the real binary, files and standard input.
"""

import json
import os
import subprocess

import pytest
from holdfast_test.process import BINARY

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: chat
  annotations: {ANNOTATIONS}
spec:
  ingressClassName: holdfast
  rules:
  - host: chat.example.com
    http:
      paths:
      - {path: /ws, pathType: Prefix, backend: {service: {name: rooms, port: {number: 80}}}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {ports: [{port: 80}]}
"""


def ingress(**annotations):
    return INGRESS.replace("ANNOTATIONS", json.dumps(annotations)[1:-1])


def service(name):
    return SERVICE.replace("NAME", name)


def check(*arguments, given=None):
    return subprocess.run(
        [BINARY, "check", *map(str, arguments)], input=given, capture_output=True, text=True,
        timeout=30,
    )  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def put(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return put


def told(*arguments, given=None):
    """(exit status, the report) of -o json."""
    done = check("-o", "json", *arguments, given=given)
    assert done.stderr == "", done.stderr
    return done.returncode, json.loads(done.stdout)


def test_what_would_be_served(write):
    text = ingress(**{"holdfast.dev/idle-timeout": "2h"}) + "---\n" + service("rooms")
    path = write("chat.yaml", text)
    done = check(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Ingress default/chat\n"
        "HOST              PATH  MATCH   SERVICE\n"
        "chat.example.com  /ws   prefix  rooms:80\n"
        "ANNOTATION    VALUE\n"
        "idle-timeout  2h\n"
        "\n"
        "1 Ingress, 0 errors, 0 warnings.\n"
    )
    assert told(path) == (
        0,
        {
            "ingresses": [
                {
                    "namespace": "default", "name": "chat",
                    "routes": [
                        {
                            "host": "chat.example.com", "match": "prefix", "path": "/ws",
                            "service": "rooms:80", "websocket_service": "",
                        }
                    ],
                    "annotations": [{"name": "idle-timeout", "value": "2h"}],
                    "notes": [], "problems": [],
                }
            ],
            "problems": [], "errors": 0, "warnings": 0,
        },
    )  # fmt: skip


def test_an_error_fails_and_says_what_is_served_instead(write):
    path = write("chat.yaml", ingress(**{"holdfast.dev/idle-timeout": "soon"}))
    status, report = told(path)
    (problem,) = report["ingresses"][0]["problems"]
    assert status == 1 and report["errors"] == 1
    assert problem["severity"] == "error" and problem["name"] == "chat"
    assert problem["field"] == 'metadata.annotations["holdfast.dev/idle-timeout"]'
    assert "the default (1h) applies" in problem["message"]
    assert report["ingresses"][0]["annotations"] == []
    done = check(path)
    assert done.returncode == 1 and "the default (1h) applies" in done.stdout


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ("holdfast.dev/idle-timout", "did you mean holdfast.dev/idle-timeout?"),
        ("nginx.ingress.kubernetes.io/upstream-hash-by", "holdfast.dev/hash-by is the nearest"),
    ],
)
def test_a_warning_fails_only_when_asked_to(write, annotation, said):
    path = write("chat.yaml", ingress(**{annotation: "1"}))
    status, report = told(path)
    assert (status, report["errors"], report["warnings"]) == (0, 0, 1)
    assert said in report["ingresses"][0]["problems"][0]["message"]
    assert check("--strict", path).returncode == 1


def test_the_flags_that_choose_ingresses_are_heard(write):
    path = write("chat.yaml", ingress())
    assert check("--default-backend", "nonsense", path).returncode == 64
    assert check("--ingress-class", "", path).returncode == 64
    assert check("--watch-without-class", path).returncode == 0


def test_standard_input_can_be_read_once():
    done = check("-", "-")
    assert done.returncode == 64 and "only once" in done.stderr


def test_a_report_that_cannot_be_written_is_a_failure(write):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [BINARY, "check", write("chat.yaml", ingress())], stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=20,
        )  # fmt: skip
    assert done.returncode == 1 and "standard output: " in done.stderr


def test_a_name_cannot_write_lines_of_the_report(write):
    path = write("chat.yaml", ingress().replace("name: chat", 'name: "x\\n0 errors\\e[2J"'))
    done = check(path)
    assert done.returncode == 1
    assert "Ingress default/x?0 errors?[2J\n" in done.stdout


def test_a_pipe_in_a_folder_is_not_waited_for(write, tmp_path):
    write("chat.yaml", ingress())
    os.mkfifo(tmp_path / "pipe.yaml")
    status, report = told(tmp_path)
    assert status == 1 and "not a file" in json.dumps(report["problems"])


def test_services_that_are_not_among_the_files_are_no_error(write):
    lone = write("chat.yaml", ingress())
    status, report = told(lone)
    assert status == 0 and report["errors"] == report["warnings"] == 0
    assert "No Service of namespace" in report["ingresses"][0]["notes"][0]
    assert "Note: No Service of namespace" in check("--strict", lone).stdout
    status, report = told(lone, write("other.yaml", service("other")))
    assert status == 1
    assert "there is no Service" in report["ingresses"][0]["problems"][0]["message"]


def test_folders_files_and_standard_input(tmp_path, write):
    write("a.yaml", ingress())
    write("b.json", json.dumps({"apiVersion": "v1", "kind": "Service",
                                "metadata": {"name": "rooms"}, "spec": {"ports": [{"port": 80}]}}))
    write("notes.txt", "not a manifest: [")
    (tmp_path / "inner").mkdir()
    status, report = told(tmp_path)
    assert status == 0 and report["ingresses"][0]["notes"] == []
    more = ingress().replace("name: chat", "name: more").replace("chat.example", "more.example")
    status, report = told(tmp_path, "-", given=more)
    assert status == 0 and [one["name"] for one in report["ingresses"]] == ["chat", "more"]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": []}, indent="\t")
    status, report = told("-", given=listed)
    assert status == 0 and "none among the files" in report["problems"][0]["message"]


def test_files_that_do_not_parse(write):
    status, report = told(write("good.yaml", ingress()), write("bad.yaml", "a: [\n"))
    assert status == 1 and len(report["ingresses"]) == 1
    (problem,) = report["problems"]
    assert problem["kind"] == "Manifest" and problem["name"].endswith("bad.yaml")
    status, report = told("-", given=ingress().replace("host: chat.example.com", "host: [1]"))
    assert status == 1 and report["problems"][0]["kind"] == "Ingress"


def test_an_ingress_of_another_class(write):
    path = write("chat.yaml", ingress().replace("ClassName: holdfast", "ClassName: other"))
    status, report = told(path)
    assert status == 0 and report["ingresses"][0]["routes"] == []
    assert 'It is of class "other"' in report["ingresses"][0]["notes"][0]
    assert len(told("--ingress-class", "other", path)[1]["ingresses"][0]["routes"]) == 1


@pytest.mark.parametrize("arguments", [[], ["/does/not/exist.yaml"], ["-o", "xml", "-"]])
def test_usage_is_64(arguments):
    done = check(*arguments, given="")
    assert done.returncode == 64 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def external(name):
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: rooms}}
spec: {{type: ExternalName, externalName: {name}}}
"""


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("rooms.example.com", None),
        ("192.0.2.1", None),
        ("localhost", "localhost is refused"),
        ("169.254.169.254", "link-local"),
    ],
)
def test_external_names_are_judged_by_their_form(name, complaint):
    given = ingress() + "---\n" + external(name)
    status, report = told("--allow-external-name", "-", given=given)
    assert report["ingresses"][0]["routes"][0]["service"] == "rooms:80"
    assert report["ingresses"][0]["problems"] == []
    messages = [problem["message"] for problem in report["problems"]]
    assert status == (1 if complaint else 0), messages
    assert len(messages) == status
    if complaint:
        assert complaint in messages[0]


def test_external_names_want_their_flag():
    status, report = told("-", given=ingress() + "---\n" + external("rooms.example.com"))
    assert status == 1
    assert "--allow-external-name" in report["ingresses"][0]["problems"][0]["message"]
