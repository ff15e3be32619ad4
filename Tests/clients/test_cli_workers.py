"""Transforms whose code runs in workers that stay up, as users and operators see them; and code that takes its datums
one by one with `pachctl next datum`."""

import json
import os
import select
import signal

import pytest

from test_cli import Shell

# What is waited for is there within these, or the test fails.
WAIT_SECONDS = 60


@pytest.fixture
def shell(own_server, tmp_path):
    shell = Shell(tmp_path, own_server.address)
    shell("pachctl create repo data")
    return shell


def create(shell, name, script, glob="/*", update="", **more):
    """Makes a transform of a shell script; members of `transform` come beside those of the spec."""
    transform = {"cmd": ["sh"], "stdin": script.splitlines()}
    transform.update(more.pop("transform", {}))
    spec = {"pipeline": {"name": name}, "input": {"pfs": {"repo": "data", "glob": glob}}, "transform": transform}
    shell(f"pachctl {update or 'create'} pipeline -f -", json.dumps({**spec, **more}))


def put(shell, path, text="x"):
    shell(f"pachctl put file data@master:{path} -f -", text)


def get(shell, pipeline, path):
    shell(f"pachctl wait commit {pipeline}@master")
    return shell(f"pachctl get file {pipeline}@master:{path}")


def state(shell, pipeline):
    return json.loads(shell(f"pachctl inspect pipeline {pipeline} --raw"))


