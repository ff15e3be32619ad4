"""What has to be true in the end, at each server: read through one after the other and compared with the ledgers."""

import dataclasses
import hashlib
import re
import sys
import tarfile
import time
from collections import Counter, defaultdict

import grpc
from pachyderm_sdk.api import pfs

from calls import AGAIN, Calls, Code
from company import Company, Member
from ledger import Entry
from processes import TimeIsUp, until
from roles import Feed, Shared, line
from scene import COPY, SPOUT

# A whole branch, or a whole list of commits, in one call.
CALL_SECONDS = 300
# `spile check` reads every byte, of a store that may be slow: so many writes a second at the least.
CHECKED_PER_SECOND = 100
# Until the pipeline and the spout have done what there is to do.
PIPELINE_SECONDS = 180
FEED = Feed.role
NOTHING = re.compile("not found|no head")
# So many of one kind are named, and the others counted.
NAMED = 5


@dataclasses.dataclass(frozen=True)
class File:
    sha256: str
    size: int


class Stream:
    """A call's answers as a file to read from."""

    def __init__(self, messages):
        self.messages = messages
        self.rest = b""

    def read(self, size: int) -> bytes:
        pieces, have = [self.rest], len(self.rest)
        while have < size and (message := next(self.messages, None)) is not None:
            pieces.append(message.value)
            have += len(message.value)
        data = b"".join(pieces)
        self.rest = data[size:]
        return data[:size]


class Found(list):
    """What is wrong, in words."""

    def some(self, what: str, things: list) -> None:
        """One line for each of the first few things, and one for how many more there are."""
        self.extend(f"{what}: {thing}" for thing in things[:NAMED])
        if len(things) > NAMED:
            self.append(f"{what}: {len(things) - NAMED} more")


def files(calls: Calls, branch: str) -> dict[str, File]:
    """All files of a branch's head; none where there is no file or no head yet."""
    whole = pfs.File(commit=pfs.Commit.from_uri(branch), path="/")
    found = {}
    try:
        with tarfile.open(fileobj=Stream(calls.pfs.get_file_tar(file=whole)), mode="r|") as tar:
            for one in tar:
                if one.isfile():
                    data = tar.extractfile(one).read()
                    found["/" + one.name.strip("/")] = File(hashlib.sha256(data).hexdigest(), len(data))
    except grpc.RpcError as error:
        if not found and is_nothing_there(error):
            return {}
        raise
    return found


def is_nothing_there(error: grpc.RpcError) -> bool:
    return error.code() in (Code.NOT_FOUND, Code.UNKNOWN) and bool(NOTHING.search(error.details()))


def check(company: Company, ledger: list[Entry]) -> list[str]:
    """Everything that is wrong. All servers have to be up, and no writer may write.

    To have nothing to compare is wrong too: the ledger needs something that was fed to the pipeline.
    """
    if not any(entry.repo == FEED for entry in ledger):
        return [f"of {len(ledger)} writes that were acknowledged none fed the pipeline {COPY}: nothing to compare"]
    found = Found()
    begin = time.monotonic()
    until_pipelines_are_done(company, ledger, found)
    print(f"the pipelines were done in {time.monotonic() - begin:.1f} s", file=sys.stderr)
    written: dict[str, list[Entry]] = defaultdict(list)
    for entry in ledger:
        written[entry.repo].append(entry)
    first = None
    for member in company.members:
        begin = time.monotonic()
        view = View(member, written, first)
        first = first or view
        view.check(found)
        checked = time.monotonic()
        done = company.spile(member, "check", seconds=CALL_SECONDS + len(ledger) / CHECKED_PER_SECOND)
        print(f"`spile check` at {member.name}: {time.monotonic() - checked:.1f} s", file=sys.stderr)
        if done.returncode:
            found.append(f"`spile check` at {member.name}: {done.stdout}{done.stderr}")
        print(f"{member.name} was read through in {time.monotonic() - begin:.1f} s", file=sys.stderr)
    return list(found)


