"""`logs.API`: what pipelines printed, by time (`clients.md` §3.6)."""

import json
import sys

import grpc
import pytest
from pachyderm_sdk.api import logs, pps

from sdk_tools import INVALID, client, fails  # noqa: F401

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
        (logs.LogQuery(user=logs.UserLogQuery(job="a")), "by job or datum"),
        (logs.LogQuery(admin=logs.AdminLogQuery(logql="{}")), "LogQL is not offered"),
        (logs.LogQuery(admin=logs.AdminLogQuery(app="pachd")), "no records of itself"),
    ]:
        fails(lambda: ask(client, refused), UNIMPLEMENTED, "GetLogs", text)
    fails(lambda: ask(client, logs.LogQuery()), INVALID, "query is not set")
