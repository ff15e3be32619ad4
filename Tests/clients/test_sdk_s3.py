"""Files from and to an object store, with pachyderm-sdk (`pfs.md` §4.6.3, §4.7, §4.9; jobs: `pps.md` §10).

The store is moto, on a port of this machine (`Scripts/s3-server.py`); what is in it is looked at with boto3.
"""

import itertools
import json
import os
import subprocess

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps

from s3_server import PYTHON, S3
from sdk_tools import INVALID, NOT_FOUND, PRECONDITION, connect, fails, named, put
from spile_server import SPILE

pytestmark = pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason="Scripts/python-env.sh s3 installs the store")

LOOK = """
import boto3, json, sys
access = json.loads(sys.argv[1])
client = boto3.client("s3", endpoint_url=access["endpoint"], region_name=access["region"],
                      aws_access_key_id=access["access_key"], aws_secret_access_key=access["secret_key"])
for key, text in json.load(sys.stdin).items():
    client.put_object(Bucket=access["bucket"], Key=key, Body=text.encode())
found = {}
for page in client.get_paginator("list_objects_v2").paginate(Bucket=access["bucket"], Prefix=sys.argv[2]):
    for entry in page.get("Contents", []):
        body = client.get_object(Bucket=access["bucket"], Key=entry["Key"])["Body"].read()
        found[entry["Key"][len(sys.argv[2]):]] = body.decode() if len(body) < 1000 else len(body)
print(json.dumps(found))
"""


class Store(S3):
    """The store, and a prefix of its own for each test."""

    prefix = ""

    def url(self, key=""):
        return super().url(self.prefix + key)

    def objects(self, new=None):
        """Texts (of long ones the lengths) by key behind the prefix; first those of `new` are laid there."""
        new = {self.prefix + key: text for key, text in (new or {}).items()}
        return json.loads(
            subprocess.run(
                [PYTHON, "-c", LOOK, json.dumps(self.access), self.prefix], input=json.dumps(new), check=True,
                stdout=subprocess.PIPE, text=True).stdout)


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("s3") / "log"))
    yield store
    store.stop()


_numbers = itertools.count(1)


@pytest.fixture
def store(moto):
    moto.prefix = f"test-{next(_numbers)}/"
    return moto


@pytest.fixture
def server(server_with, store):
    return server_with(**store.environment())


@pytest.fixture
def client(server):
    return connect(server)


@pytest.fixture
def master(client):
    repo = pfs.Repo(name="data")
    client.pfs.create_repo(repo=repo)
    return pfs.Branch(name="master", repo=repo)


def fetch(client, branch, url, path="/x", **more):
    with client.pfs.commit(branch=branch) as commit:
        commit.put_file_from_url(path=path, url=url, **more)


def files(client, branch):
    """Texts (of long ones the lengths) by path."""
    found = {}
    for info in client.pfs.walk_file(file=pfs.File(commit=named(branch), path="/")):
        if info.file_type == pfs.FileType.FILE:
            with client.pfs.pfs_file(info.file) as stream:
                body = stream.read()
            found[info.file.path] = body.decode() if len(body) < 1000 else len(body)
    return found


class TestFetching:
    def test_one_object_and_all_of_a_prefix(self, client, master, store):
        store.objects({"a b": "1", "d/c": "22", "d/e/f": "", "long": "x" * (20 << 20)})
        fetch(client, master, store.url("a%20b"))
        assert files(client, master) == {"/x": "1"}
        fetch(client, master, store.url(), path="/all", recursive=True)
        assert files(client, master) == {
            "/x": "1", "/all/a b": "1", "/all/d/c": "22", "/all/d/e/f": "", "/all/long": 20 << 20}
        fetch(client, master, store.url("d"), path="/", recursive=True)
        assert files(client, master)["/e/f"] == ""

    def test_what_is_not_there_changes_nothing(self, client, master, store):
        put(client, master, {"/x": b"as it was"})
        fails(lambda: fetch(client, master, store.url("none")), NOT_FOUND, "none")
        fails(lambda: fetch(client, master, store.url("none"), recursive=True), NOT_FOUND)
        fails(lambda: fetch(client, master, "s3://no-such-bucket/x"), PRECONDITION, "bucket")
        fails(lambda: fetch(client, master, "gs://bucket/x"), grpc.StatusCode.UNIMPLEMENTED, "SPILE_S3_ENDPOINT")
        assert files(client, master) == {"/x": "as it was"}

    def test_the_command_line(self, client, master, server, store):
        store.objects({"a": "1", "d/b": "2"})
        environment = dict(os.environ, PACHD_ADDRESS=server.address)
        for line in [
            ["put", "file", "-r", "data@master:/in", "-f", store.url()],
            ["get", "file", "data@master:/in/d/b", "-o", store.url("one/")],
            ["get", "file", "-r", "data@master:/in", "-o", store.url("all")],
        ]:
            subprocess.run([SPILE, *line], env=environment, check=True)
        assert files(client, master) == {"/in/a": "1", "/in/d/b": "2"}
        assert store.objects() == {
            "a": "1", "d/b": "2", "one/in/d/b": "2", "all/in/a": "1", "all/in/d/b": "2"}


