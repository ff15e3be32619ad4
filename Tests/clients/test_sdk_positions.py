"""Positions and retries: what a program of the SDK sends as call metadata, and that nothing is lost or doubled."""

import json
import os
import re
import socket
import sys
import threading
from urllib.parse import quote

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.interceptor import MetadataClientInterceptor

from spile_server import ROOT
from sdk_tools import INVALID, PRECONDITION, client, connect, fails, head, make, named, read  # noqa: F401


def sending(client, **headers):
    """The calls of `client.pfs`, each with these headers: sending(client, idempotency_key="7").put_file_from_bytes(…)"""
    pairs = [("spile-" + name.replace("_", "-"), value) for name, value in headers.items() if name != "metadata"]
    for key, value in headers.get("metadata", {}).items():
        pairs.append(("spile-commit-metadata", f"{quote(key)}={quote(value)}"))
    channel = grpc.intercept_channel(client._channel, MetadataClientInterceptor(pairs))
    return type(client.pfs)(channel, get_transaction_id=lambda: client.transaction_id)


def put(client, branch, data, path="/log", **headers):
    sending(client, **headers).put_file_from_bytes(commit=named(branch), path=path, data=data, append=True)


def commits(client, branch) -> list[pfs.CommitInfo]:
    """Newest first."""
    return list(client.pfs.list_commit(repo=branch.repo, to=named(branch)))


class TestHeaders:
    def test_metadata_of_a_put(self, client, make):
        branch = make()
        put(client, branch, b"1", metadata={"offset": "7", "tøpic/a": "x, y=100%"})
        assert commits(client, branch)[0].metadata == {"offset": "7", "tøpic/a": "x, y=100%"}

    def test_metadata_of_a_commit_in_three_steps(self, client, make):
        branch = make()
        commit = sending(client, metadata={"a": "1", "b": "1"}).start_commit(branch=branch)
        sending(client, metadata={"b": "2", "c": "2"}).put_file_from_bytes(commit=commit, path="/x", data=b"1")
        sending(client, metadata={"c": "3"}).finish_commit(commit=commit)
        assert commits(client, branch)[0].metadata == {"a": "1", "b": "2", "c": "3"}

    def test_a_key_makes_one_commit(self, client, make):
        branch = make()
        for data in [b"one", b"one", b"other"]:
            put(client, branch, data, idempotency_key="k")
        assert len(commits(client, branch)) == 1
        assert read(client, named(branch), "/log") == b"one"

    def test_a_finish_with_its_key_again(self, client, make):
        branch = make()
        commit = client.pfs.start_commit(branch=branch)
        for _ in range(2):
            sending(client, idempotency_key="k").finish_commit(commit=commit)
        fails(lambda: client.pfs.finish_commit(commit=commit), grpc.StatusCode.UNKNOWN, "already finished")

    def test_an_expected_head(self, client, make):
        branch = make()
        put(client, branch, b"1", expected_head="none")
        first = head(client, branch)
        fails(lambda: put(client, branch, b"2", expected_head="none"), PRECONDITION, first.id)
        put(client, branch, b"2", expected_head=first.id)
        fails(lambda: sending(client, expected_head=first.id).start_commit(branch=branch), PRECONDITION)

    def test_what_cannot_be_heeded_is_refused(self, client, make):
        branch = make()
        fails(lambda: put(client, branch, b"1", idempotency_key="k" * 257), INVALID, "257")
        fails(lambda: put(client, branch, b"1", idempotency_kye="k"), INVALID, "unknown header")
        fails(lambda: sending(client, idempotency_key="k").inspect_repo(repo=branch.repo), INVALID, "InspectRepo")
        with client.transaction.transaction():
            fails(lambda: sending(client, idempotency_key="k").start_commit(branch=branch), INVALID, "takes no")
        assert list(client.pfs.list_commit(repo=branch.repo)) == []


class OneWay:
    """A station between client and server that lets everything through until the test says that no answer comes back."""

    def __init__(self, server):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        self.server = server
        self.silent = threading.Event()
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection((self.server.host, self.server.port))
            except OSError:
                return
            self.sockets += [near, far]
            threading.Thread(target=self.carry, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, self.silent), daemon=True).start()

    @staticmethod
    def carry(source, target, silent):
        try:
            while data := source.recv(1 << 16):
                if silent is None or not silent.is_set():
                    target.sendall(data)
        except OSError:
            pass

    def close(self):
        for one in [self.listener, *self.sockets]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


