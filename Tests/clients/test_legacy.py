"""Programs of python-pachyderm 7.6, unchanged, against the server.

It was written for an older server: it names commits by their branch, sends empty projects, and reads error texts.
"""

import io
import json
import os
import re
import threading

import grpc
import pytest
import python_pachyderm
from python_pachyderm.errors import AuthServiceNotActivated
from python_pachyderm.pfs import Commit
from python_pachyderm.service import enterprise_proto, health_proto, pfs_proto, pps_proto, transaction_proto

from web import Web

MIB = 1024 * 1024
STAYING = ["sh", "-c", "echo up and running; exec sleep 3600"]


@pytest.fixture
def client(server):
    return python_pachyderm.Client(host=server.host, port=server.port)


@pytest.fixture
def repo(client, fresh):
    name = fresh("legacy")
    client.create_repo(name, description="made by a test")
    return name


def read(client, commit, path) -> bytes:
    with client.get_file(commit, path) as content:
        return content.read()


def paths(infos) -> list:
    return [info.file.path for info in infos]


class TestConnecting:
    def test_version_health_and_cluster(self, client):
        assert client.get_remote_version().major == 2
        assert client.health_check().status == health_proto.HealthCheckResponse.ServingStatus.SERVING
        first, second = client.inspect_cluster(), client.inspect_cluster()
        assert first.id and first.deployment_id == second.deployment_id

    def test_a_config_file_leads_to_the_server(self, server, client, tmp_path, monkeypatch):
        context = {
            "pachd_address": server.address, "cluster_deployment_id": client.inspect_cluster().deployment_id,
        }
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"v2": {"active_context": "here", "contexts": {"here": context}}}))
        with open(config) as file:
            assert python_pachyderm.Client.new_from_config(file).get_remote_version().major == 2
        monkeypatch.setenv("PACH_CONFIG", str(config))
        assert python_pachyderm.Client().get_remote_version().major == 2

    def test_the_variables_of_a_worker_lead_to_the_server(self, server, monkeypatch):
        monkeypatch.setenv("PACHD_PEER_SERVICE_HOST", server.host)
        monkeypatch.setenv("PACHD_PEER_SERVICE_PORT", str(server.port))
        assert python_pachyderm.Client.new_in_cluster().get_remote_version().major == 2

    def test_accounts_are_off_and_nothing_is_for_sale(self, client):
        for call in [client.who_am_i, client.get_auth_configuration, client.list_oidc_clients]:
            with pytest.raises((AuthServiceNotActivated, grpc.RpcError), match="the auth service is not activated"):
                call()
        assert client.get_enterprise_state().state == enterprise_proto.State.NONE

    def test_an_address_leads_to_the_server(self, server):
        client = python_pachyderm.Client.new_from_pachd_address(server.address)
        assert client.get_remote_version().major == 2


class TestRepos:
    def test_a_repo_comes_and_goes(self, client, fresh):
        name = fresh("legacy")
        client.create_repo(name, description="first")
        info = client.inspect_repo(name)
        assert (info.repo.name, info.repo.type, info.description) == (name, "user", "first")
        client.create_repo(name, description="second", update=True)
        assert client.inspect_repo(name).description == "second"
        assert name in [info.repo.name for info in client.list_repo()]
        client.delete_repo(name)
        assert name not in [info.repo.name for info in client.list_repo()]
        with pytest.raises(grpc.RpcError, match=r"repo .* not found"):
            client.inspect_repo(name)

    def test_a_repo_that_is_there_is_not_created_again(self, client, repo):
        with pytest.raises(grpc.RpcError, match="already exists"):
            client.create_repo(repo)

    def test_an_empty_project_is_the_default_one(self, client, repo):
        assert client.inspect_repo(repo).repo.project.name == "default"

    def test_projects(self, client, fresh):
        project, name = fresh("project"), fresh("legacy")
        client.create_project(project, description="of a test")
        assert client.inspect_project(project).description == "of a test"
        client.create_repo(name, project_name=project)
        with client.commit(name, "master", project_name=project) as commit:
            client.put_file_bytes(commit, "/a", b"a")
        assert read(client, Commit(repo=name, branch="master", project=project), "/a") == b"a"
        assert name not in [info.repo.name for info in client.list_repo() if info.repo.project.name == "default"]
        client.delete_repo(name, project_name=project)
        assert project in [info.project.name for info in client.list_project()]
        client.delete_project(project)
        assert project not in [info.project.name for info in client.list_project()]


