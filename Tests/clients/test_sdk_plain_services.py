"""Service pipelines (`pps.md` §4.1): the newest commit is served, one run at a time, and jobs say so."""

import socket
import sys
import textwrap

import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import INVALID, client, fails, is_finished  # noqa: F401
from test_sdk_services import free_port

PROGRAM = textwrap.dedent(
    """
    import http.server, os, sys
    os.chdir("/pfs/data")
    print("serving", os.environ["data"], os.environ["data_COMMIT"], flush=True)
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
    """
)


def fetch(port, path):
    """The body of an answer; None while nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
    except ConnectionError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if b" 200 " in head.partition(b"\r\n")[0] else None


def until(holds):
    """Asks again and again: the test's time limit ends it."""
    while not holds():
        pass


class Site:
    """A repo to be served, and the service over it."""

    def __init__(self, client, number):
        self.client = client
        self.repo = pfs.Repo(name=f"data-{number}")
        self.branch = pfs.Branch(repo=self.repo, name="master")
        self.pipeline = pps.Pipeline(name=f"web-{number}")
        self.inside, self.port = free_port(), free_port()
        client.pfs.create_repo(repo=self.repo)

    def put(self, text, path="/index.html"):
        with self.client.pfs.commit(branch=self.branch) as commit:
            commit.put_file_from_bytes(path=path, data=text)
        return commit

    def serve(self, code=PROGRAM, glob="/"):
        self.client.pps.create_pipeline(
            pipeline=self.pipeline,
            transform=pps.Transform(cmd=[sys.executable, "-c", code, str(self.inside)]),
            input=pps.Input(pfs=pps.PfsInput(name="data", repo=self.repo.name, glob=glob)),
            service=pps.Service(internal_port=self.inside, external_port=self.port),
        )

    def shows(self, text):
        until(lambda: fetch(self.port, "/index.html") == text)

    def states(self):
        jobs = self.client.pps.list_job(pipeline=self.pipeline, reverse=True)
        return [pps.JobState(job.state).name for job in jobs]


@pytest.fixture
def site(client, fresh):
    site = Site(client, fresh())
    yield site
    client.pps.delete_pipeline(pipeline=site.pipeline)


def test_the_newest_commit_is_served_and_older_jobs_succeed(site):
    site.put(b"one")
    site.serve()
    site.shows(b"one")
    assert site.states() == ["JOB_RUNNING"]
    second = site.put(b"two")
    site.shows(b"two")
    assert site.states() == ["JOB_SUCCESS", "JOB_RUNNING"]
    pps_api = site.client.pps
    info = pps_api.inspect_job(job=pps.Job(pipeline=site.pipeline, id=second.id), details=True)
    assert info.details.input.pfs.commit == second.id
    assert info.details.service.external_port == site.port
    service = pps_api.inspect_pipeline(pipeline=site.pipeline, details=True).details.service
    assert (service.ip, service.type, service.external_port) == ("127.0.0.1", "NodePort", site.port)
    output = pfs.Commit(repo=pfs.Repo(name=site.pipeline.name, type="user"), id=second.id)
    assert not is_finished(site.client.pfs.inspect_commit(commit=output))
    lines = [line.message for line in pps_api.get_logs(pipeline=site.pipeline) if line.user]
    assert f"serving /pfs/data {second.id}" in "".join(lines)


def test_an_exit_is_started_again_and_an_open_commit_changes_nothing(site):
    site.put(b"one")
    site.serve(PROGRAM.replace("serve_forever", "handle_request"))
    for _ in range(2):
        site.shows(b"one")
    commit = site.client.pfs.start_commit(branch=site.branch)
    site.shows(b"one")
    assert site.states() == ["JOB_RUNNING", "JOB_CREATED"]
    site.client.pfs.finish_commit(commit=commit)


def test_stop_closes_the_port_and_start_serves_again(site):
    site.put(b"one")
    site.serve()
    site.shows(b"one")
    pps_api = site.client.pps
    pps_api.stop_pipeline(pipeline=site.pipeline)
    paused = pps.PipelineState.PIPELINE_PAUSED
    until(lambda: pps_api.inspect_pipeline(pipeline=site.pipeline).state == paused)
    assert fetch(site.port, "/index.html") is None
    assert site.states() == ["JOB_KILLED"]
    pps_api.start_pipeline(pipeline=site.pipeline)
    site.shows(b"one")


def test_an_input_of_many_datums_fails_the_job_and_says_so(site):
    site.put(b"one", "/a")
    site.put(b"two", "/b")
    site.serve(glob="/*")
    until(lambda: site.states() == ["JOB_FAILURE"])
    (job,) = site.client.pps.list_job(pipeline=site.pipeline)
    assert "services must have a single datum" in job.reason


def test_a_job_that_is_stopped_ends_what_serves_it(site):
    site.put(b"one")
    site.serve()
    site.shows(b"one")
    (info,) = site.client.pps.list_job(pipeline=site.pipeline)
    site.client.pps.stop_job(job=info.job)
    until(lambda: fetch(site.port, "/index.html") is None)
    killed = site.client.pps.inspect_job(job=info.job, wait=True)
    assert (killed.state, killed.reason) == (pps.JobState.JOB_KILLED, "job stopped")


def test_a_subscriber_gets_each_job_once(site):
    site.put(b"one")
    site.serve()
    jobs = site.client.pps.subscribe_job(pipeline=site.pipeline)
    first = next(jobs)
    second = site.put(b"two")
    assert next(jobs).job.id == second.id != first.job.id
    wanted = {second.id, first.job.id}
    sets = [info.job_set.id for info in site.client.pps.list_job_set() if info.job_set.id in wanted]
    assert sets == [second.id, first.job.id]


def test_a_service_without_input_or_ports_is_refused(site):
    rest = dict(pipeline=site.pipeline, transform=pps.Transform(cmd=["true"]))
    create = site.client.pps.create_pipeline
    service = pps.Service(internal_port=site.inside, external_port=site.port)
    fails(lambda: create(service=service, **rest), INVALID, "has no input")
    source = pps.Input(pfs=pps.PfsInput(repo=site.repo.name, glob="/"))
    service = pps.Service(internal_port=site.inside)
    fails(lambda: create(service=service, input=source, **rest), INVALID, "service.external_port is 0")
