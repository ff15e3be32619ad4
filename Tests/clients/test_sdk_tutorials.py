"""The classic exercises, as users of pachyderm-sdk write them: what comes out is what a plain program makes of the same
files. The code is what any image has: sh, awk, sort."""

import collections
import glob
import itertools
import os
import re
import subprocess
import sys

import pytest
from pachyderm_sdk.api import pfs, pps

from containers import OPTIONS, PYTHON, missing, transform_of
from sdk_tools import client, connect, paths, put, read  # noqa: F401
from spile_server import ROOT

LINES = {
    "/night": b"it was night and it was still night\n",
    "/day": b"it is day\nand day it is\n",
    "/none": b"",
}

# One file for each word, named after it, with how often it stands in the file.
MAP = r"""
for file in /pfs/texts/*; do
  tr -cs a-z '\n' < "$file" | grep . | sort | uniq -c | while read count word; do
    mkdir -p "/pfs/out/$word"; echo "$count" > "/pfs/out/$word/$(basename "$file")"
  done
done
exit 0
"""

# One file for each word with the sum of its counts.
REDUCE = r"""
for word in /pfs/map/*/; do awk '{sum += $1} END {print sum}' "$word"* > "/pfs/out/$(basename "$word")"; done
"""


@pytest.fixture
def repo(client, fresh):
    """Makes a repo, and gives its branch."""

    def make(word):
        repo = pfs.Repo.from_uri(fresh(word))
        client.pfs.create_repo(repo=repo)
        return pfs.Branch(name="master", repo=repo)

    return make


def leaf(branch, name, glob="/*", **more):
    return pps.Input(pfs=pps.PfsInput(repo=branch.repo.name, branch="master", name=name, glob=glob, **more))


@pytest.fixture
def pipeline(client, fresh):
    """Creates a pipeline of a shell script, and gives the branch that it writes."""

    def create(word, source, script, **more):
        name = fresh(word)
        client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=name), input=source, transform=pps.Transform(cmd=["sh"], stdin=[script]), **more)
        return pfs.Branch(name="master", repo=pfs.Repo.from_uri(name))

    return create


def job(client, branch, commit):
    """The job that a commit of the input made, once it is over."""
    pipeline = pps.Pipeline(name=branch.repo.name, project=pfs.Project(name="default"))
    return client.pps.inspect_job(job=pps.Job(pipeline=pipeline, id=commit.id), wait=True)


def result(client, branch, commit):
    """All files of the output of a commit's job by path, which ended well."""
    info = job(client, branch, commit)
    assert info.state == pps.JobState.JOB_SUCCESS, info.reason
    output = pfs.Commit(repo=branch.repo, id=commit.id)
    walked = client.pfs.walk_file(file=pfs.File(commit=output, path="/"))
    found = [one.file.path for one in walked if one.file_type == pfs.FileType.FILE]
    return {path: read(client, output, path) for path in found}


def count(files):
    words = collections.Counter(itertools.chain(*(re.findall("[a-z]+", data.decode()) for data in files.values())))
    return {f"/{word}": f"{number}\n".encode() for word, number in words.items()}


def test_words_are_counted_by_a_map_and_a_reduce(client, repo, pipeline):
    texts = repo("texts")
    mapped = pipeline("map", leaf(texts, "texts"), MAP, parallelism_spec=pps.ParallelismSpec(constant=2))
    reduced = pipeline("reduce", leaf(mapped, "map", "/*/"), REDUCE)
    files = dict(LINES)
    assert result(client, reduced, put(client, texts, files)) == count(files)

    files["/more"] = b"it is night and there is more to come\n"
    commit = put(client, texts, {"/more": files["/more"]})
    assert result(client, reduced, commit) == count(files)
    info = job(client, mapped, commit)
    assert (info.data_total, info.data_processed, info.data_skipped) == (4, 1, 3)
    info = job(client, reduced, commit)
    words = len(count(files)), len(count({"/more": files["/more"]}))
    assert (info.data_total, info.data_processed) == words, "only those of the new file are summed up again"
    assert info.data_processed + info.data_skipped == info.data_total

    # A file that goes takes its words along, and those that only it had are gone.
    with client.pfs.commit(branch=texts) as commit:
        commit.delete_file(path="/day")
    del files["/day"]
    assert result(client, reduced, commit) == count(files)
    assert "/day" not in result(client, reduced, commit)


def test_a_spout_feeds_a_pipeline_that_feeds_another(client, pipeline, fresh):
    spout = pps.Pipeline(name=fresh("spout"))
    script = r"""
number=0
while [ $number -lt 3 ]; do
  number=$((number + 1))
  echo "reading $number" | pachctl put file "$PPS_PIPELINE_NAME@master:/$number" -f -
done
exec sleep 3600
"""
    client.pps.create_pipeline(
        pipeline=spout, spout=pps.Spout(), transform=pps.Transform(cmd=["sh"], stdin=[script], env={"S": "1"}))
    source = pfs.Branch(name="master", repo=pfs.Repo.from_uri(spout.name))
    processor = pipeline(
        "processor", leaf(source, "in"),
        "for file in /pfs/in/*; do tr a-z A-Z < $file > /pfs/out/$(basename $file); done")
    reducer = pipeline("reducer", leaf(processor, "in", "/"), "cat /pfs/in/* | sort > /pfs/out/all")
    stream = client.pfs.subscribe_commit(
        repo=reducer.repo, branch="master", state=pfs.CommitState.FINISHED)
    wanted = b"".join(b"READING %d\n" % number for number in range(1, 4))
    for info in stream:
        assert info.error == ""
        found = paths(client.pfs.list_file(file=pfs.File(commit=info.commit, path="/")))
        text = read(client, info.commit, "/all") if found else b""
        assert wanted.startswith(text)
        if text == wanted:
            break
    client.pps.delete_pipeline(pipeline=spout, force=True)