def workers(server):
    """The numbers of the processes that are workers of this server."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{entry}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if words[1:2] == [b"worker"] and server.data.encode() in environment:
            found.append(int(entry))
    return sorted(found)


def reach(shell, pipeline, wanted, times=1):
    """Waits until a pipeline has come into a state so many times since it was made, as its log tells."""
    shell.follow_until(
        f"timeout --foreground {WAIT_SECONDS} pachctl logs -p {pipeline} --master --follow",
        lambda lines: sum(line.startswith(f"{wanted}: ") for line in lines) == times,
    )


def ready(server, shell, times=1):
    """The workers that are there when the pipeline `p` has come to run so many times; at least one."""
    reach(shell, "p", "running", times)
    found = workers(server)
    assert found, "a pipeline runs when its workers are ready"
    return found


def wait_for_end(numbers):
    """Waits until processes have ended."""
    for number in numbers:
        try:
            process = os.pidfd_open(number)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(process, select.POLLIN)
            assert poll.poll(WAIT_SECONDS * 1000), f"process {number} has not ended"
        finally:
            os.close(process)


class TestWorkers:
    def test_the_same_one_works_on_every_commit(self, own_server, shell):
        create(shell, "p", "echo $PPID > /pfs/out/$(basename $data)")
        first = ready(own_server, shell)
        assert len(first) == 1, "a worker is there before the first commit"
        for number in range(3):
            put(shell, f"/f{number}")
            assert get(shell, "p", f"/f{number}") == f"{first[0]}\n"

    def test_there_are_as_many_as_the_parallelism(self, own_server, shell):
        create(shell, "p", "true", parallelism_spec={"constant": 3})
        assert len(ready(own_server, shell)) == 3

    def test_one_that_is_killed_is_replaced(self, own_server, shell):
        create(shell, "p", "echo $PPID > /pfs/out/$(basename $data)")
        first = ready(own_server, shell)
        os.kill(first[0], signal.SIGKILL)
        second = ready(own_server, shell, times=2)
        assert not set(second) & set(first)
        put(shell, "/f")
        assert get(shell, "p", "/f") == f"{second[0]}\n"
        assert state(shell, "p")["state"] == "PIPELINE_RUNNING"

    def test_a_datum_whose_worker_is_killed_is_tried_again(self, own_server, shell, tmp_path):
        mark = tmp_path / "mark"
        script = f"[ -e {mark} ] || {{ touch {mark}; kill -9 $PPID; sleep 100; }}\necho done > /pfs/out/f"
        create(shell, "p", script, datum_tries=1)
        put(shell, "/f")
        assert get(shell, "p", "/f") == "done\n"

    def test_code_that_always_kills_its_worker_fails(self, shell):
        create(shell, "p", "kill -9 $PPID; sleep 100", datum_tries=2)
        put(shell, "/f")
        shell("pachctl wait commit p@master", status=1)
        seen = shell("pachctl list job -p p --raw")
        assert "its worker was ended by signal 9" in seen, seen

    def test_they_go_when_the_pipeline_stops_and_come_when_it_starts(self, own_server, shell):
        create(shell, "p", "true")
        ready(own_server, shell)
        shell("pachctl stop pipeline p")
        reach(shell, "p", "paused")
        assert not workers(own_server)
        shell("pachctl start pipeline p")
        last = ready(own_server, shell, times=2)
        shell("pachctl delete pipeline p")
        wait_for_end(last)
        assert not workers(own_server)

    def test_an_update_has_workers_of_its_own(self, own_server, shell):
        create(shell, "p", "echo one > /pfs/out/a")
        first = ready(own_server, shell)
        create(shell, "p", "echo two > /pfs/out/b", update="update", transform={"env": {"A": "b"}})
        assert not set(ready(own_server, shell, times=2)) & set(first)

    def test_none_outlives_its_server(self, own_server, shell):
        create(shell, "p", "true")
        before = ready(own_server, shell)
        own_server.kill()
        wait_for_end(before)
        assert not workers(own_server)
        own_server.start()
        put(shell, "/f")
        shell("pachctl wait commit p@master")
        assert not set(before) & set(workers(own_server))

    def test_where_none_can_be_started_the_pipeline_is_crashing(self, shell):
        create(shell, "p", "true", transform={"working_dir": "/no/such/folder"})
        reach(shell, "p", "crashing")
        seen = state(shell, "p")
        assert seen["state"] == "PIPELINE_CRASHING"
        assert "there is no folder /no/such/folder" in seen["reason"]
        # However long the next try is off: what mends it is seen at once.
        create(shell, "p", "echo mended > /pfs/out/f", update="update")
        put(shell, "/f")
        assert get(shell, "p", "/f") == "mended\n"

    def test_what_a_datum_leaves_outside_of_out_is_gone_for_the_next(self, shell):
        create(shell, "p", "ls -A /pfs | tr '\\n' ' ' > /pfs/out/$(basename $data); touch /pfs/stray")
        for name in ["/a", "/b"]:
            put(shell, name)
            assert get(shell, "p", name) == ".env .scratch data out "

    def test_a_datum_that_takes_too_long_is_killed(self, shell):
        create(shell, "p", "sleep 1000", datum_timeout="0.2s", datum_tries=1)
        put(shell, "/f")
        shell("pachctl wait commit p@master", status=1)
        assert "datum_timeout" in shell("pachctl list job -p p --raw")

    def test_code_in_its_input_folder_finds_that_of_each_datum(self, shell):
        create(shell, "p", "ls > /pfs/out/$(basename $data)", transform={"working_dir": "/pfs/data"})
        for name in ["a", "b"]:
            put(shell, "/" + name)
            assert get(shell, "p", "/" + name) == name + "\n"


class TestBatching:
    def create(self, shell, trace, body, **more):
        script = f"echo start >> {trace}\nwhile pachctl next datum; do\n{body}\ndone"
        create(shell, "p", script, transform={"datum_batching": True, **more.pop("transform", {})}, **more)

    def test_the_code_runs_once_for_all_datums_of_a_job(self, shell, tmp_path):
        trace = tmp_path / "trace"
        self.create(shell, trace, "cp -r /pfs/data/* /pfs/out/")
        shell("pachctl start commit data@master")
        for number in range(5):
            put(shell, f"/f{number}", f"{number}")
        shell("pachctl finish commit data@master")
        assert get(shell, "p", "/f3") == "3"
        assert shell("pachctl list file p@master | wc -l").strip() == "6", "a header and five files"
        assert trace.read_text() == "start\n"
        put(shell, "/f5", "5")
        assert get(shell, "p", "/f5") == "5"
        assert trace.read_text() == "start\nstart\n"

    def test_an_error_is_a_failed_try_and_the_code_is_started_again(self, shell, tmp_path):
        trace = tmp_path / "trace"
        script = (f"echo start >> {trace}\npachctl next datum\n"
                  f"if [ $(wc -l < {trace}) -lt 3 ]; then pachctl next datum --error 'bad luck'; sleep 100; fi\n"
                  "cp -r /pfs/data/* /pfs/out/\npachctl next datum")
        create(shell, "p", script, transform={"datum_batching": True})
        put(shell, "/f", "text")
        assert get(shell, "p", "/f") == "text"
        assert trace.read_text() == "start\n" * 3
        assert "bad luck" in shell("pachctl logs -p p --master")

    def test_code_that_exits_in_between_has_failed(self, shell, tmp_path):
        create(shell, "p", "pachctl next datum\nexit 0", transform={"datum_batching": True}, datum_tries=2)
        put(shell, "/f")
        shell("pachctl wait commit p@master", status=1)
        assert "user code exited prematurely" in shell("pachctl list job -p p --raw")

    def test_a_datum_that_takes_too_long_is_killed(self, shell, tmp_path):
        trace = tmp_path / "trace"
        self.create(shell, trace, "sleep 1000", datum_timeout="0.5s", datum_tries=2)
        put(shell, "/f")
        shell("pachctl wait commit p@master", status=1)
        assert "datum_timeout" in shell("pachctl list job -p p --raw")
        assert trace.read_text() == "start\n" * 2
