"""Installs what is missing, builds, and runs the tests: tests/run [LABEL...]

Labels: build, tidy, unit, golden, scenario, interop, cluster, chart, image, browser, sanitize,
tsan, fuzz, bench.
Without one: all but bench. A stage that fails does not keep the next from running. Prints the
minutes of each stage and, as its last line, how many tests passed and failed.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
RELEASE = BUILD / "release"
SANITIZED = BUILD / "asan"
THREAD_SANITIZED = BUILD / "tsan"
REPORTS = BUILD / "reports"
STAGES = [
    "build", "tidy", "unit", "golden", "scenario", "interop", "cluster", "chart", "image",
    "browser", "sanitize", "tsan", "fuzz", "bench",
]  # fmt: skip
DEFAULT = [stage for stage in STAGES if stage != "bench"]
PYTHON = "/usr/bin/python3"
# A program that takes longer than this hangs; the longest test run takes a fifth of it.
PATIENCE_SECONDS = 20 * 60
# A whole build from nothing takes a quarter of it.
BUILD_PATIENCE_SECONDS = 40 * 60
# Each fuzz target, from its seeds. tests/fuzz/run does it for longer.
FUZZ_SECONDS = 20
# The scenario tests in which threads of the process meet.
TSAN_SCENARIOS = ["manifests", "connections", "observability", "balancing", "relay"]
# The scenario tests that are about bytes on connections: run again over TLS.
TLS_SCENARIOS = ["relay", "http", "forwarding", "handshake", "malformed", "rules"]
# What pytest gets after that, to stop what its tests have started.
TEARDOWN_SECONDS = 60


class StageFailed(Exception):
    """What the rest of a stage needs could not be made."""


class Tally:
    """What passed and failed, and how long each stage took."""

    def __init__(self):
        self.passed = 0
        self.failures = []
        self.stages = []

    def add(self, name, passed):
        if passed:
            self.passed += 1
        else:
            self.failures.append(name)

    def stage(self, name, body):
        """Runs one and takes its time; false when it could not be finished."""
        begun = time.monotonic()
        try:
            body()
            return True
        except (StageFailed, OSError, ElementTree.ParseError) as error:
            say(f"failed: {error}")
            self.add(f"{name}: {error}", False)
            return False
        finally:
            self.stages.append((name, time.monotonic() - begun))

    def add_report(self, path, stage):
        """Counts the cases of a JUnit file, which gtest and pytest write alike; how many failed."""
        before = len(self.failures)
        cases = list(ElementTree.parse(path).getroot().iter("testcase")) if path.exists() else []
        if not cases:
            self.add(f"{stage}: {path.stem} ran no test, or did not say which", False)
        for case in cases:
            failed = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
            self.add(f"{stage}: {case.get('classname')}.{case.get('name')}", not failed)
        return len(self.failures) - before


def say(text):
    print(text, flush=True)


def run(command, patience=PATIENCE_SECONDS, **options):
    """The exit code; a program that is not done in time is interrupted, then killed."""
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, **options) as process:
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            say(f"not done after {patience} s: {' '.join(str(part) for part in command)}")
            process.send_signal(signal.SIGINT)
            try:
                process.wait(TEARDOWN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            return "a timeout"


def must(command):
    if run(command, BUILD_PATIENCE_SECONDS) != 0:
        raise StageFailed(" ".join(str(part) for part in command))


def install(*groups):
    must([ROOT / "deploy/install-dependencies", *groups])


def configure_and_build(folder, *options, targets=()):
    must([ROOT / "deploy/build", folder, *options, "--", *targets])


def build_release(*targets):
    configure_and_build(RELEASE, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", targets=targets)


def build_instrumented(folder, *options, targets=()):
    """With the second compiler; many files at once, which takes a third of the time. That each file
    compiles alone is for the release build to show."""
    install("build", "fuzz")
    configure_and_build(
        folder, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=clang++-19",
        "-DCMAKE_UNITY_BUILD=ON", *options, targets=targets,
    )  # fmt: skip


def build_sanitized(*targets):
    build_instrumented(
        SANITIZED, "-DHOLDFAST_SANITIZE=address,undefined", "-DHOLDFAST_FUZZ=ON", targets=targets
    )


def build_thread_sanitized(*targets):
    """With the first compiler, whose runtime names functions: tests/tsan.supp needs names."""
    configure_and_build(
        THREAD_SANITIZED, "-DCMAKE_BUILD_TYPE=Debug", "-DHOLDFAST_SANITIZE=thread", targets=targets
    )


def fuzz_targets():
    return sorted(path.name for path in (ROOT / "tests/fuzz/corpus").iterdir())


def run_programs(tally, stage, folder, pattern):
    programs = sorted(path for path in (folder / "bin").glob(pattern) if os.access(path, os.X_OK))
    if not programs:
        tally.add(f"{stage}: nothing was built", False)
    for program in programs:
        report = REPORTS / stage / f"{program.name}.xml"
        report.unlink(missing_ok=True)
        code = run([program, "--gtest_brief=1", f"--gtest_output=xml:{report}"], PATIENCE_SECONDS)
        failed_cases = tally.add_report(report, stage)
        if code != 0 and failed_cases == 0:
            tally.add(f"{stage}: {program.name} ended with {code}", False)


def run_pytest(tally, stage, folder, binary=RELEASE / "bin/holdfast", *options):
    report = REPORTS / f"{stage}.xml"
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "HOLDFAST_BINARY": str(binary),
        "PYTHONPATH": str(ROOT / "tests/support"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    code = run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
         "--durations=5", *options, folder],
        PATIENCE_SECONDS, env=environment,
    )  # fmt: skip
    tally.add_report(report, stage)
    if code not in (0, 1):
        tally.add(f"{stage}: pytest ended with {code}", False)


def stage_build(tally):
    build_release("holdfast")
    tally.add("build", True)


def stage_tidy(tally):
    build_release()
    for name, command in {
        "rules": ["tests/tidy/check"],
        "rules_test": [PYTHON, "tests/tidy/rules_test.py"],
        "format": ["tests/tidy/format"],
        "lint": ["tests/tidy/lint", RELEASE],
    }.items():
        tally.add(f"tidy: {name}", run(command) == 0)


def stage_unit(tally):
    build_release()
    run_programs(tally, "unit", RELEASE, "unit_*")


def stage_golden(tally):
    build_release()
    run_programs(tally, "golden", RELEASE, "golden*")


def run_over_tls(tally, name, *binary):
    """Again what is about bytes, with clients that speak TLS."""
    os.environ["HOLDFAST_OVER_TLS"] = "1"
    files = [f"tests/scenario/test_{one}.py" for one in TLS_SCENARIOS]
    run_pytest(tally, name, files[0], *(binary or [RELEASE / "bin/holdfast"]), *files[1:])
    del os.environ["HOLDFAST_OVER_TLS"]


def stage_scenario(tally):
    build_release("holdfast")
    run_pytest(tally, "scenario", "tests/scenario")
    run_over_tls(tally, "scenario_tls")


def build_interop_peers():
    install("interop")
    must(["tests/interop/peers/build"])


def stage_interop(tally):
    build_release("holdfast")
    build_interop_peers()
    run_pytest(tally, "interop", "tests/interop")


def stage_cluster(tally):
    build_release("holdfast")
    must(["tests/cluster/assets/build"])
    run_pytest(tally, "cluster", "tests/cluster")


def stage_chart(tally):
    build_release("holdfast")
    must(["tests/cluster/assets/build"])
    must(["tests/cluster/assets/build", "helm"])
    run_pytest(tally, "chart", "tests/chart")


def stage_image(tally):
    install("image")
    must(["tests/image/build"])
    run_pytest(tally, "image", "tests/image")


def stage_browser(tally):
    install("browser", "demo")
    build_release("holdfast")
    run_pytest(tally, "browser", "tests/browser")


def stage_sanitize(tally):
    build_sanitized()
    os.environ.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=0")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    run_programs(tally, "sanitize", SANITIZED, "unit_*")
    run_programs(tally, "sanitize", SANITIZED, "golden*")
    run_pytest(tally, "sanitize_scenario", "tests/scenario", SANITIZED / "bin/holdfast")
    # OpenSSL frees a buffer with each record: what waits to be freed would look like what is held.
    os.environ["ASAN_OPTIONS"] += ":quarantine_size_mb=8"
    run_over_tls(tally, "sanitize_scenario_tls", SANITIZED / "bin/holdfast")
    build_interop_peers()
    run_pytest(tally, "sanitize_interop", "tests/interop", SANITIZED / "bin/holdfast")


def stage_tsan(tally):
    """Where threads meet: the workers, the discovery stream, the pages that look at both."""
    build_thread_sanitized("holdfast", "unit_proxy", "unit_session", "unit_discovery")
    # The distribution's gRPC, protobuf and Abseil are not instrumented. A race ends in status 66.
    os.environ["TSAN_OPTIONS"] = (
        f"ignore_noninstrumented_modules=1 suppressions={ROOT / 'tests/tsan.supp'} exitcode=66"
    )
    run_programs(tally, "tsan", THREAD_SANITIZED, "unit_*")
    files = [f"tests/scenario/test_{name}.py" for name in TSAN_SCENARIOS]
    run_pytest(tally, "tsan_scenario", files[0], THREAD_SANITIZED / "bin/holdfast", *files[1:])


def stage_fuzz(tally):
    build_sanitized(*(f"fuzz_{target}" for target in fuzz_targets()))
    for target in fuzz_targets():
        # What other runs have found would make this one depend on them.
        code = run(["tests/fuzz/run", target, FUZZ_SECONDS, "--from-seeds"], PATIENCE_SECONDS)
        tally.add(f"fuzz: {target}", code == 0)


def stage_bench(tally):
    build_release("holdfast", "bench_load", "bench_echo", "bench_relay")
    tally.add("bench", run(["tests/bench/run"]) == 0)
    must(["tests/cluster/assets/build"])
    for part in ("states", "tls", "crowd", "sidecar", "scale"):
        tally.add(f"bench: {part}", run([f"tests/bench/{part}"]) == 0)


def main():
    labels = sys.argv[1:] or DEFAULT
    unknown = [label for label in labels if label not in STAGES]
    if unknown:
        say(f"tests/run: no label \"{unknown[0]}\"; there are {', '.join(STAGES)}")
        return 64
    started = time.monotonic()
    tally = Tally()
    groups = ["build"] if labels == ["build"] else ["build", "test"]
    if tally.stage("install", lambda: install(*groups)):
        for stage in [stage for stage in STAGES if stage in labels or stage == "build"]:
            say(f"== {stage}")
            tally.stage(stage, lambda: globals()[f"stage_{stage}"](tally))
    say("")
    for stage, seconds in tally.stages:
        say(f"{seconds / 60:6.1f} min  {stage}")
    say(f"{(time.monotonic() - started) / 60:6.1f} min  in all")
    for failure in tally.failures:
        say(f"FAILED {failure}")
    say(f"{tally.passed} passed, {len(tally.failures)} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