STAFF = {"/1-ann": b"ann", "/2-bob": b"bob", "/3-eve": b"eve"}
PAY = {"/1-may": b"10", "/1-june": b"11", "/3-may": b"30", "/4-may": b"40"}

# What a datum sees, in one line. `.scratch` is its worker's, as in the original (`pps.md` §6.4).
LIST = r"""
cd /pfs; list=$(find . \( -path ./out -o -path ./.scratch \) -prune -o -type f ! -name .env -print | LC_ALL=C sort | tr '\n' ' ')
echo "$list" > /pfs/out/$PACH_DATUM_ID
"""


def seen(*files):
    return b"".join(b"./%s " % one.encode() for one in sorted(files)) + b"\n"


@pytest.mark.parametrize("kind", ["cross", "join", "outer", "group", "union"])
def test_files_of_two_repos_meet(client, repo, pipeline, kind):
    staff, pay = repo("staff"), repo("pay")
    by = {"join_on": "$1", "outer_join": kind == "outer"} if kind in ("join", "outer") else {}
    if kind == "group":
        by = {"group_by": "$1"}
    inputs = [leaf(staff, "staff", "/(*)-*", **by), leaf(pay, "pay", "/(*)-*", **by)]
    output = pipeline("meet", pps.Input(**{"join" if kind == "outer" else kind: inputs}), LIST)
    put(client, staff, STAFF)
    found = result(client, output, put(client, pay, PAY))
    left, right = [f"staff{path}" for path in STAFF], [f"pay{path}" for path in PAY]
    number = {name: name.split("/")[1][0] for name in left + right}
    pairs = [seen(one, other) for one in left for other in right if number[one] == number[other]]
    alone = [seen(one) for one in left + right if list(number.values()).count(number[one]) == 1]
    wanted = {
        "cross": [seen(one, other) for one in left for other in right],
        "join": pairs,
        "outer": pairs + alone,
        "group": [seen(*(name for name in number if number[name] == one)) for one in "1234"],
        "union": [seen(one) for one in left + right],
    }[kind]
    assert sorted(found.values()) == sorted(wanted)


def test_a_datum_that_fails_fails_its_job_and_what_reads_it_until_it_is_mended(client, repo, pipeline):
    data = repo("data")
    first = pipeline("check", leaf(data, "in"), "grep -q good /pfs/in/* && cp /pfs/in/* /pfs/out", datum_tries=1)
    second = pipeline("after", leaf(first, "in"), "cp /pfs/in/* /pfs/out")
    good = put(client, data, {"/a": b"good 1"})
    assert result(client, second, good) == {"/a": b"good 1"}
    bad = put(client, data, {"/b": b"bad"})
    info = job(client, first, bad)
    assert info.state == pps.JobState.JOB_FAILURE and info.reason.startswith("datum ")
    assert job(client, second, bad).state == pps.JobState.JOB_UNRUNNABLE
    mended = put(client, data, {"/b": b"good 2"})
    assert result(client, second, mended) == {"/a": b"good 1", "/b": b"good 2"}
    assert job(client, first, mended).data_skipped == 1


def pictures(at_most):
    """Some of those that this machine's packages bring along, by path in a repo."""
    found = [one for one in sorted(glob.glob("/usr/share/**/*.png", recursive=True)) if os.path.getsize(one) < 4000]
    by_name = {os.path.basename(one): one for one in found if b"\0\0\0\rIHDR" in open(one, "rb").read(16)}
    return {f"/{name}": open(by_name[name], "rb").read() for name in sorted(by_name)[:at_most]}


@pytest.mark.parametrize("launcher", ["process", "container"])
def test_edges_are_found_in_pictures(server_with, launcher, tmp_path):
    if launcher == "container" and missing(PYTHON):
        pytest.skip(missing(PYTHON))
    files = pictures(4)
    if not files:
        pytest.skip("no package of this machine brings pictures along")
    here, there = tmp_path / "pictures", tmp_path / "edges"
    here.mkdir(), there.mkdir()
    for path, data in files.items():
        (here / path[1:]).write_bytes(data)
    subprocess.run([sys.executable, os.path.join(ROOT, "Tests/clients/programs/edges.py"), here, there], check=True)
    wanted = {f"/{one.name}": one.read_bytes() for one in there.iterdir()}

    client = connect(server_with("--launcher", launcher, *(OPTIONS if launcher == "container" else ())))
    images = pfs.Branch(name="master", repo=pfs.Repo(name="images", type="user"))
    output = pfs.Branch(name="master", repo=pfs.Repo(name="edges", type="user"))
    client.pfs.create_repo(repo=images.repo)
    with transform_of("edges.py", launcher, PYTHON) as transform:
        transform["cmd"] += ["/pfs/images", "/pfs/out"]
        client.pps.create_pipeline(
            pipeline=pps.Pipeline(name="edges"), input=leaf(images, "images"), transform=pps.Transform(**transform),
            parallelism_spec=pps.ParallelismSpec(constant=2))
        first, *others = files
        put(client, images, {first: files[first]})
        commit = put(client, images, {path: files[path] for path in others})
        assert result(client, output, commit) == wanted
        assert job(client, output, commit).data_skipped == 1
