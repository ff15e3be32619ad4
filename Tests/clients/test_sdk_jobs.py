"""Jobs of pipelines that transform, and their datums, with pachyderm-sdk (`pps.md` §9 to §11)."""

import os
from datetime import datetime, timezone

import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import DOMAIN, INVALID, NOBODY, NOT_FOUND, UNKNOWN, client, connect, fails  # noqa: F401

STATE, JOB = pps.DatumState, pps.JobState
COPY = "cp /pfs/data/* /pfs/out/"


class Copies:
    """A repo, and a pipeline over it with a datum for each file."""

    def __init__(self, client, number, folder):
        self.client = client
        self.repo = pfs.Repo(name=f"data-{number}")
        self.branch = pfs.Branch(repo=self.repo, name="master")
        self.pipeline = pps.Pipeline(name=f"copies-{number}")
        self.started, self.gate = str(folder / "started"), str(folder / "gate")
        client.pfs.create_repo(repo=self.repo)

    def put(self, **files):
        with self.client.pfs.commit(branch=self.branch) as commit:
            for name, text in files.items():
                commit.put_file_from_bytes(path=f"/{name}", data=text)
        return commit

    @property
    def input(self):
        return pps.Input(pfs=pps.PfsInput(name="data", repo=self.repo.name, glob="/*"))

    def run(self, code=COPY, **more):
        """Makes the pipeline; gives what its first job writes. Later jobs have the ids of what is put."""
        self.client.pps.create_pipeline(
            pipeline=self.pipeline, input=self.input,
            transform=pps.Transform(cmd=["sh", "-ec", code], err_cmd=more.pop("err_cmd", [])), **more)
        (job,) = self.client.pps.list_job(pipeline=self.pipeline)
        return job.output_commit

    def run_gated(self, **more):
        """Code that says that it runs, and goes on when it is let through."""
        os.mkfifo(self.started)
        os.mkfifo(self.gate)
        return self.run(f"echo $data > {self.started}; read line < {self.gate}; {COPY}", **more)

    def one_started(self):
        """Waits until code runs; which file it works on."""
        with open(self.started, encoding="utf-8") as started:
            return started.read().strip()

    def let_through(self):
        with open(self.gate, "w", encoding="utf-8") as gate:
            gate.write("go\n")

    def job(self, commit):
        return pps.Job(pipeline=self.pipeline, id=commit.id)

    def end(self, commit):
        return self.client.pps.inspect_job(job=self.job(commit), wait=True, details=True)

    def datums(self, commit, *states, **more):
        if states:
            more["filter"] = pps.ListDatumRequestFilter(state=list(states))
        return list(self.client.pps.list_datum(job=self.job(commit), **more))

    def states(self, commit, **more):
        """The state of each datum of one file, by the file's path."""
        return {info.data[0].file.path: STATE(info.state).name for info in self.datums(commit, **more)}


@pytest.fixture
def copies(client, fresh, tmp_path):
    copies = Copies(client, fresh(), tmp_path)
    yield copies
    client.pps.delete_pipeline(pipeline=copies.pipeline)


def ids(datums):
    return [info.datum.id for info in datums]


