"""What the tests of several servers share. See docs/TESTING.md for how to run them."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in [HERE, os.path.join(HERE, "../clients"), os.path.join(HERE, "../demo")]:
    sys.path.insert(0, os.path.abspath(folder))

from spile_server import SPILE  # noqa: E402


def pytest_sessionstart(session):
    if not os.access(SPILE, os.X_OK):
        pytest.exit(f"there is no program {SPILE}: run `make build`, or set SPILE_BIN", returncode=2)
