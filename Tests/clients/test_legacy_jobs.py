"""Programs of python-pachyderm 7.6 that look at jobs and datums. A server of their own: others count all jobs."""

import grpc
import pytest
import python_pachyderm
from python_pachyderm.service import pps_proto


@pytest.fixture
def client(own_server):
    client = python_pachyderm.Client(host=own_server.host, port=own_server.port)
    client.create_repo("data")
    put(client, a=b"1", b=b"22")
    client.create_pipeline(
        "copies", transform=pps_proto.Transform(cmd=["sh", "-c", "cp /pfs/data/* /pfs/out"]),
        input=pps_proto.Input(pfs=pps_proto.PFSInput(repo="data", glob="/*")))
    return client


def put(client, **files):
    with client.commit("data", "master") as commit:
        for name, text in files.items():
            client.put_file_bytes(commit, f"/{name}", text)
    return commit


def test_jobs(client):
    (first,) = client.list_job("copies")
    (ended,) = client.inspect_job(first.job.id, "copies", wait=True, details=True)
    assert ended.state == pps_proto.JobState.JOB_SUCCESS
    assert (ended.data_total, ended.data_processed, ended.stats.download_bytes) == (2, 2, 3)
    assert not first.HasField("details") and ended.details.transform.cmd
    second = put(client, c=b"3")
    (job,) = client.inspect_job(second.id, wait=True)
    assert (job.job.pipeline.name, job.data_skipped) == ("copies", 2)
    assert [info.job_set.id for info in client.list_job()] == [second.id, first.job.id]
    (found,) = client.list_job("copies", input_commit=("data", second.id))
    assert found.job.id == second.id
    client.stop_job(second.id, "copies")
    client.delete_job(second.id, "copies")
    with pytest.raises(grpc.RpcError) as error:
        list(client.inspect_job(second.id, "copies"))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_datums(client):
    (job,) = client.list_job("copies")
    list(client.inspect_job(job.job.id, "copies", wait=True))
    datums = list(client.list_datum("copies", job.job.id))
    assert [pps_proto.DatumState.Name(info.state) for info in datums] == ["SUCCESS", "SUCCESS"]
    assert client.inspect_datum("copies", job.job.id, datums[0].datum.id) == datums[0]
    given = pps_proto.Input(pfs=pps_proto.PFSInput(repo="data", glob="/*"))
    assert sorted(info.datum.id for info in client.list_datum(input=given)) == [info.datum.id for info in datums]
    with pytest.raises(grpc.RpcError, match=r"datum matching filter \[/a\] could not be found"):
        client.restart_datum("copies", job.job.id, data_filters=["/a"])
