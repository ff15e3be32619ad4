"""Transactions and metadata, call by call: what the larger programs of the other files leave out."""

import grpc
import pytest
from pachyderm_sdk.api import metadata, pfs, pps, transaction
from pachyderm_sdk.api.transaction import ApiStub as PlainTransactions

from sdk_tools import (  # noqa: F401
    ALREADY_EXISTS, DOMAIN, INVALID, NOBODY, NOT_FOUND, chain, client, connect, fails, head, ids, make, named, put,
    refusal,
)

SPEC = '{"pipeline": {"name": "%s"}, "transform": {"cmd": ["sh", "-c", "exec sleep 3600"]}, "spout": {}}'


@pytest.fixture
def plain(client):
    """The calls as they are: the SDK's own remember the transaction for all calls that follow."""
    return PlainTransactions(client._channel)


@pytest.fixture
def inside(server, plain):
    """Starts a transaction, and gives a client whose calls are in it."""
    started = []

    def inside(id=None):
        own = connect(server)
        if id is None:
            id = plain.start_transaction().id
            started.append(id)
        own.transaction_id = id
        return own, transaction.Transaction(id=id)

    yield inside
    for id in started:
        try:
            plain.delete_transaction(transaction=transaction.Transaction(id=id))
        except grpc.RpcError as error:
            assert error.code() == NOT_FOUND


# Every call of these services that can stand in a transaction.
STEPS = {
    "CreateRepo": lambda c, branch: c.pfs.create_repo(repo=pfs.Repo(name=branch.repo.name + "-2")),
    "DeleteRepo": lambda c, branch: c.pfs.delete_repo(repo=branch.repo),
    "StartCommit": lambda c, branch: c.pfs.start_commit(branch=branch),
    "FinishCommit": lambda c, branch: c.pfs.finish_commit(commit=named(branch)),
    "SquashCommitSet": lambda c, branch: c.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=NOBODY)),
    "CreateBranch": lambda c, branch: c.pfs.create_branch(branch=branch),
    "DeleteBranch": lambda c, branch: c.pfs.delete_branch(branch=branch),
}

# Every request of a batch that must be refused, with what it says.
REFUSED = {
    "create_repo": (
        lambda branch: pfs.CreateRepoRequest(repo=branch.repo), ALREADY_EXISTS, "repo default/{repo} already exists"),
    "start_commit": (
        lambda branch: pfs.StartCommitRequest(branch=branch), DOMAIN,
        "parent commit default/{repo}@{open} has not been finished"),
    "finish_commit": (
        lambda branch: pfs.FinishCommitRequest(commit=pfs.Commit(repo=branch.repo, id="master^")), DOMAIN,
        "has already finished"),
    "squash_commit_set": (lambda branch: pfs.SquashCommitSetRequest(commit_set=pfs.CommitSet(id="")), INVALID, ""),
    "create_branch": (
        lambda branch: pfs.CreateBranchRequest(branch=branch, head=pfs.Commit(repo=branch.repo, id=NOBODY)), NOT_FOUND,
        "commit default/{repo}@" + NOBODY + " not found"),
    "delete_branch": (
        lambda branch: pfs.DeleteBranchRequest(branch=pfs.Branch(name="nowhere", repo=branch.repo)), NOT_FOUND,
        'branch "nowhere" not found in repo default/{repo}'),
}


