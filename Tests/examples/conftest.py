"""Tests of examples/ against the real sources. See docs/TESTING.md for how to run them."""

import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in [HERE, os.path.join(HERE, "../clients"), os.path.join(HERE, "../demo")]:
    sys.path.insert(0, os.path.abspath(folder))

from containers import PYTHON, missing  # noqa: E402
from rig import LAUNCHERS, ROUNDS, Rig  # noqa: E402
from session import TEST_SECONDS, limit, pytest_sessionstart  # noqa: E402, F401

time_limit = limit(TEST_SECONDS + 15 * ROUNDS)


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
