"""What the tests of Kubernetes share: the server's program, a cluster, and manifests as they are shipped."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

from cluster import Cluster  # noqa: E402
from containers import BUSYBOX, missing, podman  # noqa: E402
from session import TEST_SECONDS, limit, pytest_sessionstart  # noqa: E402, F401
from spile_server import ROOT, SPILE, Server  # noqa: E402

# Pods come and go in seconds where processes take milliseconds.
time_limit = limit(3 * TEST_SECONDS)

SERVER_IMAGE = "localhost/spile-tests/server:latest"


def wait_for(what, seconds=60):
    """Asks again and again until the answer is true, and gives it."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.05)
    return answer


class Pachctl:
    """The command, at one server."""

    def __init__(self, folder, address, authorities=None):
        self.environment = {"PACH_CONFIG": str(folder / "config.json"), "PATH": "/usr/bin:/bin"}
        self.run("config", "set", "context", "default", "--overwrite", given=json.dumps(
            {"pachd_address": address} | ({"server_cas": authorities} if authorities else {})))

    def run(self, *words, given=None, check=True):
        done = subprocess.run([SPILE, *words], env=self.environment, input=given, capture_output=True, text=True,
                              check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def create(self, **spec):
        self.run("create", "pipeline", "-f", "-", given=json.dumps(spec))

    def inspect(self, name):
        return json.loads(self.run("inspect", "pipeline", name, "--raw"))

    def reaches(self, name, state, word=""):
        """Waits for a state, with a word in its reason; gives the reason."""
        seen = []

        def look():
            info = self.inspect(name)
            said = (info["state"], info.get("reason", ""))
            if said not in seen:
                seen.append(said)
            return said[0] == state and word in said[1] and (said[1] or "none")

        try:
            return wait_for(look)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen}") from None


@pytest.fixture
def cluster(tmp_path):
    if reason := missing(BUSYBOX):
        pytest.skip(reason)
    cluster = Cluster({"data": str(tmp_path / "server")})
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def server_image():
    """The image of deploy/, as a user builds it."""
    if reason := missing(BUSYBOX):
        pytest.skip(reason)
    subprocess.run([f"{ROOT}/deploy/image.sh", "static", SERVER_IMAGE], check=True, capture_output=True)
    yield SERVER_IMAGE
    podman("image", "rm", "--force", SERVER_IMAGE)


@pytest.fixture
def serve(tmp_path, cluster, server_image):
    """Starts a server of the cluster; gives it and its command."""
    running = []

    def start(*options, name="server"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig("n"))
        server = Server(
            str(folder / "data"), str(folder / "log"), environment={"KUBECONFIG": str(tmp_path / "kubeconfig")},
            options=("--launcher", "kubernetes", "--kubernetes-service", "127.0.0.1", "--image-pull", "never",
                     "--kubernetes-image", server_image, *options))
        server.host, server.http = "0.0.0.0", "127.0.0.1:0"
        server.start()
        running.append(server)
        return server, Pachctl(tmp_path, f"grpc://127.0.0.1:{server.port}")

    yield start
    for server in running:
        if server.process.poll() is None:
            assert server.stop() == 0, server.log_text()
