"""Which test covers which call: its happy path, each error that the contract gives it, its bounds and waits.

The calls and their fields come from `Tests/Wire/wire.tsv`, the errors from `pfs.md` §3. A call without an entry, an
entry that names no test, and an obligation that follows from a call's fields and is not met all fail here.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from spile_server import ROOT

SERVICES = ("pfs_v2.API", "transaction_v2.API", "storage.Fileset", "metadata.API")

# The rows of `pfs.md` §3, and below them the texts that §0 to §6 give to single calls.
CATALOGUE = {
    "file": "file P not found in repo R at commit C",
    "walked file": "commit/<id> does not contain item: (P)",
    "repo": "repo R not found",
    "repo exists": "repo R already exists",
    "project": 'project "X" not found',
    "project exists": "project X already exists",
    "branch": 'branch "B" not found in repo R',
    "commit": "commit C not found",
    "set": "no commits found for commitset ID",
    "finished": "commit C has already finished",
    "deleted": "commit C was deleted",
    "parent": "parent commit C not found",
    "parent open": "parent commit C has not been finished",
    "not finished": "commit C not finished",
    "output branch": "cannot start a commit on an output branch: B",
    "squash leaf": "cannot squash a commit that has no children",
    "drop parent": "cannot drop a commit that has children",
    "subvenant sets": 'commit set "ID" cannot be dropped because it has subvenant commit sets',
    "graph": 'multiple branches from the same repo, "R", cannot participate in a DAG',
    "twice": "inconsistent dependencies: …already has a commit in this transaction",
    "directory": "cannot get directory or non-regular file. Use GetFileTAR instead",
    "many files": "matched multiple files. Use GetFileTAR instead",
    "path": "only printable ASCII characters allowed, globbing character (…) not allowed in path",
    "transaction": "transactions ID not found",
    "file set": "tracker does not contain item",

    "nil": "validate request: …, commit cannot be nil, file cannot be nil, no repo specified",
    "handle": "commit must have a repo, cannot pick commit with no ID or branch",
    "ancestry": "invalid ancestry format, invalid offset for ancestor",
    "name": "name (X) invalid: …",
    "type": "cannot create a system repo without a corresponding 'user' repo, a type that is none",
    "project not empty": "cannot delete project X: repo … still exists",
    "pipeline repo": "cannot delete a repo associated with a pipeline - delete the pipeline instead",
    "pipeline update": "cannot squash commit … because it updated a pipeline",
    "derived": "cannot be deleted because it's in the direct provenance of […]",
    "triggered": "it is triggered by branches […], it triggers branches […]",
    "cycle": "cycle detected because X is already in the subvenance of Y",
    "own repo": "repo R cannot be in the provenance of its own branch",
    "other repo": "branch and head commit must belong to the same repo",
    "trigger": "triggers must specify a branch to trigger on, invalid trigger …, triggers cannot form a loop",
    "propagation": "a propagation spec names a branch that is not in the direct provenance",
    "no branch": "branch must be specified",
    "piece": "`from` without `to`, `reverse` with either, from and to commits need to be from repo R",
    "clear": "cannot clear finished commit",
    "recursive": "cannot squash commit (C) with subvenance without recursive",
    "open child": "cannot squash until child commit C is finished",
    "forget": "the commit to be forgotten must be in an output repo, direct descendants must be closed, the branch …",
    "forgotten": "the commit is forgotten",
    "set id": "an empty id of a commit set",
    "first message": "first message must be a commit, cannot set commit, a message without a body",
    "copy source": "validate recv: …",
    "collision": "file / directory path collision (P), duplicate path output by different datums (…)",
    "url": 'error retrieving content from "URL": <status>, an unrecognized scheme',
    "page": "cannot return more than 100000 files at a time, number must be > 0 when reverse is true",
    "glob": "a pattern that cannot be compiled",
    "target": "egress.sql_database.secret is required, no target",
    "miss": "no such key in the cache",
    "ttl": "must be at least one second, exceeds max ttl",
    "regex": "a path_regex that cannot be compiled",
    "header": "several values of the header",
    "request": "error running request i of n: …",
    "request type": "unrecognized transaction request type",
    "key exists": 'add_key target key "k" already exists; use edit_key instead',
    "pipeline": "pipeline … not found",
}

# Rows of §3 that no call of these services gives, and why.
NEVER = {
    "commit C finished with an error": "an errored commit is no error of a call (§4.4): `CommitInfo.error` says it",
    "output commit C not finished": "reading an open commit shows what has been written so far (contract, README 12)",
    "base commit X for commit Y unfinished": "the same",
    "branch (id=0, …) not found and its kin": "the texts of another database, optional",
    "the auth service is not activated": "auth_v2.API; test_sdk.py, TestConnecting",
    "transaction could not be modified": "needs more than ten losses in a row; test_sdk_history.py races for it",
    "cannot finish a pipeline output or meta commit": "transform pipelines are not offered",
}


@dataclass
class Call:
    """What covers a call. Tests are `file:Class.test` with `test_sdk_` left away; `file` is `sdk` for test_sdk.py."""

    happy: str
    errors: dict[str, str] = field(default_factory=dict)
    bounds: dict[str, str] = field(default_factory=dict)

    def tests(self):
        yield from self.happy.split()
        for cell in [*self.errors.values(), *self.bounds.values()]:
            yield from cell.split()


def _commit(call, **more) -> dict[str, str]:
    """The errors of a call that takes a commit."""
    there = "refusals:TestCommitsThatAreNotThere"
    return {
        "commit": f"{there}.test_by_an_id[{call}]", "branch": f"{there}.test_by_a_branch[{call}]",
        "repo": f"{there}.test_in_a_repo_that_is_not_there[{call}]", **more,
    }


def _handle(call, **more) -> dict[str, str]:
    """The same where the commit may be given as text with ancestry."""
    handles = "refusals:TestHandles"
    return _commit(call, **{
        "ancestry": f"{handles}.test_past_the_first_commit[{call}] {handles}.test_ancestry_that_cannot_be_read[{call}]",
        "handle": f"{handles}.test_without_repo_and_without_anything[{call}]", **more,
    })


def _repo(call) -> str:
    there = "refusals:TestReposAndBranchesThatAreNotThere"
    return f"{there}.test_a_repo[{call}] {there}.test_a_repo_in_a_project_that_is_not_there[{call}]"


def _branch(call) -> str:
    return f"refusals:TestReposAndBranchesThatAreNotThere.test_a_branch[{call}]"


def _nil(call, kind="what_must_be_there") -> str:
    return f"refusals:TestNothingNamed.test_{kind}[{call}]"


def _set(call) -> str:
    return f"sets:TestHandles.test_one_of_nothing[{call}]"


def _step(call) -> dict[str, str]:
    """The errors of a call that can stand in a transaction."""
    return {
        "transaction": f"transactions:TestTheHeader.test_a_transaction_that_is_not_there[{call}]",
        "header": "transactions:TestTheHeader.test_two_transactions_at_once",
    }


FORGOTTEN = "commits:TestForgetting.test_its_files_go_and_its_place_stays"
NOT_THERE = "refusals:TestCommitsThatAreNotThere"
SET_RULES = "commits:TestSets.test_squashing_and_dropping_say_which_end_of_history_they_are_for"
LEAVES = "commits:TestRemovingOne.test_a_leaf_is_not_squashed_and_a_parent_is_not_dropped"
UPDATED = "commits:TestRemovingOne.test_what_made_a_pipeline_stays"
RECURSIVE = "commits:TestRemovingOne.test_what_derives_from_it_goes_only_if_asked_for"
CHILD = "commits:TestSets.test_a_child_must_be_finished_before_its_parent_is_squashed"
GONE = "commits:TestWaiting.test_a_commit_that_goes_meanwhile"
GLOBS = "files:TestReadingOne.test_a_pattern_that_cannot_be_read"
BOUNDS_OF_WALKS = "commits:TestWalks.test_bounds"
BOUNDS_OF_BRANCHES = "repos:TestLookingAtBranches.test_walks_have_bounds_and_go_breadth_first"
NO_PROJECT = "repos:TestProjects.test_one_that_is_not_there"
SHARDS = "sets:TestShards.test_they_end_by_files_or_by_bytes_whichever_is_first"
RENEWALS = "sets:TestHandles.test_a_renewal_has_bounds"
LEASES = "sets:TestHandles.test_a_lease_ends_and_what_holds_the_files_does_not"
PATHS_OF_SETS = (
    "sets:TestMaking.test_paths_are_checked_as_elsewhere sets:TestMaking.test_an_empty_path_is_refused "
    "sets:TestMaking.test_an_empty_path_to_delete_is_refused"
)
UNKNOWN_TRANSACTION = "history:TestTransactions.test_an_unknown_transaction_is_not_found"
BODIES = "sets:TestMaking.test_a_message_without_a_body"


def _pages(name) -> tuple[dict[str, str], dict[str, str]]:
    """The errors and the bounds of listings of files."""
    pages = f"files:TestReadingMany.test_pages_in_both_directions[{name}-"
    return {"page": f"files:TestReadingMany.test_pages_have_rules[{name}]"}, {
        "number": f"{pages}False]", "reverse": f"{pages}True]",
        "paginationMarker": "files:TestReadingMany.test_a_marker_alone",
    }


PFS = {
    # Projects
    "CreateProject": Call("sdk:TestProjects.test_a_project_comes_and_goes", {
        "project": NO_PROJECT, "project exists": "repos:TestProjects.test_one_that_is_there_says_so",
        "name": "repos:TestProjects.test_a_bad_name_is_refused",
    }),
    "InspectProject": Call("sdk:TestProjects.test_a_project_comes_and_goes", {
        "project": NO_PROJECT, "nil": _nil("InspectProject")}),
    "InspectProjectV2": Call("repos:TestProjects.test_its_defaults_and_what_it_is", {
        "project": NO_PROJECT, "nil": _nil("InspectProjectV2")}),
    "ListProject": Call("repos:TestProjects.test_they_are_listed_in_the_order_they_were_made"),
    "DeleteProject": Call("sdk:TestProjects.test_a_project_comes_and_goes", {
        "project": NO_PROJECT, "project not empty": "repos:TestProjects.test_one_with_repos_names_them_all"}),

    # Repos
    "CreateRepo": Call("sdk:TestRepos.test_a_repo_comes_and_goes", {
        "repo exists": "repos:TestMakingRepos.test_one_that_is_there",
        "project": "repos:TestMakingRepos.test_a_project_that_is_not_there",
        "name": "repos:TestMakingRepos.test_a_bad_name_comes_first repos:TestMakingRepos.test_a_reserved_name",
        "type": "repos:TestMakingRepos.test_types", **_step("CreateRepo"),
    }),
    "InspectRepo": Call("sdk:TestRepos.test_a_repo_comes_and_goes", {
        "repo": _repo("InspectRepo"), "type": "repos:TestMakingRepos.test_types"}),
    "ListRepo": Call("repos:TestLookingAtRepos.test_they_are_listed_by_project_and_name_and_by_type", {
        "type": "repos:TestMakingRepos.test_types"}, {"page": "more:TestProjects.test_repos_come_in_pages"}),
    "DeleteRepo": Call(
        "sdk:TestRepos.test_a_repo_comes_and_goes sdk:TestRepos.test_deleting_what_is_not_there_is_not_an_error", {
            "nil": _nil("DeleteRepo"), "type": "repos:TestMakingRepos.test_types",
            "derived": "repos:TestDeletingRepos.test_one_that_others_derive_from",
            "triggered": "repos:TestDeletingRepos.test_one_with_a_trigger",
            "pipeline repo": "sdk:TestSpouts.test_its_repo_is_not_deleted_while_it_exists", **_step("DeleteRepo"),
        }),
    "DeleteRepos": Call("repos:TestDeletingRepos.test_many_at_once", {
        "derived": "repos:TestDeletingRepos.test_many_at_once_keep_to_the_same_rules",
        "pipeline repo": "repos:TestDeletingRepos.test_all_of_them_but_not_those_of_a_pipeline",
    }),
    "ReposSummary": Call("repos:TestLookingAtRepos.test_a_summary_of_projects", {
        "nil": "refusals:TestNothingNamed.test_a_project_to_sum_up"}),

    # Branches
    "CreateBranch": Call("sdk:TestBranches.test_a_branch_comes_and_goes", _commit(
        "CreateBranch", repo=f"{_repo('CreateBranch')} {NOT_THERE}.test_in_a_repo_that_is_not_there[CreateBranch]",
        name="repos:TestMakingBranches.test_a_bad_name_is_refused",
        graph="repos:TestMakingBranches.test_two_branches_of_one_repo_upstream",
        cycle="history:TestProvenance.test_a_cycle_and_a_fork_of_one_repo_are_refused",
        trigger="repos:TestMakingBranches.test_triggers_that_cannot_be "
        "history:TestTriggers.test_what_cannot_be_is_refused "
        "repos:TestMakingBranches.test_a_trigger_and_provenance_do_not_go_together",
        propagation="repos:TestMakingBranches.test_a_quiet_edge_must_be_one_of_its_provenance", **_step("CreateBranch"),
        **{
            "own repo": "repos:TestMakingBranches.test_provenance_in_its_own_repo_and_in_none",
            "other repo": "repos:TestMakingBranches.test_a_head_in_another_repo",
            "forget": "commits:TestForgetting.test_no_head",
        })),
    "InspectBranch": Call("repos:TestLookingAtBranches.test_what_one_is", {
        "branch": _branch("InspectBranch"), "repo": _repo("InspectBranch")}),
    "ListBranch": Call("repos:TestLookingAtBranches.test_those_of_all_repos", {"repo": _repo("ListBranch")}, {
        "reverse": "repos:TestLookingAtBranches.test_the_newest_comes_first"}),
    "DeleteBranch": Call("repos:TestDeletingBranches.test_its_commits_stay", {
        "branch": _branch("DeleteBranch"), "repo": _repo("DeleteBranch"), "nil": _nil("DeleteBranch"),
        "derived": "history:TestProvenance.test_a_branch_that_others_derive_from_is_not_deleted",
        "triggered": "repos:TestDeletingBranches.test_either_end_of_a_trigger_holds_it", **_step("DeleteBranch"),
    }),
    **{
        call: Call("more:TestWalks.test_branches_both_ways", {
            "branch": _branch(call), "repo": _repo(call), "nil": _nil(call),
        }, {"max_branches": BOUNDS_OF_BRANCHES, "max_depth": BOUNDS_OF_BRANCHES})
        for call in ["WalkBranchProvenance", "WalkBranchSubvenance"]
    },

    # Commits
    "StartCommit": Call("commits:TestStarting.test_what_it_makes", {
        "repo": _repo("StartCommit"), "no branch": "commits:TestStarting.test_a_branch_must_be_named",
        "name": "repos:TestMakingBranches.test_a_bad_name_is_refused",
        "parent": "commits:TestStarting.test_a_parent_that_is_not_there",
        "parent open": "commits:TestStarting.test_a_parent_that_is_open",
        "output branch": "commits:TestStarting.test_an_output_branch",
        "twice": "transactions:TestLives.test_a_request_that_does_not_fit_is_not_kept", **_step("StartCommit"),
    }),
    "FinishCommit": Call("commits:TestFinishing.test_in_error_it_reads_and_passes_nothing_on", _handle(
        "FinishCommit", finished="commits:TestFinishing.test_once_only", nil=_nil("FinishCommit", "a_commit"),
        collision="commits:TestFinishing.test_a_collision_shows_in_the_commit_and_not_in_the_call "
        "commits:TestFinishing.test_two_datums_with_one_path_show_in_the_commit", **_step("FinishCommit"))),
    "InspectCommit": Call("sdk:TestCommits.test_answers_name_the_repo_and_no_branch", _handle(
        "InspectCommit", nil=_nil("InspectCommit", "a_commit"), deleted=f"{GONE}[finished] {GONE}[finishing]",
        **{"file set": _set("InspectCommit")}), {
            "wait": "commits:TestWaiting.test_what_has_happened_is_not_waited_for "
            "commits:TestWaiting.test_for_the_commit_itself commits:TestWaiting.test_for_what_a_commit_derives_from"}),
    "ListCommit": Call("commits:TestListing.test_sizes_are_there", _commit(
        "ListCommit", repo=f"{_repo('ListCommit')} {NOT_THERE}.test_in_a_repo_that_is_not_there[ListCommit]",
        commit=f"{NOT_THERE}.test_by_an_id[ListCommit] {NOT_THERE}.test_the_end_of_a_list",
        ancestry="refusals:TestHandles.test_past_the_first_commit[ListCommit]",
        piece="commits:TestListing.test_pieces_that_cannot_be"), {
            "from": "commits:TestListing.test_a_piece_by_branch_and_by_ancestry",
            "to": "commits:TestListing.test_a_piece_by_branch_and_by_ancestry",
            "number": "commits:TestListing.test_kinds_are_told_apart_and_counted_after_that",
            "reverse": "sdk:TestCommits.test_list_commit_gives_the_newest_first",
            "started_time": "commits:TestListing.test_by_time",
        }),
    "SubscribeCommit": Call("sdk:TestSubscribing.test_each_commit_comes_once_and_in_order", {
        "repo": _repo("SubscribeCommit"), "commit": f"{NOT_THERE}.test_the_start_of_a_subscription",
        "deleted": f"{GONE}[subscription] repos:TestDeletingRepos.test_a_subscription_ends",
    }, {
        "from": "sdk:TestSubscribing.test_from_leaves_out_what_was_before",
        "state": "sdk:TestSubscribing.test_it_waits_for_the_state_that_is_asked_for",
    }),
    "ClearCommit": Call("commits:TestRemovingOne.test_clearing_only_what_is_open", _handle(
        "ClearCommit", nil=_nil("ClearCommit", "a_commit"),
        clear="commits:TestRemovingOne.test_clearing_only_what_is_open")),
    "SquashCommit": Call("commits:TestRemovingOne.test_squashing_keeps_the_files_and_the_line", _handle(
        "SquashCommit", nil=_nil("SquashCommit", "a_commit"), recursive=RECURSIVE,
        **{"squash leaf": LEAVES, "pipeline update": UPDATED, "open child": CHILD})),
    "DropCommit": Call(LEAVES, _handle(
        "DropCommit", nil=_nil("DropCommit", "a_commit"), recursive=RECURSIVE,
        **{"drop parent": LEAVES, "pipeline update": UPDATED})),
    "InspectCommitSet": Call("commits:TestSets.test_what_older_sets_give_comes_first", {
        "set": "commits:TestSets.test_none",
        "deleted": f"{GONE}[set] commits:TestSets.test_a_member_that_goes_while_another_is_waited_for"}, {
            "wait": "history:TestProvenance.test_a_set_lists_its_commits_in_order_and_waits_for_them "
            "commits:TestSets.test_what_is_finished_is_not_held_up"}),
    "ListCommitSet": Call("commits:TestListing.test_sets_are_listed_newest_first_and_by_project"),
    "SquashCommitSet": Call("history:TestRemoval.test_squashing_keeps_the_files", {
        "squash leaf": SET_RULES, "open child": CHILD, "set id": "commits:TestSets.test_an_empty_id_and_none",
        "subvenant sets": "commits:TestSets.test_what_other_sets_derive_from_stays[squash_commit_set]",
        "pipeline update": "commits:TestSets.test_what_made_a_pipeline_stays[squash_commit_set]",
        **_step("SquashCommitSet"),
    }),
    "DropCommitSet": Call("history:TestRemoval.test_dropping_takes_the_last_commit_back", {
        "drop parent": SET_RULES, "set id": "commits:TestSets.test_an_empty_id_and_none", "nil": _nil("DropCommitSet"),
        "subvenant sets": "commits:TestSets.test_what_other_sets_derive_from_stays[drop_commit_set]",
        "pipeline update": "commits:TestSets.test_what_made_a_pipeline_stays[drop_commit_set]",
    }),
    "FindCommits": Call("more:TestFindCommits.test_what_changed_a_file", _handle(
        "FindCommits", nil=_nil("FindCommits"), **{
            "not finished": "commits:TestWalks.test_a_search_needs_a_finished_start "
            "more:TestFindCommits.test_an_open_commit_is_unavailable_and_says_so_to_programs",
        }), {"limit": "more:TestFindCommits.test_a_limit_on_what_is_found"}),
    **{
        call: Call("more:TestWalks.test_commits_both_ways", _commit(call, nil=_nil(call)), {
            "max_commits": BOUNDS_OF_WALKS, "max_depth": BOUNDS_OF_WALKS})
        for call in ["WalkCommitProvenance", "WalkCommitSubvenance"]
    },
    "ForgetCommit": Call(FORGOTTEN, _commit(
        "ForgetCommit", nil=_nil("ForgetCommit"),
        forget="commits:TestForgetting.test_only_what_can_be_made_again commits:TestForgetting.test_no_head")),

    # Files
    "ModifyFile": Call("sdk:TestWriting.test_many_operations_in_one_stream_are_one_commit", {
        "commit": f"{NOT_THERE}.test_by_an_id[ModifyFile] {NOT_THERE}.test_a_source_of_a_copy",
        "branch": f"{NOT_THERE}.test_a_source_of_a_copy",
        "repo": f"{NOT_THERE}.test_in_a_repo_that_is_not_there[ModifyFile] {NOT_THERE}.test_a_source_of_a_copy",
        "ancestry": "refusals:TestHandles.test_past_the_first_commit[ModifyFile]",
        "handle": "refusals:TestHandles.test_without_repo_and_without_anything[ModifyFile]",
        "first message": "files:TestWhereWritesGo.test_the_first_message_names_the_commit_and_no_other_does",
        "finished": "files:TestWhereWritesGo.test_a_finished_commit_by_its_id "
        "files:TestWhereWritesGo.test_a_commit_that_is_finished_meanwhile",
        "output branch": "files:TestWhereWritesGo.test_an_output_branch",
        "path": "files:TestWhatIsWritten.test_paths_are_checked_before_anything_is_written "
        "files:TestWhatIsWritten.test_an_empty_path_is_not_the_root files:TestWhatIsWritten.test_the_root_is_no_file",
        "copy source": "refusals:TestNothingNamed.test_the_source_of_a_copy", "file set": _set("ModifyFile"),
        "url": "more:TestURLs.test_an_answer_that_is_an_error_fails_the_stream_with_its_words "
        "more:TestURLs.test_other_kinds_of_urls_say_what_they_are",
    }),
    **{
        call: Call(happy, _handle(
            call, nil=_nil(call, "a_file"), glob=GLOBS, forgotten=FORGOTTEN, file=missing,
            url="s3:TestWriting.test_files_are_written_by_their_paths_and_the_answer_is_empty",
            **{"file set": _set(call)}, **more,
        ), {"offset": offset, "path_range": ranges})
        for call, happy, missing, offset, ranges, more in [
            ("GetFile", "sdk:TestReading.test_lines_and_ranges", "files:TestReadingOne.test_one_that_is_not_there",
             "files:TestReadingOne.test_a_part", "files:TestReadingOne.test_a_range_of_paths",
             dict.fromkeys(["directory", "many files"], "files:TestReadingOne.test_a_directory_and_many_files")),
            ("GetFileTAR", "files:TestReadingAnArchive.test_it_is_the_same_each_time",
             "files:TestReadingOne.test_one_that_is_not_there files:TestReadingAnArchive.test_nothing_matches",
             "files:TestReadingAnArchive.test_patterns_ranges_and_one_file",
             "files:TestReadingAnArchive.test_patterns_ranges_and_one_file", {}),
        ]
    },
    "InspectFile": Call("files:TestReadingOne.test_what_one_is", _handle(
        "InspectFile", nil=_nil("InspectFile", "a_file"), forgotten=FORGOTTEN,
        file="files:TestReadingOne.test_one_that_is_not_there files:TestReadingOne.test_the_root_of_nothing",
        **{"file set": _set("InspectFile")})),
    "ListFile": Call("sdk:TestReading.test_list_gives_the_children_and_marks_directories", _handle(
        "ListFile", nil=_nil("ListFile", "a_file"), forgotten=FORGOTTEN, **{"file set": _set("ListFile")},
        **_pages("list_file")[0]), _pages("list_file")[1]),
    "WalkFile": Call("sdk:TestReading.test_walk_comes_in_the_order_that_clients_expect", _handle(
        "WalkFile", nil=_nil("WalkFile", "a_file"), forgotten=FORGOTTEN,
        collision="files:TestOpenCommits.test_a_collision_is_told_to_who_reads_there",
        **{"walked file": "files:TestReadingMany.test_what_is_not_there", "file set": _set("WalkFile")},
        **_pages("walk_file")[0]), _pages("walk_file")[1]),
    "GlobFile": Call("files:TestReadingMany.test_patterns", _handle(
        "GlobFile", nil=_nil("GlobFile", "a_commit"), glob=GLOBS, forgotten=FORGOTTEN,
        **{"file set": _set("GlobFile")}), {
            "path_range": "files:TestReadingMany.test_ranges_of_a_glob_part_what_matches"}),
    "DiffFile": Call("files:TestDifferences.test_folders_on_the_way_are_told_too", _handle(
        "DiffFile", nil=_nil("DiffFile", "a_file"), forgotten=FORGOTTEN, **{"file set": _set("DiffFile")},
        commit=f"{NOT_THERE}.test_by_an_id[DiffFile] {NOT_THERE}.test_the_old_side_of_a_difference")),

    # File sets
    "CreateFileSet": Call("filesets:TestMakingFileSets.test_a_handle_is_two_runs_of_hex_and_reads_as_a_commit", {
        "path": PATHS_OF_SETS, **dict.fromkeys(["commit", "branch", "repo"], f"{NOT_THERE}.test_a_source_of_a_copy"),
        "copy source": "sets:TestMaking.test_a_commit_is_no_place_for_it",
        "first message": f"sets:TestMaking.test_a_commit_is_no_place_for_it {BODIES}",
    }),
    "GetFileSet": Call("filesets:TestFileSetsAndCommits.test_total_and_difference_of_a_commit", _handle(
        "GetFileSet", nil=_nil("GetFileSet", "a_commit"), forgotten=FORGOTTEN)),
    "AddFileSet": Call("filesets:TestFileSetsAndCommits.test_adding_one_is_a_layer_of_an_open_commit", _handle(
        "AddFileSet", nil=_nil("AddFileSet", "a_commit"),
        finished="sets:TestCommitsAndSets.test_only_an_open_commit_takes_one",
        **{"file set": _set("AddFileSet")})),
    "RenewFileSet": Call(f"{LEASES}[RenewFileSet]", {"file set": _set("RenewFileSet"), "ttl": RENEWALS}, {
        "ttl_seconds": f"{LEASES}[RenewFileSet]"}),
    "ComposeFileSet": Call("filesets:TestComposingShardingRenewing.test_later_ones_lie_on_top", {
        "file set": f"{_set('ComposeFileSet')} {_set('ComposeFileSet_compact')}"}, {
            "ttl_seconds": "filesets:TestComposingShardingRenewing.test_no_ttl_is_the_usual_one"}),
    "ShardFileSet": Call("filesets:TestComposingShardingRenewing.test_shards_meet_and_cover_everything", {
        "file set": _set("ShardFileSet")}, {"num_files": SHARDS, "size_bytes": SHARDS}),

    # The store
    "PutCache": Call("sets:TestTheCache.test_it_holds_what_it_names", {"file set": _set("PutCache")}),
    "GetCache": Call("filesets:TestCache.test_the_first_value_stays", {
        "miss": "filesets:TestCache.test_a_miss_is_an_error"}),
    "ClearCache": Call(
        "filesets:TestCache.test_entries_are_cleared_by_the_start_of_their_tag "
        "sets:TestTheCache.test_an_empty_prefix_clears_all"),
    "CheckStorage": Call("more:TestTheStore.test_its_chunks_are_counted_and_read", {}, {
        "chunk_begin": "more:TestTheStore.test_its_chunks_are_counted_and_read",
        "chunk_end": "more:TestTheStore.test_its_chunks_are_counted_and_read"}),
    "Fsck": Call("sets:TestTheStore.test_a_check_of_a_clean_system_is_empty"),
    "ListTask": Call("more:TestTheStore.test_nothing_is_queued"),
    "Egress": Call("s3:TestWriting.test_egress_writes_all_files_and_tells_their_bytes", _handle(
        "Egress", nil=_nil("Egress", "a_commit"),
        target="more:TestWritingToURLs.test_egress_says_first_what_is_wrong_with_the_call")),
    "ActivateAuth": Call("more:TestTheStore.test_accounts_need_no_roles_while_they_are_off"),
    "DeleteAll": Call("sets:TestTheStore.test_everything_goes_and_the_default_project_comes_back"),
}

TRANSACTIONS = {
    "StartTransaction": Call("transactions:TestLives.test_an_empty_one"),
    "InspectTransaction": Call("transactions:TestLives.test_requests_are_shown_as_they_came", {
        "transaction": UNKNOWN_TRANSACTION, "nil": _nil("InspectTransaction")}),
    "ListTransaction": Call("transactions:TestLives.test_the_newest_is_listed_first"),
    "DeleteTransaction": Call("transactions:TestLives.test_the_newest_is_listed_first", {
        "transaction": UNKNOWN_TRANSACTION, "nil": _nil("DeleteTransaction")}),
    "FinishTransaction": Call("transactions:TestTheHeader.test_a_step_waits_for_the_end", {
        "transaction": UNKNOWN_TRANSACTION, "nil": _nil("FinishTransaction"),
        "request": "transactions:TestLives.test_one_that_cannot_be_finished_stays_and_does_nothing "
        "transactions:TestLives.test_one_request_is_numbered_too",
    }),
    "BatchTransaction": Call("transactions:TestBatches.test_many_kinds_in_one", _handle("BatchTransaction", **{
        "repo": _repo("BatchTransaction"), "branch": _branch("BatchTransaction"),
        "repo exists": "transactions:TestBatches.test_all_or_nothing[create_repo]",
        "parent open": "transactions:TestBatches.test_all_or_nothing[start_commit]",
        "finished": "transactions:TestBatches.test_all_or_nothing[finish_commit]",
        "set id": "transactions:TestBatches.test_all_or_nothing[squash_commit_set]",
        "output branch": "transactions:TestBatches.test_an_output_branch",
        "twice": "transactions:TestBatches.test_one_commit_a_repo",
        "request": "transactions:TestBatches.test_all_or_nothing",
        "request type": "transactions:TestBatches.test_what_is_no_request",
    })),
    "DeleteAll": Call("transactions:TestLives.test_all_are_deleted"),
}

STORAGE = {
    "CreateFileset": Call(
        "filesets:TestStorage.test_what_is_appended_is_read_in_path_order "
        "filesets:TestStorage.test_files_are_deleted_and_copied",
        {"path": PATHS_OF_SETS, "first message": BODIES, "file set": _set("CreateFileset")}),
    "ReadFileset": Call("filesets:TestStorage.test_what_is_appended_is_read_in_path_order", {
        "file set": _set("ReadFileset"), "regex": "filesets:TestStorage.test_filters_are_all_applied"}, {
            "filters": "filesets:TestStorage.test_filters_are_all_applied"}),
    "ReadFilesetCDR": Call("filesets:TestReferences.test_a_file_set_is_assembled_from_them", {
        "file set": _set("ReadFilesetCDR")}, {"filters": "filesets:TestReferences.test_filters_hold_for_references"}),
    "RenewFileset": Call(f"{LEASES}[RenewFileset]", {"file set": _set("RenewFileset"), "ttl": RENEWALS}, {
        "ttl_seconds": f"{LEASES}[RenewFileset]"}),
    "ComposeFileset": Call("filesets:TestStorage.test_renewing_composing_and_sharding", {
        "file set": _set("ComposeFileset")}, {
            "ttl_seconds": "filesets:TestStorage.test_renewing_composing_and_sharding"}),
    "ShardFileset": Call("filesets:TestStorage.test_renewing_composing_and_sharding", {
        "file set": _set("ShardFileset")}, {"num_files": SHARDS, "size_bytes": SHARDS}),
}

METADATA = {
    "EditMetadata": Call(
        "more:TestMetadata.test_it_shows_on_every_thing_that_it_is_put_on "
        "more:TestMetadata.test_replace_edit_and_delete",
        _commit(
            "EditMetadata", repo=_repo("EditMetadata"),
            branch=f"{_branch('EditMetadata')} {_repo('EditMetadata_branch')}",
            nil=f"{_nil('EditMetadata')} refusals:TestNothingNamed.test_names_in_pickers",
            project="transactions:TestMetadata.test_what_is_not_there",
            pipeline="transactions:TestMetadata.test_what_is_not_there", name="transactions:TestMetadata.test_no_key",
            **{"key exists": "transactions:TestMetadata.test_a_key_that_is_there"})),
}

MATRIX = {
    f"{service}/{call}": cells
    for service, calls in zip(SERVICES, [PFS, TRANSACTIONS, STORAGE, METADATA])
    for call, cells in calls.items()
}

# Obligations that follow from a request's fields and that the contract lifts.
LIFTED = {
    ("pfs_v2.API/StartCommit", "branch"): "made if missing; a parent that is missing has a text of its own",
    ("pfs_v2.API/StartCommit", "commit"): "a parent that is missing has a text of its own",
    ("pfs_v2.API/SubscribeCommit", "branch"): "what is not there yet may come",
    ("pfs_v2.API/Fsck", "commit"): "spouts have no datums that could be stale: nothing is looked for",
    ("pfs_v2.API/Fsck", "branch"): "the same",
    ("pfs_v2.API/Fsck", "repo"): "the same",
    ("pfs_v2.API/DeleteRepo", "repo"): "no error, `deleted` is false",
    ("pfs_v2.API/CreateRepo", "repo"): "made",
    ("pfs_v2.API/ReposSummary", "project"): "left out",
    ("pfs_v2.API/ListRepo", "project"): "left out",
    ("pfs_v2.API/DeleteRepos", "project"): "left out",
    ("pfs_v2.API/ListCommitSet", "project"): "left out",
}

# What a field of this type can fail to name.
NAMES = {
    "pfs_v2.Commit": {"commit", "branch", "repo"}, "pfs_v2.CommitPicker": {"commit", "branch", "repo"},
    "pfs_v2.File": {"commit", "branch", "repo"}, "pfs_v2.Branch": {"branch", "repo"},
    "pfs_v2.BranchPicker": {"branch", "repo"}, "pfs_v2.Repo": {"repo"}, "pfs_v2.RepoPicker": {"repo"},
    "pfs_v2.Project": {"project"}, "pfs_v2.ProjectPicker": {"project"}, "transaction_v2.Transaction": {"transaction"},
}

# Fields that bound an answer or make it wait.
BOUNDS = {
    "page", "number", "reverse", "paginationMarker", "offset", "path_range", "limit", "max_commits", "max_branches",
    "max_depth", "wait", "state", "started_time", "from", "to", "num_files", "size_bytes", "ttl_seconds", "chunk_begin",
    "chunk_end", "filters",
}


def wire() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The calls of the services with their requests, and the fields of every message with their types."""
    calls, fields = {}, {}
    with open(os.path.join(ROOT, "Tests/Wire/wire.tsv"), encoding="utf-8") as lines:
        for line in lines:
            kind, *cells = line.rstrip("\n").split("\t")
            if kind == "rpc" and cells[0] in SERVICES:
                calls[f"{cells[0]}/{cells[1]}"] = cells[2]
            if kind == "field":
                fields.setdefault(cells[0], {})[cells[1]] = cells[3]
    return calls, fields


