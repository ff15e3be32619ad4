"""What every run of pytest here needs: the program under test, and an end for tests that hang."""

import os
import signal

import pytest

from spile_server import SPILE

# A test that waits for something that never comes must not hold up all the others.
TEST_SECONDS = int(os.environ.get("TEST_SECONDS", "90"))


def pytest_sessionstart(session):
    if not os.access(SPILE, os.X_OK):
        pytest.exit(f"there is no program {SPILE}: run `make build`, or set SPILE_BIN", returncode=2)


def limit(seconds: int):
    """A fixture for all tests of a folder: it ends one that hangs, with the place where it hung."""

    @pytest.fixture(autouse=True)
    def time_limit():
        def on_alarm(*_):
            raise TimeoutError(f"not done within {seconds} seconds")

        previous = signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(seconds)
        yield
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)

    return time_limit