class TestCommits:
    def test_start_and_finish(self, client, repo):
        commit = client.start_commit(repo, "master", description="why")
        client.put_file_bytes(commit, "/a", b"a")
        client.finish_commit(commit)
        info = client.wait_commit(commit)[0]
        assert info.commit.id == commit.id
        assert info.description == "why"
        assert info.finished.seconds > 0

    def test_a_commit_is_finished_by_its_branch(self, client, repo):
        client.start_commit(repo, "master")
        client.finish_commit((repo, "master"))
        assert len(list(client.list_commit(repo))) == 1

    def test_the_context_manager(self, client, repo):
        with client.commit(repo, "master") as commit:
            client.put_file_bytes(commit, "/a", b"a")
        assert read(client, commit, "/a") == b"a"
        assert read(client, (repo, "master"), "/a") == b"a"
        assert read(client, (repo, commit.id), "/a") == b"a"
        assert read(client, (repo, "master", commit.id), "/a") == b"a"

    def test_an_open_head_is_in_the_way_of_the_next_commit(self, client, repo):
        commit = client.start_commit(repo, "master")
        with pytest.raises(grpc.RpcError, match=r"parent commit .* has not been finished"):
            client.start_commit(repo, "master")
        client.finish_commit(commit)

    def test_a_parent_by_name(self, client, repo):
        first = client.start_commit(repo, "master")
        client.put_file_bytes(first, "/a", b"a")
        client.finish_commit(first)
        with client.commit(repo, "master") as second:
            client.put_file_bytes(second, "/b", b"b")
        other = client.start_commit(repo, "other", parent=first.id)
        client.finish_commit(other)
        assert paths(client.list_file((repo, "other"), "/")) == ["/a"]
        third = client.start_commit(repo, "third", parent=(repo, "master"))
        client.finish_commit(third)
        assert paths(client.list_file((repo, "third"), "/")) == ["/a", "/b"]

    def test_listing_by_repo_and_in_all(self, client, repo):
        ids = []
        for number in range(3):
            with client.commit(repo, "master") as commit:
                client.put_file_bytes(commit, f"/{number}", b"x")
            ids.append(commit.id)
        assert [info.commit.id for info in client.list_commit(repo)] == ids[::-1]
        assert [info.commit.id for info in client.list_commit(repo, number=1)] == ids[2:]
        assert [info.commit.id for info in client.list_commit(repo, to_commit=(repo, "master"))] == ids[::-1]
        assert set(ids) <= {info.commit_set.id for info in client.list_commit()}

    def test_a_commit_set_by_its_id(self, client, repo):
        with client.commit(repo, "master") as commit:
            client.put_file_bytes(commit, "/a", b"a")
        assert [info.commit.id for info in client.inspect_commit(commit.id)] == [commit.id]
        assert [info.commit.id for info in client.wait_commit(commit.id)] == [commit.id]

    def test_subscribing(self, client, server, repo):
        stream = client.subscribe_commit(repo, "master")
        with client.commit(repo, "master") as commit:
            client.put_file_bytes(commit, "/a", b"a")
        assert next(stream).commit.id == commit.id
        with client.commit(repo, "master") as second:
            client.put_file_bytes(second, "/b", b"b")
        assert next(stream).commit.id == second.id
        stream.cancel()

    def test_answers_name_the_repo_and_no_branch(self, client, repo):
        with client.commit(repo, "master") as commit:
            client.put_file_bytes(commit, "/a", b"a")
        info = next(iter(client.list_commit(repo)))
        assert info.commit.repo.name == repo
        assert not info.commit.HasField("branch")
        assert not client.inspect_branch(repo, "master").head.HasField("branch")


    def test_a_piece_of_a_list(self, client, repo):
        ids = []
        for number in range(4):
            client.put_file_bytes((repo, "master"), f"/{number}", b"x")
            ids.append(client.inspect_branch(repo, "master").head.id)
        infos = client.list_commit(repo, to_commit=(repo, "master"), from_commit=(repo, ids[1]))
        assert [info.commit.id for info in infos] == ids[:1:-1]
        assert [info.commit.id for info in client.list_commit(repo, reverse=True)] == ids
        assert list(client.list_commit(repo, origin_kind=pfs_proto.OriginKind.AUTO)) == []

    def test_squashing_and_dropping(self, client, repo):
        ids = []
        for number in range(3):
            client.put_file_bytes((repo, "master"), f"/{number}", b"x")
            ids.append(client.inspect_branch(repo, "master").head.id)
        client.squash_commit(ids[0])
        assert paths(client.list_file((repo, ids[1]), "/")) == ["/0", "/1"]
        client.drop_commit(ids[2])
        assert [info.commit.id for info in client.list_commit(repo)] == [ids[1]]
        with pytest.raises(grpc.RpcError, match="cannot squash a commit that has no children"):
            client.squash_commit(ids[1])

    def test_waiting_for_a_state(self, client, repo):
        commit = client.start_commit(repo, "master")
        [info] = client.inspect_commit(commit, pfs_proto.CommitState.STARTED)
        assert not info.HasField("finished")
        client.finish_commit(commit, description="done")
        [info] = client.inspect_commit(commit, pfs_proto.CommitState.FINISHED)
        assert info.HasField("finished") and info.description == "done"
        members = client.inspect_commit(commit.id, pfs_proto.CommitState.FINISHED)
        assert [member.commit.id for member in members] == [commit.id]

    def test_an_error_that_the_program_gives(self, client, repo):
        commit = client.start_commit(repo, "master")
        client.finish_commit(commit, error="went wrong")
        assert [info.error for info in client.wait_commit(commit)] == ["went wrong"]
        with pytest.raises(grpc.RpcError, match=r"commit [^ ]+ has already finished"):
            client.finish_commit(commit)