@pytest.mark.parametrize("operation", ["put", "finish"])
def test_killed_between_write_and_answer_a_retry_makes_one_commit(own_server, operation):
    direct = connect(own_server)
    repo = pfs.Repo.from_uri("log")
    direct.pfs.create_repo(repo=repo)
    branch = pfs.Branch(name="master", repo=repo)
    if operation == "finish":
        commit = direct.pfs.start_commit(branch=branch)
        direct.pfs.put_file_from_bytes(commit=commit, path="/log", data=b"x")

    def act(client):
        headers = {"idempotency_key": "batch-1", "metadata": {"offset": "1"}}
        if operation == "put":
            put(client, branch, b"x", **headers)
        else:
            sending(client, **headers).finish_commit(commit=commit)

    station = OneWay(own_server)
    far = Client(host=station.host, port=station.port)
    far.get_version()
    station.silent.set()
    errors = []

    def attempt():
        try:
            act(far)
        except (grpc.RpcError, ConnectionError) as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    # It is durable, and the client has not heard of it.
    stream = direct.pfs.subscribe_commit(repo=repo, branch="master", state=pfs.CommitState.FINISHED)
    assert next(stream).metadata == {"offset": "1"}
    own_server.kill()
    station.close()
    thread.join(60)
    assert len(errors) == 1

    own_server.start()
    again = connect(own_server)
    act(again)
    infos = commits(again, branch)
    assert [(info.metadata, info.error) for info in infos] == [({"offset": "1"}, "")]
    assert read(again, named(branch), "/log") == b"x"
    assert list(again.pfs.fsck()) == []


# What the recipes of the documentation leave to the reader: three numbers a launch, then an end; the last one stays.
SOURCES = {
    "python": """
import sys, time
def read_source(start):
    for number in range(start, start + 3):
        yield number, b"%d\\n" % number
    if start >= 6: time.sleep(3600)
    sys.exit(1)
def acknowledge(number): pass
""",
    "sh": """
set -eu
read_source() {
  for number in $(seq "$2" $(($2 + 2))); do echo "$number" > "$number"; echo "$number $number"; done
  if test "$2" -ge 6; then sleep 3600; fi
}
# The file of the launch tells the same as the helper with the launch's own token.
grep -qF "\\"next\\":\\"$(spile position "$PPS_PIPELINE_NAME" next)\\"" "$SPILE_RESUME_FILE" ||
  grep -qF '"metadata":{}' "$SPILE_RESUME_FILE"
""",
}
COMMANDS = {"python": [sys.executable, "-c"], "sh": ["bash", "-c"]}


def recipe(language) -> str:
    with open(os.path.join(ROOT, "docs/EXACTLY_ONCE.md"), encoding="utf-8") as text:
        return re.search(rf"^```{language}\n(.*?)^```", text.read(), re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("language", SOURCES)
def test_the_documented_spout_goes_on_where_its_last_launch_ended(client, fresh, language):
    pipeline = pps.Pipeline(name=fresh("spout"), project=pfs.Project(name="default"))
    program = SOURCES[language] + recipe(language)
    request = {
        "pipeline": {"name": pipeline.name}, "spout": {}, "transform": {"cmd": [*COMMANDS[language], program]},
    }
    client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(request))
    try:
        repo = pfs.Repo(name=pipeline.name, project=pipeline.project)
        stream = client.pfs.subscribe_commit(
            repo=repo, branch="master", state=pfs.CommitState.FINISHED, origin_kind=pfs.OriginKind.USER
        )
        # Three launches of three numbers each.
        infos = [next(stream) for _ in range(9)]
        assert [info.metadata["next"] for info in infos] == [str(number) for number in range(1, 10)]
        commit = named(pfs.Branch(name="master", repo=repo))
        assert [read(client, commit, f"/{number}") for number in range(9)] == [b"%d\n" % n for n in range(9)]
    finally:
        client.pps.delete_pipeline(pipeline=pipeline, force=True)
