"""Shell programs that give pipelines a clock, let it strike, and run pipelines again."""

import json
import re

import pytest

from test_cli import Shell, objects
from test_sdk_services import free_port


@pytest.fixture
def shell(own_server, tmp_path):
    return Shell(tmp_path, own_server.address)


def create(shell, given, name="clock", words="create"):
    spec = {
        "pipeline": {"name": name}, "input": given,
        "transform": {"cmd": ["sh", "-c", "exec sleep 3600"]},
        "service": {"internal_port": free_port(), "external_port": free_port()},
    }
    shell(f"pachctl {words} pipeline -f -", json.dumps(spec))


class TestCron:
    def test_a_tick_by_hand_is_a_file_of_its_own(self, shell):
        create(shell, {"cron": {"name": "tick", "spec": "@never"}})
        assert "tick:@never" in shell("pachctl list pipeline")
        assert "Cron tick repo for pipeline default/clock." in shell("pachctl list repo")
        assert shell("pachctl run cron clock") == ""
        (path,) = [info["file"]["path"] for info in objects(shell("pachctl list file clock_tick@master --raw"))]
        assert re.fullmatch(r"/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", path)
        assert shell(f"pachctl get file clock_tick@master:{path}") == ""
        shell("pachctl delete pipeline clock --keep-repo")
        assert "clock_tick" not in shell("pachctl list repo --all-projects")

    def test_a_clock_strikes_by_itself(self, shell):
        create(shell, {"cron": {"name": "tick", "spec": "@every 1s", "overwrite": True}})
        process = shell.start("pachctl subscribe commit clock_tick@master --raw | grep -m 4 '\"kind\": \"USER\"'")
        assert len(process.communicate()[0].splitlines()) == 4
        assert len(shell("pachctl list file clock_tick@master").splitlines()) == 2, "a header and one tick"

    def test_what_has_no_clock_says_so(self, shell):
        shell("pachctl create repo data")
        create(shell, {"pfs": {"repo": "data", "glob": "/"}})
        assert "pipeline doesn't have a cron input" in shell.fails("pachctl run cron clock")
        assert "not found" in shell.fails("pachctl run cron none")
        assert "error parsing cron-spec" in shell.fails(
            "pachctl create pipeline -f -",
            json.dumps({
                "pipeline": {"name": "bad"}, "transform": {"cmd": ["x"]},
                "input": {"cron": {"name": "tick", "spec": "often"}}}))


class TestRerun:
    def test_it_makes_the_next_version_and_starts_a_job(self, shell):
        create(shell, {"cron": {"name": "tick", "spec": "@never", "overwrite": True}})
        shell("pachctl run cron clock")

        def inspect():
            return json.loads(shell("pachctl inspect pipeline clock --raw"))

        first = inspect()
        shell("pachctl rerun pipeline clock")
        second = inspect()
        assert (first["version"], second["version"]) == ("1", "2")
        assert second["details"]["salt"] == first["details"]["salt"]
        assert second["details"]["input"] == first["details"]["input"], "the clock goes on as it did"
        shell("pachctl rerun pipeline clock --reprocess")
        third = inspect()
        assert third["version"] == "3" and third["details"]["salt"] != first["details"]["salt"]
        versions = [job["pipeline_version"] for job in objects(shell("pachctl list job -p clock --history all --raw"))]
        assert versions == ["3", "2", "1", "1"]
        assert "not found" in shell.fails("pachctl rerun pipeline none")
