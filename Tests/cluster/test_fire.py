"""Several servers on one catalog and one store, while servers, store and database are disturbed: docs/TESTING.md."""

import random
import sys

import pytest

import checks
import scene
from company import Company
from crew import Crew, Said
from faults import FAULTS, Struck, plan, strike
from keeper import Keeper
from ledger import Entry, entries
from report import figures, tell, too_silent
from roles import cast
from settings import SETTINGS


def kinds() -> list[str]:
    known = [name for name in FAULTS if SETTINGS.store == "s3" or not name.startswith("store")]
    unknown = set(SETTINGS.faults) - set(known)
    assert not unknown, f"there are no faults {sorted(unknown)}; there are {known}"
    return SETTINGS.faults or known


@pytest.fixture
def company(tmp_path):
    company = Company(str(tmp_path), SETTINGS.servers, SETTINGS.store)
    yield company
    company.close()


def test_nothing_acknowledged_is_lost(company, tmp_path):
    print(f"{SETTINGS}", file=sys.stderr)
    scene.lay(company)
    rounds = plan(kinds(), SETTINGS.servers, SETTINGS.pace, random.Random(SETTINGS.seed))
    crew = Crew(
        str(tmp_path), company.addresses, cast(SETTINGS.writers), SETTINGS.processes, SETTINGS.seed, SETTINGS.pause,
        SETTINGS.patience,
    )
    with Keeper(company) as keeper:

        def must_go_on() -> None:
            crew.must_run()
            keeper.must_be_well()

        try:
            struck = strike(company, rounds, must_go_on)
            company.calm()
            said = crew.stop()
        finally:
            crew.kill()
        ledger = entries(str(tmp_path))
        tell_of(ledger, struck, said, keeper)
        wrong = said.wrong + too_silent(ledger, struck, SETTINGS.silence) + checks.check(company, ledger)
    wrong += keeper.wrong
    assert not wrong, "\n".join(["", *wrong, f"seed {SETTINGS.seed}, all files in {tmp_path}"])
    company.stop()


def tell_of(ledger: list[Entry], struck: list[Struck], said: Said, keeper: Keeper) -> None:
    for text in keeper.restarts:
        print(text)
    tell(
        figures(
            ledger, struck, said.retries, servers=SETTINGS.servers, writers=SETTINGS.writers, seed=SETTINGS.seed,
            ended_by_themselves=len(keeper.restarts),
        )
    )
