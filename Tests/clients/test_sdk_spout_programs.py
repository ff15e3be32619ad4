"""Spouts that are programs of pachyderm-sdk, unchanged, as processes and in containers."""

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

from containers import OPTIONS, PYTHON, missing, transform_of


@pytest.fixture(params=["process", "container"])
def launcher(request):
    if request.param == "container" and missing(PYTHON):
        pytest.skip(missing(PYTHON))
    return request.param


@pytest.fixture
def client(server_with, launcher):
    server = server_with("--launcher", launcher, *(OPTIONS if launcher == "container" else ()))
    return Client(host=server.host, port=server.port)


def next_commits(client, repo, count):
    """The next ones that the program makes, all finished."""
    stream = client.pfs.subscribe_commit(
        repo=repo, branch="master", origin_kind=pfs.OriginKind.USER, state=pfs.CommitState.FINISHED)
    return [next(stream) for _ in range(count)]


@pytest.mark.parametrize("way", ["from_config", "new_in_cluster"])
def test_a_program_finds_its_server_and_writes_commit_after_commit(client, launcher, way):
    # As the example that comes with the SDK asks for one: nothing of `spout` reaches the wire.
    pipeline = pps.Pipeline(name="spout")
    repo = pfs.Repo(name="spout", type="user")
    with transform_of("sdk_spout.py", launcher, PYTHON) as transform:
        client.pps.create_pipeline(
            pipeline=pipeline, spout=pps.Spout(),
            transform=pps.Transform(**transform, env={"SPOUT": pipeline.name, "WAY": way}))
        for info in next_commits(client, repo, 3):
            assert info.error == ""
        head = pfs.Commit(branch=pfs.Branch(repo=repo, name="master"), repo=repo)
        client.pps.stop_pipeline(pipeline=pipeline)
        files = {one.file.path: one.size_bytes for one in client.pfs.list_file(file=pfs.File(commit=head, path="/"))}
        seen = files.pop("/seen")
        assert set(files.values()) == {1024} and seen == 2 * len(files), "one of each in every commit"
        client.pps.start_pipeline(pipeline=pipeline)
        written = client.pfs.list_commit(repo=repo, origin_kind=pfs.OriginKind.USER, all=True)
        next_commits(client, repo, len(list(written)) + 2)
        logs = client.pps.get_logs(pipeline=pipeline)
        assert "writing a commit" in [message.message for message in logs]
        client.pps.delete_pipeline(pipeline=pipeline)
