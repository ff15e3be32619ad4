"""What writers do: numbered writes, of which they note what was acknowledged, and read some through another server."""

import hashlib
import random
import time
from collections.abc import Callable

import grpc
from pachyderm_sdk.api import pfs

from calls import AGAIN, Calls, Code, Fleet
from ledger import Entry, Ledger


class Violation(Exception):
    """The servers did something that they must not."""


class Writer:
    """Shared by all roles: the next number, the ledger, the way to the servers."""

    role = ""
    # Writes of this size are given longer than others.
    seconds = 10.0
    # Of the writes that are read back at once, one in so many.
    reads = 4

    def __init__(self, number: int, keyed: bool, fleet: Fleet, ledger: Ledger, rng: random.Random):
        self.number = number
        self.keyed = keyed
        self.fleet = fleet
        self.ledger = ledger
        self.random = rng
        self.next = 0
        self.repo = pfs.Repo.from_uri(self.role)
        self.branch = pfs.Branch(repo=self.repo, name=self.branch_name())

    def branch_name(self) -> str:
        return f"w{self.number:03}"

    def key(self, step: str = "") -> str:
        return f"{self.role}-{self.number}-{self.next}{step}" if self.keyed else ""

    def named(self, identity: str = "") -> pfs.Commit:
        """A commit of the branch by its id; without one, the branch's head."""
        return pfs.Commit(repo=self.repo, branch=self.branch, id=identity)

    def step(self) -> None:
        """One write, until it is acknowledged."""
        raise NotImplementedError

    def put(self, path: str, data: bytes) -> None:
        """A commit with one new file, which one call makes. With a key it appends: done twice, it would show."""
        key, replace = self.key(), not self.keyed
        self.note(path, data, lambda calls: calls.put(self.named(), path, data, replace, idempotency_key=key))

    def note(self, path: str, data: bytes, work: Callable[[Calls], str]) -> None:
        began = time.monotonic()
        commit, server, tries = self.fleet.go(work)
        self.done(path, data, commit, server, tries, began)

    def done(
        self, path: str, data: bytes, commit: str, server: int, tries: int, began: float, parent: str = ""
    ) -> None:
        acknowledged = time.monotonic()
        entry = Entry(
            self.role, self.number, self.next, self.repo.name, self.branch.name, path, commit,
            hashlib.sha256(data).hexdigest(), len(data), self.keyed, server, tries, began, acknowledged, parent,
        )
        self.ledger.add(entry)
        self.next += 1
        if self.random.randrange(self.reads) == 0:
            self.look(entry, data)

    def look(self, entry: Entry, data: bytes) -> None:
        """What was acknowledged is there at once, on any server: by its commit's id, and under its branch's name."""
        identity = entry.commit if self.random.randrange(2) else ""
        calls = self.fleet.other(entry.server)
        way = f"read at {calls.address} by {'its id' if identity else 'the name of the branch'}"
        try:
            found = calls.read(self.named(identity), entry.path)
        except grpc.RpcError as error:
            if error.code() in AGAIN:
                return
            what = "acknowledged and not there" if "not found" in error.details() else "a read was refused"
            raise Violation(f"{what}: {entry}: {way}: {error.code()}: {error.details()}") from None
        if not self.holds(found, data):
            raise Violation(f"acknowledged and different: {entry}: {way}: {len(found)} bytes")

    def holds(self, found: bytes, data: bytes) -> bool:
        """Whether what a file holds is what this write put there."""
        return found == data


class Single(Writer):
    """Commits of one file of 1 KiB, each on the writer's own branch."""

    role = "single"

    def step(self) -> None:
        self.put(f"/{self.next:07}", self.random.randbytes(1024))


class Shared(Writer):
    """Lines at the end of one file, in one branch that all of this role write to."""

    role = "shared"
    path = "/lines"

    def branch_name(self) -> str:
        return "master"

    def step(self) -> None:
        data, key = line(self.number, self.next), self.key()
        self.note(self.path, data, lambda calls: calls.put(self.named(), self.path, data, idempotency_key=key))

    def holds(self, found: bytes, data: bytes) -> bool:
        return data in found


def line(writer: int, number: int) -> bytes:
    """What a writer of shared lines appends; its number says what it has to be."""
    return f"{writer} {number} {hashlib.sha256(b'%d %d' % (writer, number)).hexdigest()}\n".encode()


class Large(Writer):
    """Files of 5 to 20 MiB now and then, small ones in between."""

    role = "large"
    seconds = 30.0
    every = 20

    def step(self) -> None:
        size = self.random.randint(5 << 20, 20 << 20) if self.next % self.every == 0 else 1024
        self.put(f"/{self.next:07}", self.random.randbytes(size))


class Steps(Writer):
    """Commits in three calls: begun at one server, written at the next, finished at a third."""

    role = "steps"

    def step(self) -> None:
        path, data = f"/{self.next:07}", self.random.randbytes(2048)
        began = time.monotonic()
        commit, _, first = self.fleet.go(lambda calls: calls.start(self.branch, idempotency_key=self.key("s")))
        self.fleet.turn()
        named = self.named(commit)
        _, _, second = self.fleet.go(lambda calls: calls.put(named, path, data, idempotency_key=self.key("w")))
        self.fleet.turn()
        _, server, third = self.fleet.go(lambda calls: calls.finish(named, idempotency_key=self.key("f")))
        self.done(path, data, commit, server, first + second + third - 2, began)


class Heads(Writer):
    """Writes to a shared branch that expect its head: of several that saw the same one, one gets through."""

    role = "heads"

    def branch_name(self) -> str:
        return "master"

    def step(self) -> None:
        path, data = f"/{self.number:03}-{self.next:07}", self.random.randbytes(64)
        began = time.monotonic()
        tries = 0
        while True:
            head, _, _ = self.fleet.go(lambda calls: calls.head(self.branch))
            headers = {"idempotency_key": self.key(), "expected_head": head}
            try:
                commit, server, more = self.fleet.go(lambda calls: calls.put(self.named(), path, data, **headers))
            except grpc.RpcError as error:
                if error.code() is not Code.FAILED_PRECONDITION:
                    raise
                tries += 1
                continue
            return self.done(path, data, commit, server, tries + more, began, head)


class Feed(Writer):
    """What the pipeline reads."""

    role = "feed"

    def branch_name(self) -> str:
        return "master"

    def step(self) -> None:
        self.put(f"/{self.next:07}", self.random.randbytes(256))


ROLES = {role.role: role for role in [Single, Shared, Large, Steps, Heads, Feed]}

# Of sixteen writers: what each does, and whether its retries are harmless by a key.
MIXTURE = [
    *[("single", True)] * 4, *[("single", False)] * 3,
    *[("shared", True)] * 3, *[("shared", False)] * 1,
    *[("steps", True)] * 2, *[("heads", True)] * 2, ("large", True),
]


def cast(count: int) -> list[tuple[str, bool]]:
    """The roles of so many writers, spread so that few of them have some of all. The first one feeds the pipeline."""
    spread = [MIXTURE[(5 * number) % len(MIXTURE)] for number in range(count - 1)]
    return [("feed", True), *spread]