class TestBranches:
    def test_a_branch_comes_and_goes(self, client, repo):
        with client.commit(repo, "master") as commit:
            client.put_file_bytes(commit, "/a", b"a")
        client.create_branch(repo, "staging", head_commit=(repo, "master"))
        assert client.inspect_branch(repo, "staging").head.id == commit.id
        assert {info.branch.name for info in client.list_branch(repo)} == {"master", "staging"}
        client.delete_branch(repo, "staging")
        assert [info.branch.name for info in client.list_branch(repo)] == ["master"]

    def test_provenance_and_triggers(self, client, repo, fresh):
        down = fresh("down")
        client.create_repo(down)
        client.create_branch(repo, "master")
        client.create_branch(down, "master", provenance=[pfs_proto.Branch(
            repo=pfs_proto.Repo(name=repo, type="user"), name="master")])
        client.create_branch(repo, "follower", trigger=pfs_proto.Trigger(branch="master", all=True))
        client.put_file_bytes((repo, "master"), "/a", b"a")
        head = client.inspect_branch(repo, "master").head.id
        assert client.inspect_branch(repo, "follower").head.id == head
        assert client.inspect_branch(down, "master").head.id == head
        with pytest.raises(grpc.RpcError, match="in the direct provenance of"):
            client.delete_branch(repo, "master")
        with pytest.raises(grpc.RpcError, match="cannot start a commit on an output branch"):
            client.start_commit(down, "master", parent=(repo, "master"))
        client.delete_branch(repo, "master", force=True)

    def test_a_branch_without_a_head_starts_empty(self, client, repo):
        client.create_branch(repo, "master")
        assert list(client.list_file((repo, "master"), "/")) == []


