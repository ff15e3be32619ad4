"""`logs.API`: what pipelines printed, by time (`clients.md` §3.6)."""

import json
import sys
from datetime import datetime, timedelta, timezone

import grpc
import pytest
from pachyderm_sdk.api import logs, pfs, pps

from sdk_tools import DOMAIN, INVALID, NOT_FOUND, client, fails  # noqa: F401
from test_sdk_services import free_port

UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
CODE = "import time\nfor n in range(10): print('line', n, flush=True)\ntime.sleep(3600)"


@pytest.fixture
def pipeline(client, fresh):
    """A spout that has printed ten lines."""
    pipeline = pps.Pipeline(name=fresh("talker"))
    client.pps.create_pipeline(
        pipeline=pipeline, transform=pps.Transform(cmd=[sys.executable, "-c", CODE]),
        spout=pps.Spout(service=pps.Service()))
    lines = client.pps.get_logs(pipeline=pipeline, follow=True)
    while next(lines).message != "line 9":
        pass
    yield pipeline
    client.pps.delete_pipeline(pipeline=pipeline)


def query(pipeline):
    return logs.LogQuery(user=logs.UserLogQuery(pipeline=logs.PipelineLogQuery(pipeline=pipeline.name)))


def ask(client, question, **filters):
    """The log messages of an answer, and its hints."""
    answers = list(client.logs.get_logs(query=question, filter=logs.LogFilter(**filters), want_paging_hint=True))
    found = [answer.log for answer in answers if answer.is_set("log")]
    return found, [answer.paging_hint for answer in answers if answer.is_set("paging_hint")]


def texts(found):
    return [message.pps_log_message.message for message in found]


YEAR_1 = datetime(1, 1, 2, tzinfo=timezone.utc)
YEAR_9999 = datetime(9999, 12, 30, tzinfo=timezone.utc)
LINES = [f"line {n}" for n in range(10)]


def test_those_of_a_pipeline_oldest_first(client, pipeline):
    found, _ = ask(client, query(pipeline), user_logs_only=True)
    assert texts(found) == LINES
    kept = json.loads(found[0].verbatim.line)
    assert (kept["message"], kept["pipelineName"], kept["user"]) == ("line 0", pipeline.name, True)
    assert found[0].native_timestamp == found[0].verbatim.timestamp
    assert texts(ask(client, query(pipeline))[0]) != LINES, "the server's own lines too"


def test_limit_offset_and_pattern(client, pipeline):
    assert texts(ask(client, query(pipeline), user_logs_only=True, limit=3)[0]) == LINES[:3]
    skipping = logs.TimeRangeLogFilter(offset=8)
    assert texts(ask(client, query(pipeline), user_logs_only=True, time_range=skipping)[0]) == LINES[8:]
    odd = logs.RegexLogFilter(pattern="line [13579]")
    assert texts(ask(client, query(pipeline), user_logs_only=True, regex=odd)[0]) == LINES[1::2]
    even = logs.RegexLogFilter(pattern="line [13579]", negate=True)
    assert texts(ask(client, query(pipeline), user_logs_only=True, regex=even)[0]) == LINES[::2]
    bad = logs.RegexLogFilter(pattern="(")
    fails(lambda: ask(client, query(pipeline), regex=bad), INVALID, "is no pattern")


def test_any_number_and_time_is_taken(client, pipeline):
    for limit, offset in ((2**64 - 1, 0), (10, 2**63), (2**64 - 1, 2**64 - 1)):
        for first, last in ((YEAR_1, YEAR_9999), (YEAR_9999, YEAR_1)):
            span = logs.TimeRangeLogFilter(**{"from_": first, "until": last, "offset": offset})
            found, _ = ask(client, query(pipeline), user_logs_only=True, limit=limit, time_range=span)
            assert len(found) == (10 if offset == 0 else 0)
    lines = client.pps.get_logs(pipeline=pipeline, tail=2**63 - 1, since=timedelta(days=900_000))
    assert [line.message for line in lines] == LINES


def test_pages_forward_and_back(client, pipeline):
    seen, question, filters = [], query(pipeline), dict(user_logs_only=True, limit=4)
    while True:
        found, (hint,) = ask(client, question, **filters)
        if not found:
            break
        seen += texts(found)
        filters["time_range"] = hint.newer.filter.time_range
    assert seen == LINES
    del filters["time_range"]
    back = []
    skipping = logs.TimeRangeLogFilter(offset=8)
    found, (hint,) = ask(client, question, time_range=skipping, **filters)
    assert texts(found) == LINES[8:]
    while len(back) < 8:
        found, (hint,) = ask(client, question, time_range=hint.older.filter.time_range, **filters)
        back += texts(found)
    assert back == LINES[7::-1]


