"""Cron inputs with pachyderm-sdk: their repos, their ticks, and a service that reads the newest one."""

import re
import sys
from datetime import datetime, timezone

import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import DOMAIN, NOT_FOUND, UNKNOWN, client, connect, fails, file, head, make, named, paths  # noqa: F401
from test_sdk_services import ask, free_port

# Serves the names of the ticks that it finds, one a line.
CODE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = "\\n".join(sorted(os.listdir("/pfs/tick"))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(os.environ["AT"])), Handler).serve_forever()
"""
NAME = re.compile(r"^/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def cron(spec="@never", **more):
    return pps.Input(cron=pps.CronInput(name="tick", spec=spec, **more))


@pytest.fixture
def pipeline(client, fresh):  # noqa: F811
    pipeline = pps.Pipeline(name=fresh("clock"), project=pfs.Project(name="default"))
    yield pipeline
    if client.pps.pipeline_exists(pipeline):
        client.pps.delete_pipeline(pipeline=pipeline, force=True)


@pytest.fixture
def create(client, pipeline):  # noqa: F811
    """Creates or updates the pipeline as a service over an input; gives the port where it answers."""

    def create(given, update=False):
        inside, outside = free_port(), free_port()
        client.pps.create_pipeline(
            pipeline=pipeline, input=given, update=update,
            transform=pps.Transform(cmd=[sys.executable, "-c", CODE], env={"AT": str(inside)}),
            service=pps.Service(internal_port=inside, external_port=outside))
        return outside

    return create


def tick_branch(pipeline):
    return pfs.Branch(name="master", repo=pfs.Repo(name=f"{pipeline.name}_tick", type="user", project=pipeline.project))


def ticks(client, pipeline):  # noqa: F811
    """The paths in the newest commit of the tick repo."""
    return paths(client.pfs.list_file(file=file(named(tick_branch(pipeline)), "/")))


def wait_for_ticks(client, pipeline, count):  # noqa: F811
    """Follows the tick repo until it has seen so many ticks; gives their paths, in the order in which they came."""
    seen = []
    branch = tick_branch(pipeline)
    for info in client.pfs.subscribe_commit(repo=branch.repo, branch="master", state=pfs.CommitState.FINISHED):
        seen += [path for path in paths(client.pfs.list_file(file=file(info.commit, "/"))) if path not in seen]
        if len(seen) >= count:
            return seen


class TestRepo:
    def test_it_comes_and_goes_with_the_pipeline(self, client, pipeline, create):  # noqa: F811
        create(cron())
        repo = tick_branch(pipeline).repo
        info = client.pfs.inspect_repo(repo=repo)
        assert info.description == f"Cron tick repo for pipeline default/{pipeline.name}."
        output = client.pfs.inspect_branch(
            branch=pfs.Branch(name="master", repo=pfs.Repo(name=pipeline.name, type="user", project=pipeline.project)))
        assert repo.name in [branch.repo.name for branch in output.direct_provenance]
        client.pps.delete_pipeline(pipeline=pipeline, keep_repo=True)
        assert not client.pfs.repo_exists(repo)
        assert client.pfs.repo_exists(output.branch.repo)
        client.pfs.delete_repo(repo=output.branch.repo)

    def test_the_details_show_what_the_spec_left_out(self, client, pipeline, create):  # noqa: F811
        before = datetime.now(timezone.utc)
        create(cron())
        shown = client.pps.inspect_pipeline(pipeline=pipeline, details=True).details.input.cron
        assert (shown.name, shown.repo, shown.project) == ("tick", f"{pipeline.name}_tick", "default")
        assert before.timestamp() - 1 <= shown.start.timestamp() <= datetime.now(timezone.utc).timestamp()
        create(cron(), update=True)
        again = client.pps.inspect_pipeline(pipeline=pipeline, details=True).details.input.cron
        assert again.start == shown.start

    def test_a_repo_of_the_users_own_stays(self, client, pipeline, create):  # noqa: F811
        branch = tick_branch(pipeline)
        client.pfs.create_repo(repo=branch.repo)
        with client.pfs.commit(branch=branch) as commit:
            commit.put_file_from_bytes(path="/mine", data=b"1")
        fails(lambda: create(cron(overwrite=True)), DOMAIN, "would overwrite the files of repo")
        create(cron())
        client.pps.run_cron(pipeline=pipeline)
        client.pps.delete_pipeline(pipeline=pipeline)
        assert "/mine" in ticks(client, pipeline)
        client.pfs.delete_repo(repo=branch.repo)


class TestTicks:
    def test_they_come_by_themselves(self, client, pipeline, create):  # noqa: F811
        create(cron("@every 1s"))
        first, second, third = wait_for_ticks(client, pipeline, 3)[:3]
        assert all(NAME.match(path) for path in (first, second, third))
        assert first < second < third
        moments = [datetime.strptime(path, "/%Y-%m-%dT%H:%M:%SZ") for path in (first, second, third)]
        assert [(b - a).total_seconds() for a, b in zip(moments, moments[1:])] == [1, 1]
        client.pps.stop_pipeline(pipeline=pipeline)
        jobs = [info.job.id for info in client.pps.list_job(pipeline=pipeline)]
        assert head(client, tick_branch(pipeline)).id in jobs

    def test_none_comes_while_it_is_stopped(self, client, pipeline, create):  # noqa: F811
        create(cron("@every 1s", overwrite=True))
        wait_for_ticks(client, pipeline, 1)
        client.pps.stop_pipeline(pipeline=pipeline)
        stopped = head(client, tick_branch(pipeline)).id
        # The clock of another pipeline tells that time goes by.
        other = pps.Pipeline(name=pipeline.name + "-other", project=pipeline.project)
        inside, outside = free_port(), free_port()
        client.pps.create_pipeline(
            pipeline=other, input=cron("@every 1s"), transform=pps.Transform(cmd=["sleep", "3600"]),
            service=pps.Service(internal_port=inside, external_port=outside))
        wait_for_ticks(client, other, 3)
        client.pps.delete_pipeline(pipeline=other)
        assert head(client, tick_branch(pipeline)).id == stopped
        client.pps.start_pipeline(pipeline=pipeline)
        wait_for_ticks(client, pipeline, 4)

    def test_those_that_were_missed_are_made_one_by_one(self, client, pipeline, create):  # noqa: F811
        long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
        create(cron("@yearly", start=long_ago))
        years = list(range(2021, datetime.now(timezone.utc).year + 1))
        assert wait_for_ticks(client, pipeline, len(years)) == [f"/{year}-01-01T00:00:00Z" for year in years]

    def test_the_service_sees_the_newest_one(self, client, pipeline, create):  # noqa: F811
        port = create(cron(overwrite=True))
        client.pps.run_cron(pipeline=pipeline)
        (path,) = ticks(client, pipeline)
        assert ask(port) == path[1:]
        while ticks(client, pipeline) == [path]:
            client.pps.run_cron(pipeline=pipeline)
        (newer,) = ticks(client, pipeline)
        while ask(port) != newer[1:]:
            pass


def test_the_next_server_goes_on_where_the_last_one_was_killed(own_server):
    client = connect(own_server)  # noqa: F811
    pipeline = pps.Pipeline(name="clock", project=pfs.Project(name="default"))
    client.pps.create_pipeline(
        pipeline=pipeline, input=cron("@every 1s"), transform=pps.Transform(cmd=["sleep", "3600"]),
        service=pps.Service(internal_port=free_port(), external_port=free_port()))
    wait_for_ticks(client, pipeline, 1)
    own_server.kill()
    own_server.start()
    client = connect(own_server)
    before = len(ticks(client, pipeline))
    seen = sorted(wait_for_ticks(client, pipeline, before + 2))
    moments = [datetime.strptime(path, "/%Y-%m-%dT%H:%M:%SZ") for path in seen]
    assert {(b - a).total_seconds() for a, b in zip(moments, moments[1:])} == {1}, "none is missing"
    client.pps.stop_pipeline(pipeline=pipeline)
    written = [info for info in client.pfs.list_commit(repo=tick_branch(pipeline).repo)
               if info.origin.kind == pfs.OriginKind.USER]
    assert len(written) == len(ticks(client, pipeline)), "and none was made twice"
    client.pps.delete_pipeline(pipeline=pipeline)


class TestRunCron:
    def test_each_input_gets_the_same_tick_in_a_set_of_its_own(self, client, pipeline, create):  # noqa: F811
        second = pps.Input(cron=pps.CronInput(name="tock", spec="@never"))
        create(pps.Input(cross=[cron(), second]))
        before = len(list(client.pps.list_job(pipeline=pipeline)))
        client.pps.run_cron(pipeline=pipeline)
        (path,) = ticks(client, pipeline)
        tock = pfs.Branch(
            name="master", repo=pfs.Repo(name=f"{pipeline.name}_tock", type="user", project=pipeline.project))
        assert paths(client.pfs.list_file(file=file(named(tock), "/"))) == [path]
        assert NAME.match(path)
        assert head(client, tock).id != head(client, tick_branch(pipeline)).id
        assert len(list(client.pps.list_job(pipeline=pipeline))) == before + 2

    def test_without_a_cron_input(self, client, pipeline, create, make):  # noqa: F811
        branch = make("data")
        create(pps.Input(pfs=pps.PfsInput(repo=branch.repo.name, glob="/")))
        fails(lambda: client.pps.run_cron(pipeline=pipeline), UNKNOWN, "pipeline doesn't have a cron input")

    def test_without_a_pipeline(self, client, fresh):  # noqa: F811
        nobody = pps.Pipeline(name=fresh("nobody"), project=pfs.Project(name="default"))
        fails(lambda: client.pps.run_cron(pipeline=nobody), NOT_FOUND, "not found")


@pytest.mark.parametrize("spec", ["", "* * * *", "* * * * * *", "@reboot", "@every", "@every soon"])
def test_schedules_that_cannot_be(create, spec):
    fails(lambda: create(cron(spec)), DOMAIN, "error parsing cron-spec")
