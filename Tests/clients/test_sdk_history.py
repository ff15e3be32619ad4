"""History with pachyderm-sdk 2.12: provenance, triggers, removal, commit sets, transactions."""

import threading

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, transaction

from sdk_tools import NOT_FOUND, UNKNOWN, client, head, make  # noqa: F401


@pytest.fixture
def chain(client, make):
    """Three branches, each derived from the one before."""
    a, b, c = make("a"), make("b"), make("c")
    client.pfs.create_branch(branch=a)
    client.pfs.create_branch(branch=b, provenance=[a])
    client.pfs.create_branch(branch=c, provenance=[b])
    return a, b, c


def put(client, branch, path="/x", data=b"1") -> pfs.Commit:
    with client.pfs.commit(branch=branch) as commit:
        commit.put_file_from_bytes(path=path, data=data)
    return commit


def refused(code, text):
    class Refused:
        def __enter__(self):
            self.context = pytest.raises(grpc.RpcError)
            self.error = self.context.__enter__()

        def __exit__(self, *exc):
            result = self.context.__exit__(*exc)
            assert self.error.value.code() == code, self.error.value.details()
            assert text in self.error.value.details()
            return result

    return Refused()


class TestProvenance:
    def test_a_commit_opens_one_on_each_branch_downstream(self, client, chain):
        a, b, c = chain
        commit = put(client, a)
        for branch in (b, c):
            assert head(client, branch).id == commit.id
            info = client.pfs.inspect_commit(commit=head(client, branch))
            assert not info.is_set("finished")
            assert info.origin.kind == pfs.OriginKind.AUTO
        info = client.pfs.inspect_commit(commit=head(client, c))
        assert [upstream.repo.name for upstream in info.direct_provenance] == [b.repo.name]

    def test_a_branch_names_all_that_it_derives_from(self, client, chain):
        a, b, c = chain
        info = client.pfs.inspect_branch(branch=c)
        assert [branch.repo.name for branch in info.direct_provenance] == [b.repo.name]
        assert [branch.repo.name for branch in info.provenance] == [b.repo.name, a.repo.name]
        upstream = client.pfs.inspect_branch(branch=a)
        assert [branch.repo.name for branch in upstream.subvenance] == [b.repo.name, c.repo.name]

    def test_a_set_lists_its_commits_in_order_and_waits_for_them(self, client, chain):
        a, b, c = chain
        first = {branch.repo.name: head(client, branch) for branch in (b, c)}
        commit = put(client, a)
        done = []

        def wait():
            done.extend(client.pfs.wait_commit_set(commit_set=pfs.CommitSet(id=commit.id)))

        thread = threading.Thread(target=wait)
        thread.start()
        for branch in (b, c):
            client.pfs.finish_commit(commit=pfs.Commit(repo=branch.repo, id=commit.id), force=True)
            closed = client.pfs.inspect_commit(commit=pfs.Commit(repo=branch.repo, id=commit.id))
            assert closed.finishing.timestamp() > 0
            assert closed.finished.timestamp() == 0, "the commit before it is still open"
        assert thread.is_alive()
        for branch in (b, c):
            client.pfs.finish_commit(commit=first[branch.repo.name], force=True)
        thread.join(timeout=30)
        assert not thread.is_alive()
        mine = [info for info in done if info.commit.id == commit.id]
        assert [info.commit.repo.name for info in mine] == [a.repo.name, b.repo.name, c.repo.name]

    def test_the_id_of_an_output_names_its_input(self, client, chain):
        a, b, _ = chain
        put(client, a, data=b"first")
        client.pfs.create_branch(branch=b, provenance=[])
        client.pfs.create_branch(branch=b, provenance=[a])
        output = head(client, b)
        with client.pfs.pfs_file(file=pfs.File(commit=pfs.Commit(repo=a.repo, id=output.id), path="/x")) as content:
            assert content.read() == b"first"

    def test_users_do_not_start_commits_on_an_output_branch(self, client, chain):
        with refused(UNKNOWN, "cannot start a commit on an output branch"):
            client.pfs.start_commit(branch=chain[1])

    def test_a_cycle_and_a_fork_of_one_repo_are_refused(self, client, chain):
        a, b, c = chain
        with refused(grpc.StatusCode.INTERNAL, "cycle detected because"):
            client.pfs.create_branch(branch=a, provenance=[c])
        side = pfs.Branch(name="side", repo=a.repo)
        with refused(UNKNOWN, "cannot participate in a DAG"):
            client.pfs.create_branch(branch=c, provenance=[b, side])

    def test_a_quiet_edge_opens_nothing(self, client, make):
        a, b = make(), make()
        client.pfs.create_branch(branch=a)
        spec = pfs.BranchPropagationSpec(branch=a, propagation_spec=pfs.PropagationSpec(never=True))
        client.pfs.create_branch(branch=b, provenance=[a], branch_propagation_specs=[spec])
        before = head(client, b)
        put(client, a)
        assert head(client, b) == before
        specs = client.pfs.inspect_branch(branch=b).branch_propagation_specs
        assert [spec.branch.repo.name for spec in specs] == [a.repo.name]

    def test_a_branch_that_others_derive_from_is_not_deleted(self, client, chain):
        a, b, _ = chain
        with refused(UNKNOWN, "cannot be deleted because it's in the direct provenance of"):
            client.pfs.delete_branch(branch=a)
        client.pfs.delete_branch(branch=a, force=True)
        assert not client.pfs.inspect_branch(branch=b).direct_provenance


