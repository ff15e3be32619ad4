"""All writers of a run, in processes of their own."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter

from writers import Plan

HERE = os.path.dirname(os.path.abspath(__file__))
# After the last fault a write is tried for as long as a plan says; then all have to end.
GRACE = 60


@dataclasses.dataclass(frozen=True)
class Said:
    """What the writers said at the end."""

    retries: Counter
    wrong: list[str]


class Crew:
    def __init__(
        self, folder: str, addresses: list[str], roles: list[tuple[str, bool]], processes: int, seed: int,
        pause: float, patience: float, prefix: tuple[str, ...] = (),
    ):
        """`prefix` is a command that runs the processes', such as one that enters a network namespace."""
        self.prefix = prefix
        self.folder = folder
        self.patience = patience
        writers = [(number, role, keyed) for number, (role, keyed) in enumerate(roles)]
        self.processes = []
        for number in range(processes):
            mine = writers[number::processes]
            if mine:
                path = f"{folder}/writers-{number}.json"
                Plan(folder, addresses, seed, patience, pause, mine).write(path)
                self.processes.append(self._start(path))

    def _start(self, path: str) -> subprocess.Popen:
        with open(f"{self.folder}/writers.log", "ab") as log:
            return subprocess.Popen(
                [*self.prefix, sys.executable, os.path.join(HERE, "writers.py"), path],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )

    def must_run(self) -> None:
        for process in self.processes:
            if process.poll() is not None:
                raise RuntimeError(f"a process of writers ended; see {self.folder}/writers.log")

    def stop(self) -> Said:
        """Lets each end the write that it is at."""
        for process in self.processes:
            process.stdin.close()
        said = Said(Counter(), [])
        for process in self.processes:
            process.stdin = None
            text, _ = process.communicate(timeout=self.patience + GRACE)
            if process.returncode or not text:
                raise RuntimeError(f"a process of writers ended with an error; see {self.folder}/writers.log")
            answer = json.loads(text)
            said.retries.update(answer["retries"])
            said.wrong.extend(answer["wrong"])
        return said

    def kill(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
