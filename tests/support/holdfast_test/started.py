"""A fixture for whatever a test starts."""

import pytest


@pytest.fixture
def started():
    """Registers what a test starts: anything with stop(). Stopped in reverse order."""
    running = []

    def register(thing):
        running.append(thing)
        return thing

    try:
        yield register
    finally:
        for thing in reversed(running):
            thing.stop()
