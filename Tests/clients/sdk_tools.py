"""What the tests of single calls with pachyderm-sdk share: fixtures, short words for common steps, the codes."""

import threading

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

UNKNOWN = grpc.StatusCode.UNKNOWN
NOT_FOUND = grpc.StatusCode.NOT_FOUND
ALREADY_EXISTS = grpc.StatusCode.ALREADY_EXISTS
INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

# The contract gives Unknown to many errors, and says that these two do as well (`pfs.md` §3, the rule of thumb).
DOMAIN = (UNKNOWN, PRECONDITION, INVALID)

# The id of no commit, set or transaction.
NOBODY = "0123456789ab40000000000000000000"


def connect(server) -> Client:
    return Client(host=server.host, port=server.port)


@pytest.fixture
def client(server):
    return connect(server)


@pytest.fixture
def make(client, fresh):
    """Makes a repo and gives its branch `master`, which is not there yet."""

    def make(word="repo"):
        repo = pfs.Repo.from_uri(fresh(word))
        client.pfs.create_repo(repo=repo)
        return pfs.Branch(name="master", repo=repo)

    return make


@pytest.fixture
def chain(client, make):
    """Three branches, each derived from the one before; nothing is open."""
    a, b, c = make("a"), make("b"), make("c")
    client.pfs.create_branch(branch=a)
    derive(client, b, a)
    derive(client, c, b)
    return a, b, c


def derive(client, branch, upstream):
    """Lets a branch derive from another, and closes the commit that it begins with."""
    client.pfs.create_branch(branch=branch, provenance=[upstream])
    client.pfs.finish_commit(commit=head(client, branch), force=True)


def put(client, branch, files=None) -> pfs.Commit:
    """One finished commit with these files."""
    with client.pfs.commit(branch=branch) as commit:
        for path, data in (files or {"/x": b"1"}).items():
            commit.put_file_from_bytes(path=path, data=data)
    return pfs.Commit(repo=branch.repo, id=commit.id)


def named(branch) -> pfs.Commit:
    """The head of a branch by the branch's name."""
    return pfs.Commit.from_uri(branch.as_uri())


def head(client, branch) -> pfs.Commit:
    return client.pfs.inspect_branch(branch=branch).head


def file(commit, path="/x") -> pfs.File:
    return pfs.File(commit=commit, path=path)


def read(client, commit, path="/x") -> bytes:
    return b"".join(message.value for message in client.pfs.get_file(file=file(commit, path)))


def paths(infos) -> list[str]:
    return [info.file.path for info in infos]


def ids(infos) -> list[str]:
    return [info.commit.id for info in infos]


def is_finished(info) -> bool:
    return info.is_set("finished")


def wait_for_state(client, pipeline, *states) -> pps.PipelineInfo:
    """Looks until the pipeline is in one of these states. The time limit of the test ends it."""
    return _wait_for(client, pipeline, lambda info: info.state in states)


def wait_for_reason(client, pipeline, text) -> pps.PipelineInfo:
    """Looks until this text is in the pipeline's reason. The time limit of the test ends it."""
    return _wait_for(client, pipeline, lambda info: text in info.reason)


def _wait_for(client, pipeline, holds) -> pps.PipelineInfo:
    pause = threading.Event()
    while not holds(info := client.pps.inspect_pipeline(pipeline=pipeline, details=True)):
        pause.wait(0.05)
    return info


def refusal(call) -> grpc.RpcError:
    """What a call that must be refused says. Streams are read to their end."""
    with pytest.raises(grpc.RpcError) as error:
        answer = call()
        if hasattr(answer, "__next__"):
            list(answer)
    return error.value


def fails(call, code, *texts) -> grpc.RpcError:
    """`call` is refused with `code` (or one of them) and with all these texts in its message."""
    error = refusal(call)
    codes = code if isinstance(code, tuple) else (code,)
    assert error.code() in codes, f"{error.code()}: {error.details()}"
    for text in texts:
        assert text in error.details()
    return error


class Waiting:
    """A call that waits, on a thread of its own."""

    def __init__(self, call):
        self.answer = None
        self.error = None

        def run():
            try:
                answer = call()
                self.answer = list(answer) if hasattr(answer, "__next__") else answer
            except grpc.RpcError as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def end(self):
        """Its answer; the error of the call if there was one."""
        self.thread.join(60)
        assert not self.thread.is_alive(), "the call still waits"
        if self.error:
            raise self.error
        return self.answer


def while_it_waits(client, arrange, wait, act, expected) -> None:
    """`wait` is cut short by `act` with the text `expected`.

    Nobody tells when the server has begun to wait. So it is tried until the wait was first, with more calls in between
    each time; whatever else comes than "not found", which is the answer if the act was first, fails the test.
    """
    rounds = 0
    while True:
        rounds = 2 * rounds + 1
        thing = arrange()
        waiting = Waiting(lambda: wait(thing))
        for _ in range(rounds):
            client.get_version()
        act(thing)
        with pytest.raises(grpc.RpcError) as error:
            waiting.end()
        if expected in error.value.details():
            return
        assert error.value.code() == NOT_FOUND, error.value.details()
        assert "not found" in error.value.details()
