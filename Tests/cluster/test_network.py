"""Hosts with links that lose, delay and part: writers go on, spouts come back, zombies write nothing."""

import glob
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from pachyderm_sdk.api import pfs

import checks
import scene
from calls import Calls, Fleet
from company import COUNTING, FAR, Company, Member
from crew import Crew
from faults import Round, Struck
from hosts import Host, make_hub, missing
from keeper import Keeper
from ledger import Entry, entries
from link import Quality
from processes import processes, until
from report import figures, tell
from roles import cast
from settings import SETTINGS

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

HERE = os.path.dirname(os.path.abspath(__file__))
# A server that lost its host is found out by others; a launch that failed is made again after a pause.
SECONDS = 120
# Between servers and what they need, which is in one place with them, and between writers and servers.
NEAR = Quality(loss=0.005, delay=0.001, jitter=0.0005)
ROUGH = Quality(loss=0.03, delay=0.02, jitter=0.005)
CUT = Quality(cut=True)
SEVERAL = SETTINGS.servers > 1


@pytest.fixture(scope="module", autouse=True)
def hub():
    make_hub()


@pytest.fixture
def hosts(hub):
    """Makes hosts, numbered from 1 on."""
    made = []

    def make() -> Host:
        made.append(Host(len(made) + 1))
        return made[-1]

    yield make
    for host in made:
        host.close()


@pytest.fixture
def company(hosts, tmp_path):
    """Servers on hosts of their own."""
    places = [hosts() for _ in range(SETTINGS.servers)]
    company = Company(str(tmp_path), SETTINGS.servers, SETTINGS.store, hosts=places)
    yield company
    company.close()


def test_commits_go_on_over_bad_links(company, hosts, tmp_path):
    """Packets are lost and late everywhere, and now and then nobody reaches one of the hosts."""
    scene.lay(company)
    far = hosts()
    links = {**{host: NEAR for host in company.hosts}, far: ROUGH}
    for host, quality in links.items():
        host.set(quality)
    rng = random.Random(SETTINGS.seed)
    # Large files do not get through such links in the time that a call has.
    roles = [(role, keyed) for role, keyed in cast(SETTINGS.writers) if role != "large"][:16]
    crew = Crew(str(tmp_path), company.addresses, roles, 4, SETTINGS.seed, 0, SETTINGS.patience, far.prefix)
    with Keeper(company) as keeper:
        try:
            struck = part(links, rng, crew.must_run)
            said = crew.stop()
        finally:
            crew.kill()
        for host in links:
            host.set(Quality())
        ledger = entries(str(tmp_path))
        wrong = said.wrong + checks.check(company, ledger)
    tell(figures(ledger, struck, said.retries, servers=SETTINGS.servers, seed=SETTINGS.seed))
    wrong += keeper.wrong
    assert not wrong, "\n".join(["", *wrong])
    company.stop()


def part(links: dict[Host, Quality], rng: random.Random, must_go_on: Callable[[], None]) -> list[Struck]:
    """Cuts one link after the other, the last one being the writers' own.

    Between two cuts it is calm for longer than under fire: TCP that was cut off for some seconds sends again after as
    many.
    """
    clock, struck, left = threading.Event(), [], SETTINGS.pace.seconds
    while left > 0:
        victim = rng.randrange(len(links))
        name = "writers parted" if victim == len(links) - 1 else "server parted"
        one = Round([name], victim, 4 * rng.uniform(*SETTINGS.pace.calm), rng.uniform(*SETTINGS.pace.hold))
        host, quality = list(links.items())[victim]
        clock.wait(one.calm)
        must_go_on()
        began = time.monotonic()
        host.set(CUT)
        clock.wait(one.hold)
        host.set(quality)
        struck.append(Struck(one, began, time.monotonic()))
        left -= one.calm + one.hold
    return struck


class FarWriter:
    """The work of one launch on a host, and its log."""

    def __init__(self, name: str, host: Host, order: str, folder: str, addresses: list[str]):
        self.log = f"{folder}/{name}.log"
        open(self.log, "w", encoding="ascii").close()
        with open(f"{folder}/{name}.errors", "wb") as errors:
            self.process = subprocess.Popen(
                [*host.prefix, sys.executable, f"{HERE}/far_writer.py", name, order, self.log, *addresses],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
            )

    def lines(self) -> list[dict]:
        with open(self.log, encoding="ascii") as file:
            return [json.loads(line) for line in file.read().split("\n")[:-1]]

    def done(self) -> list[int]:
        return [line["number"] for line in self.lines() if line["outcome"] == "done"]

    def refusal(self) -> str:
        return next((line["outcome"] for line in self.lines() if line["outcome"] != "done"), "")

    def until_more(self, count: int) -> None:
        wanted = len(self.done()) + count

        def there() -> bool:
            assert self.process.poll() is None, f"the far writer ended: {self.lines()[-1:]}; see {self.log}"
            return len(self.done()) >= wanted

        until(there, SECONDS, f"{count} more writes ({self.log})")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class FarSpout:
    """A pipeline whose launches hand their work to hosts of the test's choice."""

    name = "far"

    def __init__(self, company: Company, folder: str):
        self.company = company
        self.folder = folder
        self.orders = f"{folder}/orders"
        os.mkdir(self.orders)
        self.seen: set[str] = set()
        scene.create(company, {
            "pipeline": {"name": self.name},
            "spout": {},
            "transform": {"cmd": [sys.executable, FAR], "env": {"ORDERS": self.orders}},
        })

    def order(self) -> str:
        """What the next launch was told."""
        found: list[str] = []

        def there() -> bool:
            found.extend(set(glob.glob(f"{self.orders}/*.json")) - self.seen)
            return bool(found)

        until(there, SECONDS, "a launch")
        self.seen.add(found[0])
        return found[0]

    def replace(self) -> None:
        """A stop and a start: the launch that there was is over, whether or not its host has heard of it."""
        for command in ["stop", "start"]:
            done = self.company.spile(self.company.members[0], command, "pipeline", self.name)
            assert done.returncode == 0, done.stderr

    def log(self) -> list[str]:
        """The lines in the repo."""
        calls = Calls(self.company.addresses[0], 60)
        try:
            return calls.read(pfs.Commit.from_uri(f"{self.name}@master"), "/log").decode().splitlines()
        finally:
            calls.close()