class TestTheHeader:
    @pytest.mark.parametrize("step", STEPS)
    def test_a_transaction_that_is_not_there(self, inside, make, step):
        branch = make()
        for id in [NOBODY, "nonsense"]:
            own, _ = inside(id)
            fails(lambda: STEPS[step](own, branch), NOT_FOUND, f"transactions {id} not found")

    @pytest.mark.parametrize("step", STEPS)
    def test_a_step_waits_for_the_end(self, client, plain, inside, make, step):
        branch = make()
        commit = client.pfs.start_commit(branch=branch)
        if step == "StartCommit":
            client.pfs.finish_commit(commit=commit)
        own, tx = inside()
        before = [info.to_dict() for info in client.pfs.list_commit(repo=branch.repo)]
        STEPS[step](own, branch)
        assert [info.to_dict() for info in client.pfs.list_commit(repo=branch.repo)] == before
        info = plain.inspect_transaction(transaction=tx)
        assert len(info.requests) == len(info.responses) == 1
        assert info.started.year > 1970 and info.transaction == tx
        done = plain.finish_transaction(transaction=tx)
        assert len(done.responses) == 1
        if step == "StartCommit":
            assert done.responses[0].commit.id == tx.id == head(client, branch).id
        if step == "FinishCommit":
            assert client.pfs.inspect_commit(commit=commit).is_set("finished")
        if step == "DeleteBranch":
            assert not client.pfs.branch_exists(branch)
        assert client.pfs.repo_exists(branch.repo) == (step != "DeleteRepo")
        fails(lambda: plain.inspect_transaction(transaction=tx), NOT_FOUND, f"transactions {tx.id} not found")

    def test_other_calls_do_not_look_at_it(self, server, client, inside, make, fresh):
        master = make()
        own, _ = inside(NOBODY)
        project = pfs.Project(name=fresh("project"))
        own.pfs.create_project(project=project)
        assert client.pfs.project_exists(project)
        requests = [pfs.ModifyFileRequest(set_commit=named(master))]
        own.pfs.modify_file(iter(requests))
        commit = head(client, master)
        assert own.pfs.inspect_commit(commit=commit).commit.id == commit.id
        own.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit.id))
        assert not client.pfs.commit_exists(commit)

    def test_two_transactions_at_once(self, client, inside, make):
        branch = make()
        own, _ = inside()
        extra = [("pach-transaction", NOBODY), ("pach-transaction", inside()[1].id)]
        call = client._channel.unary_unary("/pfs_v2.API/CreateBranch")
        error = refusal(lambda: call(bytes(pfs.CreateBranchRequest(branch=branch)), metadata=extra))
        assert "multiple active transactions" in error.details()
        assert not client.pfs.branch_exists(branch)

    def test_a_repo_to_delete_counts_as_deleted(self, inside, fresh):
        own, _ = inside()
        assert own.pfs.delete_repo(repo=pfs.Repo.from_uri(fresh("none"))).deleted


class TestLives:
    def test_an_empty_one(self, client, plain):
        tx = plain.start_transaction()
        info = plain.inspect_transaction(transaction=tx)
        assert (info.transaction, info.requests, info.responses) == (tx, [], [])
        done = plain.finish_transaction(transaction=tx)
        assert (done.transaction, done.responses) == (tx, [])
        fails(lambda: plain.finish_transaction(transaction=tx), NOT_FOUND, f"transactions {tx.id} not found")

    def test_requests_are_shown_as_they_came(self, client, plain, inside, make):
        branch = make()
        own, tx = inside()
        commit = own.pfs.start_commit(branch=branch, description="why")
        own.pfs.finish_commit(commit=named(branch))
        info = plain.inspect_transaction(transaction=tx)
        start, finish = info.requests
        assert (start.start_commit.branch, start.start_commit.description) == (branch, "why")
        assert finish.finish_commit.commit.branch.name == "master"
        assert [response.commit.id if response.commit else "" for response in info.responses] == [commit.id, ""]

    def test_the_newest_is_listed_first(self, plain):
        made = [plain.start_transaction().id for _ in range(3)]
        found = [info.transaction.id for info in plain.list_transaction().transaction_info]
        assert [id for id in found if id in made] == made[::-1]
        for id in made:
            plain.delete_transaction(transaction=transaction.Transaction(id=id))
        assert not set(made) & {info.transaction.id for info in plain.list_transaction().transaction_info}

    def test_all_are_deleted(self, own_server):
        client = connect(own_server)
        plain = PlainTransactions(client._channel)
        made = [plain.start_transaction() for _ in range(3)]
        plain.delete_all()
        assert plain.list_transaction().transaction_info == []
        for tx in made:
            fails(lambda: plain.finish_transaction(transaction=tx), NOT_FOUND, f"transactions {tx.id} not found")

    def test_one_that_cannot_be_finished_stays_and_does_nothing(self, client, plain, inside, make, fresh):
        branch, name = make(), fresh("repo")
        own, tx = inside()
        own.pfs.create_repo(repo=pfs.Repo.from_uri(name))
        own.pfs.start_commit(branch=branch)
        # Meanwhile somebody else opens the branch.
        commit = client.pfs.start_commit(branch=branch)
        text = f"parent commit default/{branch.repo.name}@{commit.id} has not been finished"
        fails(lambda: plain.finish_transaction(transaction=tx), DOMAIN, "error running request 2 of 2: ", text)
        assert not client.pfs.repo_exists(pfs.Repo.from_uri(name))
        assert len(plain.inspect_transaction(transaction=tx).requests) == 2
        client.pfs.finish_commit(commit=commit)
        plain.finish_transaction(transaction=tx)
        assert client.pfs.repo_exists(pfs.Repo.from_uri(name)) and head(client, branch).id == tx.id

    def test_one_request_is_numbered_too(self, client, plain, inside, make):
        branch = make()
        own, tx = inside()
        own.pfs.start_commit(branch=branch)
        client.pfs.start_commit(branch=branch)
        text = "error running request 1 of 1: "
        fails(lambda: plain.finish_transaction(transaction=tx), DOMAIN, text, "parent commit")

    def test_a_request_that_does_not_fit_is_not_kept(self, plain, inside, make, fresh):
        branch = make()
        own, tx = inside()
        own.pfs.start_commit(branch=branch)
        text = "inconsistent dependencies: "
        other = pfs.Branch(name="other", repo=branch.repo)
        already = f"repo (default/{branch.repo.name}) already has a commit in this transaction"
        fails(lambda: own.pfs.start_commit(branch=other), ALREADY_EXISTS, text, already)
        fails(lambda: own.pfs.create_repo(repo=branch.repo), ALREADY_EXISTS, "already exists")
        assert len(plain.inspect_transaction(transaction=tx).requests) == 1

    def test_the_commits_of_one_can_be_named_in_it(self, client, plain, inside, make):
        a, b = make(), make()
        own, tx = inside()
        own.pfs.start_commit(branch=a)
        own.pfs.finish_commit(commit=pfs.Commit(repo=a.repo, id=tx.id))
        own.pfs.create_branch(branch=b, provenance=[a])
        plain.finish_transaction(transaction=tx)
        found = client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=tx.id))
        assert [info.commit.repo.name for info in found] == [a.repo.name, b.repo.name]

    def test_squashing_in_one(self, client, plain, inside, make):
        master = make()
        first, second = put(client, master), put(client, master)
        own, tx = inside()
        leaf = pfs.CommitSet(id=second.id)
        fails(lambda: own.pfs.squash_commit_set(commit_set=leaf), DOMAIN, "cannot squash a commit that has no children")
        own.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id))
        plain.finish_transaction(transaction=tx)
        assert ids(client.pfs.list_commit(repo=master.repo)) == [second.id]


