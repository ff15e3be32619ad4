"""The checks themselves: each kind of harm has to be seen. Ledgers say here what the one server never did."""

import dataclasses
import hashlib

import pytest
from pachyderm_sdk.api import pfs

import checks
import scene
from calls import Calls
from company import Company
from ledger import Entry
from roles import line


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    company = Company(str(tmp_path_factory.mktemp("company")), 1, "local")
    yield company
    company.close()


@pytest.fixture(scope="module")
def ledger(company):
    """What is true: a file, a line, a write that expected a head, and something for the pipeline."""
    scene.lay(company)
    calls = Calls(company.addresses[0], 30)
    found = []

    def put(role: str, branch: str, path: str, data: bytes, parent: str = "") -> None:
        commit = calls.put(pfs.Commit.from_uri(f"{role}@{branch}"), path, data, expected_head=parent)
        about = (hashlib.sha256(data).hexdigest(), len(data))
        found.append(Entry(role, 0, len(found), role, branch, path, commit, *about, True, 0, 1, 0, 1, parent))

    put("single", "w000", "/1", b"one")
    put("shared", "master", "/lines", line(0, len(found)))
    put("heads", "master", "/1", b"two", calls.head(pfs.Branch.from_uri("heads@master")))
    put("feed", "master", "/1", b"three")
    calls.close()
    return found


def changed(ledger: list[Entry], role: str, **fields) -> list[Entry]:
    return [dataclasses.replace(entry, **fields) if entry.role == role else entry for entry in ledger]


def test_what_is_true_is_found_to_be_so(company, ledger):
    assert checks.check(company, ledger) == []


def test_nothing_to_compare_is_not_well(company, ledger):
    for few in [[], [entry for entry in ledger if entry.role != "feed"]]:
        (text,) = checks.check(company, few)
        assert "nothing to compare" in text


NOBODY = "0123456789ab40000000000000000000"


@pytest.mark.parametrize(
    ("role", "fields", "words"),
    [
        ("single", {"commit": NOBODY}, f"commit lost: single@w000:/1, commit {NOBODY}"),
        ("single", {"path": "/2"}, "file lost: single@w000:/2"),
        ("single", {"path": "/2"}, "file that nobody wrote: single@w000:/1"),
        ("single", {"sha256": "0" * 64}, "file differs: single@w000:/1"),
        ("shared", {"number": 17}, "line lost: shared@master:/lines"),
        ("shared", {"number": 17}, "line that nobody wrote"),
        ("heads", {"parent": NOBODY}, "written on another head than expected: heads@master:/1"),
    ],
)
def test_harm_is_seen(company, ledger, role, fields, words):
    found = checks.check(company, changed(ledger, role, **fields))
    assert any(words in text for text in found), found


def test_later_harm_is_seen(company, ledger):
    """What needs another state of the server; nothing can be true after it, so it comes last."""
    calls = Calls(company.addresses[0], 30)
    entry = next(entry for entry in ledger if entry.role == "shared")
    calls.put(pfs.Commit.from_uri("shared@master"), "/lines", line(entry.writer, entry.number))
    started = calls.start(pfs.Branch.from_uri("single@w000"))
    done = company.spile(company.members[0], "stop", "pipeline", scene.COPY)
    assert done.returncode == 0, done.stderr
    calls.put(pfs.Commit.from_uri("feed@master"), "/2", b"four")
    found = checks.check(company, [*ledger, dataclasses.replace(ledger[0], commit=started)])
    for words in [
        "line doubled in spite of its key: shared@master",
        f"commit not finished, or in error: single@w000:/1, commit {started}",
        f"{scene.COPY} has not copied rightly: feed@master:/2",
    ]:
        assert any(words in text for text in found), found


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([0, 1, 2], ""), ([0, 2], "line 1 says 2"), ([0, 0, 1], "line 1 says 0"), ([1], "line 0 says 1"),
        ([], "nothing"),
    ],
)
def test_a_spout_that_lost_or_doubled_is_seen(numbers, words):
    assert words in checks.miscounted(numbers) and bool(words) == bool(checks.miscounted(numbers))
