"""Programs of pachyderm-sdk 2.12, unchanged, against the server."""

import json
import os
import re
import sys
import threading
from datetime import timedelta

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.pfs import extension as pfs_extension

from sdk_tools import wait_for_state
from spile_server import Server

MIB = 1024 * 1024

# Prints, then stays until it is told to go. `exec` so that the signal reaches the program itself.
STAYING = ["sh", "-c", "echo up and running; exec sleep 3600"]


@pytest.fixture
def client(server):
    return Client(host=server.host, port=server.port)


@pytest.fixture
def repo(client, fresh):
    repo = pfs.Repo.from_uri(fresh("repo"))
    client.pfs.create_repo(repo=repo, description="made by a test")
    return repo


@pytest.fixture
def master(repo):
    return pfs.Branch(name="master", repo=repo)


def put(client, branch, files: dict[str, bytes]) -> pfs.Commit:
    """One commit with these files."""
    with client.pfs.commit(branch=branch) as commit:
        for path, data in files.items():
            commit.put_file_from_bytes(path=path, data=data)
    return commit


def file(commit: pfs.Commit, path: str) -> pfs.File:
    return pfs.File(commit=commit, path=path)


def read(client, commit, path) -> bytes:
    with client.pfs.pfs_file(file=file(commit, path)) as content:
        return content.read()


def head(branch) -> pfs.Commit:
    return pfs.Commit.from_uri(branch.as_uri())


def paths(infos) -> list[str]:
    return [info.file.path for info in infos]


def details(error) -> str:
    return error.value.details()


class TestConnecting:
    def test_the_version_is_one_that_the_sdk_takes_for_its_own(self, client):
        version = client.get_version()
        assert (version.major, version.minor, version.micro, version.additional) == (2, 12, 2, "")

    def test_inspect_cluster_has_a_stable_deployment_id_and_no_warnings(self, client):
        first, second = client.admin.inspect_cluster(), client.admin.inspect_cluster()
        assert first.deployment_id and first.deployment_id == second.deployment_id
        assert first.id
        assert first.warnings_ok and not first.warnings

    def test_an_address_a_config_file_and_the_variables_of_a_worker_all_lead_to_the_server(
        self, server, tmp_path, monkeypatch
    ):
        assert Client.from_pachd_address(server.address).get_version().major == 2

        config = tmp_path / "config.json"
        context = {"pachd_address": server.address, "session_token": "", "project": "default"}
        config.write_text(json.dumps({"v2": {"active_context": "here", "contexts": {"here": context}}}))
        assert Client.from_config(config).get_version().major == 2

        monkeypatch.setenv("PACHD_PEER_SERVICE_HOST", server.host)
        monkeypatch.setenv("PACHD_PEER_SERVICE_PORT", str(server.port))
        assert Client.new_in_cluster().get_version().major == 2

    def test_a_token_is_ignored_while_auth_is_off(self, server):
        client = Client(host=server.host, port=server.port, auth_token="not-a-token")
        assert client.get_version().major == 2
        assert list(client.pfs.list_project())

    def test_who_am_i_says_that_auth_is_not_activated(self, client):
        from pachyderm_sdk.errors import AuthServiceNotActivated

        with pytest.raises(AuthServiceNotActivated):
            client.auth.who_am_i()

    def test_a_server_that_is_not_there_is_a_connection_error(self):
        with pytest.raises(ConnectionError):
            Client(host="127.0.0.1", port=1).get_version()


class TestTheTransport:
    def test_many_calls_share_one_connection(self, client, repo, master):
        streams = [client.pfs.subscribe_commit(repo=repo, branch="master") for _ in range(200)]
        commit = put(client, master, {"/a": b"a"})
        assert {next(stream).commit.id for stream in streams} == {commit.id}
        for stream in streams:
            stream.close()
        assert client.get_version().major == 2

    def test_messages_may_be_compressed(self, server, repo, master):
        with grpc.insecure_channel(
            f"{server.host}:{server.port}", compression=grpc.Compression.Gzip,
            options=[("grpc.max_receive_message_length", 20 * MIB)],
        ) as channel:
            stub = pfs_extension.ApiStub(channel, get_transaction_id=lambda: None)
            stub.put_file_from_bytes(commit=head(master), path="/zeros", data=bytes(5 * MIB))
            with stub.pfs_file(file=file(head(master), "/zeros")) as content:
                assert content.read() == bytes(5 * MIB)

    def test_an_empty_transaction_header_is_no_transaction(self, client, master):
        # What the SDK sends after its `finish_transaction`.
        client.transaction_id = ""
        commit = put(client, master, {"/a": b"a"})
        assert read(client, commit, "/a") == b"a"

    def test_what_is_not_there_yet_says_so_and_is_not_taken_for_auth(self, client):
        with pytest.raises(grpc.RpcError) as error:
            client.snapshot.create_snapshot()
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "snapshot" in details(error)
        assert "the auth service is not activated" not in details(error)


class TestProjects:
    def test_there_is_always_a_default_project(self, client):
        assert "default" in [info.project.name for info in client.pfs.list_project()]
        assert client.pfs.project_exists(pfs.Project(name="default"))

    def test_a_project_comes_and_goes(self, client, fresh):
        project = pfs.Project(name=fresh("project"))
        assert not client.pfs.project_exists(project)
        client.pfs.create_project(project=project, description="first")
        assert client.pfs.project_exists(project)
        client.pfs.create_project(project=project, description="second", update=True)
        info = client.pfs.inspect_project(project=project)
        assert (info.project.name, info.description) == (project.name, "second")
        client.pfs.delete_project(project=project)
        assert not client.pfs.project_exists(project)

    def test_a_project_that_is_there_is_not_created_again(self, client, fresh):
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        with pytest.raises(grpc.RpcError) as error:
            client.pfs.create_project(project=project)
        assert error.value.code() == grpc.StatusCode.ALREADY_EXISTS

    def test_repos_of_two_projects_may_have_the_same_name(self, client, fresh):
        project, name = fresh("project"), fresh("repo")
        client.pfs.create_project(project=pfs.Project(name=project))
        here, there = pfs.Repo.from_uri(name), pfs.Repo.from_uri(f"{project}/{name}")
        client.pfs.create_repo(repo=here)
        assert not client.pfs.repo_exists(there)
        client.pfs.create_repo(repo=there)
        put(client, pfs.Branch(name="master", repo=there), {"/only-there": b"1"})
        assert [
            info.repo.as_uri() for info in client.pfs.list_repo(type="user", projects=[pfs.Project(name=project)])
        ] == [there.as_uri()]
        assert not client.pfs.branch_exists(pfs.Branch(name="master", repo=here))

    def test_a_project_with_repos_is_kept(self, client, fresh):
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        repo = pfs.Repo(name="data", project=project)
        client.pfs.create_repo(repo=repo)
        with pytest.raises(grpc.RpcError):
            client.pfs.delete_project(project=project)
        client.pfs.delete_repo(repo=repo)
        client.pfs.delete_project(project=project)