def test_those_of_a_project_and_what_is_not_offered(client, pipeline):
    project = logs.LogQuery(user=logs.UserLogQuery(project="default"))
    assert set(LINES) <= set(texts(ask(client, project)[0]))
    master = logs.LogQuery(
        admin=logs.AdminLogQuery(master=logs.PipelineLogQuery(pipeline=pipeline.name)))
    assert not set(LINES) & set(texts(ask(client, master)[0]))
    for refused, text in [
        (logs.LogQuery(admin=logs.AdminLogQuery(logql="{}")), "LogQL is not offered"),
        (logs.LogQuery(admin=logs.AdminLogQuery(app="pachd")), "no records of itself"),
    ]:
        fails(lambda: ask(client, refused), UNIMPLEMENTED, "GetLogs", text)
    fails(lambda: ask(client, logs.LogQuery()), INVALID, "query is not set")


SERVICE = "import time\nprint(open('/pfs/in/x').read(), flush=True)\ntime.sleep(3600)"


@pytest.fixture
def work(client, fresh):
    """A service that has run for two commits: its pipeline, and the job of each, oldest first."""
    repo, pipeline = pfs.Repo.from_uri(fresh("in")), pps.Pipeline(name=fresh("work"))
    client.pfs.create_repo(repo=repo)
    branch, jobs = pfs.Branch.from_uri(f"{repo.name}@master"), []
    for number, word in enumerate(["one", "two"]):
        with client.pfs.commit(branch=branch) as commit:
            commit.put_file_from_bytes("/x", word.encode())
        if number == 0:
            client.pps.create_pipeline(
                pipeline=pipeline, transform=pps.Transform(cmd=[sys.executable, "-c", SERVICE]),
                input=pps.Input(pfs=pps.PfsInput(repo=repo.name, name="in", glob="/*")),
                service=pps.Service(internal_port=free_port(), external_port=free_port()))
        lines = client.pps.get_logs(pipeline=pipeline, follow=True)
        line = next(line for line in lines if line.message == word)
        jobs.append(line.job_id)
    yield pipeline, jobs
    client.pps.delete_pipeline(pipeline=pipeline)


def test_lines_of_work_name_their_job_datum_and_files(client, work):
    pipeline, (old, new) = work
    assert {old, new} == {info.job.id for info in client.pps.list_job(pipeline=pipeline)}
    job = pps.Job(pipeline=pipeline, id=new)
    (line,) = client.pps.get_logs(job=job)
    assert (line.message, line.job_id, line.user, line.master) == ("two", new, True, False)
    (file,) = line.data
    assert file.path == "/x" and len(file.hash) == 32
    assert len(line.datum_id) == 64
    words = lambda **more: [line.message for line in client.pps.get_logs(pipeline=pipeline, **more)]  # noqa: E731
    assert words(datum=pps.Datum(id=line.datum_id)) == ["one", "two"], "the same files' names make the same datum"
    assert words(datum=pps.Datum(job=job, id=line.datum_id)) == ["two"]
    assert words(datum=pps.Datum(id="0" * 64)) == []
    assert words(data_filters=["/x"]) == ["one", "two"]
    assert words(data_filters=[file.hash.hex()]) == ["two"]
    assert words(data_filters=["/x", "/y"]) == []
    one = pps.Job(pipeline=pipeline, id=old)
    assert [line.message for line in client.pps.get_logs(job=one, master=True) if line.user] == ["one"]
    fails(lambda: list(client.pps.get_logs(job=pps.Job(id=new))), DOMAIN, "pipeline must be specified for the given job")
    nothing = pps.Job(pipeline=pipeline, id="0" * 12 + "4" + "0" * 19)
    fails(lambda: list(client.pps.get_logs(job=nothing)), NOT_FOUND, nothing.id, "not found")


def test_the_newer_service_asks_by_job_and_datum(client, work):
    pipeline, (old, new) = work
    (line,) = client.pps.get_logs(job=pps.Job(pipeline=pipeline, id=new))
    named = logs.PipelineLogQuery(pipeline=pipeline.name)
    datum = line.datum_id

    def words(**question):
        found, _ = ask(client, logs.LogQuery(user=logs.UserLogQuery(**question)))
        assert all(message.pps_log_message.job_id in (old, new) for message in found)
        return texts(found)

    assert words(job=old) == ["one"]
    assert words(pipeline_job=logs.PipelineJobLogQuery(pipeline=named, job=new)) == ["two"]
    assert words(datum=datum) == ["one", "two"]
    assert words(pipeline_datum=logs.PipelineDatumLogQuery(pipeline=named, datum=datum)) == ["one", "two"]
    assert words(job_datum=logs.JobDatumLogQuery(job=old, datum=datum)) == ["one"]
    missing = "0" * 12 + "4" + "0" * 19
    for question, code in [
        (dict(job=missing), NOT_FOUND),
        (dict(pipeline_job=logs.PipelineJobLogQuery(pipeline=named, job=missing)), NOT_FOUND),
        (dict(job="a"), INVALID),
        (dict(datum="a"), INVALID),
    ]:
        fails(lambda: words(**question), code)
