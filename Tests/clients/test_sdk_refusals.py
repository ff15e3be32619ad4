"""What every call that names a thing says if that is not there or is not named at all (`pfs.md` §0.2, §1.3, §3)."""

import pytest
from pachyderm_sdk.api import metadata, pfs, pps, transaction

from sdk_tools import (  # noqa: F401
    DOMAIN, INVALID, NOBODY, NOT_FOUND, UNKNOWN, client, fails, file, make, named, put, refusal,
)


def modify(client, *messages):
    return client.pfs.modify_file(iter(messages))


def plainly(client, method, request=b""):
    """A call with bytes that the SDK would not send."""
    return client._channel.unary_unary(method)(request)


def to(commit):
    return pfs.ModifyFileRequest(set_commit=commit)


def copy(src):
    return pfs.ModifyFileRequest(copy_file=pfs.CopyFile(src=src, dst="/copy"))


def picker(commit):
    repo = commit.repo.as_picker()
    if commit.id:
        return pfs.CommitPicker(id=pfs.CommitPickerCommitByGlobalId(repo=repo, id=commit.id))
    return pfs.CommitPicker(branch_head=commit.branch.as_picker())


def edit(client, **target):
    add = metadata.EditAddKey(key="k", value="v")
    return client.metadata.edit_metadata(edits=[metadata.Edit(add_key=add, **target)])


def batch(client, **request):
    return client.transaction.batch_transaction(requests=[transaction.TransactionRequest(**request)])


