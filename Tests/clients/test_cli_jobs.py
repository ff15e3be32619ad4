"""Shell programs that look at the jobs of a service, wait for them and stop them."""

import json

import pytest

from test_cli import Shell, table
from test_sdk_services import free_port

COLUMNS = ["PROJECT", "PIPELINE", "ID", "STARTED", "DURATION", "RESTART", "PROGRESS", "DL", "UL", "STATE"]


@pytest.fixture
def shell(own_server, tmp_path):
    shell = Shell(tmp_path, own_server.address)
    shell("pachctl create repo data; echo one | pachctl put file data@master:/x -f -")
    spec = {
        "pipeline": {"name": "web"},
        "input": {"pfs": {"repo": "data", "glob": "/"}},
        "transform": {"cmd": ["sh", "-c", "cat /pfs/data/x; exec sleep 3600"]},
        "service": {"internal_port": free_port(), "external_port": free_port()},
    }
    shell("pachctl create pipeline -f -", json.dumps(spec))
    return shell


def jobs(shell, words=""):
    """Jobs as `list job --raw` gives them, newest first."""
    text, found, decoder = shell(f"pachctl list job {words} --raw"), [], json.JSONDecoder()
    while text.strip():
        value, end = decoder.raw_decode(text.strip())
        found.append(value)
        text = text.strip()[end:]
    return found


def serving(shell, count):
    """Waits until the newest of so many jobs is served; gives them."""
    while True:
        found = jobs(shell, "-p web")
        if len(found) == count and found[0].get("state") == "JOB_RUNNING":
            return found


class TestJobs:
    def test_a_service_has_one_for_each_commit(self, shell):
        serving(shell, 1)
        shell("echo two | pachctl put file data@master:/x -f -")
        new, old = serving(shell, 2)
        assert old["state"] == "JOB_SUCCESS"
        rows = table(shell("pachctl list job -p web"), *COLUMNS)
        assert [row["STATE"] for row in rows] == ["running", "success"]
        assert rows[1]["PROGRESS"] == "1 + 0 / 1"
        assert [row["ID"] for row in rows] == [new["job"]["id"], old["job"]["id"]]
        newest = new["job"]["id"]
        head = json.loads(shell("pachctl inspect commit data@master --raw"))["commit"]["id"]
        assert newest == head, "a job has the id of the commit that it is about"
        assert [row["ID"] for row in table(shell(f"pachctl list job {newest}"), *COLUMNS)] == [newest]
        assert newest in shell("pachctl list job")
        assert "running / running" in shell("pachctl list pipeline")
        shown = shell(f"pachctl inspect job web@{newest}")
        assert "State: running" in shown and "Pipeline: web" in shown
        assert jobs(shell, "-p web --state success") == [old]
        assert jobs(shell, f"-p web -i data@{head}") == [new]

    def test_its_output_is_in_the_logs(self, shell):
        shell.follow("pachctl logs -p web --follow", "one")

    def test_so_is_that_of_each_job_and_datum(self, shell):
        shell("echo two | pachctl put file data@master:/x -f -")
        new, old = serving(shell, 2)
        one, two = f"web@{old['job']['id']}", f"web@{new['job']['id']}"
        shell.follow(f"pachctl logs -j {two} -f", "two")
        assert shell(f"pachctl logs --job {one}") == "one\n"
        record = json.loads(shell(f"pachctl logs --job {two} --raw"))
        assert record["jobId"] == new["job"]["id"] and record["data"][0]["path"] == "/"
        assert shell(f"pachctl logs -j {one} --datum {record['datumId']}") == "one\n"
        assert shell(f"pachctl logs -p web --datum {record['datumId']}") == "one\ntwo\n"
        assert shell(f"pachctl logs -p web --inputs {record['data'][0]['hash']}") == "two\n"
        assert shell(f"pachctl logs -p web --inputs /,/other") == ""
        assert "not found" in shell.fails(f"pachctl logs -j web@{'0' * 12}4{'0' * 19}")
        assert "is not <pipeline>@<job id>" in shell.fails("pachctl logs -j web")

    def test_one_that_is_stopped_says_so(self, shell):
        (job,) = serving(shell, 1)
        name = f"web@{job['job']['id']}"
        waiting = shell.start(f"pachctl wait job {name}")
        shell(f"pachctl stop job {name}")
        output, _ = waiting.communicate()
        assert "killed: job stopped" in output
        shell(f"pachctl delete job {name}")
        assert jobs(shell, "-p web") == []
        assert "not found" in shell.fails(f"pachctl inspect job {name}")


def test_of_a_spout_the_commits_that_came_together_are_one_row(own_server, tmp_path):
    shell = Shell(tmp_path, own_server.address)
    code = "for n in 1 2 3; do echo 12345 | pachctl put file ticks@master:/$n -f -; done; exec sleep 3600"
    spec = {"pipeline": {"name": "ticks"}, "transform": {"cmd": ["sh", "-c", code]}, "spout": {}}
    shell("pachctl create pipeline -f -", json.dumps(spec))
    shell("until pachctl inspect file ticks@master:/3 2>/dev/null; do :; done")
    (row,) = table(
        shell("pachctl list job -p ticks"),
        "PROJECT", "PIPELINE", "COMMITS", "BYTES", "STARTED", "DURATION", "NEWEST COMMIT", "STATE",
    )
    head = json.loads(shell("pachctl inspect commit ticks@master --raw"))["commit"]["id"]
    assert (row["COMMITS"], row["BYTES"], row["STATE"]) == ("3", "18B", "success")
    assert row["NEWEST COMMIT"] == head
    (batch,) = jobs(shell, "-p ticks")
    assert (batch["commits"], batch["bytes"], batch["last_commit"]) == (3, 18, head)
