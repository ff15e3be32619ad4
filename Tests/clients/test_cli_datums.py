"""Shell programs that look at the jobs of a pipeline that transforms, and at their datums."""

import json
import os

import pytest

from test_cli import Shell, objects, table
from test_cli_jobs import COLUMNS

DATUM_COLUMNS = ["ID", "FILES", "STATUS", "TIME"]
COPY = "cp /pfs/data/* /pfs/out/"


class Copies:
    """A shell, a repo `data` with two files, and what to make a pipeline `copies` over it with."""

    def __init__(self, shell):
        self.shell = shell
        shell("pachctl create repo data")
        self.put("a", "b")

    def put(self, *names):
        """One commit with these files; gives its id."""
        self.shell("pachctl start commit data@master")
        for name in names:
            self.shell(f"echo {name} | pachctl put file data@master:/{name} -f -")
        self.shell("pachctl finish commit data@master")
        return json.loads(self.shell("pachctl inspect commit data@master --raw"))["commit"]["id"]

    def run(self, code=COPY, **more):
        """Makes the pipeline; gives the name of its first job."""
        spec = {
            "pipeline": {"name": "copies"}, "input": {"pfs": {"repo": "data", "glob": "/*"}},
            "transform": {"cmd": ["sh", "-ec", code]},
        }
        (self.shell.folder / "copies.json").write_text(json.dumps(spec | more))
        self.shell("pachctl create pipeline -f copies.json")
        (job,) = objects(self.shell("pachctl list job -p copies --raw"))
        return f"copies@{job['job']['id']}"

    def datums(self, words):
        return table(self.shell(f"pachctl list datum {words}"), *DATUM_COLUMNS)


@pytest.fixture
def shell(own_server, tmp_path):
    return Shell(tmp_path, own_server.address)


@pytest.fixture
def copies(shell):
    return Copies(shell)


class TestDatums:
    def test_of_a_job(self, shell, copies):
        job = copies.run()
        shell(f"pachctl wait job {job}")
        rows = copies.datums(job)
        head = json.loads(shell("pachctl inspect commit data@master --raw"))["commit"]["id"]
        assert sorted(row["FILES"] for row in rows) == [f"default/data@{head}:/a", f"default/data@{head}:/b"]
        assert {row["STATUS"] for row in rows} == {"success"}
        assert [row["ID"] for row in rows] == sorted(row["ID"] for row in rows)
        second = copies.put("c")
        shell(f"pachctl wait job {second}")
        rows = copies.datums(f"copies@{second}")
        assert sorted(row["STATUS"] for row in rows) == ["skipped", "skipped", "success"]
        raw = objects(shell(f"pachctl list datum copies@{second} --raw"))
        assert [info["datum"]["id"] for info in raw] == [row["ID"] for row in rows]
        assert "state: SKIPPED" in shell(f"pachctl list datum copies@{second} --raw -o yaml")

    def test_of_a_spec(self, shell, copies):
        copies.run()
        rows = copies.datums("-f copies.json")
        assert [row["FILES"].rpartition(":")[2] for row in rows] == ["/a", "/b"]
        assert {row["STATUS"] for row in rows} == {"-"}
        shell("pachctl create project other")
        assert "not found" in shell.fails("pachctl list datum -f copies.json --project other")
        # A spec that says where it belongs is no other project's.
        spec = json.loads((shell.folder / "copies.json").read_text())
        spec["pipeline"]["project"] = {"name": "default"}
        (shell.folder / "placed.json").write_text(json.dumps(spec))
        assert copies.datums("-f placed.json --project other") == rows
        (shell.folder / "spout.json").write_text(json.dumps({"pipeline": {"name": "x"}, "spout": {}}))
        assert "no input set" in shell.fails("pachctl list datum -f spout.json")
        assert "name one job" in shell.fails("pachctl list datum")

    def test_one(self, shell, copies):
        job = copies.run()
        shell(f"pachctl wait job {job}")
        (row,) = [row for row in copies.datums(job) if row["FILES"].endswith("/a")]
        text = shell(f"pachctl inspect datum {job} {row['ID']}")
        lines = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
        assert lines["ID"].strip() == row["ID"] and lines["Job ID"].strip() == job.partition("@")[2]
        assert lines["State"].strip() == "SUCCESS" and lines["Data Downloaded"].strip() == "2B"
        state, inputs = text.partition("PFS State:\n")[2].split("Inputs:\n")
        assert [line.split()[0] for line in state.splitlines()] == ["REPO", "copies.meta"]
        assert f"/pfs/{row['ID']}" in state
        assert inputs.splitlines()[1].split()[::2] == ["data", "/a"]
        # What it names can be read.
        path = f"/pfs/{row['ID']}/out/a"
        assert shell(f"pachctl get file copies.meta@{job.partition('@')[2]}:{path}") == "a\n"
        raw = json.loads(shell(f"pachctl inspect datum {job} {row['ID']} --raw"))
        assert raw["stats"]["download_bytes"] == "2" and raw["pfs_state"]["path"] == f"/pfs/{row['ID']}"
        assert f"datum nothing not found in job default/{job}" in shell.fails(f"pachctl inspect datum {job} nothing")

    def test_one_is_started_again(self, shell, copies):
        started, gate = shell.folder / "started", shell.folder / "gate"
        os.mkfifo(started)
        os.mkfifo(gate)
        job = copies.run(f"echo $data > {started}; read line < {gate}; {COPY}", datum_tries=5)
        path = started.read_text().strip().removeprefix("/pfs/data")
        assert [row["STATUS"] for row in copies.datums(job)] == ["starting"]
        shown = shell(f"pachctl inspect job {job}")
        assert "State: running" in shown and "Processed: 0" in shown
        (worker,) = [line for line in shown.splitlines() if path in line.split()]
        assert job.partition("@")[2] in worker
        assert "datum matching filter [/x]" in shell.fails(f"pachctl restart datum {job} /x")
        shell(f"pachctl restart datum {job} {path},")
        assert started.read_text().strip() == f"/pfs/data{path}", "it was started again"
        gate.write_text("go\n")
        started.read_text()
        (row,) = table(shell("pachctl list job -p copies"), *COLUMNS)
        assert (row["STATE"], row["PROGRESS"].partition(" /")[0], row["UL"]) == ("running", "1 + 0", "2B")
        gate.write_text("go\n")
        shell(f"pachctl wait job {job}")

    def test_code_sees_those_of_its_own_jobs(self, shell, copies):
        spec = {
            "pipeline": {"name": "other"}, "input": {"pfs": {"repo": "data", "glob": "/"}},
            "transform": {"cmd": ["true"]},
        }
        shell("pachctl create pipeline -f -", json.dumps(spec))
        (other,) = objects(shell("pachctl list job -p other --raw"))
        look = f"pachctl list datum copies@$PACH_JOB_ID > /pfs/out/own; {COPY}; " \
            f"! pachctl list datum other@{other['job']['id']} 2> /pfs/out/other; " \
            "! pachctl restart datum copies@$PACH_JOB_ID /a 2> /pfs/out/restart"
        job = copies.run(look, input={"pfs": {"repo": "data", "glob": "/"}})
        shell(f"pachctl wait job {job}")
        (row,) = table(shell("pachctl get file copies@master:/own"), *DATUM_COLUMNS)
        assert row["STATUS"] == "starting" and row["FILES"].endswith(":/")
        assert "its own jobs only" in shell("pachctl get file copies@master:/other")
        assert "may not restart datums" in shell("pachctl get file copies@master:/restart")


