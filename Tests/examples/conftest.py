"""Tests of examples/ against the real sources. See docs/TESTING.md for how to run them."""

import os
import shutil
import signal
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in [HERE, os.path.join(HERE, "../clients"), os.path.join(HERE, "../demo")]:
    sys.path.insert(0, os.path.abspath(folder))

from containers import PYTHON, missing  # noqa: E402
from rig import LAUNCHERS, ROUNDS, Rig  # noqa: E402
from spile_server import SPILE  # noqa: E402


def pytest_sessionstart(session):
    if not os.access(SPILE, os.X_OK):
        pytest.exit(f"there is no program {SPILE}: run `make build`, or set SPILE_BIN", returncode=2)


@pytest.fixture(autouse=True)
def time_limit():
    """Ends a test that hangs, with the place where it hung."""
    seconds = int(os.environ.get("TEST_SECONDS", "90")) + 15 * ROUNDS

    def on_alarm(*_):
        raise TimeoutError(f"not done within {seconds} seconds")

    previous = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(params=LAUNCHERS)
def rig(tmp_path, request):
    if request.param == "container" and missing(PYTHON):
        pytest.skip(missing(PYTHON))
    rig = Rig(tmp_path, request.param)
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture
def need():
    """Gives the path of a program that Scripts/setup.sh installs; its absence is an error, not a reason to skip."""

    def find(name: str) -> str:
        path = shutil.which(name, path="/usr/lib/rabbitmq/bin:" + os.environ.get("PATH", "") + ":/usr/sbin")
        assert path, f"there is no {name} here: run Scripts/setup.sh test"
        return path

    return find
