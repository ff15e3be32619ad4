"""The calls that writers make: with deadlines and the headers of docs/EXACTLY_ONCE.md; and which may be made again.

Writes go below the SDK's own methods, because these hide the header of the answer that names the commit.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

import grpc
from betterproto.lib.google.protobuf import Empty
from pachyderm_sdk.api import pfs

T = TypeVar("T")
Code = grpc.StatusCode

# What tells a client to try again, here or elsewhere. Any other code is an error of the server's, or of the test.
AGAIN = (Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED)

PIECE = 4 << 20
# Of so many calls one goes to another server for no reason.
MOVES = 20
OPTIONS = [
    ("grpc.max_receive_message_length", 32 << 20),
    ("grpc.max_send_message_length", 32 << 20),
    # A writer comes back soon after its server does.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A connection of its own for each client, also within one process.
    ("grpc.use_local_subchannel_pool", 1),
]


class Deadline(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Gives each call that long."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    def intercept_unary_unary(self, go_on, details, request):
        return go_on(details._replace(timeout=self.seconds), request)

    intercept_unary_stream = intercept_unary_unary


class Calls:
    """One client of one server."""

    def __init__(self, address: str, seconds: float, token: str = ""):
        self.address = address
        self.seconds = seconds
        self.token = [("authn-token", token)] if token else []
        self.channel = grpc.insecure_channel(address, options=OPTIONS)
        self.pfs = pfs.ApiStub(grpc.intercept_channel(self.channel, Deadline(seconds)))
        self.modify = self.channel.stream_unary(
            "/pfs_v2.API/ModifyFile", pfs.ModifyFileRequest.SerializeToString, Empty.FromString
        )
        self.start_commit = self.channel.unary_unary(
            "/pfs_v2.API/StartCommit", pfs.StartCommitRequest.SerializeToString, pfs.Commit.FromString
        )
        self.finish_commit = self.channel.unary_unary(
            "/pfs_v2.API/FinishCommit", pfs.FinishCommitRequest.SerializeToString, Empty.FromString
        )

        # As they come, so that those of two servers can be compared without taking them apart.
        self.list_commit = self.channel.unary_stream(
            "/pfs_v2.API/ListCommit", pfs.ListCommitRequest.SerializeToString, bytes
        )

    def put(self, commit: pfs.Commit, path: str, data: bytes, replace: bool = False, **headers: str) -> str:
        """Appends to a file, or replaces it, in a branch or in an open commit. Gives the id that the answer names."""
        requests = [pfs.ModifyFileRequest(set_commit=commit)]
        if replace:
            requests.append(pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path)))
        for begin in range(0, len(data), PIECE):
            add = pfs.AddFile(path=path, raw=data[begin : begin + PIECE])
            requests.append(pfs.ModifyFileRequest(add_file=add))
        _, call = self.modify.with_call(iter(requests), timeout=self.seconds, metadata=self._headers(headers))
        return dict(call.initial_metadata())["spile-commit"]

    def start(self, branch: pfs.Branch, **headers: str) -> str:
        request = pfs.StartCommitRequest(branch=branch)
        return self.start_commit(request, timeout=self.seconds, metadata=self._headers(headers)).id

    def finish(self, commit: pfs.Commit, **headers: str) -> None:
        request = pfs.FinishCommitRequest(commit=commit)
        self.finish_commit(request, timeout=self.seconds, metadata=self._headers(headers))

    def read(self, commit: pfs.Commit, path: str) -> bytes:
        file = pfs.File(commit=commit, path=path)
        return b"".join(message.value for message in self.pfs.get_file(file=file))

    def commits(self, repo: pfs.Repo) -> list[bytes]:
        """The answers of ListCommit for all commits of a repo, each as it came; newest first."""
        request = pfs.ListCommitRequest(repo=repo, all=True)
        return list(self.list_commit(request, timeout=self.seconds, metadata=self.token))

    def head(self, branch: pfs.Branch) -> str:
        """The id of a branch's head."""
        return self.pfs.inspect_branch(branch=branch).head.id

    def close(self) -> None:
        self.channel.close()

    def _headers(self, headers: dict[str, str]) -> list[tuple[str, str]]:
        """put(…, idempotency_key="7") sends `spile-idempotency-key: 7`."""
        return self.token + [("spile-" + name.replace("_", "-"), value) for name, value in headers.items() if value]


class GivenUp(Exception):
    """No server took a call for as long as somebody waited."""


class Fleet:
    """One client of all servers: it goes to the next one when its server does not answer, and now and then without a
    reason, so that a server that was away is used again.
    """

    def __init__(
        self, addresses: Iterable[str], first: int, seconds: float, patience: float, rng: random.Random, token: str = ""
    ):
        self.all = [Calls(address, seconds, token) for address in addresses]
        self.current = first % len(self.all)
        self.patience = patience
        self.random = rng
        # How often a call was made again, by the code that it had ended with.
        self.retries: Counter[str] = Counter()
        self._pause = threading.Event()

    def go(self, work: Callable[[Calls], T]) -> tuple[T, int, int]:
        """Does it until a server has; gives the result, the server's number, and how many tries it took."""
        if self.random.randrange(MOVES) == 0:
            self.turn()
        deadline = time.monotonic() + self.patience
        tries = 1
        while True:
            try:
                return work(self.all[self.current]), self.current, tries
            except grpc.RpcError as error:
                if error.code() not in AGAIN:
                    raise
                self.retries[error.code().name] += 1
                if time.monotonic() > deadline:
                    text = f"{tries} tries in {self.patience:g} s, the last at {self.all[self.current].address}"
                    raise GivenUp(f"{text}: {error.code().name}: {error.details()}") from None
            tries += 1
            self.turn()
            # A whole round without success is a reason to wait a little, as any client would.
            self._pause.wait(self.random.uniform(0, min(0.5, 0.05 * (tries // len(self.all)))))

    def turn(self) -> None:
        self.current = (self.current + 1) % len(self.all)

    def other(self, than: int) -> Calls:
        """A server other than that one, where there are several."""
        return self.all[(than + self.random.randrange(1, max(2, len(self.all)))) % len(self.all)]

    def close(self) -> None:
        for calls in self.all:
            calls.close()
