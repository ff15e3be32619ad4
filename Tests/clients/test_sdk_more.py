"""Programs of pachyderm-sdk 2.12 that use the rarer calls: metadata, walks, searches, URLs, looking after the store."""

import grpc
import pytest
from pachyderm_sdk.api import metadata, pfs, pps
from pachyderm_sdk.api.taskapi import Group

from sdk_tools import NOBODY, client, connect  # noqa: F401
from web import Web, certificate

MIB = 1024 * 1024


@pytest.fixture
def repo(client, fresh):
    repo = pfs.Repo.from_uri(fresh("more"))
    client.pfs.create_repo(repo=repo)
    return repo


@pytest.fixture
def master(repo):
    return pfs.Branch(name="master", repo=repo)


@pytest.fixture
def web():
    web = Web({})
    yield web
    web.stop()


def put(client, branch, files: dict[str, bytes]) -> pfs.Commit:
    with client.pfs.commit(branch=branch) as commit:
        for path, data in files.items():
            commit.put_file_from_bytes(path=path, data=data)
    return commit


def fetch(client, branch, url, path="/x", **more) -> None:
    with client.pfs.commit(branch=branch) as commit:
        commit.put_file_from_url(path=path, url=url, **more)


def read(client, branch, path) -> bytes:
    file = pfs.File(commit=pfs.Commit.from_uri(branch.as_uri()), path=path)
    with client.pfs.pfs_file(file=file) as content:
        return content.read()


def fails(call, code=None, text="") -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        result = call()
        if hasattr(result, "__next__"):
            list(result)
    assert text in error.value.details()
    if code:
        assert error.value.code() == code, error.value.details()
    return error.value


def error_details(error) -> bytes:
    """What an error says to programs, undecoded."""
    return dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")


def add(key="k", value="v", **target) -> metadata.Edit:
    return metadata.Edit(add_key=metadata.EditAddKey(key=key, value=value), **target)