class TestJobs:
    def test_columns(self, shell, copies):
        first = copies.run()
        shell(f"pachctl wait job {first}")
        second = copies.put("c")
        exact = "--full-timestamps"
        waited = table(shell(f"pachctl wait job copies@{second} {exact}"), *COLUMNS)
        rows = table(shell(f"pachctl list job -x {exact}"), *COLUMNS)
        assert rows == waited + table(shell(f"pachctl list job {first.partition('@')[2]} {exact}"), *COLUMNS)
        assert [(row["PROGRESS"], row["RESTART"], row["DL"], row["UL"]) for row in rows] == [
            ("1 + 2 / 3", "0", "2B", "2B"), ("2 + 0 / 2", "0", "4B", "4B")]
        text = shell(f"pachctl inspect job copies@{second}")
        for line in ("State: success", "Processed: 1", "Skipped: 2", "Total: 3", "Data Uploaded: 2B", "Restarts: 0"):
            assert line in text.splitlines()
        raw = json.loads(shell(f"pachctl inspect job copies@{second} --raw"))
        assert (raw["data_skipped"], raw["stats"]["upload_bytes"]) == ("2", "2")
        assert raw["details"]["input"]["pfs"]["commit"] == second
        assert "state: JOB_SUCCESS" in shell("pachctl list job -p copies --raw -o yaml")
        sets = table(shell("pachctl list job"), "ID", "SUBJOBS", "PROGRESS", "CREATED", "MODIFIED")
        assert [row["ID"] for row in sets] == [second, first.partition("@")[2]]
        text = shell("pachctl inspect pipeline copies")
        assert "Workers Available: 1/1" in text and "State: running" in text
        assert "running / success" in shell("pachctl list pipeline")

    def test_one_without_datums_says_so(self, shell):
        shell("pachctl create repo data; pachctl create branch data@master")
        spec = {"pipeline": {"name": "copies"}, "input": {"pfs": {"repo": "data", "glob": "/*"}},
                "transform": {"cmd": ["true"]}}
        shell("pachctl create pipeline -f -", json.dumps(spec))
        (job,) = objects(shell("pachctl list job -p copies --raw"))
        (row,) = table(shell(f"pachctl wait job copies@{job['job']['id']}"), *COLUMNS)
        assert row["STATE"] == "success: there were no datums to process"

    def test_one_that_fails(self, shell, copies):
        job = copies.run("test $data != /pfs/data/b", datum_tries=1)
        assert "ended as failure: datum" in shell.fails(f"pachctl wait job {job}")
        (row,) = table(shell("pachctl list job -p copies --state failure"), *COLUMNS)
        assert row["STATE"].startswith("failure: datum ") and row["STATE"].endswith("...")
        assert "failed" in {row["STATUS"] for row in copies.datums(job)}

    def test_all_of_an_id_are_stopped(self, shell, copies):
        gate = shell.folder / "gate"
        os.mkfifo(gate)
        job = copies.run(f"read line < {gate}")
        set_id = job.partition("@")[2]
        shell(f"pachctl stop job {set_id}")
        assert "killed: job stopped" in shell(f"pachctl list job {set_id}")
        shell(f"pachctl delete job {job}")
        assert "not found" in shell.fails(f"pachctl inspect job {job}")