class TestBatches:
    @staticmethod
    def batch(client, *requests):
        return client.transaction.batch_transaction(
            requests=[transaction.TransactionRequest(**request) for request in requests])

    def test_many_kinds_in_one(self, client, make, fresh):
        master, gone = make(), make("gone")
        name, spout = fresh("repo"), fresh("spout")
        put(client, gone)
        info = self.batch(
            client,
            {"create_repo": pfs.CreateRepoRequest(repo=pfs.Repo.from_uri(name), description="d")},
            {"start_commit": pfs.StartCommitRequest(branch=master)},
            {"finish_commit": pfs.FinishCommitRequest(commit=named(master), description="done")},
            {"delete_branch": pfs.DeleteBranchRequest(branch=gone)},
            {"delete_repo": pfs.DeleteRepoRequest(repo=gone.repo)},
            {"squash_commit_set": pfs.SquashCommitSetRequest(commit_set=pfs.CommitSet(id=NOBODY))},
            {"create_pipeline_v2": pps.CreatePipelineTransaction(
                create_pipeline_request=pps.CreatePipelineRequest(pipeline=pps.Pipeline(name=spout)),
                user_json=SPEC % spout)},
        )
        assert len(info.requests) == len(info.responses) == 7
        assert info.responses[1].commit.id == info.transaction.id
        assert client.pfs.inspect_repo(repo=pfs.Repo.from_uri(name)).description == "d"
        assert client.pfs.inspect_commit(commit=named(master)).description == "done"
        assert not client.pfs.repo_exists(gone.repo)
        assert client.pps.inspect_pipeline(pipeline=pps.Pipeline(name=spout)).spec_commit.id == info.transaction.id
        client.pps.delete_pipeline(pipeline=pps.Pipeline(name=spout), force=True)
        fails(lambda: client.transaction.inspect_transaction(transaction=info.transaction), NOT_FOUND)

    def test_none_at_all(self, client):
        assert self.batch(client).responses == []

    def test_of_two_in_one_the_first_counts(self, client, make, fresh):
        branch, repo = make(), pfs.Repo.from_uri(fresh("repo"))
        start = pfs.StartCommitRequest(branch=branch)
        info = self.batch(client, {"create_repo": pfs.CreateRepoRequest(repo=repo), "start_commit": start})
        assert len(info.responses) == 1
        assert client.pfs.repo_exists(repo) and not client.pfs.branch_exists(branch)

    def test_what_is_no_request(self, client):
        fails(lambda: self.batch(client, {}), DOMAIN, "unrecognized transaction request type")

    @pytest.mark.parametrize("kind", REFUSED)
    def test_all_or_nothing(self, client, make, fresh, kind):
        branch, name = make(), pfs.Repo.from_uri(fresh("repo"))
        put(client, branch)
        opened = client.pfs.start_commit(branch=branch)
        request, code, text = REFUSED[kind]
        first = {"create_repo": pfs.CreateRepoRequest(repo=name)}
        text = text.format(repo=branch.repo.name, open=opened.id)
        fails(lambda: self.batch(client, first, {kind: request(branch)}), code, "error running request 2 of 2: ", text)
        assert not client.pfs.repo_exists(name)

    def test_one_commit_a_repo(self, client, make):
        branch = make()
        both = [branch, pfs.Branch(name="other", repo=branch.repo)]
        requests = [{"start_commit": pfs.StartCommitRequest(branch=one)} for one in both]
        fails(lambda: self.batch(client, *requests), ALREADY_EXISTS, "already has a commit in this transaction")
        assert not client.pfs.branch_exists(branch)

    def test_an_output_branch(self, client, chain):
        request = {"start_commit": pfs.StartCommitRequest(branch=chain[1])}
        fails(lambda: self.batch(client, request), DOMAIN, "cannot start a commit on an output branch: ")

    def test_no_project_and_no_type_are_the_usual_ones(self, client, make):
        branch = make()
        # By hand: the SDK fills both in.
        repo = field(pfs.Repo, "name", branch.repo.name.encode())
        wanted = field(pfs.Branch, "repo", repo) + field(pfs.Branch, "name", b"master")
        start = field(pfs.StartCommitRequest, "branch", wanted)
        request = field(transaction.TransactionRequest, "start_commit", start)
        batch = client._channel.unary_unary("/transaction_v2.API/BatchTransaction")
        batch(field(transaction.BatchTransactionRequest, "requests", request))
        assert not client.pfs.inspect_commit(commit=named(branch)).is_set("finished")