class TestRepos:
    def test_a_repo_comes_and_goes(self, client, fresh):
        repo = pfs.Repo.from_uri(fresh("repo"))
        assert not client.pfs.repo_exists(repo)
        client.pfs.create_repo(repo=repo, description="a repo")
        assert client.pfs.repo_exists(repo)
        info = client.pfs.inspect_repo(repo=repo)
        assert info.repo == repo
        assert info.description == "a repo"
        assert repo.name in [info.repo.name for info in client.pfs.list_repo()]
        assert client.pfs.delete_repo(repo=repo).deleted
        assert not client.pfs.repo_exists(repo)

    def test_a_repo_that_is_there_is_not_created_again(self, client, repo):
        with pytest.raises(grpc.RpcError, match="already exists") as error:
            client.pfs.create_repo(repo=repo)
        assert error.value.code() == grpc.StatusCode.ALREADY_EXISTS

    def test_update_changes_the_description(self, client, repo):
        client.pfs.create_repo(repo=repo, description="another", update=True)
        assert client.pfs.inspect_repo(repo=repo).description == "another"

    def test_deleting_what_is_not_there_is_not_an_error(self, client, fresh):
        assert not client.pfs.delete_repo(repo=pfs.Repo.from_uri(fresh("repo")), force=True).deleted

    @pytest.mark.parametrize("name", ["with space", "dot.ted", "sla/sh", "ümlaut", ""])
    def test_a_bad_name_is_refused(self, client, name):
        with pytest.raises(grpc.RpcError):
            client.pfs.create_repo(repo=pfs.Repo(name=name))
        assert client.get_version().major == 2

    def test_the_size_is_that_of_the_head_of_master(self, client, repo, master):
        put(client, master, {"/five": b"12345", "/three": b"123"})
        assert client.pfs.inspect_repo(repo=repo).details.size_bytes == 8


class TestBranches:
    def test_a_branch_comes_and_goes(self, client, repo, master):
        commit = put(client, master, {"/a": b"a"})
        branch = pfs.Branch(name="staging", repo=repo)
        assert not client.pfs.branch_exists(branch)
        client.pfs.create_branch(branch=branch, head=commit)
        assert client.pfs.branch_exists(branch)
        assert client.pfs.inspect_branch(branch=branch).head.id == commit.id
        assert {info.branch.name for info in client.pfs.list_branch(repo=repo)} == {"master", "staging"}
        client.pfs.delete_branch(branch=branch)
        assert not client.pfs.branch_exists(branch)
        assert client.pfs.commit_exists(commit)

    def test_a_branch_made_without_a_head_gets_an_empty_finished_one(self, client, repo, master):
        client.pfs.create_branch(branch=master)
        info = client.pfs.inspect_commit(commit=head(master))
        assert info.origin.kind == pfs.OriginKind.AUTO
        assert info.finished.year > 1970
        assert list(client.pfs.list_file(file=file(head(master), "/"))) == []
        assert [info.branch.name for info in client.pfs.list_branch(repo=repo)] == ["master"]

    def test_two_branches_of_one_commit_go_their_own_ways(self, client, repo, master):
        start = put(client, master, {"/shared": b"1"})
        other = pfs.Branch(name="other", repo=repo)
        client.pfs.create_branch(branch=other, head=start)
        put(client, other, {"/only-other": b"2"})
        put(client, master, {"/only-master": b"3"})
        assert paths(client.pfs.list_file(file=file(head(other), "/"))) == ["/only-other", "/shared"]
        assert paths(client.pfs.list_file(file=file(head(master), "/"))) == ["/only-master", "/shared"]

    def test_a_head_can_be_named_by_branch_and_by_ancestry(self, client, repo, master):
        commits = [put(client, master, {f"/{number}": b"x"}) for number in range(3)]
        back = pfs.Branch(name="back", repo=repo)
        client.pfs.create_branch(branch=back, head=pfs.Commit.from_uri(f"{repo}@master^"))
        assert client.pfs.inspect_branch(branch=back).head.id == commits[1].id
        client.pfs.create_branch(branch=back, head=head(master))
        assert client.pfs.inspect_branch(branch=back).head.id == commits[2].id

    def test_deleting_a_branch_that_is_not_there_fails(self, client, repo):
        with pytest.raises(grpc.RpcError) as error:
            client.pfs.delete_branch(branch=pfs.Branch(name="nowhere", repo=repo))
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


class TestCommits:
    def test_the_context_manager_finishes_what_it_started(self, client, master):
        with client.pfs.commit(branch=master, description="why") as commit:
            commit.put_file_from_bytes(path="/file", data=b"data")
        info = commit.wait()
        assert info.description == "why"
        assert info.finished.year > 1970
        assert not info.error
        assert info.details.size_bytes == 4
        assert [one.commit.id for one in commit.wait_all()] == [commit.id]

    def test_an_exception_in_the_body_finishes_the_commit_too(self, client, master):
        with pytest.raises(ZeroDivisionError):
            with client.pfs.commit(branch=master) as commit:
                commit.put_file_from_bytes(path="/before", data=b"1")
                1 / 0
        assert client.pfs.wait_commit(commit).finished.year > 1970
        put(client, master, {"/after": b"2"})
        assert paths(client.pfs.list_file(file=file(head(master), "/"))) == ["/after", "/before"]

    def test_answers_name_the_repo_and_no_branch(self, client, repo, master):
        started = client.pfs.start_commit(branch=master)
        assert started.repo == repo and not started.branch.name
        client.pfs.put_file_from_bytes(commit=started, path="/a", data=b"a")
        client.pfs.finish_commit(commit=started)
        second = put(client, master, {"/b": b"b"})
        info = client.pfs.inspect_commit(commit=second)
        assert info.commit.repo == repo and not info.commit.branch.name
        assert info.parent_commit.id == started.id and not info.parent_commit.branch.name
        assert not client.pfs.inspect_branch(branch=master).head.branch.name
        found = client.pfs.inspect_file(file=file(second, "/a"))
        assert found.file.commit.id == second.id and not found.file.commit.branch.name

    def test_an_open_head_is_in_the_way_of_the_next_commit(self, client, master):
        commit = client.pfs.start_commit(branch=master)
        with pytest.raises(grpc.RpcError, match=r"parent commit .* has not been finished"):
            client.pfs.start_commit(branch=master)
        client.pfs.finish_commit(commit=commit)
        client.pfs.finish_commit(commit=client.pfs.start_commit(branch=master))

    def test_starting_in_a_repo_that_is_not_there(self, client, fresh):
        with pytest.raises(grpc.RpcError, match=r"repo .* not found") as error:
            client.pfs.start_commit(branch=pfs.Branch.from_uri(f"{fresh('repo')}@master"))
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_a_finished_commit_takes_nothing_more(self, client, master):
        commit = put(client, master, {"/a": b"a"})
        with pytest.raises(grpc.RpcError, match="has already finished"):
            client.pfs.finish_commit(commit=commit)
        with pytest.raises(grpc.RpcError, match="has already finished"):
            client.pfs.put_file_from_bytes(commit=commit, path="/b", data=b"b")

    def test_everything_can_be_read_as_soon_as_finish_returns(self, client, repo, master):
        for number in range(10):
            commit = put(client, master, {"/file": b"%d" % number})
            assert client.pfs.inspect_file(file=file(commit, "/file")).size_bytes == 1
            assert read(client, commit, "/file") == b"%d" % number
            copy = pfs.Branch(name="copy", repo=repo)
            client.pfs.copy_file(commit=head(copy), src=file(commit, "/file"), dst="/copied")
            assert read(client, head(copy), "/copied") == b"%d" % number

    def test_list_commit_gives_the_newest_first(self, client, repo, master):
        commits = [put(client, master, {f"/{number}": b"x"}).id for number in range(4)]
        assert [info.commit.id for info in client.pfs.list_commit(repo=repo)] == commits[::-1]
        assert [info.commit.id for info in client.pfs.list_commit(repo=repo, number=2)] == commits[:1:-1]
        assert [info.commit.id for info in client.pfs.list_commit(repo=repo, reverse=True)] == commits
        middle = pfs.Commit(repo=repo, id=commits[2])
        first = pfs.Commit(repo=repo, id=commits[0])
        assert [info.commit.id for info in client.pfs.list_commit(repo=repo, to=middle)] == commits[2::-1]
        assert [info.commit.id for info in client.pfs.list_commit(repo=repo, to=middle, from_=first)] == [
            commits[2], commits[1],
        ]

    @pytest.mark.parametrize(
        ("form", "index"),
        [("master", 3), ("master^", 2), ("master^2", 1), ("master~3", 0), ("master.1", 0), ("master.2", 1)],
    )
    def test_ancestry_is_resolved_by_the_server(self, client, repo, master, form, index):
        commits = [put(client, master, {f"/{number}": b"x"}).id for number in range(4)]
        assert client.pfs.inspect_commit(commit=pfs.Commit.from_uri(f"{repo}@{form}")).commit.id == commits[index]
        by_id = pfs.Commit(repo=repo, id=f"{commits[3]}^")
        assert client.pfs.inspect_commit(commit=by_id).commit.id == commits[2]

    def test_a_commit_that_is_not_there(self, client, repo, master):
        commit = pfs.Commit(repo=repo, id="0123456789ab4def0123456789abcdef")
        assert not client.pfs.commit_exists(commit)
        assert not client.pfs.commit_exists(pfs.Commit.from_uri(f"{repo}@nowhere"))
        assert client.pfs.commit_exists(put(client, master, {"/a": b"a"}))
        with pytest.raises(grpc.RpcError, match=r"commit [^ ]+ not found") as error:
            client.pfs.inspect_commit(commit=commit)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_a_parent_can_be_another_branch(self, client, repo, master):
        start = put(client, master, {"/a": b"a"})
        put(client, master, {"/b": b"b"})
        other = pfs.Branch(name="other", repo=repo)
        with client.pfs.commit(branch=other, parent=start) as commit:
            commit.put_file_from_bytes(path="/c", data=b"c")
        assert paths(client.pfs.list_file(file=file(head(other), "/"))) == ["/a", "/c"]

    def test_waiting_returns_when_somebody_else_finishes(self, client, server, master):
        commit = client.pfs.start_commit(branch=master)
        waiting, results = threading.Event(), []

        def wait():
            own = Client(host=server.host, port=server.port)
            waiting.set()
            results.append(own.pfs.wait_commit(commit))

        thread = threading.Thread(target=wait)
        thread.start()
        waiting.wait()
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"a")
        client.pfs.finish_commit(commit=commit)
        thread.join(60)
        assert results[0].commit.id == commit.id and results[0].finished.year > 1970