class TestDatumsOfAJob:
    def test_each_tells_what_it_read_and_what_became_of_it(self, client, copies):
        given = copies.put(a=b"1", b=b"22", c=b"333")
        commit = copies.run()
        job = copies.end(commit)
        assert (job.state, job.data_total, job.data_processed, job.data_skipped) == (JOB.JOB_SUCCESS, 3, 3, 0)
        assert (job.stats.download_bytes, job.stats.upload_bytes) == (6, 6)
        assert job.restart == 0 and job.details.worker_status == []
        datums = copies.datums(commit)
        assert ids(datums) == sorted(ids(datums)) and len(datums) == 3
        assert copies.states(commit) == {"/a": "SUCCESS", "/b": "SUCCESS", "/c": "SUCCESS"}
        for listed in datums:
            info = client.pps.inspect_datum(datum=listed.datum)
            assert info == listed
            (data,) = info.data
            assert (data.file.commit.id, data.file.commit.repo.name) == (given.id, copies.repo.name)
            assert data.file_type == pfs.FileType.FILE
            assert data.hash == client.pfs.inspect_file(file=pfs.File(commit=given, path=data.file.path)).hash
            assert info.datum.job.id == commit.id and info.datum.job.pipeline.name == copies.pipeline.name
            assert info.stats.download_bytes == info.stats.upload_bytes == data.size_bytes
            kept = pfs.File(commit=info.pfs_state.commit, path=f"{info.pfs_state.path}/out{data.file.path}")
            assert b"".join(piece.value for piece in client.pfs.get_file(file=kept)) == {
                "/a": b"1", "/b": b"22", "/c": b"333"}[data.file.path]

    def test_those_of_an_earlier_job_are_skipped(self, client, copies):
        copies.put(a=b"1", b=b"2")
        first = copies.run()
        copies.end(first)
        second = copies.put(b=b"3", c=b"4")
        job = copies.end(second)
        assert (job.data_total, job.data_processed, job.data_skipped) == (3, 2, 1)
        assert copies.states(second) == {"/a": "SKIPPED", "/b": "SUCCESS", "/c": "SUCCESS"}
        (skipped,) = copies.datums(second, STATE.SKIPPED)
        assert skipped.datum.job.id == first.id, "it names the job that worked on it"
        assert {info.datum.job.id for info in copies.datums(second, STATE.SUCCESS, STATE.FAILED)} == {second.id}
        asked = pps.Datum(job=copies.job(second), id=skipped.datum.id)
        assert client.pps.inspect_datum(datum=asked) == skipped

    def test_one_that_fails(self, client, copies):
        copies.put(a=b"1")
        first = copies.run(f"{COPY}; test $data != /pfs/data/bad", datum_tries=1)
        copies.end(first)
        second = copies.put(bad=b"2")
        job = copies.end(second)
        assert (job.state, job.data_failed, job.data_processed) == (JOB.JOB_FAILURE, 1, 0)
        assert copies.states(second) == {"/a": "SKIPPED", "/bad": "FAILED"}
        (failed,) = copies.datums(second, STATE.FAILED)
        assert f"datum {failed.datum.id} failed" in job.reason
        assert failed.datum.job.id == second.id and failed.stats.upload_bytes == 0

    def test_one_that_the_error_command_takes_care_of(self, copies):
        copies.put(a=b"1", bad=b"2")
        commit = copies.run(f"test $data != /pfs/data/bad; {COPY}", err_cmd=["true"])
        job = copies.end(commit)
        assert (job.state, job.data_recovered, job.data_processed) == (JOB.JOB_SUCCESS, 1, 1)
        assert copies.states(commit) == {"/a": "SUCCESS", "/bad": "RECOVERED"}

    def test_pages(self, copies):
        copies.put(**{f"f{number}": b"1" for number in range(7)})
        commit = copies.run()
        copies.end(commit)
        every = ids(copies.datums(commit))
        assert ids(copies.datums(commit, number=3)) == every[:3]
        assert ids(copies.datums(commit, number=3, pagination_marker=every[2])) == every[3:6]
        assert ids(copies.datums(commit, pagination_marker=every[4])) == every[5:]
        assert ids(copies.datums(commit, number=3, reverse=True)) == every[:3:-1]
        assert ids(copies.datums(commit, number=9, reverse=True, pagination_marker=every[2])) == every[1::-1]
        assert copies.datums(commit, pagination_marker=every[-1]) == []

    def test_what_is_refused(self, client, copies):
        copies.put(a=b"1")
        commit = copies.run()
        job, other = copies.job(commit), pps.Job(pipeline=copies.pipeline, id=NOBODY)
        copies.end(commit)
        listing = client.pps.list_datum
        fails(lambda: listing(job=job, reverse=True), INVALID, "number must be > 0 when reverse is set")
        fails(lambda: listing(job=job, pagination_marker="x"), INVALID, "not the id of a datum")
        fails(lambda: listing(job=job, number=-1), INVALID, "negative")
        fails(lambda: listing(job=job, input=copies.input), DOMAIN, "cannot specify both job and input")
        fails(lambda: listing(), DOMAIN, "must specify a job or an input")
        fails(lambda: listing(job=other), NOT_FOUND, "not found")
        for text in ("0" * 64, "x"):
            error = fails(lambda: client.pps.inspect_datum(datum=pps.Datum(job=job, id=text)), UNKNOWN)
            assert error.details().startswith(f"datum {text} not found in job default/{copies.pipeline.name}@{commit.id}")
        fails(lambda: client.pps.inspect_datum(datum=pps.Datum(job=other, id="0" * 64)), NOT_FOUND)
        fails(lambda: client.pps.restart_datum(job=other), NOT_FOUND)
        # The pattern that the SDK's own tests look for.
        with pytest.raises(Exception, match=rf"datum matching filter \[.*\] could not be found for job ID {commit.id}"):
            client.pps.restart_datum(job=job, data_filters=[])