def test_a_spout_comes_back_and_a_zombie_is_fenced(company, hosts, tmp_path):
    spout, first_host, second_host = FarSpout(company, str(tmp_path)), hosts(), hosts()
    for host in [first_host, second_host]:
        host.set(ROUGH)
    zombie = FarWriter("zombie", first_host, spout.order(), str(tmp_path), company.addresses)
    heir = None
    try:
        zombie.until_more(10)
        # It is parted for a while, and goes on by itself. What the cut swallowed is not told by anybody.
        first_host.set(CUT)
        threading.Event().wait(2)
        first_host.set(ROUGH)
        zombie.until_more(10)
        # It is parted, and replaced meanwhile.
        first_host.set(CUT)
        spout.replace()
        order = spout.order()
        heir = FarWriter("heir", second_host, order, str(tmp_path), company.addresses)
        heir.until_more(10)
        assert zombie.refusal() == "", "the zombie heard of its end while it was parted"
        first_host.set(ROUGH)
        until(lambda: zombie.refusal() != "", SECONDS, "the zombie is refused")
        heir.until_more(10)
    finally:
        for writer in [zombie, heir]:
            if writer:
                writer.close()
    print(f"the zombie was refused: {zombie.refusal()}")
    assert zombie.refusal().startswith("UNAUTHENTICATED: ") and "its launch was replaced" in zombie.refusal()
    check_log(spout.log(), zombie, heir, order)
    company.stop()


def check_log(lines: list[str], zombie: FarWriter, heir: FarWriter, order: str) -> None:
    """Each number once and in order: the zombie's until it was replaced, the heir's from there on."""
    with open(order, encoding="ascii") as file:
        handed_over = json.load(file)["position"]
    whose = ["zombie" if number < handed_over else "heir" for number in range(len(lines))]
    assert lines == [f"{number} {name}" for number, name in enumerate(whose)]
    # What the first one had no answer for may be there, by one.
    assert handed_over in (len(zombie.done()), len(zombie.done()) + 1)
    missing = [number for number in [*zombie.done(), *heir.done()] if number >= len(lines)]
    assert not missing, f"acknowledged and not in {FarSpout.name}@master:/log: {missing}"


@pytest.mark.skipif(not SEVERAL, reason="one server alone: CLUSTER_SERVERS")
def test_a_server_that_is_parted_loses_its_spout_and_comes_back(company):
    """The spout goes on at another server; the one whose host was parted, and its code, write nothing any more."""
    scene.lay(company)
    with Keeper(company) as keeper:
        wrong = checks.check(company, [part_the_runner(company)])
    wrong += keeper.wrong
    assert not wrong, "\n".join(["", *wrong])
    company.stop()


def part_the_runner(company: Company) -> Entry:
    """Gives what the server that was parted acknowledged afterwards."""
    parted = until_it_runs(company)
    company.hosts[parted.number].set(CUT)
    others = [member for member in company.members if member is not parted]
    survivor = Calls(others[0].address, 10)
    before = checks.until_counted(survivor, 0, SECONDS)
    began = time.monotonic()
    checks.until_counted(survivor, before + 10, SECONDS)
    print(f"the spout went on at another server within {time.monotonic() - began:.1f} s")
    company.hosts[parted.number].set(Quality())
    # It takes writes again, and knows what the others did meanwhile.
    returned = Calls(parted.address, SECONDS)
    entry = write(parted)
    after = checks.until_counted(returned, before + 20, SECONDS)
    until(lambda: len(runners(company)) == 1, SECONDS, "the spout runs at one server only")
    checks.until_counted(returned, after + 10, SECONDS)
    return entry


def runners(company: Company) -> list[Member]:
    """The servers at which the spout's code runs."""
    return [member for member in company.members if processes(COUNTING, member.server.data)]


def until_it_runs(company: Company) -> Member:
    until(lambda: len(runners(company)) == 1, SECONDS, "the spout runs")
    return runners(company)[0]


def write(member: Member) -> Entry:
    """Something for the pipeline, which this server takes, if not at once."""
    data, branch = b"x", pfs.Commit.from_uri(f"{checks.FEED}@master")
    fleet = Fleet([member.address], 0, 10, SECONDS, random.Random(SETTINGS.seed))
    began = time.monotonic()
    commit, _, tries = fleet.go(lambda calls: calls.put(branch, "/back", data, idempotency_key="back"))
    fleet.close()
    return Entry(
        checks.FEED, 0, 0, checks.FEED, "master", "/back", commit, hashlib.sha256(data).hexdigest(), len(data), True,
        member.number, tries, began, time.monotonic(),
    )