class TestMetadata:
    def test_it_shows_on_every_thing_that_it_is_put_on(self, client, repo, master):
        commit = put(client, master, {"/a": b"a"})
        branch = client.pfs.inspect_branch(branch=master)
        client.metadata.edit_metadata(edits=[
            add(repo=repo.as_picker()), add(branch=master.as_picker()),
            add(commit=pfs.CommitPicker.from_uri(f"{master.as_uri()}")),
        ])
        assert client.pfs.inspect_repo(repo=repo).metadata == {"k": "v"}
        after = client.pfs.inspect_branch(branch=master)
        assert after.metadata == {"k": "v"}
        assert after.updated_at > branch.updated_at
        assert client.pfs.inspect_commit(commit=commit).metadata == {"k": "v"}
        assert [info.metadata for info in client.pfs.list_commit(repo=repo)] == [{"k": "v"}]
        assert read(client, master, "/a") == b"a"

    def test_projects_pipelines_and_the_cluster_have_some_too(self, own_server, fresh):
        client = connect(own_server)
        project, pipeline = pfs.Project(name="p"), pps.Pipeline(name="spout", project=pfs.Project(name="default"))
        client.pfs.create_project(project=project)
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", "exec sleep 3600"]),
            spout=pps.Spout(service=pps.Service()),
        )
        named = pps.PipelinePicker(
            name=pps.PipelinePickerPipelineName(project=pfs.ProjectPicker(name="default"), name="spout")
        )
        client.metadata.edit_metadata(edits=[
            add(project=pfs.ProjectPicker(name="p")), add(cluster=metadata.ClusterPicker()), add(pipeline=named),
        ])
        assert client.pfs.inspect_project(project=project).metadata == {"k": "v"}
        assert client.admin.inspect_cluster().metadata == {"k": "v"}
        assert client.pps.inspect_pipeline(pipeline=pipeline).metadata == {"k": "v"}

    def test_replace_edit_and_delete(self, client, repo):
        def edit(**op):
            client.metadata.edit_metadata(edits=[metadata.Edit(repo=repo.as_picker(), **op)])
            return client.pfs.inspect_repo(repo=repo).metadata

        assert edit(replace=metadata.EditReplace(replacement={"a": "1", "b": "2"})) == {"a": "1", "b": "2"}
        assert edit(edit_key=metadata.EditEditKey(key="a", value="3")) == {"a": "3", "b": "2"}
        assert edit(edit_key=metadata.EditEditKey(key="c", value="4")) == {"a": "3", "b": "2", "c": "4"}
        assert edit(delete_key=metadata.EditDeleteKey(key="a")) == {"b": "2", "c": "4"}
        assert edit(delete_key=metadata.EditDeleteKey(key="a")) == {"b": "2", "c": "4"}
        # Updates of the thing itself leave it alone.
        client.pfs.create_repo(repo=repo, description="new", update=True)
        assert client.pfs.inspect_repo(repo=repo).metadata == {"b": "2", "c": "4"}

    def test_commits_are_picked_in_every_way(self, client, repo, master):
        commits = [put(client, master, {"/a": str(n).encode()}) for n in range(3)]
        branch = master.as_picker()
        head = pfs.CommitPicker(branch_head=branch)
        pickers = {
            "head": (head, 2),
            "id": (pfs.CommitPicker(id=pfs.CommitPickerCommitByGlobalId(repo=repo.as_picker(), id=commits[1].id)), 1),
            "ancestor": (pfs.CommitPicker(ancestor=pfs.CommitPickerAncestorOf(start=head, offset=1)), 1),
            "root": (pfs.CommitPicker(branch_root=pfs.CommitPickerBranchRoot(branch=branch, offset=0)), 0),
            "next": (pfs.CommitPicker(branch_root=pfs.CommitPickerBranchRoot(branch=branch, offset=1)), 1),
        }
        for key, (picker, _) in pickers.items():
            client.metadata.edit_metadata(edits=[add(key=key, commit=picker)])
        for number, commit in enumerate(commits):
            expected = {key for key, (_, place) in pickers.items() if place == number}
            assert set(client.pfs.inspect_commit(commit=commit).metadata) == expected
        for offset in [3, 7]:
            gone = pfs.CommitPicker(branch_root=pfs.CommitPickerBranchRoot(branch=branch, offset=offset))
            fails(lambda: client.metadata.edit_metadata(edits=[add(commit=gone)]), text="invalid offset for ancestor")

    def test_all_edits_are_made_or_none_and_the_bad_ones_are_numbered(self, client, repo, master):
        put(client, master, {"/a": b"a"})
        client.metadata.edit_metadata(edits=[add(repo=repo.as_picker())])
        error = fails(
            lambda: client.metadata.edit_metadata(
                edits=[add(branch=master.as_picker()), add(repo=repo.as_picker()), add(repo=repo.as_picker())]
            ),
            grpc.StatusCode.FAILED_PRECONDITION,
        )
        text = 'add_key target key "k" already exists; use edit_key instead'
        assert error.details().splitlines() == [f"edit #1: {text}", f"edit #2: {text}"]
        assert client.pfs.inspect_branch(branch=master).metadata == {}

    def test_what_names_nothing_is_refused(self, client, repo, fresh):
        edit = client.metadata.edit_metadata
        missing = pfs.Repo.from_uri(fresh("none"))
        fails(lambda: edit(edits=[add(repo=missing.as_picker())]), grpc.StatusCode.NOT_FOUND, "edit #0: repo ")
        unknown = pfs.CommitPicker(id=pfs.CommitPickerCommitByGlobalId(repo=repo.as_picker(), id=NOBODY))
        fails(lambda: edit(edits=[add(commit=unknown)]), grpc.StatusCode.NOT_FOUND, f"{NOBODY} not found")
        malformed = pfs.CommitPicker(id=pfs.CommitPickerCommitByGlobalId(repo=repo.as_picker(), id="xyz"))
        fails(lambda: edit(edits=[add(commit=malformed)]), grpc.StatusCode.NOT_FOUND, "edit #0: commit ")
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        fails(lambda: edit(edits=[add()]), invalid, "edit #0")
        fails(lambda: edit(edits=[metadata.Edit(repo=repo.as_picker())]), invalid, "edit #0")
        fails(lambda: edit(edits=[add(key="", repo=repo.as_picker())]), invalid, "edit #0")
        fails(lambda: edit(edits=[add(repo=pfs.RepoPicker())]), invalid, "picker cannot be nil")
        edit(edits=[])


