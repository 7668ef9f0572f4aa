"""Goal: the image is small, has nothing to run but holdfast, and works as its user, read-only.

Method: tests/image/build makes it from the Dockerfile; runc runs its files.
"""

import http.client
import json
import os
import pathlib
import stat
import subprocess

import pytest
from holdfast_test.metrics import get
from holdfast_test.process import ROOT, Holdfast, wait_until

BYTES_MOST = 100 << 20
USER = 65532
# The container's share: well above what it takes.
MEMORY_BYTES = 256 << 20
PROCESSES_MOST = 128


@pytest.fixture(scope="session")
def image():
    """The folder that tests/image/build prints."""
    built = subprocess.run([ROOT / "tests/image/build"], stdout=subprocess.PIPE, text=True)
    assert built.returncode == 0
    return pathlib.Path(built.stdout.strip())


def files(image):
    for folder, _, names in os.walk(image / "root"):
        for name in names:
            yield pathlib.Path(folder) / name


def test_configuration(image):
    config = json.loads((image / "config.json").read_text())
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["/usr/bin/holdfast"]
    assert not config.get("Cmd")


def test_size(image):
    found = list(files(image))
    assert found
    assert sum(path.lstat().st_size for path in found) < BYTES_MOST
    assert (image / "image.oci.tar").stat().st_size < BYTES_MOST


def test_nothing_else_to_run(image):
    """No shell, no other program, nothing that gives anybody rights."""
    runnable = [
        path for path in files(image)
        if path.is_file() and path.stat().st_mode & 0o111 and ".so" not in path.name
    ]  # fmt: skip
    assert [path.relative_to(image / "root") for path in runnable] == [
        pathlib.Path("usr/bin/holdfast")
    ]
    for path in files(image):
        assert not path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID), path


def test_authorities(image):
    """Where OpenSSL looks for them."""
    link = image / "root/usr/lib/ssl/cert.pem"
    target = image / "root" / os.readlink(link).lstrip("/")
    assert "BEGIN CERTIFICATE" in target.read_text()


def bundle(image, folder, args, mounts=()):
    """A container of runc: read-only, without capabilities, in the machine's network."""
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    spec = json.loads((folder / "config.json").read_text())
    config = json.loads((image / "config.json").read_text())
    user, group = (int(part) for part in config["User"].split(":"))
    spec["root"] = {"path": str(image / "root"), "readonly": True}
    spec["process"].update(
        terminal=False, user={"uid": user, "gid": group}, args=config["Entrypoint"] + args,
        env=config.get("Env", []), noNewPrivileges=True, capabilities={}, rlimits=[],
    )  # fmt: skip
    kept = [one for one in spec["linux"]["namespaces"] if one["type"] not in ("network", "cgroup")]
    spec["linux"]["namespaces"] = kept
    spec["linux"]["resources"] = {
        "memory": {"limit": MEMORY_BYTES, "swap": MEMORY_BYTES}, "pids": {"limit": PROCESSES_MOST},
    }  # fmt: skip
    spec["mounts"] += [
        {"destination": target, "type": "bind", "source": str(source), "options": ["bind", "ro"]}
        for source, target in mounts
    ]
    (folder / "config.json").write_text(json.dumps(spec))
    return folder


def run(image, folder, *args, mounts=()):
    made = bundle(image, folder, list(args), mounts)
    return Holdfast(
        "--root", folder / "runc", "run", "--bundle", made, f"image-test-{os.getpid()}",
        binary="runc",
    )  # fmt: skip


def test_it_runs_as_its_user(image, tmp_path):
    manifests = ROOT / "deploy/demo/manifests"
    holdfast = run(
        image, tmp_path, "standalone", "--manifests", "/manifests", "--http-listen", "127.0.0.1:0",
        "--https-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--workers", "1",
        mounts=[(manifests, "/manifests")],
    )  # fmt: skip
    try:
        admin, port = holdfast.port("admin"), holdfast.port("http")
        wait_until(lambda: get(admin, "/readyz")[0] == 200, "readiness")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/of-no-ingress")
        assert connection.getresponse().status == 404
        connection.close()
        state = json.loads(
            subprocess.run(
                ["runc", "--root", tmp_path / "runc", "state", f"image-test-{os.getpid()}"],
                check=True, capture_output=True,
            ).stdout
        )  # fmt: skip
        status = pathlib.Path(f"/proc/{state['pid']}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(fields["Uid"].split()) == {str(USER)}
        assert set(fields["Gid"].split()) == {str(USER)}
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"].strip() == "1"
    finally:
        assert holdfast.stop() == 0
