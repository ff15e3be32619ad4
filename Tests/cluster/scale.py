"""How much more several servers take in than one: the same work for each of 1, 2, 3 servers, with writers of its own.

Where there is not a core for each server, each gets the same small part of one (CLUSTER_SHARE): what it is bound by
is then its own processor time, as on a machine of its own. Prints a table and a line of JSON. Run it on a machine that
does nothing else.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../clients"), os.path.join(HERE, "../demo")]

from pachyderm_sdk.api import pfs  # noqa: E402

from bulk import REPO  # noqa: E402
from calls import Calls  # noqa: E402
from company import Company  # noqa: E402
from cores import Share, cpu_seconds, pin, tree_cpu_seconds  # noqa: E402
from variables import word  # noqa: E402

SERVERS = [int(number) for number in word("SERVERS", "1,2,3").split(",")]
STORE = word("STORE", "s3")
SHARE = float(word("SHARE", "0.1"))
FILE_BYTES = int(float(word("FILE_MIB", "8")) * (1 << 20))
FLIGHT = int(word("FLIGHT", "64"))
BYTES_EACH = int(float(word("MIB_EACH", "768")) * (1 << 20))
PROCESSES_EACH = int(word("PROCESSES", "2"))


@dataclasses.dataclass(frozen=True)
class Result:
    servers: int
    seconds: float
    mb_per_s: float
    server_cpu_s: list[float]
    """Of each server."""

    mb_per_cpu_s: float
    """Taken in for each second of processor time of the servers."""

    cores_used: dict[str, float]
    """Of the servers on average, and of all that is beside them: what is near its bound holds up the rest."""


class Bulk:
    """One process of writers."""

    def __init__(self, address: str, number: int, files: int, flight: int):
        arguments = [address, *map(str, [number, files, flight, FILE_BYTES])]
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "bulk.py"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("a process of writers did not start")

    def go(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process of writers failed")
        return json.loads(line)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def bind(company: Company, stack: contextlib.ExitStack) -> None:
    """A core for each server where there are enough, else the same part of one for each."""
    for member in company.members:
        pid = member.server.process.pid
        if SHARE >= 1:
            pin(pid, member.number % os.cpu_count())
        else:
            share = Share(f"spile-{os.getpid()}-{len(company.members)}-{member.number}", SHARE)
            stack.callback(share.close)
            # Before the group is removed.
            stack.callback(member.kill)
            share.add(pid)


def measure(count: int, folder: str) -> Result:
    with contextlib.ExitStack() as stack:
        company = Company(folder, count, STORE, ("--gc-interval", "off"), direct=True)
        stack.callback(company.close)
        calls = Calls(company.addresses[0], 60)
        calls.pfs.create_repo(repo=pfs.Repo.from_uri(REPO))
        calls.close()
        flight = max(1, FLIGHT // (count * PROCESSES_EACH))
        files = max(flight, BYTES_EACH // FILE_BYTES // PROCESSES_EACH)
        writers = []
        for number in range(count * PROCESSES_EACH):
            writers.append(Bulk(company.addresses[number % count], number, files, flight))
            stack.callback(writers[-1].close)
        for writer in writers:
            writer.wait_until_ready()
        bind(company, stack)
        before = used(company, writers)
        for writer in writers:
            writer.go()
        answers = [writer.end() for writer in writers]
        after = used(company, writers)
    seconds = max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers)
    spent = {name: after[name] - before[name] for name in after}
    servers = [spent.pop(f"server {number}") for number in range(count)]
    mb = files * len(writers) * FILE_BYTES / 1e6
    cores = {"each server": sum(servers) / count / seconds, **{name: value / seconds for name, value in spent.items()}}
    return Result(
        count, round(seconds, 2), round(mb / seconds, 1), [round(value, 2) for value in servers],
        round(mb / sum(servers), 1), {name: round(value, 3) for name, value in cores.items()},
    )


def used(company: Company, writers: list[Bulk]) -> dict[str, float]:
    """Seconds of processor time so far."""
    found = {member.name: cpu_seconds(member.server.process.pid) for member in company.members}
    found["PostgreSQL"] = tree_cpu_seconds(company.postgres.process.pid)
    if company.s3:
        found["S3"] = cpu_seconds(company.s3.process.pid)
    found["writers"] = sum(cpu_seconds(writer.process.pid) for writer in writers)
    return found


def table(results: list[Result]) -> str:
    first = results[0]
    lines = [f"{'servers':>7}{'MB/s':>9}{'ratio':>7}{'MB per CPU s':>14}{'ratio':>7}   cores used"]
    for one in results:
        lines.append(
            f"{one.servers:7}{one.mb_per_s:9.1f}{one.mb_per_s / first.mb_per_s:7.2f}{one.mb_per_cpu_s:14.1f}"
            f"{one.mb_per_cpu_s / first.mb_per_cpu_s:7.2f}   {one.cores_used}"
        )
    return "\n".join(lines)


def main() -> None:
    results = []
    for count in SERVERS:
        folder = tempfile.mkdtemp(prefix="spile-scale-")
        try:
            results.append(measure(count, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(table(results), file=sys.stderr)
    print(table(results))
    about = {"cores": os.cpu_count(), "share": SHARE, "file_mib": FILE_BYTES >> 20, "in_flight": FLIGHT}
    print(json.dumps({**about, "results": [dataclasses.asdict(one) for one in results]}))


if __name__ == "__main__":
    main()