class TestSubscribing:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_the_empty_first_head_comes_first_then_the_users_commits(self, client, server, repo, master, when):
        client.pfs.create_branch(branch=master)
        if when == "before":
            # The generator of the SDK starts its call with the first `next`: that takes the empty head.
            stream = Client(host=server.host, port=server.port).pfs.subscribe_commit(repo=repo, branch="master")
            empty = next(stream)
            commit = put(client, master, {"/a": b"a"})
        else:
            commit = put(client, master, {"/a": b"a"})
            stream = client.pfs.subscribe_commit(repo=repo, branch="master")
            empty = next(stream)
        assert empty.origin.kind == pfs.OriginKind.AUTO
        assert next(stream).commit.id == commit.id
        stream.close()

    def test_each_commit_comes_once_and_in_order(self, client, server, repo, master):
        stream = client.pfs.subscribe_commit(repo=repo, branch="master", state=pfs.CommitState.FINISHED)
        made = [put(client, master, {f"/{number}": b"x"}).id for number in range(5)]
        assert [next(stream).commit.id for _ in made] == made
        later = put(client, master, {"/later": b"x"}).id
        assert next(stream).commit.id == later
        stream.close()

    def test_only_commits_of_the_branch_come(self, client, repo, master):
        other = pfs.Branch(name="other", repo=repo)
        put(client, other, {"/x": b"x"})
        wanted = put(client, master, {"/a": b"a"}).id
        put(client, other, {"/y": b"y"})
        second = put(client, master, {"/b": b"b"}).id
        stream = client.pfs.subscribe_commit(repo=repo, branch="master")
        assert [next(stream).commit.id, next(stream).commit.id] == [wanted, second]
        stream.close()

    def test_from_leaves_out_what_was_before(self, client, repo, master):
        made = [put(client, master, {f"/{number}": b"x"}) for number in range(3)]
        stream = client.pfs.subscribe_commit(repo=repo, branch="master", from_=made[1])
        assert next(stream).commit.id == made[2].id
        stream.close()

    def test_it_waits_for_the_state_that_is_asked_for(self, client, server, repo, master):
        open_commit = client.pfs.start_commit(branch=master)
        started = client.pfs.subscribe_commit(repo=repo, branch="master", state=pfs.CommitState.STARTED)
        assert next(started).commit.id == open_commit.id
        started.close()
        results = []

        def subscribe():
            own = Client(host=server.host, port=server.port)
            stream = own.pfs.subscribe_commit(repo=repo, branch="master", state=pfs.CommitState.FINISHED)
            results.append(next(stream))
            stream.close()

        thread = threading.Thread(target=subscribe)
        thread.start()
        client.pfs.finish_commit(commit=open_commit)
        thread.join(60)
        assert results[0].finished.year > 1970


