"""Shell programs that keep positions and retry: flags of writes, and `position`."""

import json

import pytest

from test_cli import STAYING, Shell, objects


@pytest.fixture
def shell(server, tmp_path):
    return Shell(tmp_path, server.address)


@pytest.fixture
def repo(shell, fresh):
    name = fresh("positions")
    shell(f"pachctl create repo {name}")
    return name


def commits(shell, repo):
    """Newest first."""
    return objects(shell(f"pachctl list commit {repo}@master --raw"))


class TestFlags:
    def test_of_put_file(self, shell, repo):
        put = f"echo x | pachctl put file -a {repo}@master:/a --idempotency-key 'batch 1'"
        for _ in range(2):
            shell(f"{put} --metadata offset=7 --metadata 'topic=ä, b=c%'")
        assert [commit["metadata"] for commit in commits(shell, repo)] == [{"offset": "7", "topic": "ä, b=c%"}]
        assert shell(f"pachctl get file {repo}@master:/a") == "x\n"
        error = shell.fails(f"echo y | pachctl put file {repo}@master:/a --expected-head none")
        assert commits(shell, repo)[0]["commit"]["id"] in error

    def test_of_start_and_finish_commit(self, shell, repo):
        start = f"pachctl start commit {repo}@master --idempotency-key 1 --metadata a=1 --expected-head none"
        commit = shell(start).strip()
        assert shell(start).strip() == commit
        for _ in range(2):
            shell(f"pachctl finish commit {repo}@{commit} --idempotency-key 1 --metadata b=2")
        assert [one["metadata"] for one in commits(shell, repo)] == [{"a": "1", "b": "2"}]
        assert "already finished" in shell.fails(f"pachctl finish commit {repo}@{commit}")
        second = shell(f"pachctl start commit {repo}@master").strip()
        shell.fails(f"pachctl finish commit {repo}@{second} --expected-head none")
        shell(f"pachctl finish commit {repo}@{second} --expected-head {commit}")

    @pytest.mark.parametrize("flags", ["--metadata x", "--idempotency-key ''", "--expected-head master"])
    def test_that_cannot_be_meant(self, shell, repo, flags):
        assert flags.split()[0] in shell.fails(f"echo x | pachctl put file {repo}@master:/a {flags}")

    def test_in_a_transaction(self, shell, repo):
        shell("pachctl start transaction")
        try:
            assert "takes no" in shell.fails(f"pachctl start commit {repo}@master --metadata a=1")
        finally:
            shell("pachctl delete transaction")

    def test_help_teaches_them(self, shell):
        for command in ["put file", "start commit", "finish commit"]:
            text = shell(f"pachctl {command} --help")
            for flag in ["--metadata", "--idempotency-key", "--expected-head"]:
                assert flag in text
        assert "key" in shell("pachctl position --help")


def test_position(shell, fresh, tmp_path):
    name = fresh("spout")
    (tmp_path / "spec.yaml").write_text(f"pipeline: {{name: {name}}}\nspout: {{}}\ntransform: {STAYING}\n")
    shell("pachctl create pipeline -f spec.yaml")
    try:
        assert shell(f"pachctl position {name}") == ""
        assert shell(f"pachctl position {name} offset") == ""
        assert json.loads(shell(f"pachctl position {name} --raw")) == {"commit": "", "metadata": {}}
    finally:
        shell(f"pachctl delete pipeline {name}")
    assert "not found" in shell.fails(f"pachctl position {name}")


def test_position_of_what_a_spout_wrote(shell, fresh, tmp_path):
    name = fresh("spout")
    program = (
        f"printf x | pachctl put file {name}@master:/a --metadata 'offset=7' --metadata \"$(printf 'text=a\\nb')\";"
        " exec sleep 3600"
    )
    (tmp_path / "spec.json").write_text(
        json.dumps({"pipeline": {"name": name}, "spout": {}, "transform": {"cmd": ["sh", "-c", program]}})
    )
    shell("pachctl create pipeline -f spec.json")
    try:
        first = f"while ! pachctl position {name} offset | grep -q .; do :; done"
        shell(first)
        assert shell(f"pachctl position {name}") == "offset=7\ntext=a\\nb\n"
        assert shell(f"pachctl position {name} text") == "a\nb\n"
        shell(f"pachctl stop pipeline {name}")
        shell(f"pachctl start pipeline {name}")
        answer = json.loads(shell(f"pachctl position {name} --raw"))
        assert answer["metadata"] == {"offset": "7", "text": "a\nb"}
        assert answer["commit"] in [commit["commit"]["id"] for commit in commits(shell, name)]
    finally:
        shell(f"pachctl delete pipeline {name}")