class TestAJobThatRuns:
    def test_it_tells_what_is_being_worked_on(self, client, copies):
        copies.put(a=b"1")
        first = copies.run_gated()
        assert copies.one_started() == "/pfs/data/a"
        copies.let_through()
        copies.end(first)
        second = copies.put(b=b"2", c=b"3")
        at_first = copies.one_started()
        job = client.pps.inspect_job(job=copies.job(second), details=True)
        assert (job.state, job.data_processed) == (JOB.JOB_RUNNING, 0)
        (worker,) = job.details.worker_status
        assert worker.worker_id and worker.job_id == second.id
        (data,) = worker.datum_status.data
        assert f"/pfs/data{data.path}" == at_first and len(data.hash) == 32
        assert worker.datum_status.is_set("started")
        assert copies.states(second) == {"/a": "SKIPPED", data.path: "STARTING"}
        every = ids(copies.datums(second))
        assert every == sorted(every) and ids(copies.datums(second, number=2, reverse=True)) == every[::-1]
        for place, one in enumerate(every):
            assert ids(copies.datums(second, pagination_marker=one)) == every[place + 1:]
            assert ids(copies.datums(second, number=2, reverse=True, pagination_marker=one)) == every[:place][::-1]
        (starting,) = copies.datums(second, STATE.STARTING)
        assert client.pps.inspect_datum(datum=starting.datum) == starting
        assert starting.data[0].file.commit.id == second.id
        info = client.pps.inspect_pipeline(pipeline=copies.pipeline, details=True)
        assert (info.last_job_state, info.state) == (JOB.JOB_RUNNING, pps.PipelineState.PIPELINE_RUNNING)
        assert (info.details.workers_requested, info.details.workers_available) == (1, 1)
        assert info.details.unclaimed_tasks in (0, 1), "the other one may not have been found yet"
        copies.let_through()
        assert copies.one_started() != at_first
        job = client.pps.inspect_job(job=copies.job(second))
        assert (job.state, job.data_processed, job.stats.upload_bytes) == (JOB.JOB_RUNNING, 1, 1)
        (listed,) = [info for info in client.pps.list_job(pipeline=copies.pipeline) if info.job.id == second.id]
        assert (listed.data_processed, listed.data_total) == (1, job.data_total)
        copies.let_through()
        job = copies.end(second)
        assert (job.state, job.data_processed, job.data_skipped) == (JOB.JOB_SUCCESS, 2, 1)
        info = client.pps.inspect_pipeline(pipeline=copies.pipeline, details=True)
        assert (info.last_job_state, info.details.unclaimed_tasks) == (JOB.JOB_SUCCESS, 0)

    def test_a_datum_is_started_again(self, client, copies):
        copies.put(a=b"1")
        commit = copies.run_gated(datum_tries=9)
        job = copies.job(commit)
        (starting,) = self.started(copies, commit)
        data = starting.data[0]
        fails(lambda: client.pps.restart_datum(job=job, data_filters=["/b"]), DOMAIN, "datum matching filter [/b]")
        fails(lambda: client.pps.restart_datum(job=job, data_filters=["/a", "/b"]), DOMAIN, "filter [/a /b]")
        for filters in (["/a"], [data.hash.hex()], [], ["/a", data.hash.hex()]):
            client.pps.restart_datum(job=job, data_filters=filters)
            self.started(copies, commit)
        copies.let_through()
        job = copies.end(commit)
        assert (job.state, job.data_processed, job.data_failed) == (JOB.JOB_SUCCESS, 1, 0)

    def test_the_others_go_on(self, client, copies):
        copies.put(a=b"1", b=b"2")
        os.mkfifo(copies.gate)
        commit = copies.run(f"read line < {copies.gate}; {COPY}", parallelism_spec=pps.ParallelismSpec(constant=2))

        def working():
            job = client.pps.inspect_job(job=copies.job(commit), details=True)
            return {worker.datum_status.data[0].path: worker for worker in job.details.worker_status}

        while len(before := working()) < 2:
            pass
        assert before["/a"].worker_id != before["/b"].worker_id
        assert copies.states(commit) == {"/a": "STARTING", "/b": "STARTING"}
        client.pps.restart_datum(job=copies.job(commit), data_filters=["/a"])
        while (after := working()).keys() != before.keys() or after["/a"] == before["/a"]:
            pass
        assert after["/b"] == before["/b"] and after["/a"].worker_id == before["/a"].worker_id
        # Open until both have read their line, whenever they come to it.
        with open(os.open(copies.gate, os.O_RDWR), "w", encoding="utf-8") as gate:
            gate.write("go\ngo\n")
            gate.flush()
            job = copies.end(commit)
        assert (job.state, job.data_processed) == (JOB.JOB_SUCCESS, 2)

    def test_started_too_often_it_fails(self, client, copies):
        copies.put(a=b"1")
        commit = copies.run_gated(datum_tries=2)
        for _ in range(2):
            self.started(copies, commit)
            client.pps.restart_datum(job=copies.job(commit), data_filters=["/a"])
        assert copies.end(commit).state == JOB.JOB_FAILURE

    @staticmethod
    def started(copies, commit):
        """Waits until a datum's code runs; gives it."""
        copies.one_started()
        return copies.datums(commit, STATE.STARTING)

    def test_it_is_stopped_and_forgotten(self, client, copies):
        copies.put(a=b"1")
        commit = copies.run_gated()
        copies.one_started()
        job = copies.job(commit)
        client.pps.stop_job(job=job, reason="enough")
        info = client.pps.inspect_job(job=job, wait=True)
        assert (info.state, info.reason, info.data_processed) == (JOB.JOB_KILLED, "enough", 0)
        client.pps.stop_job(job=job)
        assert copies.datums(commit) == [], "nothing of it was kept"
        client.pps.delete_job(job=job)
        assert not client.pps.job_exists(job)
        fails(lambda: client.pps.list_datum(job=job), NOT_FOUND)