class TestWriting:
    def test_bytes(self, client, master):
        commit = put(client, master, {"/greeting.txt": b"Hello!"})
        assert read(client, commit, "/greeting.txt") == b"Hello!"

    def test_a_one_shot_put_makes_one_finished_commit(self, client, repo, master):
        client.pfs.put_file_from_bytes(commit=head(master), path="/a", data=b"a")
        client.pfs.put_file_from_bytes(commit=head(master), path="/b", data=b"b")
        infos = list(client.pfs.list_commit(repo=repo))
        assert len(infos) == 2
        assert all(info.finished.year > 1970 and info.origin.kind == pfs.OriginKind.USER for info in infos)
        assert paths(client.pfs.list_file(file=file(head(master), "/"))) == ["/a", "/b"]

    def test_a_put_to_the_branch_goes_into_its_open_commit(self, client, repo, master):
        commit = client.pfs.start_commit(branch=master)
        client.pfs.put_file_from_bytes(commit=head(master), path="/a", data=b"a")
        assert client.pfs.inspect_commit(commit=commit).finished.year == 1970
        client.pfs.finish_commit(commit=commit)
        assert len(list(client.pfs.list_commit(repo=repo))) == 1
        assert read(client, commit, "/a") == b"a"

    def test_put_replaces_and_append_adds(self, client, master):
        put(client, master, {"/a": b"first"})
        put(client, master, {"/a": b"second"})
        assert read(client, head(master), "/a") == b"second"
        with client.pfs.commit(branch=master) as commit:
            commit.put_file_from_bytes(path="/a", data=b", third", append=True)
            commit.put_file_from_bytes(path="/a", data=b", fourth", append=True)
        assert read(client, commit, "/a") == b"second, third, fourth"

    def test_an_open_file(self, client, master, tmp_path):
        source = tmp_path / "local.dat"
        source.write_bytes(os.urandom(100_000))
        with client.pfs.commit(branch=master) as commit, open(source, "rb") as stream:
            commit.put_file_from_file(path="/index.dat", file=stream)
        assert read(client, commit, "/index.dat") == source.read_bytes()

    def test_a_local_folder(self, client, master, tmp_path):
        expected = {"/in/a.txt": b"a", "/in/sub/b.txt": b"b", "/in/sub/deeper/c.txt": b"c"}
        for path, data in expected.items():
            local = tmp_path / path.removeprefix("/in/")
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(data)
        with client.pfs.commit(branch=master) as commit:
            commit.put_files(source=tmp_path, path="/in")
        assert {path: read(client, commit, path) for path in expected} == expected
        found = [path for path in paths(client.pfs.walk_file(file=file(commit, "/in"))) if not path.endswith("/")]
        assert found == sorted(expected)

    def test_an_empty_file(self, client, master):
        commit = put(client, master, {"/empty": b"", "/full": b"x"})
        assert read(client, commit, "/empty") == b""
        assert client.pfs.inspect_file(file=file(commit, "/empty")).size_bytes == 0

    @pytest.mark.parametrize("size", [19 * MIB - 1, 19 * MIB, 22 * MIB, 41 * MIB + 7])
    def test_a_file_of_more_than_one_message(self, client, master, size):
        data = os.urandom(MIB) * (size // MIB) + b"x" * (size % MIB)
        commit = put(client, master, {"/large": data})
        assert client.pfs.inspect_file(file=file(commit, "/large")).size_bytes == size
        messages = [message.value for message in client.pfs.get_file(file=file(commit, "/large"))]
        assert max(map(len, messages)) < 20 * MIB
        assert len(messages) > 1
        assert b"".join(messages) == data

    def test_copy(self, client, repo, master, fresh):
        commit = put(client, master, {"/dir/a": b"a", "/dir/b": b"b"})
        other = pfs.Repo.from_uri(fresh("repo"))
        client.pfs.create_repo(repo=other)
        with client.pfs.commit(branch=pfs.Branch(name="master", repo=other)) as target:
            target.copy_file(src=file(commit, "/dir/a"), dst="/copied")
            target.copy_file(src=file(commit, "/dir"), dst="/tree")
            target.copy_file(src=file(commit, "/dir/b"), dst="/copied", append=True)
        assert read(client, target, "/copied") == b"ab"
        assert paths(client.pfs.walk_file(file=file(target, "/tree"))) == ["/tree/", "/tree/a", "/tree/b"]

    def test_delete(self, client, master):
        put(client, master, {"/a": b"a", "/dir/b": b"b", "/dir/c": b"c"})
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/a")
        assert paths(client.pfs.list_file(file=file(commit, "/"))) == ["/dir/"]
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/dir/")
        assert list(client.pfs.list_file(file=file(commit, "/"))) == []
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/not-there")
        put(client, master, {"/x": b"x", "/y/z": b"z"})
        client.pfs.delete_file(commit=head(master), path="/")
        assert list(client.pfs.list_file(file=file(head(master), "/"))) == []

    def test_many_operations_in_one_stream_are_one_commit(self, client, repo, master):
        def requests():
            yield pfs.ModifyFileRequest(set_commit=head(master))
            for number in range(1000):
                yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=f"/{number:04}", raw=b"%d" % number))
            yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path="/0007"))

        client.pfs.modify_file(requests())
        assert len(list(client.pfs.list_commit(repo=repo))) == 1
        assert len(list(client.pfs.list_file(file=file(head(master), "/")))) == 999

    def test_a_stream_that_the_client_breaks_off_leaves_nothing(self, client, repo, master):
        put(client, master, {"/before": b"1"})

        def requests():
            yield pfs.ModifyFileRequest(set_commit=head(master))
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/half", raw=b"x" * MIB))
            raise ZeroDivisionError

        with pytest.raises(grpc.RpcError):
            client.pfs.modify_file(requests())
        assert paths(client.pfs.list_file(file=file(head(master), "/"))) == ["/before"]
        assert len(list(client.pfs.list_commit(repo=repo))) == 1

    @pytest.mark.parametrize(
        ("path", "fragment"),
        [
            ("/with\0nul", "printable"),
            ("/star*", "globbing character"),
            ("/what?", "globbing character"),
            ("/../up", "relative file paths are not allowed"),
        ],
    )
    def test_a_bad_path_is_refused_and_leaves_nothing(self, client, repo, master, path, fragment):
        with pytest.raises(grpc.RpcError) as error:
            client.pfs.put_file_from_bytes(commit=head(master), path=path, data=b"x")
        assert fragment in details(error)
        assert list(client.pfs.list_commit(repo=repo)) == []

    def test_a_put_to_a_repo_that_is_not_there(self, client, fresh):
        with pytest.raises(grpc.RpcError, match=r"repo .* not found") as error:
            client.pfs.put_file_from_bytes(
                commit=pfs.Commit.from_uri(f"{fresh('repo')}@master"), path="/a", data=b"a"
            )
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


class TestReading:
    @pytest.fixture
    def tree(self, client, master):
        return put(client, master, {
            "/a/b/file3.dat": b"333", "/a/file2.dat": b"22", "/file1.dat": b"1", "/other1.dat": b"other",
        })

    def test_list_gives_the_children_and_marks_directories(self, client, tree):
        infos = list(client.pfs.list_file(file=file(tree, "/")))
        assert paths(infos) == ["/a/", "/file1.dat", "/other1.dat"]
        assert [info.file_type for info in infos] == [pfs.FileType.DIR, pfs.FileType.FILE, pfs.FileType.FILE]
        assert [info.size_bytes for info in infos] == [5, 1, 5]
        assert paths(client.pfs.list_file(file=file(tree, "/a"))) == ["/a/b/", "/a/file2.dat"]
        assert paths(client.pfs.list_file(file=file(tree, "/file1.dat"))) == ["/file1.dat"]
        assert paths(client.pfs.list_file(file=file(tree, "/nowhere"))) == []

    def test_list_in_pages(self, client, master):
        commit = put(client, master, {f"/{number:02}": b"x" for number in range(10)})
        marker, found = None, []
        while page := paths(client.pfs.list_file(file=file(commit, "/"), number=3, pagination_marker=marker)):
            assert len(page) <= 3
            found += page
            marker = file(commit, page[-1])
        assert found == [f"/{number:02}" for number in range(10)]
        last = client.pfs.list_file(file=file(commit, "/"), number=2, reverse=True)
        assert paths(last) == ["/09", "/08"]

    def test_walk_comes_in_the_order_that_clients_expect(self, client, tree):
        assert paths(client.pfs.walk_file(file=file(tree, "/a"))) == [
            "/a/", "/a/b/", "/a/b/file3.dat", "/a/file2.dat",
        ]
        assert paths(client.pfs.walk_file(file=file(tree, "/")))[0] == "/"

    def test_glob(self, client, tree):
        def glob(pattern):
            return paths(client.pfs.glob_file(commit=tree, pattern=pattern))

        assert glob("/*1.dat") == ["/file1.dat", "/other1.dat"]
        assert glob("/*") == ["/a/", "/file1.dat", "/other1.dat"]
        assert glob("/**.dat") == ["/a/b/file3.dat", "/a/file2.dat", "/file1.dat", "/other1.dat"]
        assert glob("/a/*") == ["/a/b/", "/a/file2.dat"]
        assert glob("/{file,other}1.dat") == ["/file1.dat", "/other1.dat"]
        assert glob("/") == ["/"]
        assert glob("/nothing*") == []

    @pytest.mark.parametrize("path", ["/a", "/a/", "a"])
    def test_inspect_takes_a_directory_with_and_without_slash(self, client, tree, path):
        info = client.pfs.inspect_file(file=file(tree, path))
        assert (info.file.path, info.file_type, info.size_bytes) == ("/a/", pfs.FileType.DIR, 5)

    @pytest.mark.parametrize("path", ["/file1.dat", "/file1.dat/", "file1.dat"])
    def test_inspect_takes_a_file_with_and_without_slash(self, client, tree, path):
        info = client.pfs.inspect_file(file=file(tree, path))
        assert (info.file.path, info.file_type, info.size_bytes) == ("/file1.dat", pfs.FileType.FILE, 1)
        assert info.file.commit.id == tree.id
        assert info.committed.year > 1970

    def test_path_exists(self, client, repo, tree):
        assert client.pfs.path_exists(file(tree, "/a"))
        assert client.pfs.path_exists(file(tree, "/a/"))
        assert client.pfs.path_exists(file(tree, "/file1.dat"))
        assert not client.pfs.path_exists(file(tree, "/file2.dat"))
        with pytest.raises(ValueError, match="commit does not exist"):
            client.pfs.path_exists(pfs.File.from_uri(f"{repo}@nowhere:/file1.dat"))

    def test_a_missing_file_fails_before_any_message(self, client, tree):
        with pytest.raises(ValueError) as error:
            client.pfs.pfs_file(file=file(tree, "/nowhere"))
        assert error.value.__cause__.code() == grpc.StatusCode.NOT_FOUND
        assert re.search(r"file .+ not found", error.value.__cause__.details())

    def test_a_directory_is_not_read_as_a_file(self, client, tree):
        with pytest.raises(ValueError) as error:
            client.pfs.pfs_file(file=file(tree, "/a"))
        assert "Use GetFileTAR instead" in error.value.__cause__.details()

    def test_lines_and_ranges(self, client, master):
        commit = put(client, master, {"/lines": b"one\ntwo\nthree\n"})
        with client.pfs.pfs_file(file=file(commit, "/lines")) as stream:
            assert list(stream) == [b"one\n", b"two\n", b"three\n"]
        assert b"".join(
            message.value for message in client.pfs.get_file(file=file(commit, "/lines"), offset=4)
        ) == b"two\nthree\n"

    def test_a_tar_of_everything_unpacks_to_the_same_tree(self, client, tree, tmp_path):
        with client.pfs.pfs_tar_file(file=file(tree, "/")) as archive:
            archive.extractall(tmp_path)
        found = {
            "/" + str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        }
        assert found == {
            "/a/b/file3.dat": b"333", "/a/file2.dat": b"22", "/file1.dat": b"1", "/other1.dat": b"other",
        }

    def test_a_tar_of_a_directory(self, client, tree):
        with client.pfs.pfs_tar_file(file=file(tree, "/a")) as archive:
            names = [member.name for member in archive if member.isfile()]
        assert names == ["a/b/file3.dat", "a/file2.dat"]

    def test_diff_against_the_parent(self, client, master, tree):
        with client.pfs.commit(branch=master) as commit:
            commit.put_file_from_bytes(path="/file1.dat", data=b"changed")
            commit.delete_file(path="/other1.dat")
            commit.put_file_from_bytes(path="/new.dat", data=b"new")
        changes = {
            (one.new_file.file.path, one.old_file.file.path)
            for one in client.pfs.diff_file(new_file=file(commit, "/"))
            if not (one.new_file.file.path or one.old_file.file.path).endswith("/")
        }
        assert changes == {("/file1.dat", "/file1.dat"), ("/new.dat", ""), ("", "/other1.dat")}

    def test_diff_of_two_paths(self, client, master):
        old = put(client, master, {"/file1.dat": b"1", "/file2.dat": b"2"})
        new = put(client, master, {"/file1.dat": b"other"})
        entries = list(client.pfs.diff_file(new_file=file(new, "/file1.dat"), old_file=file(old, "/file2.dat")))
        assert entries[0].new_file.file.path == "/file1.dat"
        assert entries[1].old_file.file.path == "/file2.dat"

    def test_equal_content_has_an_equal_hash_however_it_was_written(self, client, master):
        data = os.urandom(3 * MIB)

        def requests():
            yield pfs.ModifyFileRequest(set_commit=head(master))
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/whole", raw=data))
            for start in range(0, len(data), 100_001):
                yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/pieces", raw=data[start:start + 100_001]))

        client.pfs.modify_file(requests())
        whole = client.pfs.inspect_file(file=file(head(master), "/whole"))
        pieces = client.pfs.inspect_file(file=file(head(master), "/pieces"))
        assert whole.hash == pieces.hash and len(whole.hash) == 32

    def test_an_open_commit_shows_what_has_been_written(self, client, master):
        put(client, master, {"/old": b"1"})
        with client.pfs.commit(branch=master) as commit:
            commit.put_file_from_bytes(path="/new", data=b"2")
            assert paths(client.pfs.list_file(file=file(commit, "/"))) == ["/new", "/old"]
            assert read(client, commit, "/new") == b"2"

    def test_an_old_commit_still_reads_as_it_was(self, client, master):
        commits = [put(client, master, {"/file": b"%d" % number}) for number in range(5)]
        assert [read(client, commit, "/file") for commit in commits] == [b"0", b"1", b"2", b"3", b"4"]

    def test_fsck_finds_nothing(self, client, tree):
        assert [answer.error for answer in client.pfs.fsck() if answer.error] == []