class TestWalks:
    @pytest.fixture
    def spout(self, client, fresh):
        """A pipeline: its output branch and first commit derive from those of its spec."""
        pipeline = pps.Pipeline(name=fresh("walked"), project=pfs.Project(name="default"))
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", "exec sleep 3600"]),
            spout=pps.Spout(service=pps.Service()),
        )
        yield pipeline
        client.pps.delete_pipeline(pipeline=pipeline, force=True)

    @staticmethod
    def branch(pipeline, type):
        return pfs.Branch(name="master", repo=pfs.Repo(name=pipeline.name, type=type, project=pipeline.project))

    def test_commits_both_ways(self, client, spout):
        output, spec = self.branch(spout, "user"), self.branch(spout, "spec")
        up = list(client.pfs.walk_commit_provenance(start=[pfs.CommitPicker(branch_head=output.as_picker())]))
        assert [info.commit.repo.type for info in up] == ["spec"]
        # In full: all that inspecting tells.
        assert up[0] == client.pfs.inspect_commit(commit=up[0].commit)
        down = list(client.pfs.walk_commit_subvenance(start=[pfs.CommitPicker(branch_head=spec.as_picker())]))
        assert [info.commit.repo.type for info in down] == ["user"]

    def test_branches_both_ways(self, client, spout):
        output, spec = self.branch(spout, "user"), self.branch(spout, "spec")
        up = list(client.pfs.walk_branch_provenance(start=[output.as_picker()]))
        assert [info.branch for info in up] == [spec]
        assert up[0] == client.pfs.inspect_branch(branch=spec)
        down = list(client.pfs.walk_branch_subvenance(start=[spec.as_picker(), spec.as_picker()]))
        assert [info.branch for info in down] == [output, output]
        assert down[0].head.id and down[0].created_at

    def test_what_derives_from_nothing_ends_at_once(self, client, master):
        put(client, master, {"/a": b"a"})
        start = [pfs.CommitPicker(branch_head=master.as_picker())]
        assert list(client.pfs.walk_commit_provenance(start=start)) == []
        assert list(client.pfs.walk_commit_subvenance(start=start, max_commits=2**63, max_depth=2**63)) == []
        assert list(client.pfs.walk_branch_provenance()) == []

    def test_a_start_that_is_not_there(self, client, repo, master):
        missing = grpc.StatusCode.NOT_FOUND
        fails(lambda: client.pfs.walk_branch_provenance(start=[master.as_picker()]), missing, "branch")
        start = [pfs.CommitPicker(branch_head=master.as_picker())]
        fails(lambda: client.pfs.walk_commit_subvenance(start=start), missing, "branch")
        fails(
            lambda: client.pfs.walk_commit_provenance(start=[pfs.CommitPicker()]), grpc.StatusCode.INVALID_ARGUMENT,
            "picker cannot be nil",
        )