class TestJobs:
    def test_lists(self, client, copies):
        given = copies.put(a=b"1")
        first = copies.run()
        copies.end(first)
        second = copies.put(b=b"2")
        copies.end(second)
        listed = list(client.pps.list_job(pipeline=copies.pipeline))
        assert [info.job.id for info in listed] == [second.id, first.id]
        by_input = client.pps.list_job(pipeline=copies.pipeline, input_commit=[given])
        assert [info.job.id for info in by_input] == [first.id]
        (info,) = client.pps.list_job(pipeline=copies.pipeline, jq_filter='.data_skipped == "1"')
        assert info.job.id == second.id and not info.details.is_set("transform")
        wanted = (first.id, second.id)
        sets = [info for info in client.pps.list_job_set() if info.job_set.id in wanted]
        assert [info.job_set.id for info in sets] == [second.id, first.id]
        assert sets[0].jobs[0].data_total == 2
        (member,) = client.pps.inspect_job_set(job_set=pps.JobSet(id=second.id), wait=True)
        assert member.output_commit.id == second.id and member.state == JOB.JOB_SUCCESS

    def test_a_marker_may_be_any_time(self, client, copies):
        copies.run()
        for reverse, first, last in ((False, 1, 9999), (True, 9999, 1)):
            for year, count in ((first, 0), (last, 1)):
                marker = datetime(year, 6, 1, tzinfo=timezone.utc)
                found = client.pps.list_job(pipeline=copies.pipeline, pagination_marker=marker, reverse=reverse)
                assert len(list(found)) == count

    def test_of_older_versions_only_when_asked(self, client, copies):
        copies.run()
        copies.run("true", update=True)
        mine = [job for job in client.pps.list_job() if job.job.pipeline.name == copies.pipeline.name]
        assert [job.pipeline_version for job in mine] == [2]
        every = [job for job in client.pps.list_job(history=-1) if job.job.pipeline.name == copies.pipeline.name]
        assert [job.pipeline_version for job in every] == [2, 1]

    def test_details_are_those_of_the_job(self, copies):
        given = copies.put(a=b"1")
        commit = copies.run(parallelism_spec=pps.ParallelismSpec(constant=2), datum_tries=7)
        details = copies.end(commit).details
        assert (details.parallelism_spec.constant, details.datum_tries) == (2, 7)
        assert details.input.pfs.commit == given.id and details.salt
        assert details.transform.cmd[0] == "sh"

    def test_a_subscriber_gets_each_once(self, client, copies):
        copies.put(a=b"1")
        first = copies.run_gated()
        copies.one_started()
        jobs = client.pps.subscribe_job(pipeline=copies.pipeline)
        assert next(jobs).job.id == first.id
        second = copies.put(b=b"1")
        copies.let_through()
        assert next(jobs).job.id == second.id
        copies.one_started()
        copies.let_through()
        assert copies.end(second).state == JOB.JOB_SUCCESS

    def test_an_empty_head_makes_one_too(self, client, copies):
        client.pfs.create_branch(branch=copies.branch)
        head = copies.run()
        job = copies.end(head)
        assert (job.state, job.data_total) == (JOB.JOB_SUCCESS, 0)
        assert copies.datums(head) == []


