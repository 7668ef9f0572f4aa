"""The program helm, with the chart of this tree."""

import os
import pathlib
import subprocess

import yaml
from holdfast_test.process import ROOT

CHART = ROOT / "helm/holdfast"
RELEASE = "edge"
NAMESPACE = "holdfast"


class Helm:
    def __init__(self, folder):
        built = subprocess.run(
            [ROOT / "tests/cluster/assets/build", "helm"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        self.program = pathlib.Path(built.stdout.strip()) / "helm"
        self._folder = folder
        self._files = 0

    def run(self, *arguments, kubeconfig="/dev/null"):
        """The finished process; nothing is checked."""
        places = {
            f"HELM_{name}_HOME": str(self._folder / name.lower())
            for name in ("CACHE", "CONFIG", "DATA")
        }
        return subprocess.run(
            [str(part) for part in (self.program, *arguments)], capture_output=True, text=True,
            env={**os.environ, **places, "HOME": str(self._folder), "KUBECONFIG": str(kubeconfig)},
        )  # fmt: skip

    def must(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def values_file(self, values):
        self._files += 1
        path = self._folder / f"values-{self._files}.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    def _template(self, values, *more):
        return self.run(
            "template", RELEASE, CHART, "--namespace", NAMESPACE, "-f", self.values_file(values),
            *more,
        )  # fmt: skip

    def render(self, values, *more):
        """The text of all objects."""
        done = self._template(values, *more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, values, *more):
        return [item for item in yaml.safe_load_all(self.render(values, *more)) if item]

    def refusal(self, values):
        """What is said of values that are refused."""
        done = self._template(values)
        assert done.returncode != 0, done.stdout[:2000]
        return done.stderr
