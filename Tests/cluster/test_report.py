"""The figures: what counts as silence, and whose."""

import pytest

from faults import Round, Struck
from ledger import Entry
from report import figures, silence, too_silent


def entry(server: int, acknowledged: float, began: float = 0.0) -> Entry:
    return Entry("single", 0, 0, "single", "w000", "/1", "", "", 1024, True, server, 1, began, acknowledged)


def struck(name: str, began: float, ended: float, victim: int = 0) -> Struck:
    return Struck(Round([name], victim, 0, ended - began), began, ended)


@pytest.mark.parametrize(
    ("name", "acks", "expected"),
    [
        # The victim's own do not count.
        ("kill", [(1, 9), (0, 11), (0, 12), (1, 14), (1, 15)], (5, 2)),
        # Where all are struck, those of all do.
        ("store-stall", [(1, 9), (0, 11), (0, 12), (1, 14), (1, 15)], (2, 2)),
        # A silence that began within lasts beyond the fault.
        ("kill", [(1, 9), (1, 11), (1, 18), (0, 13)], (7, 1)),
        # One long before it, or after it, is not its own.
        ("kill", [(1, 1), (1, 9), (1, 10.5), (1, 11.5), (1, 12.5), (1, 40)], (1.5, 0.5)),
        # Nobody else until the end.
        ("kill", [(1, 9), (0, 20)], (11, 8)),
    ],
)
def test_silence(name, acks, expected):
    ledger = sorted((entry(*one) for one in acks), key=lambda one: one.acknowledged)
    found = silence(ledger, struck(name, 10, 12))
    assert (found.silence, found.recovery) == expected


def test_a_fault_of_all_is_never_too_silent_and_one_of_one_is_named():
    ledger = [entry(1, 9), entry(0, 11), entry(1, 30)]
    assert too_silent(ledger, [struck("store-stall", 10, 12), struck("pause", 10, 12, victim=1)], 5) == [
        "with pause of server 1 the others acknowledged nothing for 19.0 s"
    ]
    assert too_silent(ledger, [struck("pause", 10, 12)], 21) == []


def test_what_never_came_is_null():
    ledger = [entry(0, 1), entry(0, 2)]
    found = figures(ledger, [struck("store-stall", 3, 5)], {})
    assert found["faults"]["store-stall"] == {"times": 1, "silence_s": 3, "recovery_s": None}
    assert found["commits"] == 2 and found["acknowledged_ms"]["all"]["longest"] == 2000
