"""What was acknowledged: a file for each writer, a line for each write, in the order in which the answers came."""

import dataclasses
import glob
import json


@dataclasses.dataclass(frozen=True)
class Entry:
    role: str
    writer: int
    number: int
    repo: str
    branch: str
    path: str
    commit: str
    sha256: str
    size: int
    keyed: bool
    server: int
    """The number of the one that acknowledged it."""

    tries: int
    began: float
    """When the first try began, by the machine's monotonic clock, which all processes share."""

    acknowledged: float
    parent: str = ""
    """The head that the write expected, if it did."""

    def __str__(self) -> str:
        where = f"{self.repo}@{self.branch}:{self.path}, commit {self.commit}"
        return f"{where} (write {self.number} of writer {self.writer}, acknowledged by server {self.server})"


class Ledger:
    """One writer's own."""

    def __init__(self, folder: str, writer: int):
        self.file = open(f"{folder}/ledger-{writer:03}.jsonl", "w", encoding="ascii")

    def add(self, entry: Entry) -> None:
        self.file.write(json.dumps(dataclasses.asdict(entry)) + "\n")

    def close(self) -> None:
        self.file.close()


def entries(folder: str) -> list[Entry]:
    """What all writers noted, in the order of the acknowledgements."""
    found = []
    for path in glob.glob(f"{folder}/ledger-*.jsonl"):
        with open(path, encoding="ascii") as file:
            found += [Entry(**json.loads(line)) for line in file]
    return sorted(found, key=lambda entry: entry.acknowledged)