# Every call that takes a commit, by what it is called for. `_` parts the call from the field if there are several.
COMMIT = {
    "FinishCommit": lambda c, commit: c.pfs.finish_commit(commit=commit),
    "InspectCommit": lambda c, commit: c.pfs.inspect_commit(commit=commit, wait=pfs.CommitState.FINISHED),
    "ClearCommit": lambda c, commit: c.pfs.clear_commit(commit=commit),
    "SquashCommit": lambda c, commit: c.pfs.squash_commit(commit=commit),
    "DropCommit": lambda c, commit: c.pfs.drop_commit(commit=commit),
    "FindCommits": lambda c, commit: c.pfs.find_commits(start=commit, file_path="/f"),
    "ListCommit": lambda c, commit: c.pfs.list_commit(repo=commit.repo, to=commit),
    "CreateBranch": lambda c, commit: c.pfs.create_branch(
        branch=pfs.Branch(name="forked", repo=commit.repo), head=commit),
    "ModifyFile": lambda c, commit: modify(c, to(commit)),
    "GetFile": lambda c, commit: c.pfs.get_file(file=file(commit)),
    "GetFileTAR": lambda c, commit: c.pfs.get_file_tar(file=file(commit)),
    "InspectFile": lambda c, commit: c.pfs.inspect_file(file=file(commit)),
    "ListFile": lambda c, commit: c.pfs.list_file(file=file(commit)),
    "WalkFile": lambda c, commit: c.pfs.walk_file(file=file(commit)),
    "GlobFile": lambda c, commit: c.pfs.glob_file(commit=commit, pattern="/*"),
    "DiffFile": lambda c, commit: c.pfs.diff_file(new_file=file(commit, "/")),
    "GetFileSet": lambda c, commit: c.pfs.get_file_set(commit=commit),
    "AddFileSet": lambda c, commit: c.pfs.add_file_set(commit=commit, file_set_id=c.pfs.create_file_set(
        iter([pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", raw=b"1"))])).file_set_id),
    "Egress": lambda c, commit: c.pfs.egress(commit=commit, object_storage=pfs.ObjectStorageEgress(url="s3://b/x")),
    "BatchTransaction": lambda c, commit: batch(c, finish_commit=pfs.FinishCommitRequest(commit=commit)),
    "WalkCommitProvenance": lambda c, commit: c.pfs.walk_commit_provenance(start=[picker(commit)]),
    "WalkCommitSubvenance": lambda c, commit: c.pfs.walk_commit_subvenance(start=[picker(commit)]),
    "ForgetCommit": lambda c, commit: c.pfs.forget_commit(commit=picker(commit)),
    "EditMetadata": lambda c, commit: edit(c, commit=picker(commit)),
}

# A branch that is not there is made by these: so says the contract.
MAKES_THE_BRANCH = {"ModifyFile"}
# These have a branch of their own in the request, not a string that could hold ancestry.
PICKERS = {"WalkCommitProvenance", "WalkCommitSubvenance", "ForgetCommit", "EditMetadata"}


class TestCommitsThatAreNotThere:
    @pytest.mark.parametrize("call", COMMIT)
    def test_by_an_id(self, client, make, call):
        repo = make().repo
        error = fails(lambda: COMMIT[call](client, pfs.Commit(repo=repo, id=NOBODY)), NOT_FOUND)
        assert f"commit default/{repo.name}@{NOBODY} not found" in error.details()

    @pytest.mark.parametrize("call", sorted(COMMIT.keys() - MAKES_THE_BRANCH))
    def test_by_a_branch(self, client, make, call):
        repo = make().repo
        commit = pfs.Commit(repo=repo, branch=pfs.Branch(name="nowhere", repo=repo))
        text = f'branch "nowhere" not found in repo default/{repo.name}'
        fails(lambda: COMMIT[call](client, commit), NOT_FOUND, text)

    @pytest.mark.parametrize("call", COMMIT)
    def test_in_a_repo_that_is_not_there(self, client, fresh, call):
        repo = pfs.Repo.from_uri(fresh("none"))
        by_branch = pfs.Commit(repo=repo, branch=pfs.Branch(name="master", repo=repo))
        for commit in [by_branch, pfs.Commit(repo=repo, id=NOBODY)]:
            fails(lambda: COMMIT[call](client, commit), NOT_FOUND, f"repo default/{repo.name} not found")

    def test_a_source_of_a_copy(self, client, make, fresh):
        master = make()
        here, there = master.repo, pfs.Repo.from_uri(fresh("none"))
        for source, text in [
            (pfs.Commit(repo=here, id=NOBODY), f"commit default/{here.name}@{NOBODY} not found"),
            (pfs.Commit(repo=here, branch=pfs.Branch(name="nowhere", repo=here)), 'branch "nowhere" not found in repo'),
            (pfs.Commit(repo=there, id=NOBODY), f"repo default/{there.name} not found"),
        ]:
            fails(lambda: modify(client, to(named(master)), copy(file(source))), NOT_FOUND, text)
            fails(lambda: client.pfs.create_file_set(iter([copy(file(source))])), NOT_FOUND, text)
        assert list(client.pfs.list_commit(repo=here)) == []

    def test_the_old_side_of_a_difference(self, client, make, fresh):
        new = file(put(client, make()), "/")
        old = file(pfs.Commit(repo=new.commit.repo, id=NOBODY), "/")
        fails(lambda: client.pfs.diff_file(new_file=new, old_file=old), NOT_FOUND, f"{NOBODY} not found")
        old = pfs.File.from_uri(f"{fresh('none')}@master:/")
        fails(lambda: client.pfs.diff_file(new_file=new, old_file=old), NOT_FOUND, f"repo {old.commit.repo} not found")

    def test_the_end_of_a_list(self, client, make):
        master = make()
        commit, missing = put(client, master), pfs.Commit(repo=master.repo, id=NOBODY)
        list_commit = client.pfs.list_commit
        fails(lambda: list_commit(repo=master.repo, to=commit, from_=missing), NOT_FOUND, f"{NOBODY} not found")


    def test_the_start_of_a_subscription(self, client, make):
        repo = make().repo
        stream = client.pfs.subscribe_commit(repo=repo, from_=pfs.Commit(repo=repo, id=NOBODY))
        fails(lambda: stream, NOT_FOUND, f"{NOBODY} not found")


class TestHandles:
    """The forms that name no commit whatever a repo holds."""

    BY_STRING = sorted(COMMIT.keys() - PICKERS)

    @pytest.fixture
    def repo(self, client, make):
        master = make()
        put(client, master)
        return master.repo

    @pytest.mark.parametrize("call", BY_STRING)
    def test_past_the_first_commit(self, client, repo, call):
        for text in ["master^9", "master~9", "master.9"]:
            fails(lambda: COMMIT[call](client, pfs.Commit(repo=repo, id=text)), DOMAIN, "invalid offset for ancestor")

    @pytest.mark.parametrize("call", BY_STRING)
    def test_ancestry_that_cannot_be_read(self, client, repo, call):
        for text in ["master^^1", "master.-1"]:
            error = refusal(lambda: COMMIT[call](client, pfs.Commit(repo=repo, id=text)))
            assert "invalid ancestry format" in error.details(), text

    @pytest.mark.parametrize("call", sorted(COMMIT.keys() - PICKERS - {"ListCommit", "CreateBranch"}))
    def test_without_repo_and_without_anything(self, client, repo, call):
        fails(lambda: COMMIT[call](client, pfs.Commit(id=NOBODY)), DOMAIN, "commit must have a repo")
        fails(lambda: COMMIT[call](client, pfs.Commit(repo=repo)), DOMAIN, "cannot pick commit with no ID or branch")

    def test_a_failure_tells_the_commit_and_what_of_it_is_missing(self, client, repo, fresh):
        inspect = client.pfs.inspect_commit
        commit = pfs.Commit(repo=repo, branch=pfs.Branch(name="nowhere", repo=repo))
        fails(
            lambda: inspect(commit=commit), NOT_FOUND, f"commit default/{repo.name}@nowhere not found",
            f'branch "nowhere" not found in repo default/{repo.name}',
        )
        none = pfs.Repo.from_uri(fresh("none"))
        fails(
            lambda: inspect(commit=pfs.Commit(repo=none, id=NOBODY)), NOT_FOUND,
            f"commit default/{none.name}@{NOBODY} not found", f"repo default/{none.name} not found",
        )


# Every call that takes a branch or a repo alone.
REPO = {
    "InspectRepo": lambda c, repo: c.pfs.inspect_repo(repo=repo),
    "StartCommit": lambda c, repo: c.pfs.start_commit(branch=pfs.Branch(name="master", repo=repo)),
    "ListCommit": lambda c, repo: c.pfs.list_commit(repo=repo),
    "SubscribeCommit": lambda c, repo: c.pfs.subscribe_commit(repo=repo, branch="master"),
    "CreateBranch": lambda c, repo: c.pfs.create_branch(branch=pfs.Branch(name="master", repo=repo)),
    "InspectBranch": lambda c, repo: c.pfs.inspect_branch(branch=pfs.Branch(name="master", repo=repo)),
    "ListBranch": lambda c, repo: c.pfs.list_branch(repo=repo),
    "DeleteBranch": lambda c, repo: c.pfs.delete_branch(branch=pfs.Branch(name="master", repo=repo)),
    "WalkBranchProvenance": lambda c, repo: c.pfs.walk_branch_provenance(
        start=[pfs.Branch(name="master", repo=repo).as_picker()]),
    "WalkBranchSubvenance": lambda c, repo: c.pfs.walk_branch_subvenance(
        start=[pfs.Branch(name="master", repo=repo).as_picker()]),
    "EditMetadata": lambda c, repo: edit(c, repo=repo.as_picker()),
    "EditMetadata_branch": lambda c, repo: edit(c, branch=pfs.Branch(name="master", repo=repo).as_picker()),
    "BatchTransaction": lambda c, repo: batch(
        c, start_commit=pfs.StartCommitRequest(branch=pfs.Branch(name="master", repo=repo))),
}

BRANCH = {
    "InspectBranch": lambda c, branch: c.pfs.inspect_branch(branch=branch),
    "DeleteBranch": lambda c, branch: c.pfs.delete_branch(branch=branch),
    "WalkBranchProvenance": lambda c, branch: c.pfs.walk_branch_provenance(start=[branch.as_picker()]),
    "WalkBranchSubvenance": lambda c, branch: c.pfs.walk_branch_subvenance(start=[branch.as_picker()]),
    "EditMetadata": lambda c, branch: edit(c, branch=branch.as_picker()),
    "BatchTransaction": lambda c, branch: batch(c, delete_branch=pfs.DeleteBranchRequest(branch=branch)),
}


class TestReposAndBranchesThatAreNotThere:
    @pytest.mark.parametrize("call", REPO)
    def test_a_repo(self, client, fresh, call):
        repo = pfs.Repo.from_uri(fresh("none"))
        fails(lambda: REPO[call](client, repo), NOT_FOUND, f"repo default/{repo.name} not found")

    @pytest.mark.parametrize("call", REPO)
    def test_a_repo_in_a_project_that_is_not_there(self, client, fresh, call):
        repo = pfs.Repo.from_uri(f"{fresh('none')}/data")
        fails(lambda: REPO[call](client, repo), NOT_FOUND, f"repo {repo.project.name}/data not found")

    @pytest.mark.parametrize("call", BRANCH)
    def test_a_branch(self, client, make, call):
        branch = make()
        text = f'branch "master" not found in repo default/{branch.repo.name}'
        fails(lambda: BRANCH[call](client, branch), NOT_FOUND, text)


NIL = {
    "InspectProject": (lambda c: c.pfs.inspect_project(), "validate request:"),
    "InspectProjectV2": (lambda c: c.pfs.inspect_project_v2(), "validate request:"),
    "StartCommit": (lambda c: plainly(c, "/pfs_v2.API/StartCommit"), "branch must be specified"),
    "SquashCommitSet": (lambda c: plainly(c, "/pfs_v2.API/SquashCommitSet"), ""),
    # The SDK puts a nameless repo where none is given: so the empty message is sent as it is.
    "DeleteRepo": (lambda c: plainly(c, "/pfs_v2.API/DeleteRepo"), "no repo specified"),
    "DeleteBranch": (lambda c: c.pfs.delete_branch(), "validate request:"),
    "DropCommitSet": (lambda c: c.pfs.drop_commit_set(), "validate request:"),
    "FindCommits": (lambda c: c.pfs.find_commits(file_path="/f"), "validate request:"),
    "WalkCommitProvenance": (lambda c: c.pfs.walk_commit_provenance(start=[pfs.CommitPicker()]), "validate request:"),
    "WalkCommitSubvenance": (lambda c: c.pfs.walk_commit_subvenance(start=[pfs.CommitPicker()]), "validate request:"),
    "WalkBranchProvenance": (lambda c: c.pfs.walk_branch_provenance(start=[pfs.BranchPicker()]), "validate request:"),
    "WalkBranchSubvenance": (lambda c: c.pfs.walk_branch_subvenance(start=[pfs.BranchPicker()]), "validate request:"),
    "ForgetCommit": (lambda c: c.pfs.forget_commit(commit=pfs.CommitPicker()), "validate request:"),
    "EditMetadata": (lambda c: edit(c, repo=pfs.RepoPicker()), "validate request:"),
    "InspectTransaction": (lambda c: c.transaction.inspect_transaction(), "validate request:"),
    "DeleteTransaction": (lambda c: c.transaction.delete_transaction(), "validate request:"),
    "FinishTransaction": (
        lambda c: super(type(c.transaction), c.transaction).finish_transaction(), "validate request:"),
}

NIL_COMMIT = {
    "FinishCommit": lambda c: c.pfs.finish_commit(),
    "InspectCommit": lambda c: c.pfs.inspect_commit(),
    "ClearCommit": lambda c: c.pfs.clear_commit(),
    "SquashCommit": lambda c: c.pfs.squash_commit(),
    "DropCommit": lambda c: c.pfs.drop_commit(),
    "GlobFile": lambda c: c.pfs.glob_file(pattern="/"),
    "GetFileSet": lambda c: c.pfs.get_file_set(),
    "AddFileSet": lambda c: c.pfs.add_file_set(file_set_id=NOBODY),
    "Egress": lambda c: c.pfs.egress(),
}

NIL_FILE = {
    "GetFile": lambda c: c.pfs.get_file(),
    "GetFileTAR": lambda c: c.pfs.get_file_tar(),
    "InspectFile": lambda c: c.pfs.inspect_file(),
    "ListFile": lambda c: c.pfs.list_file(),
    "WalkFile": lambda c: c.pfs.walk_file(),
    "DiffFile": lambda c: c.pfs.diff_file(),
}


class TestNothingNamed:
    @pytest.mark.parametrize("call", NIL)
    def test_what_must_be_there(self, client, call):
        call, text = NIL[call]
        code = (INVALID, UNKNOWN) if text == "branch must be specified" else INVALID
        fails(lambda: call(client), code, text)

    def test_a_project_to_sum_up(self, client):
        fails(lambda: client.pfs.repos_summary(projects=[pfs.ProjectPicker()]), INVALID, "picker cannot be nil")

    def test_names_in_pickers(self, client, make):
        repo = make().repo
        nameless = pfs.RepoPicker(name=pfs.RepoPickerRepoName(name=""))
        for target in [
            {"repo": nameless}, {"branch": pfs.BranchPicker()},
            {"branch": pfs.BranchPicker(name=pfs.BranchPickerBranchName(repo=repo.as_picker(), name=""))},
            {"branch": pfs.BranchPicker(name=pfs.BranchPickerBranchName(repo=nameless, name="master"))},
            {"commit": pfs.CommitPicker()}, {"commit": pfs.CommitPicker(branch_head=pfs.BranchPicker())},
            {"commit": pfs.CommitPicker(ancestor=pfs.CommitPickerAncestorOf(offset=1))},
            {"pipeline": pps.PipelinePicker()},
        ]:
            fails(lambda: edit(client, **target), INVALID, "validate request:")

    @pytest.mark.parametrize("call", NIL_COMMIT)
    def test_a_commit(self, client, call):
        fails(lambda: NIL_COMMIT[call](client), DOMAIN, "commit cannot be nil")

    @pytest.mark.parametrize("call", NIL_FILE)
    def test_a_file(self, client, call):
        fails(lambda: NIL_FILE[call](client), DOMAIN, "file cannot be nil")

    def test_the_source_of_a_copy(self, client, make):
        fails(lambda: modify(client, to(named(make())), copy(None)), INVALID, "validate recv:")