class View:
    """What one server says. What it lists is compared with what another one listed before it."""

    def __init__(self, member: Member, written: dict[str, list[Entry]], other: "View | None"):
        self.member = member
        self.written = written
        self.other = other
        self.calls = Calls(member.address, CALL_SECONDS)
        # By repo: the answers of ListCommit, newest first, as they came and taken apart.
        self.raw: dict[str, list[bytes]] = {}
        self.commits: dict[str, list[pfs.CommitInfo]] = {}

    def check(self, found: Found) -> None:
        for repo, entries in self.written.items():
            self._list(repo, found)
            self._commits(repo, entries, found)
            branches: dict[str, list[Entry]] = defaultdict(list)
            for entry in entries:
                branches[entry.branch].append(entry)
            for branch, mine in branches.items():
                if repo == Shared.role:
                    self._lines(f"{repo}@{branch}", mine, found)
                else:
                    self._files(f"{repo}@{branch}", mine, found)
        self._heads(found)
        self._counted(found)
        self._copied(found)

    def _say(self, text: str) -> str:
        return f"{self.member.name}: {text}"

    def _list(self, repo: str, found: Found) -> None:
        self.raw[repo] = self.calls.commits(pfs.Repo.from_uri(repo))
        if self.other and self.other.raw[repo] == self.raw[repo]:
            # Taking them apart takes longer than all the rest.
            self.commits[repo] = self.other.commits[repo]
            return
        self.commits[repo] = [pfs.CommitInfo.FromString(raw) for raw in self.raw[repo]]
        if self.other:
            who = f"{self.member.name} and {self.other.member.name}"
            difference = differing(self.commits[repo], self.other.commits[repo])
            found.extend(f"{who} list other commits of {repo}: {text}" for text in difference)

    def _commits(self, repo: str, entries: list[Entry], found: Found) -> None:
        """Each acknowledged commit is there, once, finished and good."""
        infos = {info.commit.id: info for info in self.commits[repo]}
        found.some(self._say("commit lost"), [entry for entry in entries if entry.commit not in infos])
        bad = [e for e in entries if (info := infos.get(e.commit)) and (info.error or not info.is_set("finished"))]
        found.some(self._say("commit not finished, or in error"), bad)
        counts = Counter(info.commit.id for info in self.commits[repo])
        found.some(self._say("commit listed twice"), [f"{repo}@{one}" for one, count in counts.items() if count > 1])

    def _files(self, branch: str, entries: list[Entry], found: Found) -> None:
        there = files(self.calls, branch)
        found.some(self._say("file lost"), [entry for entry in entries if entry.path not in there])
        differ = [e for e in entries if (file := there.get(e.path)) and file != File(e.sha256, e.size)]
        found.some(self._say("file differs"), [f"{e}: {there[e.path].size} bytes instead of {e.size}" for e in differ])
        known = {entry.path for entry in entries} | {"/first"}
        found.some(self._say("file that nobody wrote"), [f"{branch}:{path}" for path in there if path not in known])

    def _lines(self, branch: str, entries: list[Entry], found: Found) -> None:
        """Acknowledged lines are there: once with a key, at least once without."""
        data = self.calls.read(pfs.Commit.from_uri(branch), Shared.path)
        counts = Counter(data.splitlines(keepends=True))
        lines = {line(entry.writer, entry.number): entry for entry in entries}
        found.some(self._say("line lost"), [entry for text, entry in lines.items() if not counts[text]])
        twice = [entry for text, entry in lines.items() if entry.keyed and counts[text] > 1]
        found.some(self._say("line doubled in spite of its key"), twice)
        found.some(self._say("line that nobody wrote"), [text for text in counts if text not in lines])

    def _heads(self, found: Found) -> None:
        """A write that expected a head was made on that head."""
        parents = {info.commit.id: info.parent_commit.id for info in self.commits.get("heads", [])}
        wrong = [e for e in self.written.get("heads", []) if e.commit in parents and parents[e.commit] != e.parent]
        found.some(self._say("written on another head than expected"), wrong)

    def _counted(self, found: Found) -> None:
        """The spout's lines count up from zero: none is missing and none is there twice."""
        if wrong := miscounted(counted(self.calls)):
            found.append(self._say(f"the spout {SPOUT} counted wrong: {wrong}"))

    def _copied(self, found: Found) -> None:
        fed, made = files(self.calls, f"{FEED}@master"), files(self.calls, f"{COPY}@master")
        wrong = [path for path in fed if made.get(path) != fed[path]] + [path for path in made if path not in fed]
        named = [f"{FEED}@master:{path}" for path in wrong]
        found.some(self._say(f"the pipeline {COPY} has not copied rightly"), named)


def differing(some: list[pfs.CommitInfo], others: list[pfs.CommitInfo]) -> list[str]:
    """The first thing in which two lists of commits differ; nothing if they mean the same."""
    if len(some) != len(others):
        return [f"{len(some)} and {len(others)} commits"]
    return [f"{a.to_json()} and {b.to_json()}" for a, b in zip(some, others) if a.to_json() != b.to_json()][:1]


def counted(calls: Calls) -> list[int]:
    """The numbers that the spout has written."""
    try:
        return [int(word) for word in calls.read(pfs.Commit.from_uri(f"{SPOUT}@master"), "/log").split()]
    except grpc.RpcError as error:
        if is_nothing_there(error):
            return []
        raise


def until_counted(calls: Calls, count: int, seconds: float) -> int:
    """Waits until the spout has written so many numbers, and gives how many there are. One server is asked, and again
    where it says that it cannot tell now.
    """
    seen = 0

    def there() -> bool:
        nonlocal seen
        try:
            seen = len(counted(calls))
        except grpc.RpcError as error:
            if error.code() in AGAIN:
                return False
            raise
        return seen >= count

    until(there, seconds, f"{count} lines of {SPOUT}, seen at {calls.address}")
    return seen


def miscounted(numbers: list[int]) -> str:
    """What is wrong with them: there are none, or one does not follow from the one before. Nothing if all is well."""
    if not numbers:
        return "it has written nothing"
    for place, number in enumerate(numbers):
        if number != place:
            return f"line {place} says {number}"
    return ""


def until_pipelines_are_done(company: Company, ledger: list[Entry], found: Found) -> None:
    """Waits until the copies are as many as there is fed, and the spout has gone on after all faults."""
    calls = Calls(company.addresses[0], CALL_SECONDS)
    fed = {entry.path for entry in ledger if entry.repo == FEED}

    def copy() -> None:
        until(lambda: fed <= files(calls, f"{COPY}@master").keys(), PIPELINE_SECONDS, f"{COPY} has copied")

    def count() -> None:
        until_counted(calls, until_counted(calls, 0, PIPELINE_SECONDS) + 1, PIPELINE_SECONDS)

    for work in [copy, count]:
        try:
            work()
        except TimeIsUp as error:
            states = [company.spile(member, "check", "status") for member in company.members]
            found.append(f"{error}: {[done.stdout + done.stderr for done in states]}")
    calls.close()