class TestTriggers:
    def test_a_branch_follows_after_so_many_commits(self, client, make):
        master = make()
        client.pfs.create_branch(branch=master)
        follower = pfs.Branch(name="follower", repo=master.repo)
        client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", commits=2))
        first = put(client, master)
        assert head(client, follower).id != first.id
        second = put(client, master)
        assert head(client, follower).id == second.id
        info = client.pfs.inspect_branch(branch=follower)
        assert (info.trigger.branch, info.trigger.commits) == ("master", 2)

    def test_what_derives_from_it_gets_a_set_of_its_own(self, client, make):
        master, down = make(), make("down")
        client.pfs.create_branch(branch=master)
        follower = pfs.Branch(name="follower", repo=master.repo)
        client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", all=True))
        client.pfs.create_branch(branch=down, provenance=[follower])
        commit = put(client, master)
        assert head(client, follower).id == commit.id
        assert head(client, down).id != commit.id

    def test_a_schedule_fires(self, client, make):
        master, down = make(), make("down")
        commit = put(client, master)
        follower = pfs.Branch(name="follower", repo=master.repo)
        client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", cron_spec="@every 1s"))
        client.pfs.create_branch(branch=down, provenance=[follower])
        stream = client.pfs.subscribe_commit(repo=down.repo, branch="master")
        next(stream)
        next(stream)
        stream.close()
        assert head(client, follower).id == commit.id

    @pytest.mark.parametrize(
        "trigger, text",
        [
            (pfs.Trigger(branch="nowhere"), "not found in repo"),
            (pfs.Trigger(branch="master", size="lots"), "invalid trigger size"),
            (pfs.Trigger(branch="master", cron_spec="lots"), "invalid trigger cron spec"),
            (pfs.Trigger(branch="master", commits=-1), "can't trigger on a negative number of commits"),
        ],
    )
    def test_what_cannot_be_is_refused(self, client, make, trigger, text):
        master = make()
        client.pfs.create_branch(branch=master)
        with pytest.raises(grpc.RpcError) as error:
            client.pfs.create_branch(branch=pfs.Branch(name="follower", repo=master.repo), trigger=trigger)
        assert text in error.value.details()


class TestRemoval:
    def test_squashing_keeps_the_files(self, client, make):
        master = make()
        first, second = put(client, master, "/a"), put(client, master, "/b")
        client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id))
        assert [info.commit.id for info in client.pfs.list_commit(repo=master.repo)] == [second.id]
        files = [info.file.path for info in client.pfs.list_file(file=pfs.File(commit=second, path="/"))]
        assert files == ["/a", "/b"]
        with refused(UNKNOWN, "cannot squash a commit that has no children"):
            client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=second.id))

    def test_dropping_takes_the_last_commit_back(self, client, make):
        master = make()
        first, second = put(client, master, "/a"), put(client, master, "/b")
        with refused(UNKNOWN, "cannot drop a commit that has children"):
            client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=first.id))
        client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=second.id))
        assert head(client, master).id == first.id
        assert not client.pfs.commit_exists(second)

    def test_one_commit_with_what_derives_from_it(self, client, chain):
        a, b, c = chain
        commit = put(client, a)
        with refused(UNKNOWN, "with subvenance without recursive"):
            client.pfs.drop_commit(commit=pfs.Commit(repo=a.repo, id=commit.id))
        client.pfs.drop_commit(commit=pfs.Commit(repo=a.repo, id=commit.id), recursive=True)
        for branch in (a, b, c):
            assert head(client, branch).id != commit.id

    def test_an_unknown_set_is_no_error_and_an_empty_one_is(self, client):
        unknown = pfs.CommitSet(id="0123456789ab40000000000000000000")
        client.pfs.squash_commit_set(commit_set=unknown)
        client.pfs.drop_commit_set(commit_set=unknown)
        for call in (client.pfs.squash_commit_set, client.pfs.drop_commit_set):
            with refused(grpc.StatusCode.INVALID_ARGUMENT, "commit set id is empty"):
                call(commit_set=pfs.CommitSet(id=""))

    def test_clearing_takes_back_what_was_written(self, client, make):
        master = make()
        commit = client.pfs.start_commit(branch=master)
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        client.pfs.clear_commit(commit=commit)
        assert not client.pfs.path_exists(pfs.File(commit=commit, path="/a"))
        client.pfs.finish_commit(commit=commit)
        with refused(UNKNOWN, "cannot clear finished commit"):
            client.pfs.clear_commit(commit=commit)


