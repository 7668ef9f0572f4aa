"""The fixtures of the scenario tests.

With HOLDFAST_OVER_TLS in the environment their clients speak TLS; a test that is marked
`in_the_clear` is about something that TLS has no word for, or another one.
"""

import pytest
from holdfast_test.certificates import Authority, Maker
from holdfast_test.edge import OVER_TLS, dead_port, edge, own_edge, running_edge
from holdfast_test.started import started

__all__ = ["dead_port", "edge", "own_edge", "running_edge", "started"]


@pytest.fixture
def maker(tmp_path_factory):
    return Maker(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "Authority")


def pytest_configure(config):
    config.addinivalue_line("markers", "in_the_clear: the test's clients cannot speak TLS")


def pytest_collection_modifyitems(config, items):
    if not OVER_TLS:
        return
    clear = [item for item in items if item.get_closest_marker("in_the_clear")]
    config.hook.pytest_deselected(items=clear)
    items[:] = [item for item in items if item not in clear]