class TestWriting:
    def test_egress_writes_all_files_and_tells_their_bytes(self, client, master, store):
        commit = put(client, master, {"/a": b"1", "/d/b": b"22", "/long": b"x" * (20 << 20), "/empty": b""})
        target = pfs.ObjectStorageEgress(url=store.url("out"))
        answer = client.pfs.egress(commit=commit, object_storage=target)
        assert answer.object_storage.bytes_written == 3 + (20 << 20)
        assert store.objects() == {"out/a": "1", "out/d/b": "22", "out/long": 20 << 20, "out/empty": ""}

    def test_files_are_written_by_their_paths_and_the_answer_is_empty(self, client, master, store):
        commit = put(client, master, {"/a": b"1", "/d/b": b"2", "/d/c": b"3"})
        one, many = pfs.File(commit=commit, path="/a"), pfs.File(commit=commit, path="/d/*")
        assert list(client.pfs.get_file(file=one, url=store.url())) == []
        assert list(client.pfs.get_file_tar(file=many, url=store.url("more/"))) == []
        assert store.objects() == {"a": "1", "more/d/b": "2", "more/d/c": "3"}
        none = pfs.File(commit=commit, path="/none")
        fails(lambda: list(client.pfs.get_file_tar(file=none, url=store.url())), NOT_FOUND)

    def test_what_cannot_be_written_is_said(self, client, master, store):
        commit = put(client, master, {"/a": b"1"})

        def egress(url):
            client.pfs.egress(commit=commit, object_storage=pfs.ObjectStorageEgress(url=url))

        fails(lambda: egress("s3://no-such-bucket/x"), PRECONDITION, "make the bucket")
        fails(lambda: egress("https://host/x"), INVALID, "s3://")
        fails(lambda: egress("s3:///x"), INVALID, "names no bucket")


class TestJobs:
    def create(self, client, egress, update=False):
        client.pps.create_pipeline(
            pipeline=pps.Pipeline(name="copies"), update=update,
            input=pps.Input(pfs=pps.PfsInput(name="data", repo="data", glob="/*")),
            transform=pps.Transform(cmd=["sh", "-ec", "cp /pfs/data/* /pfs/out/"]), egress=egress)

    def end(self, client, commit):
        job = pps.Job(pipeline=pps.Pipeline(name="copies"), id=commit.id)
        return client.pps.inspect_job(job=job, wait=True, details=True)

    @pytest.mark.parametrize("form", ["url", "object_storage"])
    def test_the_output_is_in_the_store_when_the_job_is_over(self, client, master, store, form):
        place = store.url("out")
        egress = pps.Egress(object_storage=pfs.ObjectStorageEgress(url=place))
        self.create(client, pps.Egress(url=place) if form == "url" else egress)
        info = self.end(client, put(client, master, {"/a": b"1", "/b": b"2"}))
        assert info.state == pps.JobState.JOB_SUCCESS
        assert store.objects() == {"out/a": "1", "out/b": "2"}
        assert place in (info.details.egress.url, info.details.egress.object_storage.url)

    def test_a_bucket_that_is_not_there_is_waited_for_and_the_reason_shows(self, client, master, server, store):
        self.create(client, pps.Egress(url="s3://no-such-bucket/x"))
        commit = put(client, master, {"/a": b"1"})
        pipeline = pps.Pipeline(name="copies")
        while True:
            info = client.pps.inspect_pipeline(pipeline=pipeline)
            if info.state == pps.PipelineState.PIPELINE_CRASHING:
                break
        assert "make the bucket" in info.reason
        job = pps.Job(pipeline=pipeline, id=commit.id)
        assert client.pps.inspect_job(job=job).state == pps.JobState.JOB_EGRESSING
        # The work is kept over a restart: what it comes to is known at once.
        server.kill()
        server.start()
        assert client.pps.inspect_job(job=job).state == pps.JobState.JOB_EGRESSING
        self.create(client, pps.Egress(url=store.url("late")), update=True)
        assert client.pps.inspect_job(job=job, wait=True).state == pps.JobState.JOB_KILLED
        newest = next(client.pps.list_job(pipeline=pipeline)).job
        assert client.pps.inspect_job(job=newest, wait=True).state == pps.JobState.JOB_SUCCESS
        assert store.objects() == {"late/a": "1"}

    def test_what_is_no_place_in_a_store_is_refused_with_the_pipeline(self, client, master):
        fails(lambda: self.create(client, pps.Egress(url="https://host/x")), INVALID, "s3://")
        fails(lambda: self.create(client, pps.Egress(url="s3://b/a#b")), INVALID, "%23")
        database = pfs.SqlDatabaseEgress(url="x", secret=pfs.SqlDatabaseEgressSecret(name="a", key="b"))
        fails(lambda: self.create(client, pps.Egress(sql_database=database)), grpc.StatusCode.UNIMPLEMENTED)