class TestDatumsOfAnInput:
    def test_a_listing(self, client, copies):
        given = copies.put(a=b"1", b=b"2", c=b"3")
        commit = copies.run()
        copies.end(commit)
        found = list(client.pps.list_datum(input=copies.input))
        assert {info.state for info in found} == {STATE.UNKNOWN}
        assert [info.data[0].file.path for info in found] == ["/a", "/b", "/c"]
        assert {info.data[0].file.commit.id for info in found} == {given.id}
        assert set(ids(found)) == set(ids(copies.datums(commit))), "a job would have the same"
        every = ids(found)

        def page(**more):
            return ids(client.pps.list_datum(input=copies.input, **more))

        assert page(number=2) == every[:2] and page(pagination_marker=every[0]) == every[1:]
        assert page(number=2, reverse=True) == every[:0:-1]
        assert page(number=5, reverse=True, pagination_marker=every[2]) == every[1::-1]
        assert page(filter=pps.ListDatumRequestFilter(state=[STATE.SUCCESS])) == []
        fails(lambda: page(pagination_marker="0" * 64), NOT_FOUND, "not found among those of the input")

    def test_a_commit_may_be_named(self, client, copies):
        first, _ = copies.put(a=b"1"), copies.put(b=b"2")
        given = copies.input
        given.pfs.commit = first.id
        (info,) = client.pps.list_datum(input=given)
        assert info.data[0].file.commit.id == first.id

    def test_a_cross(self, client, copies):
        copies.put(a=b"1", b=b"2")
        left, right = copies.input, copies.input
        left.pfs.name, right.pfs.name = "left", "right"
        found = list(client.pps.list_datum(input=pps.Input(cross=[left, right])))
        assert [[data.file.path for data in info.data] for info in found] == [
            ["/a", "/a"], ["/a", "/b"], ["/b", "/a"], ["/b", "/b"]]

    def test_what_is_refused(self, client, copies):
        def listing(**more):
            return lambda: client.pps.list_datum(**more)

        cron = pps.Input(cron=pps.CronInput(name="tick", spec="@daily"))
        fails(listing(input=cron), DOMAIN, "can't list datums with a cron input")
        fails(listing(input=pps.Input(union=[pps.Input()])), DOMAIN, "no input set")
        fails(listing(input=pps.Input(pfs=pps.PfsInput(repo="nowhere", glob="/"))), NOT_FOUND, "not found")
        fails(listing(input=copies.input), NOT_FOUND, "not found")
        copies.put(a=b"1")
        fails(listing(input=pps.Input(pfs=pps.PfsInput(repo=copies.repo.name))), DOMAIN, "input must specify a glob")
        twice = pps.Input(cross=[copies.input, copies.input])
        fails(listing(input=twice), DOMAIN, "was used more than once")

    def test_batches(self, client, copies):
        commit = copies.put(**{f"f{number:02}": b"1" for number in range(50)})
        batches = client.pps.generate_datums(copies.input, batch_size=10)
        got = [next(batches), batches.send(5), batches.send(20), batches.send(10), batches.send(10)]
        assert [len(batch) for batch in got] == [10, 5, 20, 10, 5]
        paths = [info.data[0].file.path for batch in got for info in batch]
        assert paths == [f"/f{number:02}" for number in range(50)]
        assert {info.data[0].file.commit.id for batch in got for info in batch} == {commit.id}
        with pytest.raises(StopIteration):
            batches.send(10)

    def test_batches_that_come_out_even(self, client, copies):
        copies.put(a=b"1", b=b"2")
        assert [len(batch) for batch in client.pps.generate_datums(copies.input, batch_size=1)] == [1, 1]

    def test_batches_that_nobody_asks_for_hold_up_nothing(self, own_server, fresh, tmp_path):
        copies = Copies(connect(own_server), fresh(), tmp_path)
        copies.put(a=b"1", b=b"2")
        batches = copies.client.pps.generate_datums(copies.input, batch_size=1)
        assert len(next(batches)) == 1
        assert own_server.stop() == 0

    def test_batches_of_nothing(self, client):
        for first in (pps.CreateDatumRequest(), pps.CreateDatumRequest(continue_=pps.ContinueCreateDatumRequest())):
            fails(lambda: client.pps.create_datum(iter([first])), INVALID, "has to be start, with an input")
        assert list(client.pps.create_datum(iter([]))) == []