class TestFiles:
    def test_bytes_and_objects_and_appending(self, client, repo):
        with client.commit(repo, "master") as commit:
            client.put_file_bytes(commit, "/bytes", b"one")
            client.put_file_bytes(commit, "/object", io.BytesIO(b"two"))
            client.put_file_bytes(commit, "/bytes", b", more", append=True)
        assert read(client, commit, "/bytes") == b"one, more"
        assert read(client, commit, "/object") == b"two"

    def test_a_one_shot_put_makes_a_finished_commit(self, client, repo):
        client.put_file_bytes((repo, "master"), "/a", b"a")
        client.put_file_bytes((repo, "master"), "/b", b"b")
        infos = list(client.list_commit(repo))
        assert len(infos) == 2 and all(info.finished.seconds > 0 for info in infos)

    def test_many_changes_at_once(self, client, repo, tmp_path):
        local = tmp_path / "local.txt"
        local.write_bytes(b"a line\n" * 1000 + b"the last one")
        client.put_file_bytes((repo, "master"), "/old", b"old")
        with client.modify_file_client((repo, "master")) as changes:
            # One message for every line of the file.
            changes.put_file_from_filepath("/file", str(local))
            changes.put_file_from_bytes("/bytes", b"bytes")
            changes.put_file_from_fileobj("/object", io.BytesIO(b"object"))
            changes.copy_file((repo, "master"), "/old", "/copy")
            changes.delete_file("/old")
        assert paths(client.list_file((repo, "master"), "/")) == ["/bytes", "/copy", "/file", "/object"]
        assert read(client, (repo, "master"), "/file") == local.read_bytes()
        assert read(client, (repo, "master"), "/copy") == b"old"
        assert len(list(client.list_commit(repo))) == 2

    def test_a_local_folder(self, client, repo, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "a").write_bytes(b"a")
        (tmp_path / "sub" / "b").write_bytes(b"b")
        with client.commit(repo, "master") as commit:
            python_pachyderm.put_files(client, str(tmp_path), commit, "/in")
        assert paths(client.walk_file(commit, "/in")) == ["/in/", "/in/a", "/in/sub/", "/in/sub/b"]

    def test_a_url(self, client, repo):
        web = Web({"/page": b"from the web"})
        try:
            client.put_file_url((repo, "master"), "/one", web.url("/page"))
            with client.modify_file_client((repo, "master")) as changes:
                changes.put_file_from_url("/two", web.url("/page"))
                changes.put_file_from_bytes("/old", b"1", append=True)
            assert read(client, (repo, "master"), "/one") == read(client, (repo, "master"), "/two") == b"from the web"
        finally:
            web.stop()

    def test_an_empty_file_is_read_without_a_surprise(self, client, repo):
        client.put_file_bytes((repo, "master"), "/empty", b"")
        assert read(client, (repo, "master"), "/empty") == b""

    def test_a_file_of_more_than_one_message(self, client, repo):
        data = os.urandom(MIB) * 22
        client.put_file_bytes((repo, "master"), "/large", data)
        assert read(client, (repo, "master"), "/large") == data
        with client.get_file((repo, "master"), "/large") as content:
            assert content.read(5) == data[:5]
            assert content.read(5) == data[5:10]

    def test_a_tar(self, client, repo, tmp_path):
        client.put_file_bytes((repo, "master"), "/dir/a", b"a")
        client.put_file_bytes((repo, "master"), "/dir/sub/b", b"b")
        with client.get_file_tar((repo, "master"), "/") as archive:
            archive.extractall(tmp_path)
        assert (tmp_path / "dir/a").read_bytes() == b"a"
        assert (tmp_path / "dir/sub/b").read_bytes() == b"b"

    def test_list_walk_and_glob(self, client, repo):
        with client.modify_file_client((repo, "master")) as changes:
            for path in ["/a/b/file3.dat", "/a/file2.dat", "/file1.dat"]:
                changes.put_file_from_bytes(path, b"x")
        commit = (repo, "master")
        assert paths(client.list_file(commit, "/")) == ["/a/", "/file1.dat"]
        assert paths(client.walk_file(commit, "/a")) == ["/a/", "/a/b/", "/a/b/file3.dat", "/a/file2.dat"]
        assert paths(client.glob_file(commit, "/*1.dat")) == ["/file1.dat"]
        assert paths(client.glob_file(commit, "/**.dat")) == ["/a/b/file3.dat", "/a/file2.dat", "/file1.dat"]

    def test_inspect(self, client, repo):
        client.put_file_bytes((repo, "master"), "/dir/file", b"12345")
        info = client.inspect_file((repo, "master"), "/dir/file")
        assert (info.file.path, info.file_type, info.size_bytes) == ("/dir/file", pfs_proto.FileType.FILE, 5)
        assert client.inspect_file((repo, "master"), "/dir").file.path == "/dir/"
        assert client.inspect_file((repo, "master"), "/dir/").file_type == pfs_proto.FileType.DIR

    def test_path_exists_reads_the_texts_of_errors(self, client, repo):
        client.put_file_bytes((repo, "master"), "/dir/file", b"x")
        assert client.path_exists((repo, "master"), "/dir/file")
        assert client.path_exists((repo, "master"), "/dir/")
        assert client.path_exists((repo, "master"), "/dir")
        assert not client.path_exists((repo, "master"), "/nowhere")
        with pytest.raises(ValueError, match="nonexistent commit"):
            client.path_exists((repo, "nowhere"), "/dir/file")

    def test_a_missing_file(self, client, repo):
        client.put_file_bytes((repo, "master"), "/a", b"a")
        with pytest.raises(ConnectionError) as error:
            client.get_file((repo, "master"), "/nowhere")
        cause = error.value.__cause__
        assert cause.code() == grpc.StatusCode.NOT_FOUND
        assert re.match(r"^file .+ not found in repo .+ at commit .+$", cause.details())

    def test_copy_and_delete(self, client, repo):
        client.put_file_bytes((repo, "master"), "/a", b"a")
        client.copy_file((repo, "master"), "/a", (repo, "master"), "/b")
        client.delete_file((repo, "master"), "/a")
        assert paths(client.list_file((repo, "master"), "/")) == ["/b"]

    def test_diff(self, client, repo):
        client.put_file_bytes((repo, "master"), "/file1.dat", b"1")
        client.put_file_bytes((repo, "master"), "/file2.dat", b"2")
        client.put_file_bytes((repo, "master"), "/file1.dat", b"other")
        changes = [
            (one.new_file.file.path, one.old_file.file.path)
            for one in client.diff_file((repo, "master"), "/", (repo, "master^"), "/")
            if not one.new_file.file.path.endswith("/")
        ]
        assert changes == [("/file1.dat", "/file1.dat")]
        entries = list(client.diff_file((repo, "master"), "/file1.dat", (repo, "master~1"), "/file2.dat"))
        assert entries[0].new_file.file.path == "/file1.dat"
        assert entries[1].old_file.file.path == "/file2.dat"

    def test_fsck(self, client, repo):
        client.put_file_bytes((repo, "master"), "/a", b"a")
        assert [answer.error for answer in client.fsck() if answer.error] == []