class TestConcurrency:
    def test_writers_of_one_branch_all_get_their_commit(self, client, server, repo, master):
        put(client, master, {"/start": b""})
        failures = []

        def write(writer):
            own = Client(host=server.host, port=server.port)
            try:
                for number in range(10):
                    own.pfs.put_file_from_bytes(
                        commit=head(master), path=f"/{writer}/{number}", data=f"{writer}/{number}".encode()
                    )
            except Exception as error:  # noqa: BLE001
                failures.append(error)

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(list(client.pfs.list_commit(repo=repo))) == 81
        assert {path: read(client, head(master), path) for path in ("/0/0", "/7/9")} == {"/0/0": b"0/0", "/7/9": b"7/9"}
        assert len(paths(client.pfs.glob_file(commit=head(master), pattern="/*/*"))) == 80

    def test_streams_into_one_open_commit_do_not_mix(self, client, server, master):
        with client.pfs.commit(branch=master) as commit:

            def write(writer):
                own = Client(host=server.host, port=server.port)
                own.pfs.put_file_from_bytes(commit=commit, path=f"/{writer}", data=bytes([writer]) * MIB)

            threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for writer in range(6):
            assert read(client, commit, f"/{writer}") == bytes([writer]) * MIB


def reconnect(server) -> Client:
    """A client of a server that was away: the gRPC library remembers for a moment that nobody answered there."""
    pause = threading.Event()
    while True:
        client = Client(host=server.host, port=server.port)
        try:
            client.get_version()
            return client
        except ConnectionError:
            pause.wait(0.05)


class TestRestart:
    def test_everything_is_there_again(self, own_server):
        client = Client(host=own_server.host, port=own_server.port)
        repo = pfs.Repo.from_uri("kept")
        client.pfs.create_repo(repo=repo)
        branch = pfs.Branch(name="master", repo=repo)
        commit = put(client, branch, {"/a": b"a", "/large": b"x" * (3 * MIB)})
        deployment = client.admin.inspect_cluster().deployment_id
        own_server.kill()
        own_server.start()
        client = reconnect(own_server)
        assert client.admin.inspect_cluster().deployment_id == deployment
        assert client.pfs.inspect_branch(branch=branch).head.id == commit.id
        assert read(client, commit, "/large") == b"x" * (3 * MIB)
        put(client, branch, {"/b": b"b"})
        assert [answer.error for answer in client.pfs.fsck() if answer.error] == []


    def test_what_was_acknowledged_survives_a_server_that_is_killed(self, own_server):
        """Writers note what was acknowledged; after each kill all of it is there, and nothing in part."""
        Client(host=own_server.host, port=own_server.port).pfs.create_repo(repo=pfs.Repo.from_uri("kept"))
        acknowledged, guard = {}, threading.Lock()

        def write(round_number, writer, enough):
            client = reconnect(own_server)
            for number in range(1_000_000):
                path = f"/{round_number}/{writer}/{number}"
                data = f"{path} ".encode() * (1 + number % 500)
                try:
                    client.pfs.put_file_from_bytes(
                        commit=pfs.Commit.from_uri("kept@master"), path=path, data=data
                    )
                except (grpc.RpcError, ConnectionError):
                    return
                with guard:
                    acknowledged[path] = data
                    if len(acknowledged) > 100 * (round_number + 1):
                        enough.set()

        for round_number in range(4):
            enough = threading.Event()
            threads = [
                threading.Thread(target=write, args=(round_number, writer, enough)) for writer in range(8)
            ]
            for thread in threads:
                thread.start()
            enough.wait()
            own_server.kill()
            for thread in threads:
                thread.join()
            own_server.start()
            client = reconnect(own_server)
            with client.pfs.pfs_tar_file(file=pfs.File.from_uri("kept@master:/")) as archive:
                found = {"/" + one.name: archive.extractfile(one).read() for one in archive if one.isfile()}
            assert {path: found.get(path) for path in acknowledged} == acknowledged
            for path, data in found.items():
                assert data == f"{path} ".encode() * (1 + int(path.rpartition("/")[2]) % 500)
            assert [answer.error for answer in client.pfs.fsck() if answer.error] == []


