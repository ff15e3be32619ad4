"""Whose datums somebody may see and start again, where authentication is on (`clients.md` §3.3)."""

import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import fails
from test_sdk_auth import (  # noqa: F401
    DENIED, NOT_ALLOWED, UNAUTHENTICATED, alice, bob, branch, cluster, repo_resource,
)


@pytest.fixture
def job(alice, branch):  # noqa: F811
    """The job of alice's pipeline over her own repo."""
    pipeline = pps.Pipeline(name="copies")
    alice.pps.create_pipeline(
        pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", "cp /pfs/readings/* /pfs/out"]), input=given())
    (info,) = alice.pps.list_job(pipeline=pipeline)
    assert alice.pps.inspect_job(job=info.job, wait=True).state == pps.JobState.JOB_SUCCESS
    return info.job


def given():
    return pps.Input(pfs=pps.PfsInput(repo="readings", glob="/*"))


def test_datums_of_a_job_are_for_who_may_read_its_inputs_and_its_output(cluster, alice, bob, branch, job):  # noqa: F811
    (datum,) = alice.pps.list_datum(job=job)
    output = repo_resource(pfs.Repo.from_uri("copies"))

    def is_refused(name):
        fails(lambda: bob.pps.list_datum(job=job), DENIED, NOT_ALLOWED, "REPO_READ", name)
        fails(lambda: bob.pps.inspect_datum(datum=datum.datum), DENIED, NOT_ALLOWED, "REPO_READ", name)

    is_refused("readings")
    cluster.give("robot:bob", ["repoReader"], output)
    is_refused("readings")
    cluster.give("robot:bob", ["repoReader"], repo_resource(branch))
    assert list(bob.pps.list_datum(job=job)) == [datum] and bob.pps.inspect_datum(datum=datum.datum) == datum
    fails(lambda: bob.pps.restart_datum(job=job), DENIED, NOT_ALLOWED, "REPO_WRITE")
    cluster.give("robot:bob", [], output)
    is_refused("copies")


def test_datums_of_an_input_are_for_who_may_read_it(cluster, alice, bob, branch):  # noqa: F811
    def batches():
        return [len(batch) for batch in bob.pps.generate_datums(given(), batch_size=5)]

    fails(lambda: bob.pps.list_datum(input=given()), DENIED, NOT_ALLOWED, "readings")
    fails(batches, DENIED, NOT_ALLOWED, "readings")
    crossed = pps.Input(cross=[given(), pps.Input(pfs=pps.PfsInput(name="x", repo="readings", glob="/"))])
    fails(lambda: bob.pps.list_datum(input=crossed), DENIED, NOT_ALLOWED, "readings")
    cluster.give("robot:bob", ["repoReader"], repo_resource(branch))
    assert len(list(bob.pps.list_datum(input=given()))) == 1
    assert batches() == [1]


def test_a_token_that_is_revoked_ends_the_batches(cluster, alice, branch):  # noqa: F811
    batches = alice.pps.generate_datums(given(), batch_size=1)
    with alice.pfs.commit(branch=branch) as commit:
        commit.put_file_from_bytes(path="/y", data=b"2")
    assert len(next(batches)) == 1
    cluster.root.auth.revoke_auth_token(token=alice.auth_token)
    fails(lambda: batches.send(1), UNAUTHENTICATED)
