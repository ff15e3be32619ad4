"""A disk that is really full: a small file system of its own below the data folder. Needs root for the mount."""

import os
import subprocess

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from spile_server import Server
from test_metrics import Metrics, get

MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 96 MiB, and how to make that larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "spile-test", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no mount here: {mounted.stderr.decode()}")

    def grow():
        subprocess.run(["mount", "-o", "remount,size=400m", folder], check=True)

    yield folder, grow
    subprocess.run(["umount", "-l", folder], check=True)


def write_until_full(client, branch, size) -> dict[str, bytes]:
    """Puts files of random bytes until that is refused; returns what was acknowledged."""
    landed = {}
    while True:
        path, data = f"/{size}/{len(landed)}", os.urandom(size)
        try:
            commit = pfs.Commit.from_uri(branch.as_uri())
            client.pfs.put_file_from_bytes(commit=commit, path=path, data=data)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error.details()
            assert "space" in error.details()
            return landed
        landed[path] = data


def contents(client, branch) -> dict[str, bytes]:
    commit = pfs.Commit.from_uri(branch.as_uri())
    found = {}
    for info in client.pfs.walk_file(file=pfs.File(commit=commit, path="/")):
        if info.file_type == pfs.FileType.FILE:
            with client.pfs.pfs_file(file=pfs.File(commit=commit, path=info.file.path)) as content:
                found[info.file.path] = content.read()
    return found


def test_a_full_disk_refuses_clearly_loses_nothing_and_heals(small_disk, tmp_path):
    folder, grow = small_disk
    server = Server(str(folder / "data"), str(tmp_path / "server.log")).start()
    try:
        client = Client(host=server.host, port=server.port)
        repo = pfs.Repo.from_uri("full")
        client.pfs.create_repo(repo=repo)
        branch = pfs.Branch(name="master", repo=repo)
        landed = write_until_full(client, branch, 3 * MIB)
        landed |= write_until_full(client, branch, 20_000)
        assert landed
        assert contents(client, branch) == landed
        assert [finding.error for finding in client.pfs.fsck()] == []
        assert Metrics(server)("spile_commit_refusing") == 1
        ready = get(server, "/readyz")[1].splitlines()
        assert ready[0] == "ok" and "refused" in ready[1] and "space" in ready[1]

        grow()
        more = {f"/more/{index}": os.urandom(MIB) for index in range(5)}
        for path, data in more.items():
            client.pfs.put_file_from_bytes(commit=pfs.Commit.from_uri(branch.as_uri()), path=path, data=data)
        assert contents(client, branch) == landed | more
        assert Metrics(server)("spile_commit_refusing") == 0
        assert get(server, "/readyz")[1] == "ok\n"

        server.kill()
        server.start()
        assert contents(client, branch) == landed | more
        assert [finding.error for finding in client.pfs.fsck()] == []
    finally:
        server.kill()
