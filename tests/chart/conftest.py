"""Helm, and one API server in a network namespace of the tests' own, as in tests/cluster."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))

from api_server import NODE, ApiServer, enter_namespace  # noqa: E402
from audit_log import AuditLog  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from helm import Helm  # noqa: E402
from holdfast_test.started import started  # noqa: E402
from pods import Pods  # noqa: E402

__all__ = ["started"]


def pytest_sessionstart():
    enter_namespace()


@pytest.fixture(scope="session")
def helm(tmp_path_factory):
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def audit(tmp_path_factory):
    """What the API server says of each request of the chart's accounts."""
    return AuditLog(tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="session")
def server(tmp_path_factory, audit):
    running = ApiServer(tmp_path_factory.mktemp("apiserver"), *audit.flags)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def dns():
    """The cluster's, where pods ask."""
    return DnsServer(NODE, 53)


@pytest.fixture(scope="session")
def backends():
    """Echoing backends at 10.244.1.1 to 10.244.1.2, port 9000."""
    running = Pods(["10.244.1.1", "10.244.1.2"])
    try:
        yield running
    finally:
        running.stop()
