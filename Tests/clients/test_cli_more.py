"""Shell programs that use the rarer commands: metadata, searches, URLs."""

import json

import pytest

from test_cli import Shell, objects
from web import Web


@pytest.fixture
def shell(server, tmp_path):
    return Shell(tmp_path, server.address)


@pytest.fixture
def repo(shell, fresh):
    name = fresh("rare")
    shell(f"pachctl create repo {name}")
    return name


@pytest.fixture
def web():
    web = Web({"/page.txt": b"from the web", "/other": b"more"})
    yield web
    web.stop()


class TestEditMetadata:
    def test_of_several_things_at_once(self, shell, repo):
        shell(f"echo 1 | pachctl put file {repo}@master:/a")
        done = shell.run(
            f"pachctl edit metadata repo {repo} add owner=maria branch {repo}@master edit stage=test"
            f" commit {repo}@master add 'a=1;b=x=y'"
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "ok\n")
        assert objects(shell(f"pachctl inspect repo {repo} --raw"))[0]["metadata"] == {"owner": "maria"}
        assert objects(shell(f"pachctl inspect branch {repo}@master --raw"))[0]["metadata"] == {"stage": "test"}
        assert objects(shell(f"pachctl inspect commit {repo}@master --raw"))[0]["metadata"] == {"a": "1", "b": "x=y"}

    def test_replace_and_delete(self, shell, repo):
        shell(f"""pachctl edit metadata repo {repo} replace '{{"a": "1", "b": "2"}}'""")
        shell(f"pachctl edit metadata repo {repo} delete a")
        assert objects(shell(f"pachctl inspect repo {repo} --raw"))[0]["metadata"] == {"b": "2"}
        shell(f"pachctl edit metadata repo {repo} replace '{{}}'")
        assert "metadata" not in objects(shell(f"pachctl inspect repo {repo} --raw"))[0]

    def test_of_the_cluster_a_project_and_an_older_commit(self, shell, repo, fresh):
        key, project = fresh("key"), fresh("project")
        shell(f"pachctl create project {project}")
        for number in range(3):
            shell(f"echo {number} | pachctl put file {repo}@master:/a")
        shell(f"pachctl edit metadata cluster . add {key}=v project {project} add k=v")
        shell(f"pachctl edit metadata commit {repo}@master^2 add k=first commit {repo}@master.2 add k=second")
        assert objects(shell("pachctl inspect cluster --raw"))[0]["metadata"][key] == "v"
        assert objects(shell(f"pachctl inspect project {project} --raw"))[0]["metadata"] == {"k": "v"}
        commits = objects(shell(f"pachctl list commit {repo}@master --raw"))
        assert [commit.get("metadata", {}).get("k") for commit in commits] == [None, "second", "first"]

    def test_what_goes_wrong_is_said(self, shell, repo):
        shell(f"pachctl edit metadata repo {repo} add k=v")
        assert "edit #0: add_key" in shell.fails(f"pachctl edit metadata repo {repo} add k=v")
        assert "not found" in shell.fails("pachctl edit metadata repo no-such-repo add k=v")
        assert "four words" in shell.fails(f"pachctl edit metadata repo {repo} add")
        assert "key=value" in shell.fails(f"pachctl edit metadata repo {repo} add k")
        assert "has no metadata" in shell.fails(f"pachctl edit metadata file {repo} add k=v")


class TestFindCommit:
    def test_as_a_table_and_as_json(self, shell, repo):
        for text in ["1", "2", "2"]:
            shell(f"echo {text} | pachctl put file {repo}@master:/f")
        ids = [commit["commit"]["id"] for commit in objects(shell(f"pachctl list commit {repo}@master --raw"))]
        assert shell(f"pachctl find commit {repo}@master:/f").splitlines() == [
            "FOUND IN COMMITS", ids[1], ids[2], "", "LAST SEARCHED COMMIT", ids[2],
        ]
        answer = json.loads(shell(f"pachctl find commit {repo}@master:/f --json --limit 1 --timeout 30s"))
        assert [commit["id"] for commit in answer["FoundCommits"]] == [ids[1]]
        assert (answer["LastSearchedCommit"]["id"], answer["CommitsSearched"]) == (ids[1], 2)

    def test_in_an_open_commit(self, shell, repo):
        shell(f"pachctl start commit {repo}@master")
        assert "not finished" in shell.fails(f"pachctl find commit {repo}@master:/f")


class TestPutURL:
    def test_the_server_fetches_it(self, shell, repo, web):
        shell(f"pachctl put file {repo}@master -f {web.url('/page.txt')}")
        assert shell(f"pachctl get file {repo}@master:/page.txt") == "from the web"
        shell(f"pachctl put file {repo}@master:/dir/ -f {web.url('/page.txt')} -f {web.url('/other')}")
        assert shell(f"pachctl get file {repo}@master:/dir/other") == "more"
        shell(f"pachctl put file -a {repo}@master:/dir/other -f {web.url('/other')}")
        assert shell(f"pachctl get file {repo}@master:/dir/other") == "moremore"

    def test_one_that_is_not_there_fails_the_command_and_changes_nothing(self, shell, repo, web):
        errors = shell.fails(f"pachctl put file {repo}@master -f {web.url('/page.txt')} -f {web.url('/none')}")
        assert "error retrieving content from" in errors and "404" in errors
        assert shell(f"pachctl list commit {repo}").splitlines()[1:] == []

    def test_the_disk_of_the_server_is_not_given(self, shell, repo):
        assert "--allow-file-urls" in shell.fails(f"pachctl put file {repo}@master -f file:///etc/hostname")

    def test_files_cannot_be_got_to_an_object_store_without_a_key(self, shell, repo):
        shell(f"echo 1 | pachctl put file {repo}@master:/a")
        assert "AWS_ACCESS_KEY_ID" in shell.fails(f"pachctl get file {repo}@master:/a -o s3://bucket/a")


class TestListTask:
    def test_there_are_none(self, shell):
        assert shell("pachctl list task pfs") == ""
        assert shell("pachctl list task pps --raw -n storage") == ""
        assert "pfs or pps" in shell.fails("pachctl list task other")


class TestTheServerOption:
    def test_a_folder_that_is_not_there_stops_the_server(self, shell, tmp_path):
        errors = shell.fails(f"spile server --data {tmp_path}/d --listen 127.0.0.1:0 --allow-file-urls {tmp_path}/none")
        assert f"{tmp_path}/none" in errors