class TestFindCommits:
    def test_what_changed_a_file(self, client, master):
        first = put(client, master, {"/other": b"1"})
        added = put(client, master, {"/f": b"1"})
        put(client, master, {"/other": b"2"})
        changed = put(client, master, {"/f": b"2"})
        with client.pfs.commit(branch=master) as removed:
            removed.delete_file(path="/f")
        answers = list(client.pfs.find_commits(start=pfs.Commit.from_uri(master.as_uri()), file_path="/f"))
        found = [(answer.found_commit.id, answer.commits_searched) for answer in answers[:-1]]
        assert found == [(removed.id, 0), (changed.id, 1), (added.id, 3)]
        assert (answers[-1].last_searched_commit.id, answers[-1].commits_searched) == (first.id, 5)
        assert all(not answer.found_commit.branch.name for answer in answers)

    def test_a_limit_on_what_is_found(self, client, master):
        for number in range(4):
            last = put(client, master, {"/f": str(number).encode()})
        answers = list(client.pfs.find_commits(start=last, file_path="f/", limit=1))
        assert [answer.found_commit.id for answer in answers[:-1]] == [last.id]
        assert (answers[-1].last_searched_commit.id, answers[-1].commits_searched) == (last.id, 1)

    def test_a_file_that_never_was(self, client, master):
        commit = put(client, master, {"/f": b"1"})
        [answer] = client.pfs.find_commits(start=commit, file_path="/none")
        assert (answer.last_searched_commit.id, answer.commits_searched) == (commit.id, 1)

    def test_an_open_commit_is_unavailable_and_says_so_to_programs(self, client, master):
        commit = client.pfs.start_commit(branch=master)
        error = fails(
            lambda: client.pfs.find_commits(start=commit, file_path="/f"), grpc.StatusCode.UNAVAILABLE,
            f"{commit.id} not finished",
        )
        for part in [b"google.rpc.ResourceInfo", b"pfs:commit", commit.id.encode(), b"commit not finished"]:
            assert part in error_details(error)
        client.pfs.finish_commit(commit=commit)

    def test_a_start_that_is_not_there_and_none_at_all(self, client, master):
        start = pfs.Commit.from_uri(master.as_uri())
        fails(lambda: client.pfs.find_commits(start=start, file_path="/f"), grpc.StatusCode.NOT_FOUND)
        fails(lambda: client.pfs.find_commits(file_path="/f"), grpc.StatusCode.INVALID_ARGUMENT, "validate request:")
        commit = put(client, master, {"/f": b"1"})
        fails(lambda: client.pfs.find_commits(start=commit), grpc.StatusCode.INVALID_ARGUMENT, "file_path")