# Spouts


@pytest.fixture
def pipeline(client, fresh):
    pipeline = pps.Pipeline(name=fresh("spout"), project=pfs.Project(name="default"))
    yield pipeline
    client.pps.delete_pipeline(pipeline=pipeline, force=True)


def first_line(client, pipeline, **more) -> str:
    """Follows the logs until the program has printed something."""
    stream = client.pps.get_logs(pipeline=pipeline, follow=True, **more)
    for message in stream:
        if message.user:
            stream.close()
            return message.message
    raise AssertionError("the logs ended")


def output(pipeline, branch="master") -> pfs.Branch:
    return pfs.Branch(name=branch, repo=pfs.Repo(name=pipeline.name, project=pipeline.project))


def outputs(client, pipeline, count) -> list[pfs.CommitInfo]:
    """The first commits that the spout's own code wrote."""
    stream = client.pfs.subscribe_commit(
        repo=output(pipeline).repo, branch="master", state=pfs.CommitState.FINISHED, origin_kind=pfs.OriginKind.USER
    )
    infos = [next(stream) for _ in range(count)]
    stream.close()
    return infos


class TestSpoutForms:
    """Every way in which a program of this SDK asks for a spout, the one that never reaches the wire included."""

    def test_a_spout_with_a_service_object(self, client, pipeline):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=STAYING), spout=pps.Spout(service=pps.Service())
        )
        assert wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING).type == \
            pps.PipelineInfoPipelineType.PIPELINE_TYPE_SPOUT

    def test_a_plain_spout_object_which_the_sdk_drops(self, client, pipeline):
        client.pps.create_pipeline(pipeline=pipeline, transform=pps.Transform(cmd=STAYING), spout=pps.Spout())
        info = wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING)
        assert info.type == pps.PipelineInfoPipelineType.PIPELINE_TYPE_SPOUT

    def test_a_spout_from_json(self, client, pipeline):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=STAYING), spout=pps.Spout().from_json("{}")
        )
        info = wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING)
        assert info.type == pps.PipelineInfoPipelineType.PIPELINE_TYPE_SPOUT

    @pytest.mark.parametrize("style", ["camelCase", "snake_case"])
    def test_create_pipeline_v2(self, client, pipeline, style):
        spec = {
            "pipeline": {"name": pipeline.name},
            "transform": {"cmd": STAYING},
            "spout": {},
            "outputBranch" if style == "camelCase" else "output_branch": "results",
        }
        answer = client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
        effective = json.loads(answer.effective_create_pipeline_request_json)
        assert effective["outputBranch"] == "results"
        assert effective["datumTries"] in (3, "3")
        info = wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING)
        assert info.details.output_branch == "results"
        assert json.loads(info.user_spec_json) == spec

    def test_a_spec_file_that_a_program_reads_itself(self, client, pipeline):
        request = pps.CreatePipelineRequest().from_dict(
            {"pipeline": {"name": pipeline.name}, "transform": {"cmd": STAYING}, "spout": {}}
        )
        client.pps.create_pipeline(pipeline=request.pipeline, transform=request.transform, spout=request.spout)
        assert wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING)


class TestSpouts:
    @pytest.fixture
    def running(self, client, pipeline):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=STAYING), spout=pps.Spout(service=pps.Service())
        )
        wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING)
        return pipeline

    def test_creating_makes_the_repos_and_an_empty_first_commit(self, client, running):
        info = client.pps.inspect_pipeline(pipeline=running, details=True)
        assert (info.version, info.stopped) == (1, False)
        assert info.details.output_branch == "master"
        assert info.details.transform.cmd == STAYING
        commit = client.pfs.inspect_commit(commit=head(output(running)))
        assert commit.origin.kind == pfs.OriginKind.AUTO
        assert commit.finished.year > 1970
        assert commit.commit.id == info.spec_commit.id
        provenance = client.pfs.inspect_branch(branch=output(running)).direct_provenance
        assert [(one.repo.type, one.repo.name, one.name) for one in provenance] == [("spec", running.name, "master")]
        repos = {(info.repo.type, info.repo.name) for info in client.pfs.list_repo()}
        assert ("spec", running.name) in repos and ("user", running.name) in repos
        assert ("meta", running.name) not in repos
        assert list(client.pps.list_job(pipeline=running)) == []

    def test_it_can_be_found(self, client, running, fresh):
        assert client.pps.pipeline_exists(running)
        assert not client.pps.pipeline_exists(pps.Pipeline(name=fresh("spout")))
        assert running.name in [info.pipeline.name for info in client.pps.list_pipeline(details=True)]
        assert client.pps.inspect_pipeline(pipeline=running, history=1).pipeline.name == running.name

    @pytest.mark.parametrize("master", [False, True])
    def test_its_logs_can_be_followed(self, client, running, master):
        assert first_line(client, running, master=master) == "up and running"

    def test_its_logs_can_be_read_and_end(self, client, running):
        first_line(client, running)
        messages = list(client.pps.get_logs(pipeline=running))
        mine = [message for message in messages if message.user]
        assert [message.message for message in mine] == ["up and running"]
        assert mine[0].pipeline_name == running.name
        assert mine[0].project_name == "default"
        assert mine[0].ts.year > 1970
        assert [message for message in client.pps.get_logs(pipeline=running, since=timedelta(hours=1)) if message.user]
        assert len([message for message in client.pps.get_logs(pipeline=running, tail=1)]) == 1

    def test_stopping_and_starting_show_at_once(self, client, running):
        client.pps.stop_pipeline(pipeline=running)
        assert client.pps.inspect_pipeline(pipeline=running).stopped
        wait_for_state(client, running, pps.PipelineState.PIPELINE_PAUSED)
        before = list(client.pfs.list_commit(repo=output(running).repo))
        assert before
        client.pps.start_pipeline(pipeline=running)
        assert not client.pps.inspect_pipeline(pipeline=running).stopped
        wait_for_state(client, running, pps.PipelineState.PIPELINE_RUNNING)
        after = list(client.pfs.list_commit(repo=output(running).repo))
        assert {info.commit.id for info in before} <= {info.commit.id for info in after}
        assert all(info.finished.year > 1970 for info in after), "an open commit would be in the spout's way"

    def test_stopping_what_is_not_there(self, client, fresh):
        nothing = pps.Pipeline(name=fresh("spout"))
        client.pps.stop_pipeline(pipeline=nothing)
        with pytest.raises(grpc.RpcError) as error:
            client.pps.stop_pipeline(pipeline=nothing, must_exist=True)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_an_update_is_a_new_version_without_a_new_output_commit(self, client, running):
        before = client.pfs.inspect_branch(branch=output(running)).head.id
        first = client.pps.inspect_pipeline(pipeline=running)
        client.pps.create_pipeline(
            pipeline=running, transform=pps.Transform(cmd=["sh", "-c", "echo second version; exec sleep 3600"]),
            spout=pps.Spout(service=pps.Service()), update=True, description="changed",
        )
        info = wait_for_state(client, running, pps.PipelineState.PIPELINE_RUNNING)
        assert info.version == 2
        assert info.spec_commit.id != first.spec_commit.id
        assert info.details.description == "changed"
        assert client.pfs.inspect_branch(branch=output(running)).head.id == before
        for message in client.pps.get_logs(pipeline=running, follow=True):
            if message.message == "second version":
                break
        assert [info.version for info in client.pps.list_pipeline(pipeline=running, history=-1)] == [2, 1]

    def test_a_pipeline_that_is_there_is_not_created_again(self, client, running):
        with pytest.raises(grpc.RpcError, match="already exists") as error:
            client.pps.create_pipeline(
                pipeline=running, transform=pps.Transform(cmd=STAYING), spout=pps.Spout(service=pps.Service())
            )
        assert error.value.code() == grpc.StatusCode.ALREADY_EXISTS

    def test_deleting_takes_the_repos_along(self, client, running):
        client.pps.delete_pipeline(pipeline=running)
        assert not client.pps.pipeline_exists(running)
        assert not client.pfs.repo_exists(output(running).repo)
        client.pps.delete_pipeline(pipeline=running, force=True)

    def test_deleting_can_keep_the_output_repo(self, client, running):
        client.pps.delete_pipeline(pipeline=running, keep_repo=True)
        assert not client.pps.pipeline_exists(running)
        assert client.pfs.repo_exists(output(running).repo)
        client.pfs.delete_repo(repo=output(running).repo)

    def test_a_write_from_outside_to_its_output_branch_is_refused(self, client, running):
        with pytest.raises(grpc.RpcError, match="cannot start a commit on an output branch"):
            client.pfs.start_commit(branch=output(running))
        with pytest.raises(grpc.RpcError, match="cannot start a commit on an output branch"):
            client.pfs.put_file_from_bytes(commit=head(output(running)), path="/a", data=b"a")

    def test_its_repo_is_not_deleted_while_it_exists(self, client, running):
        with pytest.raises(grpc.RpcError, match="cannot delete a repo associated with a pipeline"):
            client.pfs.delete_repo(repo=output(running).repo)

    @pytest.mark.parametrize(
        ("change", "fragment"),
        [
            ({"pipeline": {"name": "bad name"}}, "only alphanumeric characters, underscores, and dashes are allowed"),
            ({"input": {"pfs": {"repo": "somewhere", "glob": "/*"}}}, "must not have an input"),
            ({"autoscaling": True}, "autoscaling can't be used with spouts"),
            ({"s3Out": True}, "s3 output is not supported in spouts or services"),
            ({"spout": {"marker": "m"}}, "marker"),
            ({"nonsense": 1}, "nonsense"),
            ({"transform": {"cmd": "not a list"}}, "cmd"),
        ],
    )
    def test_a_bad_spec_is_refused_in_words_that_help(self, client, fresh, change, fragment):
        spec = {"pipeline": {"name": fresh("spout")}, "transform": {"cmd": STAYING}, "spout": {}} | change
        with pytest.raises(grpc.RpcError) as error:
            client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
        assert fragment in details(error)

    def test_a_spec_that_is_not_json(self, client):
        with pytest.raises(grpc.RpcError) as error:
            client.pps.create_pipeline_v2(create_pipeline_request_json="{ not json")
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


