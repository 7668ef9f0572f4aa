"""Goal: alerts fire when they should, and alerts and dashboard ask for what Holdfast has.

Method: promtool, with series made for it; nothing runs.
"""

import json
import pathlib
import re
import subprocess

import yaml
from helm import CHART
from holdfast_test.process import ROOT

ALERTS = CHART / "files/alerts.yaml"
DASHBOARD = CHART / "files/dashboard.json"
CASES = pathlib.Path(__file__).parent / "alerts_test.yaml"
METRIC = re.compile(r"\b(holdfast_\w+|process_\w+)")
# What Grafana puts in, as it would.
VARIABLES = {"$namespace": ".*", "$ingress": ".*", "$__rate_interval": "1m"}


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def rules():
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return group["rules"]


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def queries():
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_alerts_fire_and_keep_quiet():
    promtool("check", "rules", str(ALERTS))
    promtool("test", "rules", str(CASES))
    (cases,) = yaml.safe_load(CASES.read_text())["tests"]
    fire = {case["alertname"] for case in cases["alert_rule_test"] if case.get("exp_alerts")}
    assert fire == {rule["alert"] for rule in rules()}


def test_every_alert_says_what_to_do():
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "runbook"}, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_chart_has_the_same_rules(helm):
    (made,) = [
        item
        for item in helm.objects({"metrics": {"prometheusRule": {"enabled": True}}})
        if item["kind"] == "PrometheusRule"
    ]
    assert made["spec"] == yaml.safe_load(ALERTS.read_text())


def test_the_chart_has_the_same_dashboard(helm):
    (made,) = [
        item
        for item in helm.objects({"metrics": {"dashboard": {"enabled": True}}})
        if item["kind"] == "ConfigMap"
    ]
    assert json.loads(made["data"]["holdfast.json"]) == json.loads(DASHBOARD.read_text())


def test_the_dashboards_queries_are_queries(tmp_path):
    found = []
    for number, (_, query) in enumerate(queries()):
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)
        assert "$" not in query, query
        found.append({"record": f"panel:{number}", "expr": query})
    assert found
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": found}]}))
    promtool("check", "rules", str(path))


def test_panels_do_not_overlap():
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_metric_is_one_of_holdfasts():
    sources = "\n".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.cc")))
    asked = {name for rule in rules() for name in METRIC.findall(rule["expr"])}
    asked |= {name for _, query in queries() for name in METRIC.findall(query)}
    assert asked
    for name in asked:
        assert f'"{re.sub("_bucket$", "", name)}"' in sources, name
