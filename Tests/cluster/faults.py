"""What is done to servers, database and store while the writers write: by a plan that follows from a seed."""

import dataclasses
import random
import sys
import threading
import time
from collections.abc import Callable

from company import Company, Member
from proxy import Mode

Act = Callable[[Company, Member], None]


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    begin: Act
    end: Act
    strikes_one: bool
    """Whether it is one server's alone: the others have to go on."""

    strikes_servers: bool = False
    """Whether servers are stopped in any way, rather than what they need."""


def nothing(company: Company, victim: Member) -> None:
    """For faults that are over as soon as they have begun."""


def kill(company: Company, victim: Member) -> None:
    victim.kill()


def stop(company: Company, victim: Member) -> None:
    victim.stop()


def start(company: Company, victim: Member) -> None:
    victim.start()


def kill_all(company: Company, victim: Member) -> None:
    for member in company.members:
        member.kill()


def start_all(company: Company, victim: Member) -> None:
    for member in company.members:
        member.start()


def pause(company: Company, victim: Member) -> None:
    victim.pause()


def go_on(company: Company, victim: Member) -> None:
    victim.go_on()


def kill_database(company: Company, victim: Member) -> None:
    company.postgres.kill()


def start_database(company: Company, victim: Member) -> None:
    company.postgres.start()


def on_one(mode: Mode) -> Act:
    """All ways of one server."""

    def act(company: Company, victim: Member) -> None:
        for station in victim.stations:
            station.set(mode)

    return act


def on_catalog(mode: Mode) -> Act:
    def act(company: Company, victim: Member) -> None:
        for member in company.members:
            member.to_catalog.set(mode)

    return act


def on_store(mode: Mode) -> Act:
    def act(company: Company, victim: Member) -> None:
        for member in company.members:
            member.to_store.set(mode)

    return act


def drop_catalog(company: Company, victim: Member) -> None:
    for member in company.members:
        member.to_catalog.drop()


def drop_store(company: Company, victim: Member) -> None:
    for member in company.members:
        member.to_store.drop()


FAULTS = {
    fault.name: fault
    for fault in [
        Fault("kill", kill, start, True, True),
        Fault("stop", stop, start, True, True),
        Fault("pause", pause, go_on, True, True),
        Fault("kill-all", kill_all, start_all, False, True),
        Fault("alone-stall", on_one(Mode.STALL), on_one(Mode.PASS), True),
        Fault("alone-refuse", on_one(Mode.REFUSE), on_one(Mode.PASS), True),
        Fault("store-stall", on_store(Mode.STALL), on_store(Mode.PASS), False),
        Fault("store-refuse", on_store(Mode.REFUSE), on_store(Mode.PASS), False),
        Fault("store-slow", on_store(Mode.SLOW), on_store(Mode.PASS), False),
        Fault("store-drop", drop_store, nothing, False),
        Fault("catalog-restart", kill_database, start_database, False),
        Fault("catalog-stall", on_catalog(Mode.STALL), on_catalog(Mode.PASS), False),
        Fault("catalog-slow", on_catalog(Mode.SLOW), on_catalog(Mode.PASS), False),
        Fault("catalog-drop", drop_catalog, nothing, False),
    ]
}


@dataclasses.dataclass(frozen=True)
class Round:
    """One fault, perhaps with a second one in the midst of it."""

    faults: list[str]
    victim: int
    calm: float
    """Seconds before it."""

    hold: float
    """Seconds for which it lasts."""

    @property
    def name(self) -> str:
        return " + ".join(self.faults)

    @property
    def strikes_one(self) -> bool:
        return all(name in FAULTS and FAULTS[name].strikes_one for name in self.faults)


@dataclasses.dataclass(frozen=True)
class Struck:
    """A round as it went, by the machine's monotonic clock."""

    round: Round
    began: float
    ended: float


@dataclasses.dataclass(frozen=True)
class Pace:
    seconds: float
    """All rounds together, at least one of each kind."""

    hold: tuple[float, float]
    calm: tuple[float, float]
    both: float
    """How many of the later rounds have two faults at a time, 0 to 1."""


def plan(kinds: list[str], servers: int, pace: Pace, rng: random.Random) -> list[Round]:
    """Each kind once, in a random order; then by chance until the time is up."""
    rounds: list[Round] = []
    first = rng.sample(kinds, len(kinds))
    left = pace.seconds
    while first or left > 0:
        if first:
            names = [first.pop()]
        elif rng.random() < pace.both and len(kinds) > 1:
            # What strikes a server is the outer one: it comes back only where it finds its database.
            names = [rng.choice(kinds)]
            others = [name for name in kinds if name not in names and not FAULTS[name].strikes_servers]
            names += rng.sample(others, min(1, len(others)))
        else:
            names = [rng.choice(kinds)]
        rounds.append(Round(names, rng.randrange(servers), rng.uniform(*pace.calm), rng.uniform(*pace.hold)))
        left -= rounds[-1].calm + rounds[-1].hold
    return rounds


def strike(company: Company, rounds: list[Round], must_go_on: Callable[[], None]) -> list[Struck]:
    """Does it all; `must_go_on` raises when there is no sense in going on."""
    clock = threading.Event()
    struck = []
    for number, one in enumerate(rounds):
        clock.wait(one.calm)
        must_go_on()
        victim = company.members[one.victim]
        print(f"fault {number + 1} of {len(rounds)}: {one.name}, {victim.name}, {one.hold:.1f} s", file=sys.stderr)
        began = time.monotonic()
        faults = [FAULTS[name] for name in one.faults]
        for fault in faults:
            fault.begin(company, victim)
        clock.wait(one.hold)
        for fault in reversed(faults):
            fault.end(company, victim)
        struck.append(Struck(one, began, time.monotonic()))
    # What the last one did to the writers shows only after it.
    clock.wait(rounds[-1].calm)
    return struck