class TestTransactions:
    def test_one_from_beginning_to_end(self, client, fresh):
        first, second = fresh("legacy"), fresh("legacy")
        tx = client.start_transaction()
        client.transaction_id = tx.id
        client.create_repo(first)
        client.create_repo(second)
        client.transaction_id = None
        assert [one.create_repo.repo.name for one in client.inspect_transaction(tx).requests] == [first, second]
        assert tx.id in [info.transaction.id for info in client.list_transaction()]
        assert first not in [info.repo.name for info in client.list_repo()]
        assert len(client.finish_transaction(tx.id).responses) == 2
        assert {first, second} <= {info.repo.name for info in client.list_repo()}
        with pytest.raises(grpc.RpcError, match=f"transactions {tx.id} not found") as error:
            client.inspect_transaction(tx.id)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_one_that_is_given_up(self, client, fresh):
        name = fresh("legacy")
        with pytest.raises(ZeroDivisionError):
            with client.transaction() as tx:
                client.create_repo(name)
                1 / 0
        assert name not in [info.repo.name for info in client.list_repo()]
        assert tx.id not in [info.transaction.id for info in client.list_transaction()]
        other = client.start_transaction()
        client.delete_transaction(other)
        assert other.id not in [info.transaction.id for info in client.list_transaction()]

    def test_commits_of_two_repos_with_one_id(self, client, repo, fresh):
        other = fresh("legacy")
        client.create_repo(other)
        with client.transaction() as tx:
            one, two = client.start_commit(repo, "master"), client.start_commit(other, "master")
        client.put_file_bytes(one, "/a", b"a")
        for commit in [one, two]:
            client.finish_commit(commit)
        assert {info.commit.repo.name for info in client.wait_commit(tx.id)} == {repo, other}
        assert one.id == two.id == tx.id and read(client, (repo, "master"), "/a") == b"a"

    def test_a_batch(self, client, repo):
        branch = pfs_proto.Branch(repo=pfs_proto.Repo(name=repo, type="user"), name="master")
        info = client.batch_transaction([
            transaction_proto.TransactionRequest(start_commit=pfs_proto.StartCommitRequest(branch=branch)),
            transaction_proto.TransactionRequest(finish_commit=pfs_proto.FinishCommitRequest(
                commit=pfs_proto.Commit(branch=branch))),
        ])
        assert client.inspect_branch(repo, "master").head.id == info.transaction.id == info.responses[0].commit.id


