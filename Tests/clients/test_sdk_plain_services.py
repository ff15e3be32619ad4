"""Service pipelines (`pps.md` §4.1): the newest commit is served, one run at a time, and jobs say so."""

import socket
import textwrap

import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import eventually, free_port

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
    except OSError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.startswith(b"HTTP/1.0 200") else None


def serve(client, name, code=PROGRAM, glob="/"):
    inside, outside = free_port(), free_port()
    client.pps.create_pipeline(
        pipeline=pps.Pipeline(name=name),
        transform=pps.Transform(cmd=["python3", "-c", code, str(inside)]),
        input=pps.Input(pfs=pps.PfsInput(repo="data", glob=glob)),
        service=pps.Service(internal_port=inside, external_port=outside, type="NodePort"),
    )
    return outside


def put(client, text, path="/index.html"):
    branch = pfs.Branch(repo=pfs.Repo(name="data"), name="master")
    with client.pfs.commit(branch=branch) as commit:
        commit.put_file_from_bytes(path=path, data=text)
    return commit


def states(client, name):
    jobs = client.pps.list_job(pipeline=pps.Pipeline(name=name), reverse=True)
    return [pps.JobState(job.state).name for job in jobs]


@pytest.fixture
def data(client):
    client.pfs.create_repo(repo=pfs.Repo(name="data"))
    return client


def test_the_newest_commit_is_served_and_older_jobs_succeed(data):
    put(data, b"one")
    port = serve(data, "web")
    assert eventually(lambda: fetch(port, "/index.html") == b"one")
    assert states(data, "web") == ["JOB_RUNNING"]
    second = put(data, b"two")
    assert eventually(lambda: fetch(port, "/index.html") == b"two")
    assert states(data, "web") == ["JOB_SUCCESS", "JOB_RUNNING"]
    job = pps.Job(pipeline=pps.Pipeline(name="web"), id=second.id)
    info = data.pps.inspect_job(job=job, details=True)
    assert info.details.input.pfs.commit == second.id
    assert info.details.service.external_port == port
    output = pfs.Commit(repo=pfs.Repo(name="web", type="user"), id=second.id)
    assert not data.pfs.inspect_commit(commit=output).finished
    lines = [line.message for line in data.pps.get_logs(pipeline=pps.Pipeline(name="web")) if line.user]
    assert f"serving /pfs/data {second.id}" in "".join(lines)


def test_an_exit_is_started_again_and_an_open_commit_changes_nothing(data):
    put(data, b"one")
    once = PROGRAM.replace("serve_forever", "handle_request")
    port = serve(data, "brief", once)
    for _ in range(2):
        assert eventually(lambda: fetch(port, "/index.html") == b"one")
    branch = pfs.Branch(repo=pfs.Repo(name="data"), name="master")
    commit = data.pfs.start_commit(branch=branch)
    assert eventually(lambda: fetch(port, "/index.html") == b"one")
    data.pfs.finish_commit(commit=commit)


def test_stop_closes_the_port_and_start_serves_again(data):
    put(data, b"one")
    port = serve(data, "web")
    pipeline = pps.Pipeline(name="web")
    assert eventually(lambda: fetch(port, "/index.html") == b"one")
    data.pps.stop_pipeline(pipeline=pipeline)
    assert eventually(lambda: data.pps.inspect_pipeline(pipeline=pipeline).state == pps.PipelineState.PIPELINE_PAUSED)
    assert fetch(port, "/index.html") is None
    assert states(data, "web") == ["JOB_KILLED"]
    data.pps.start_pipeline(pipeline=pipeline)
    assert eventually(lambda: fetch(port, "/index.html") == b"one")


def test_an_input_of_many_datums_fails_the_job_and_says_so(data):
    put(data, b"one", "/a")
    put(data, b"two", "/b")
    serve(data, "many", glob="/*")
    assert eventually(lambda: states(data, "many") == ["JOB_FAILURE"])
    (job,) = data.pps.list_job(pipeline=pps.Pipeline(name="many"))
    assert "services must have a single datum" in job.reason


def test_a_job_that_is_stopped_ends_what_serves_it(data):
    commit = put(data, b"one")
    port = serve(data, "web")
    assert eventually(lambda: fetch(port, "/index.html") == b"one")
    (info,) = data.pps.list_job(pipeline=pps.Pipeline(name="web"))
    data.pps.stop_job(job=info.job)
    assert eventually(lambda: fetch(port, "/index.html") is None)
    assert data.pps.inspect_job(job=info.job, wait=True).state == pps.JobState.JOB_KILLED
    assert commit.id


def test_a_subscriber_gets_each_job_once(data):
    put(data, b"one")
    serve(data, "web")
    jobs = data.pps.subscribe_job(pipeline=pps.Pipeline(name="web"))
    first = next(jobs)
    second = put(data, b"two")
    assert next(jobs).job.id == second.id != first.job.id
    sets = [info.job_set.id for info in data.pps.list_job_set()]
    assert sets == [second.id, first.job.id]


def test_a_service_without_input_or_ports_is_refused(data):
    pipeline, transform = pps.Pipeline(name="web"), pps.Transform(cmd=["true"])
    service = pps.Service(internal_port=free_port(), external_port=free_port())
    with pytest.raises(Exception, match="has no input"):
        data.pps.create_pipeline(pipeline=pipeline, transform=transform, service=service)
    source = pps.Input(pfs=pps.PfsInput(repo="data", glob="/"))
    with pytest.raises(Exception, match="service.external_port is 0"):
        data.pps.create_pipeline(
            pipeline=pipeline, transform=transform, input=source, service=pps.Service(internal_port=1234))
