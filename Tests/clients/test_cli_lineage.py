"""Shell programs that ask what a file was made of."""

import json

import pytest

from test_cli import Shell, objects


@pytest.fixture
def shell(server, tmp_path):
    return Shell(tmp_path, server.address)


@pytest.fixture
def repo(shell, fresh):
    name = fresh("traced")
    shell(f"pachctl create repo {name}")
    return name


def head(shell, branch):
    return json.loads(shell(f"pachctl inspect commit {branch} --raw"))["commit"]["id"]


class TestLineage:
    def test_a_source_file_comes_with_the_commit_that_changed_it(self, shell, repo):
        shell(f"echo x | pachctl put file {repo}@master:/a -f - --metadata offset=7")
        first = head(shell, f"{repo}@master")
        shell(f"echo x | pachctl put file {repo}@master:/d/b -f - --metadata offset=8")
        second = head(shell, f"{repo}@master")
        text = shell(f"pachctl lineage {repo}@master:/a").splitlines()
        assert text[0] == f"{repo}@{second}:/a"
        assert text[1].strip().startswith("written 20") and text[1].endswith(f"in commit {first}")
        assert [line.strip() for line in text[2:]] == ["offset=7"]
        assert "offset=8" in shell(f"spile lineage {repo}@{second}:/d --forward")

    def test_raw_it_is_one_object_each(self, shell, repo):
        shell(f"echo x | pachctl put file {repo}@master:/a -f - --metadata offset=7")
        node, end = objects(shell(f"pachctl lineage {repo}@master:/a --raw"))
        assert node["node"]["number"] == "1"
        assert node["node"]["file"]["file"]["path"] == "/a"
        assert node["node"]["file"]["source"]["metadata"] == {"offset": "7"}
        assert node["node"]["file"]["source"]["commit"]["id"] == head(shell, f"{repo}@master")
        assert end == {"summary": {"nodes": "1"}}

    def test_what_a_spout_wrote_names_it(self, shell, fresh):
        spout = fresh("tap")
        put = "echo x | pachctl put file $PPS_PIPELINE_NAME@master:/a -f - --metadata at=3"
        code = f"{put}; echo written; exec sleep 3600"
        spec = {"pipeline": {"name": spout}, "spout": {}, "transform": {"cmd": ["sh", "-c", code]}}
        shell("pachctl create pipeline -f -", json.dumps(spec))
        shell.follow(f"pachctl logs -p {spout} --follow", "written")
        text = shell(f"pachctl lineage {spout}@master:/a")
        assert f"spout {spout}, written 20" in text and "at=3" in text
        shell(f"pachctl delete pipeline {spout}")

    def test_what_cannot_be_meant(self, shell, repo):
        shell(f"echo x | pachctl put file {repo}@master:/a -f -")
        assert "names no file" in shell.fails(f"pachctl lineage {repo}@master")
        assert "file /b not found" in shell.fails(f"pachctl lineage {repo}@master:/b")
        assert "not found" in shell.fails(f"pachctl lineage {repo}@nothing:/b")
        assert "--limit 0" in shell.fails(f"pachctl lineage {repo}@master:/a --limit 0")
        assert "--forward" in shell("pachctl lineage --help")