class TestTransactions:
    def test_all_or_nothing_with_one_id(self, client, make, fresh):
        a, b = make(), make()
        with client.transaction.transaction() as tx:
            one = client.pfs.start_commit(branch=a)
            two = client.pfs.start_commit(branch=b)
            client.pfs.finish_commit(commit=one)
            client.pfs.finish_commit(commit=two)
            assert not client.pfs.branch_exists(a)
        assert one.id == two.id == tx.id
        assert head(client, a).id == head(client, b).id == tx.id
        assert not client.transaction.transaction_exists(transaction=tx)

    def test_what_fails_inside_is_taken_back(self, client, make, fresh):
        a = make()
        name = fresh("repo")
        with pytest.raises(RuntimeError):
            with client.transaction.transaction() as tx:
                client.pfs.create_repo(repo=pfs.Repo.from_uri(name))
                client.pfs.create_branch(branch=a)
                raise RuntimeError("changed my mind")
        assert not client.pfs.repo_exists(pfs.Repo.from_uri(name))
        assert not client.transaction.transaction_exists(transaction=tx)

    def test_a_request_that_cannot_be_is_refused_when_it_is_made(self, client, make):
        tx = client.transaction.start_transaction()
        client.transaction_id = tx.id
        try:
            with refused(NOT_FOUND, "not found"):
                client.pfs.start_commit(branch=pfs.Branch.from_uri("nowhere@master"))
        finally:
            client.transaction_id = None
        assert client.transaction.inspect_transaction(transaction=tx).requests == []
        client.transaction.delete_transaction(transaction=tx)

    def test_two_commits_of_one_repo_do_not_fit_in_one(self, client, make):
        a = make()
        tx = client.transaction.start_transaction()
        client.transaction_id = tx.id
        try:
            client.pfs.start_commit(branch=a)
            with refused(grpc.StatusCode.ALREADY_EXISTS, "already has a commit in this transaction"):
                client.pfs.start_commit(branch=pfs.Branch(name="other", repo=a.repo))
        finally:
            client.transaction_id = None
        info = client.transaction.finish_transaction(transaction=tx)
        assert [response.commit.id for response in info.responses] == [tx.id]

    def test_a_transaction_shows_what_it_holds(self, client, make, fresh):
        tx = client.transaction.start_transaction()
        client.transaction_id = tx.id
        name = fresh("repo")
        client.pfs.create_repo(repo=pfs.Repo.from_uri(name), description="later")
        client.transaction_id = None
        info = client.transaction.inspect_transaction(transaction=tx)
        assert info.requests[0].create_repo.repo.name == name
        listed = client.transaction.list_transaction()
        assert tx.id in [info.transaction.id for info in listed.transaction_info]
        client.transaction.finish_transaction(transaction=tx)
        assert client.pfs.repo_exists(pfs.Repo.from_uri(name))

    def test_requests_that_come_at_the_same_time_all_get_in(self, server, client, fresh):
        tx = client.transaction.start_transaction()
        names = [fresh("repo") for _ in range(6)]
        failures = []

        def append(name):
            own = Client(host=server.host, port=server.port)
            own.transaction_id = tx.id
            try:
                own.pfs.create_repo(repo=pfs.Repo.from_uri(name))
            except grpc.RpcError as error:
                failures.append(error.details())

        threads = [threading.Thread(target=append, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        info = client.transaction.finish_transaction(transaction=tx)
        assert {request.create_repo.repo.name for request in info.requests} == set(names)
        assert all(client.pfs.repo_exists(pfs.Repo.from_uri(name)) for name in names)

    def test_a_batch_is_carried_out_at_once(self, client, make, fresh):
        a = make()
        requests = [
            transaction.TransactionRequest(start_commit=pfs.StartCommitRequest(branch=a)),
            transaction.TransactionRequest(create_branch=pfs.CreateBranchRequest(branch=make("b"), provenance=[a])),
        ]
        info = client.transaction.batch_transaction(requests=requests)
        assert info.responses[0].commit.id == info.transaction.id
        assert head(client, a).id == info.transaction.id

    def test_an_unknown_transaction_is_not_found(self, client):
        unknown = transaction.Transaction(id="0123456789ab40000000000000000000")
        for call in ("inspect_transaction", "delete_transaction", "finish_transaction"):
            with refused(NOT_FOUND, "transactions 0123456789ab40000000000000000000 not found"):
                getattr(client.transaction, call)(transaction=unknown)
        assert not client.transaction.transaction_exists(transaction=unknown)
