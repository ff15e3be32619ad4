"""A process of writers, each a thread: writers.py PLAN. They write until the standard input ends.

Then each ends the write that it is at, and the last line of the standard output is JSON: how often calls were made
again by code, and what went wrong, in words.
"""

import dataclasses
import json
import random
import sys
import threading
import time
from collections import Counter

import grpc

from calls import Fleet, GivenUp
from ledger import Ledger
from roles import ROLES, Violation, Writer


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one process of writers is told."""

    folder: str
    addresses: list[str]
    seed: int
    patience: float
    """Seconds for which a writer tries one write again and again."""

    pause: float
    """Seconds from one write of a writer to the next; 0 for as fast as it goes."""

    writers: list[tuple[int, str, bool]]
    """Number, role, and whether retries carry a key."""

    @staticmethod
    def read(path: str) -> "Plan":
        with open(path, encoding="ascii") as file:
            return Plan(**json.load(file))

    def write(self, path: str) -> None:
        with open(path, "w", encoding="ascii") as file:
            json.dump(dataclasses.asdict(self), file)


class Run:
    """The writers of one process, and what is said of them at the end."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.stop = threading.Event()
        # Guards what follows: writers end in any order.
        self.lock = threading.Lock()
        self.retries: Counter[str] = Counter()
        self.wrong: list[str] = []

    def report(self) -> dict:
        threads = [threading.Thread(target=self._write, args=tuple(one)) for one in self.plan.writers]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self.stop.set()
        for thread in threads:
            thread.join()
        return {"retries": dict(self.retries), "wrong": self.wrong}

    def _write(self, number: int, role: str, keyed: bool) -> None:
        plan, kind = self.plan, ROLES[role]
        rng = random.Random(f"{plan.seed} {number}")
        fleet = Fleet(plan.addresses, number, kind.seconds, plan.patience, rng)
        ledger = Ledger(plan.folder, number)
        writer = kind(number, keyed, fleet, ledger, rng)
        wrong = []
        try:
            self._repeat(writer)
        except GivenUp as error:
            wrong.append(f"given up: {self._about(writer)}: {error}")
        except Violation as error:
            wrong.append(str(error))
        except grpc.RpcError as error:
            at = fleet.all[fleet.current].address
            wrong.append(f"refused: {self._about(writer)}: {at}: {error.code()}: {error.details()}")
        except Exception as error:  # A writer that ends for a reason nobody thought of must not pass for a good one.
            wrong.append(f"ended: {self._about(writer)}: {error!r}")
        ledger.close()
        fleet.close()
        with self.lock:
            self.retries += fleet.retries
            self.wrong += wrong

    def _repeat(self, writer: Writer) -> None:
        pause = max(self.plan.pause, 1.0 if writer.role == "feed" else 0)
        while not self.stop.is_set():
            begin = time.monotonic()
            writer.step()
            self.stop.wait(max(0, begin + pause - time.monotonic()))

    @staticmethod
    def _about(writer: Writer) -> str:
        return f"write {writer.next} of writer {writer.number} to {writer.repo.name}@{writer.branch.name}"


if __name__ == "__main__":
    print(json.dumps(Run(Plan.read(sys.argv[1])).report()))