class TestSpouts:
    @pytest.fixture
    def spout(self, client, fresh):
        name = fresh("spout")
        client.create_pipeline(name, transform=pps_proto.Transform(cmd=STAYING), spout=pps_proto.Spout())
        yield name
        client.delete_pipeline(name, force=True)

    def state(self, client, name):
        return next(iter(client.inspect_pipeline(name, details=True)))

    def wait_for(self, client, name, state):
        pause = threading.Event()
        while self.state(client, name).state != state:
            pause.wait(0.05)

    def test_an_empty_spout_runs(self, client, spout):
        self.wait_for(client, spout, pps_proto.PipelineState.PIPELINE_RUNNING)
        info = self.state(client, spout)
        assert info.type == pps_proto.PipelineInfo.PipelineType.PIPELINE_TYPE_SPOUT
        assert info.details.HasField("spout")
        assert spout in [info.pipeline.name for info in client.list_pipeline()]

    def test_its_logs(self, client, spout):
        for message in client.get_pipeline_logs(spout, follow=True):
            if message.user:
                break
        assert message.message == "up and running"
        # With `master` it must yield something too: a program that follows would hang otherwise.
        assert next(iter(client.get_pipeline_logs(spout, master=True, follow=True)))
        assert "up and running" in [message.message for message in client.get_pipeline_logs(spout)]

    def test_stop_start_and_delete(self, client, spout):
        client.stop_pipeline(spout)
        assert self.state(client, spout).stopped
        self.wait_for(client, spout, pps_proto.PipelineState.PIPELINE_PAUSED)
        client.start_pipeline(spout)
        assert not self.state(client, spout).stopped
        self.wait_for(client, spout, pps_proto.PipelineState.PIPELINE_RUNNING)
        client.delete_pipeline(spout)
        with pytest.raises(grpc.RpcError) as error:
            self.state(client, spout)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_it_has_no_jobs(self, client, spout):
        assert list(client.list_job(spout)) == [] and list(client.list_job()) == []

    def test_a_secret(self, client, fresh):
        name = fresh("secret")
        client.create_secret(name, {"password": "hunter2", "raw": b"me"}, labels={"a": "b"})
        assert client.inspect_secret(name).secret.name == name
        assert [info.type for info in client.list_secret() if info.secret.name == name] == ["Opaque"]
        spout = fresh("spout")
        client.create_pipeline(
            spout, spout=pps_proto.Spout(), transform=pps_proto.Transform(
                cmd=["sh", "-c", 'test "$PW" = hunter2 && echo it is; exec sleep 3600'],
                secrets=[pps_proto.SecretMount(name=name, key="password", env_var="PW")]))
        for message in client.get_pipeline_logs(spout, follow=True):
            if message.user:
                break
        assert message.message == "it is"
        client.delete_pipeline(spout)
        client.delete_secret(name)
        assert name not in [info.secret.name for info in client.list_secret()]
        with pytest.raises(grpc.RpcError, match="failed to get secret"):
            client.inspect_secret(name)

    def test_a_spec_of_a_file(self, client, fresh):
        name = fresh("spout")
        spec = {"pipeline": {"name": name}, "transform": {"cmd": STAYING}, "spout": {}}
        client.create_pipeline_from_request(python_pachyderm.parse_json_pipeline_spec(json.dumps(spec)))
        self.wait_for(client, name, pps_proto.PipelineState.PIPELINE_RUNNING)
        client.delete_pipeline(name)

    def test_its_program_writes_commits(self, client, fresh):
        name = fresh("spout")
        script = 'echo hello | pachctl put file "$PPS_PIPELINE_NAME@master:/greeting" -f -; exec sleep 3600'
        client.create_pipeline(
            name, transform=pps_proto.Transform(cmd=["sh", "-c", script]), spout=pps_proto.Spout()
        )
        stream = client.subscribe_commit(name, "master")
        commit = next(stream).commit
        stream.cancel()
        assert read(client, commit, "/greeting") == b"hello\n"
        client.delete_pipeline(name)


class TestDeletingEverything:
    def test_delete_all(self, own_server):
        client = python_pachyderm.Client(host=own_server.host, port=own_server.port)
        client.create_repo("data")
        client.put_file_bytes(("data", "master"), "/a", b"a")
        client.create_pipeline("tap", transform=pps_proto.Transform(cmd=STAYING), spout=pps_proto.Spout())
        client.delete_all()
        assert list(client.list_repo(type="")) == []
        assert list(client.list_pipeline()) == []

    def test_one_kind_after_the_other(self, own_server):
        client = python_pachyderm.Client(host=own_server.host, port=own_server.port)
        client.create_repo("data")
        client.create_pipeline("tap", transform=pps_proto.Transform(cmd=STAYING), spout=pps_proto.Spout())
        client.start_transaction()
        client.delete_all_transactions()
        assert list(client.list_transaction()) == []
        client.delete_all_pipelines()
        assert list(client.list_pipeline()) == []
        assert [info.repo.name for info in client.list_repo()] == ["data"]
        client.delete_all_repos()
        assert list(client.list_repo()) == []
        assert [info.project.name for info in client.list_project()] == ["default"]