def field(message, name, value: bytes) -> bytes:
    """One field of a message as it goes over the wire."""
    number = message.__dataclass_fields__[name].metadata["betterproto"].number
    assert number < 16 and len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def add(key="k", **target) -> metadata.Edit:
    return metadata.Edit(add_key=metadata.EditAddKey(key=key, value="v"), **target)


class TestMetadata:
    def test_what_is_not_there(self, client, make, fresh):
        branch, edit = make(), client.metadata.edit_metadata
        project = pfs.ProjectPicker(name=fresh("none"))
        pipeline = pps.PipelinePicker(
            name=pps.PipelinePickerPipelineName(project=pfs.ProjectPicker(name="default"), name=fresh("none")))
        repo = pfs.Repo.from_uri(fresh("none"))
        for target, text in [
            ({"project": project}, f'project "{project.name}" not found'),
            ({"repo": repo.as_picker()}, f"repo default/{repo.name} not found"),
            ({"branch": branch.as_picker()}, f'branch "master" not found in repo default/{branch.repo.name}'),
            ({"pipeline": pipeline}, f"{pipeline.name.name}"),
        ]:
            fails(lambda: edit(edits=[add(cluster=metadata.ClusterPicker(), key=fresh("k")), add(**target)]), NOT_FOUND,
                  "edit #1: ", text, "not found")

    def test_a_key_that_is_there(self, client, make):
        branch = make()
        client.pfs.create_branch(branch=branch)
        edits = [add(branch=branch.as_picker())]
        client.metadata.edit_metadata(edits=edits)
        text = 'edit #0: add_key target key "k" already exists; use edit_key instead'
        error = refusal(lambda: client.metadata.edit_metadata(edits=edits))
        assert text in error.details()

    def test_no_key(self, client, make):
        target = {"repo": make().repo.as_picker()}
        for op in [
            {"edit_key": metadata.EditEditKey(key="", value="v")}, {"delete_key": metadata.EditDeleteKey(key="")},
            {"add_key": metadata.EditAddKey(key="", value="v")},
            {"replace": metadata.EditReplace(replacement={"": "v"})},
        ]:
            fails(lambda: client.metadata.edit_metadata(edits=[metadata.Edit(**op, **target)]), INVALID, "edit #0")
