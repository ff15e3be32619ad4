"""What the tests of several servers share. See docs/TESTING.md for how to run them."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in [HERE, os.path.join(HERE, "../clients"), os.path.join(HERE, "../demo")]:
    sys.path.insert(0, os.path.abspath(folder))

from session import TEST_SECONDS, limit, pytest_sessionstart  # noqa: E402, F401
from settings import SETTINGS  # noqa: E402

# What it waits for after the last fault has limits of its own, of minutes: writers, pipelines, reading all back.
time_limit = limit(15 * TEST_SECONDS + 3 * int(SETTINGS.pace.seconds))