class TestURLs:
    def test_a_page_becomes_a_file(self, client, master, web):
        web.pages = {"/page": b"from the web", "/empty": b"", "/old": "/page"}
        fetch(client, master, web.url("/page?a=b"))
        assert read(client, master, "/x") == b"from the web"
        assert web.requests == ["/page?a=b"]
        fetch(client, master, web.url("/empty"))
        assert read(client, master, "/x") == b""
        fetch(client, master, web.url("/old"), path="/dir/y", recursive=True)
        assert read(client, master, "/dir/y") == b"from the web"

    def test_a_large_page_comes_in_whole(self, client, master, web):
        web.pages = {"/large": bytes(range(256)) * (40 * MIB // 256)}
        fetch(client, master, web.url("/large"))
        assert read(client, master, "/x") == web.pages["/large"]

    def test_an_answer_that_is_an_error_fails_the_stream_with_its_words(self, client, master, web):
        put(client, master, {"/x": b"as it was"})
        web.pages = {"/broken": 500}
        for path, status in [("/none", "404 Not Found"), ("/broken", "500 Internal Server Error")]:
            text = f'error retrieving content from "{web.url(path)}": {status}'
            fails(lambda: fetch(client, master, web.url(path)), text=text)
        assert read(client, master, "/x") == b"as it was"

    def test_nobody_at_the_other_end(self, client, master, web):
        url = web.url("/")
        web.stop()
        fails(lambda: fetch(client, master, url), grpc.StatusCode.UNAVAILABLE, "cannot connect: Connection refused")

    def test_other_kinds_of_urls_say_what_they_are(self, client, master):
        precondition = grpc.StatusCode.FAILED_PRECONDITION
        fails(lambda: fetch(client, master, "s3://bucket/key"), precondition, "AWS_ACCESS_KEY_ID")
        fails(lambda: fetch(client, master, "gs://bucket/key"), grpc.StatusCode.UNIMPLEMENTED, "gs")
        fails(
            lambda: fetch(client, master, "ftp://host/file"), grpc.StatusCode.INVALID_ARGUMENT,
            'unrecognized scheme "ftp"',
        )
        fails(lambda: fetch(client, master, "no url"), grpc.StatusCode.INVALID_ARGUMENT, "is not a URL")

    def test_a_bad_path_is_refused_before_anything_is_fetched(self, client, master, web):
        fails(lambda: fetch(client, master, web.url("/page"), path="/a*b"), text="globbing character (*)")
        assert web.requests == []

    def test_https_needs_a_certificate_that_is_trusted(self, server_with, tmp_path):
        trusted, context = certificate(tmp_path)
        web = Web({"/page": b"in private"}, context)
        master = pfs.Branch(name="master", repo=pfs.Repo.from_uri("secure"))

        client = connect(server_with(SSL_CERT_FILE=str(trusted)))
        client.pfs.create_repo(repo=master.repo)
        fetch(client, master, web.url("/page"))
        assert read(client, master, "/x") == b"in private"

        client = connect(server_with())
        client.pfs.create_repo(repo=master.repo)
        error = fails(lambda: fetch(client, master, web.url("/page")), grpc.StatusCode.FAILED_PRECONDITION)
        assert "certificate" in error.details() and "SSL_CERT_FILE" in error.details()
        web.stop()

    def test_files_of_the_server_only_from_folders_that_it_was_told_to_give(self, server_with, tmp_path):
        given = tmp_path / "given"
        (given / "sub").mkdir(parents=True)
        (given / "a.txt").write_text("a")
        (given / "sub" / "b.txt").write_text("b")
        (tmp_path / "secret").write_text("secret")
        (given / "sub" / "way out").symlink_to(tmp_path)
        client = connect(server_with("--allow-file-urls", str(given)))
        master = pfs.Branch(name="master", repo=pfs.Repo.from_uri("files"))
        client.pfs.create_repo(repo=master.repo)
        denied = grpc.StatusCode.PERMISSION_DENIED

        fetch(client, master, f"file://{given}/a.txt")
        assert read(client, master, "/x") == b"a"
        fails(lambda: fetch(client, master, f"file://{tmp_path}/secret"), denied, "--allow-file-urls")
        fails(lambda: fetch(client, master, f"file://{given}/../secret"), denied)
        fails(lambda: fetch(client, master, f"file://{given}/sub/way%20out/secret"), denied, "symbolic link")
        fails(lambda: fetch(client, master, f"file://{given}", path="/y", recursive=True), denied, "symbolic link")
        (given / "sub" / "way out").unlink()
        fetch(client, master, f"file://{given}", path="/y", recursive=True)
        assert read(client, master, "/y/sub/b.txt") == b"b"
        fails(lambda: fetch(client, master, f"file://{given}/sub"), text="is a folder")
        fails(lambda: fetch(client, master, f"file://{given}/none"), grpc.StatusCode.NOT_FOUND)

    def test_without_that_option_no_file_of_the_server_is_given(self, client, master):
        denied = grpc.StatusCode.PERMISSION_DENIED
        fails(lambda: fetch(client, master, "file:///etc/hostname"), denied, "--allow-file-urls")


class TestWritingToURLs:
    def test_files_are_not_written_where_the_server_has_no_key(self, client, master):
        commit = put(client, master, {"/f": b"1"})
        file = pfs.File(commit=commit, path="/f")
        precondition, unimplemented = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNIMPLEMENTED
        fails(lambda: client.pfs.get_file(file=file, url="s3://bucket/x"), precondition, "AWS_ACCESS_KEY_ID")
        fails(lambda: client.pfs.get_file_tar(file=file, url="gs://bucket/x"), unimplemented, "gs")
        fails(lambda: client.pfs.get_file(file=file, url="x://bucket"), grpc.StatusCode.INVALID_ARGUMENT, "x")

    def test_egress_says_first_what_is_wrong_with_the_call(self, client, repo, master):
        commit = put(client, master, {"/f": b"1"})
        egress = client.pfs.egress
        fails(lambda: egress(commit=commit), grpc.StatusCode.INVALID_ARGUMENT, "target")
        target = pfs.ObjectStorageEgress(url="s3://bucket/x")
        precondition = grpc.StatusCode.FAILED_PRECONDITION
        fails(lambda: egress(commit=commit, object_storage=target), precondition, "AWS_ACCESS_KEY_ID")
        missing = pfs.Commit(repo=repo, id=NOBODY)
        fails(lambda: egress(commit=missing, object_storage=target), grpc.StatusCode.NOT_FOUND)
        database = pfs.SqlDatabaseEgress(url="postgres://h/d")
        fails(lambda: egress(commit=commit, sql_database=database), text="egress.sql_database.secret is required")
        database.secret = pfs.SqlDatabaseEgressSecret(name="s")
        fails(
            lambda: egress(commit=commit, sql_database=database),
            text="egress.sql_database.secret.name and egress.sql_database.secret.key are required",
        )
        database.secret.key = "k"
        fails(lambda: egress(commit=commit, sql_database=database), grpc.StatusCode.UNIMPLEMENTED)


class TestTheStore:
    def test_its_chunks_are_counted_and_read(self, own_server):
        client = connect(own_server)
        assert client.pfs.check_storage().chunk_object_count == 0
        master = pfs.Branch(name="master", repo=pfs.Repo.from_uri("data"))
        client.pfs.create_repo(repo=master.repo)
        put(client, master, {"/small": b"1"})
        few = client.pfs.check_storage().chunk_object_count
        assert few >= 1
        put(client, master, {"/large": bytes(range(256)) * (20 * MIB // 256)})
        many = client.pfs.check_storage(read_chunk_data=True).chunk_object_count
        assert many > few
        assert client.pfs.check_storage(chunk_begin=b"\x01", chunk_end=b"\x02").chunk_object_count == many

    def test_nothing_is_queued(self, client):
        assert list(client.pfs.list_task(group=Group(namespace="storage"))) == []
        assert list(client.pps.list_task(group=Group(namespace="storage"))) == []

    def test_accounts_need_no_roles_while_they_are_off(self, client):
        client.pfs.activate_auth()


class TestProjects:
    def test_inspecting_tells_the_defaults(self, client):
        answer = client.pfs.inspect_project_v2(project=pfs.Project(name="default"))
        assert (answer.info.project.name, answer.defaults_json) == ("default", "{}")

    def test_force_deletes_no_repo_behind_anyones_back(self, client, fresh):
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        repo = pfs.Repo(name="data", project=project)
        client.pfs.create_repo(repo=repo)
        fails(
            lambda: client.pfs.delete_project(project=project, force=True), grpc.StatusCode.FAILED_PRECONDITION,
            "still exists",
        )
        assert client.pfs.repo_exists(repo)
        client.pfs.delete_repo(repo=repo)
        client.pfs.delete_project(project=project, force=True)
        assert not client.pfs.project_exists(project)

    def test_repos_come_in_pages(self, client, fresh):
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        for number in range(5):
            client.pfs.create_repo(repo=pfs.Repo(name=f"r{number}", project=project))

        def page(size, index):
            page = pfs.RepoPage(page_size=size, page_index=index)
            return [info.repo.name for info in client.pfs.list_repo(type="user", projects=[project], page=page)]

        assert (page(2, 0), page(2, 1), page(2, 2), page(2, 3)) == (["r0", "r1"], ["r2", "r3"], ["r4"], [])
        assert page(0, 0) == [] or len(page(0, 0)) == 5  # An empty page is dropped on the way by this SDK.


class TestSpecErrors:
    def test_a_bad_spec_names_the_field_of_the_request(self, client, fresh):
        error = fails(
            lambda: client.pps.create_pipeline_v2(create_pipeline_request_json='{"nope": 1}'),
            grpc.StatusCode.INVALID_ARGUMENT, "could not make effective spec",
        )
        for part in [b"google.rpc.BadRequest", b"create_pipeline_v2_request.create_pipeline_request_json", b"nope"]:
            assert part in error_details(error)