CALLS, FIELDS = wire()


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The tests that there are, as the matrix names them, with and without their parameters."""
    folder = os.path.dirname(os.path.abspath(__file__))
    files = sorted(
        os.path.join(folder, name) for name in os.listdir(folder)
        if name.startswith("test_sdk") and name.endswith(".py") and name != os.path.basename(__file__)
    )
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found = set()
    for line in answer.stdout.splitlines():
        if "::" in line:
            file, _, test = line.partition(".py::")
            name = os.path.basename(file).removeprefix("test_sdk").removeprefix("_") or "sdk"
            test = f"{name}:{test.replace('::', '.')}"
            found |= {test, test.partition("[")[0]}
    return found


def test_every_call_has_an_entry_and_nothing_else_has():
    assert len(CALLS) > 60
    assert MATRIX.keys() == CALLS.keys()


def test_every_error_is_in_the_catalogue_and_some_call_gives_it():
    given = {error for cells in MATRIX.values() for error in cells.errors}
    assert given == CATALOGUE.keys()


@pytest.mark.parametrize("call", MATRIX)
def test_its_tests_are_there(collected, call):
    missing = [test for test in MATRIX[call].tests() if test not in collected]
    assert missing == []


def owed(call) -> set[tuple[str, str]]:
    """The errors that a call must have because its request, or a message in that, names things."""
    wanted, seen, queue = set(), set(), [CALLS[call]]
    while queue:
        # What a pipeline's spec holds is another service's matter.
        message = queue.pop()
        if message in seen or message.startswith("pps_v2."):
            continue
        seen.add(message)
        for kind in FIELDS.get(message, {}).values():
            if kind in NAMES:
                wanted |= NAMES[kind]
            else:
                queue.append(kind)
    return {(call, error) for error in wanted - MATRIX[call].errors.keys()}


def test_what_a_call_names_may_not_be_there():
    assert set().union(*map(owed, MATRIX)) == LIFTED.keys()


@pytest.mark.parametrize("call", MATRIX)
def test_its_bounds_and_waits(call):
    fields = FIELDS.get(CALLS[call], {}).keys() & BOUNDS
    assert fields == MATRIX[call].bounds.keys()
