"""What every client test can ask for. See docs/TESTING.md for how to run them."""

import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from session import TEST_SECONDS, limit, pytest_sessionstart  # noqa: E402, F401
from spile_server import Server  # noqa: E402

time_limit = limit(TEST_SECONDS)

_numbers = itertools.count(1)


def _run(folder, **more):
    server = Server(str(folder / "data"), str(folder / "server.log"), **more).start()
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    if server.process.poll() is None:
        status = server.stop()
        assert status == 0, f"the server ended with status {status}; its log says:\n{server.log_text()}"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that tests share. Names come from `fresh`, so they do not see each other's things."""
    yield from _run(tmp_path_factory.mktemp("server"))


@pytest.fixture
def own_server(tmp_path):
    """A server for one test alone: one that counts everything, deletes everything, or stops the server."""
    yield from _run(tmp_path)


@pytest.fixture
def server_with(tmp_path):
    """Starts servers with command line options and variables: server_with("--log-level", "debug", X="y")."""
    runs = []

    def start(*options, **environment):
        folder = tmp_path / f"server{len(runs)}"
        folder.mkdir()
        runs.append(_run(folder, options=options, environment=environment))
        return next(runs[-1])

    yield start
    for run in runs:
        next(run, None)


@pytest.fixture
def fresh():
    """Makes names that no other test has: fresh("repo") gives repo7."""
    return lambda prefix="thing": f"{prefix}{next(_numbers)}"