class TestSpoutCode:
    """What the user's own program finds and may do."""

    def make(self, client, pipeline, script, **transform):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", script], **transform),
            spout=pps.Spout(service=pps.Service()),
        )

    def test_pachctl_on_its_path_writes_commits_to_its_output(self, client, pipeline):
        self.make(client, pipeline, """
            for number in 1 2 3; do
                echo "line $number" | pachctl put file "$PPS_PIPELINE_NAME@master:/$number" -f -
            done
            exec sleep 3600""")
        infos = outputs(client, pipeline, 3)
        spec = client.pps.inspect_pipeline(pipeline=pipeline).spec_commit
        for number, info in enumerate(infos, 1):
            assert read(client, info.commit, f"/{number}") == b"line %d\n" % number
            assert [(one.repo.type, one.id) for one in info.direct_provenance] == [("spec", spec.id)]
        assert paths(client.pfs.list_file(file=file(infos[-1].commit, "/"))) == ["/1", "/2", "/3"]

    def test_an_sdk_program_writes_with_what_it_finds_in_its_environment(self, client, pipeline, tmp_path):
        program = tmp_path / "spout.py"
        program.write_text("""
import os, signal
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

client = Client.new_in_cluster()
branch = pfs.Branch.from_uri(os.environ["PPS_PIPELINE_NAME"] + "@master")
with client.pfs.commit(branch=branch) as commit:
    commit.put_file_from_bytes(path="/a", data=b"one")
    commit.put_file_from_bytes(path="/b", data=b"two")
config = Client.from_config(os.environ["PACH_CONFIG"])
config.pfs.put_file_from_bytes(commit=pfs.Commit.from_uri(f"{branch}"), path="/c", data=b"three")
signal.pause()
""")
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=[sys.executable, str(program)]),
            spout=pps.Spout(service=pps.Service()),
        )
        first, second = outputs(client, pipeline, 2)
        assert paths(client.pfs.list_file(file=file(first.commit, "/"))) == ["/a", "/b"]
        assert read(client, second.commit, "/c") == b"three"

    def test_its_environment(self, client, pipeline):
        self.make(
            client, pipeline, 'env | pachctl put file "$PPS_PIPELINE_NAME@master:/env" -f -; exec sleep 3600',
            env={"GREETING": "hello = world", "PPS_PIPELINE_NAME": "cannot be changed"},
        )
        info = outputs(client, pipeline, 1)[0]
        lines = read(client, info.commit, "/env").decode().splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        assert environment["GREETING"] == "hello = world"
        assert environment["PACH_IN_WORKER"] == "true"
        assert environment["PPS_PIPELINE_NAME"] == pipeline.name
        assert environment["PPS_PROJECT_NAME"] == "default"
        assert environment["PPS_SPEC_COMMIT"] == client.pps.inspect_pipeline(pipeline=pipeline).spec_commit.id
        for name in ["PEER_PORT", "PACHD_PEER_SERVICE_HOST", "PACHD_PEER_SERVICE_PORT", "PPS_POD_NAME"]:
            assert environment[name]

    def test_standard_input_is_what_the_spec_says(self, client, pipeline):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=["sh"], stdin=["echo from stdin", "exec sleep 3600"]),
            spout=pps.Spout(service=pps.Service()),
        )
        assert first_line(client, pipeline) == "from stdin"

    def test_it_may_write_other_branches_of_its_repo_and_no_other_repo(self, client, pipeline, repo):
        self.make(client, pipeline, f"""
            echo x | pachctl put file {repo.name}@master:/x -f - && echo wrote || echo "refused: $?"
            echo x | pachctl put file "$PPS_PIPELINE_NAME@staging:/x" -f - && echo staged
            exec sleep 3600""")
        lines = []
        for message in client.pps.get_logs(pipeline=pipeline, follow=True):
            if message.user:
                lines.append(message.message)
            if message.message == "staged":
                break
        assert "refused: 1" in lines and "wrote" not in lines
        assert not client.pfs.branch_exists(pfs.Branch(name="master", repo=repo))
        assert client.pfs.branch_exists(output(pipeline, "staging"))

    def test_a_program_that_ends_well_is_started_again(self, client, pipeline):
        self.make(client, pipeline, 'date +%N | pachctl put file "$PPS_PIPELINE_NAME@master:/time" -f -')
        assert len({info.commit.id for info in outputs(client, pipeline, 2)}) == 2

    def test_a_program_that_keeps_failing_is_crashing_and_the_reason_quotes_it(self, client, pipeline):
        self.make(client, pipeline, "echo no broker at all >&2; exit 7")
        info = wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_CRASHING)
        assert "no broker at all" in info.reason
        assert "7" in info.reason

    def test_a_program_that_does_not_exist_is_crashing_with_its_name(self, client, pipeline):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=["/no/such/program"]),
            spout=pps.Spout(service=pps.Service()),
        )
        info = wait_for_state(
            client, pipeline, pps.PipelineState.PIPELINE_CRASHING, pps.PipelineState.PIPELINE_FAILURE
        )
        assert "/no/such/program" in info.reason

    def test_a_pipeline_without_a_command_fails_and_says_so(self, client, pipeline):
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(image="none:1"), spout=pps.Spout(service=pps.Service())
        )
        info = wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_FAILURE)
        assert "nothing to run: no transform.cmd" in info.reason

    def test_stopping_gives_the_program_time_to_end_in_order(self, client, pipeline):
        self.make(client, pipeline, """
            trap 'echo bye | pachctl put file "$PPS_PIPELINE_NAME@master:/bye" -f -; echo ended in order; exit 0' TERM
            echo ready
            sleep 3600 & wait""")
        assert first_line(client, pipeline) == "ready"
        client.pps.stop_pipeline(pipeline=pipeline)
        for message in client.pps.get_logs(pipeline=pipeline, follow=True):
            if message.message == "ended in order":
                break

    def test_in_another_project_it_finds_its_own(self, client, fresh):
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        pipeline = pps.Pipeline(name="tap", project=project)
        self.make(client, pipeline, """
            echo x | pachctl put file tap@master:/x -f - --project "$PPS_PROJECT_NAME"
            echo y | pachctl put file tap@master:/y -f -
            exec sleep 3600""")
        infos = outputs(client, pipeline, 2)
        assert paths(client.pfs.list_file(file=file(infos[1].commit, "/"))) == ["/x", "/y"]
        client.pps.delete_pipeline(pipeline=pipeline)
        client.pfs.delete_project(project=project)

    def test_a_newer_launch_shuts_the_older_one_out(self, client, server, pipeline):
        self.make(client, pipeline, """
            echo "$PACH_PYTHON_AUTH_TOKEN" | pachctl put file "$PPS_PIPELINE_NAME@master:/token" -f -
            exec sleep 3600""")
        old = read(client, outputs(client, pipeline, 1)[0].commit, "/token").decode().strip()

        def write(token):
            own = Client(host=server.host, port=server.port, auth_token=token)
            own.pfs.put_file_from_bytes(commit=head(output(pipeline)), path="/by-token", data=b"x")

        write(old)
        client.pps.stop_pipeline(pipeline=pipeline)
        wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_PAUSED)
        with pytest.raises(grpc.RpcError):
            write(old)
        client.pps.start_pipeline(pipeline=pipeline)
        # Token, the write above, and the second launch's token.
        new = read(client, outputs(client, pipeline, 3)[2].commit, "/token").decode().strip()
        assert new != old
        write(new)
        with pytest.raises(grpc.RpcError):
            write(old)

    def test_a_launch_reads_its_own_repo_and_no_other(self, client, server, pipeline, repo, master):
        put(client, master, {"/secret": b"x"})
        self.make(client, pipeline, """
            echo "$PACH_PYTHON_AUTH_TOKEN" | pachctl put file "$PPS_PIPELINE_NAME@master:/token" -f -
            exec sleep 3600""")
        commit = outputs(client, pipeline, 1)[0].commit
        token = read(client, commit, "/token").decode().strip()
        own = Client(host=server.host, port=server.port, auth_token=token)
        assert read(own, commit, "/token").decode().strip() == token
        assert {info.repo.name for info in own.pfs.list_repo()} == {pipeline.name}
        foreign = [
            lambda: list(own.pfs.get_file(file=file(head(master), "/secret"))),
            lambda: own.pfs.inspect_repo(repo=repo),
            lambda: list(own.pfs.list_commit(repo=repo)),
            lambda: list(own.pfs.list_branch(repo=repo)),
            lambda: list(own.pfs.list_file(file=file(head(master), "/"))),
            lambda: list(own.pfs.glob_file(commit=head(master), pattern="/*")),
            lambda: own.pfs.inspect_commit(commit=head(master)),
            lambda: own.pfs.copy_file(commit=head(output(pipeline)), src=file(head(master), "/secret"), dst="/stolen"),
        ]
        for call in foreign:
            with pytest.raises(grpc.RpcError) as error:
                call()
            assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED, details(error)
            assert "is not authorized to perform this operation" in details(error)

    def test_a_commit_that_a_dead_launch_left_open_is_not_in_the_way(self, client, pipeline, tmp_path):
        self.make(client, pipeline, f"""
            if ! test -e {tmp_path}/second; then
                touch {tmp_path}/second
                pachctl start commit "$PPS_PIPELINE_NAME@master"
                echo half | pachctl put file "$PPS_PIPELINE_NAME@master:/half" -f -
                kill -9 $$
            fi
            echo whole | pachctl put file "$PPS_PIPELINE_NAME@master:/whole" -f -
            exec sleep 3600""")
        left, written = outputs(client, pipeline, 2)
        assert left.error and not written.error
        # What a failed commit holds is not passed on to the next one.
        assert paths(client.pfs.list_file(file=file(written.commit, "/"))) == ["/whole"]

    def test_nothing_of_the_servers_own_environment_leaks(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SERVER_SECRET", "not for spouts")
        server = Server(str(tmp_path / "data"), str(tmp_path / "log")).start()
        try:
            client = Client(host=server.host, port=server.port)
            pipeline = pps.Pipeline(name="tap", project=pfs.Project(name="default"))
            self.make(client, pipeline, "env | pachctl put file tap@master:/env -f -; exec sleep 3600")
            assert b"not for spouts" not in read(client, outputs(client, pipeline, 1)[0].commit, "/env")
        finally:
            server.stop()

    def test_a_downstream_reader_sees_each_commit(self, client, server, pipeline):
        self.make(client, pipeline, """
            number=0
            while number=$((number + 1)); do
                echo "$number" | pachctl put file "$PPS_PIPELINE_NAME@master:/last" -f -
            done""")
        infos = outputs(client, pipeline, 5)
        assert [read(client, info.commit, "/last") for info in infos] == [b"%d\n" % number for number in range(1, 6)]


class TestSpoutsAcrossARestart:
    @pytest.mark.parametrize("how", ["stop", "kill"])
    def test_a_spout_runs_again_after_the_server_was_away(self, own_server, how):
        client = Client(host=own_server.host, port=own_server.port)
        pipeline = pps.Pipeline(name="tap", project=pfs.Project(name="default"))
        client.pps.create_pipeline(
            pipeline=pipeline, spout=pps.Spout(service=pps.Service()),
            transform=pps.Transform(cmd=["sh", "-c", """
                echo "$$" | pachctl put file tap@master:/pid -f -
                exec sleep 3600"""]),
        )
        old = int(read(client, outputs(client, pipeline, 1)[0].commit, "/pid"))
        if how == "stop":
            assert own_server.stop() == 0
            assert not os.path.exists(f"/proc/{old}"), "the spout outlived a server that was told to stop"
        else:
            own_server.kill()
        own_server.start()
        client = reconnect(own_server)
        wait_for_state(client, pipeline, pps.PipelineState.PIPELINE_RUNNING)
        # Adopted (the same process goes on) or started anew: one of them runs, never two.
        pause = threading.Event()
        while True:
            newest = list(client.pfs.list_commit(repo=output(pipeline).repo, number=1, origin_kind=pfs.OriginKind.USER))
            current = int(read(client, newest[0].commit, "/pid"))
            if os.path.exists(f"/proc/{current}"):
                break
            pause.wait(0.05)
        assert current == old or not os.path.exists(f"/proc/{old}")


class TestDeletingEverything:
    def test_delete_all(self, own_server):
        client = Client(host=own_server.host, port=own_server.port)
        repo = pfs.Repo.from_uri("data")
        client.pfs.create_repo(repo=repo)
        put(client, pfs.Branch(name="master", repo=repo), {"/a": b"a"})
        client.pps.create_pipeline(
            pipeline=pps.Pipeline(name="tap"), transform=pps.Transform(cmd=STAYING), spout=pps.Spout()
        )
        client.pps.delete_all()
        assert list(client.pps.list_pipeline()) == []
        client.pfs.delete_all()
        assert list(client.pfs.list_repo()) == []
        assert [info.project.name for info in client.pfs.list_project()] == ["default"]
