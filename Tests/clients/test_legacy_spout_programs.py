"""Spouts that are programs of python-pachyderm, unchanged, as processes and in containers."""

import pytest
import python_pachyderm
from python_pachyderm.service import pfs_proto, pps_proto

from containers import LEGACY, OPTIONS, missing, transform_of


@pytest.fixture(params=["process", "container"])
def launcher(request):
    if request.param == "container" and missing(LEGACY):
        pytest.skip(missing(LEGACY))
    return request.param


@pytest.fixture
def client(server_with, launcher):
    server = server_with("--launcher", launcher, *(OPTIONS if launcher == "container" else ()))
    return python_pachyderm.Client(host=server.host, port=server.port)


def test_a_client_without_arguments_writes_commit_after_commit(client, launcher):
    with transform_of("legacy_spout.py", launcher, LEGACY) as transform:
        client.create_pipeline(
            "spout", spout=pps_proto.Spout(), transform=pps_proto.Transform(**transform, env={"SPOUT": "spout"}))
        stream = client.subscribe_commit("spout", "master", state=pfs_proto.CommitState.FINISHED)
        commits = [next(stream).commit for _ in range(3)]
        stream.cancel()
        for number, commit in enumerate(commits, 1):
            sizes = {info.file.path: info.size_bytes for info in client.list_file(commit, "/")}
            assert sizes.pop("/seen") == 2 * number and list(sizes.values()) == [1024] * number
        assert "writing a commit" in [message.message for message in client.get_pipeline_logs("spout")]
        client.delete_pipeline("spout")
