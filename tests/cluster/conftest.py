"""One API server for all cluster tests, in a network namespace of the test process's own."""

import pytest
from api_server import ApiServer, enter_namespace
from holdfast_test.started import started
from pods import Pods

__all__ = ["started"]


def pytest_sessionstart():
    enter_namespace()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = ApiServer(tmp_path_factory.mktemp("apiserver"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def api(server):
    server.api.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "holdfast"},
            "spec": {"controller": "holdfast.dev/ingress"},
        }
    )
    return server.api


@pytest.fixture(scope="session")
def pods():
    """Echoing backends at 10.244.1.1 to 10.244.1.4, port 9000."""
    running = Pods([f"10.244.1.{i}" for i in range(1, 5)])
    try:
        yield running
    finally:
        running.stop()
