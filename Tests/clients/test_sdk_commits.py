"""Commits and commit sets, call by call: what the larger programs of the other files leave out."""

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import (  # noqa: F401
    DOMAIN, INVALID, NOBODY, NOT_FOUND, Waiting, chain, client, connect, derive, fails, file, head, ids, is_finished,
    make, named, paths, put, read, while_it_waits,
)

USER, AUTO = pfs.OriginKind.USER, pfs.OriginKind.AUTO


def of(branch, commit) -> pfs.Commit:
    """The commit of the same set on another branch."""
    return pfs.Commit(repo=branch.repo, id=commit.id)


@pytest.fixture
def spout(client, fresh):
    pipeline = pps.Pipeline(name=fresh("spout"), project=pfs.Project(name="default"))
    client.pps.create_pipeline(
        pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", "exec sleep 3600"]),
        spout=pps.Spout(service=pps.Service()),
    )
    yield pipeline
    client.pps.delete_pipeline(pipeline=pipeline, force=True)


class TestStarting:
    def test_a_branch_must_be_named(self, client, make):
        branch = pfs.Branch(repo=make().repo, name="")
        fails(lambda: client.pfs.start_commit(branch=branch), DOMAIN, "branch must be specified")

    def test_a_parent_that_is_not_there(self, client, make):
        master = make()
        for parent in [pfs.Commit(repo=master.repo, id=NOBODY), named(pfs.Branch(name="nowhere", repo=master.repo))]:
            error = fails(lambda: client.pfs.start_commit(branch=master, parent=parent), NOT_FOUND, "parent commit ")
            assert "not found" in error.details()
        assert not client.pfs.branch_exists(master)

    def test_a_parent_that_is_open(self, client, make):
        master = make()
        first = client.pfs.start_commit(branch=master)
        text = f"parent commit default/{master.repo.name}@{first.id} has not been finished"
        other = pfs.Branch(name="other", repo=master.repo)
        fails(lambda: client.pfs.start_commit(branch=other, parent=first), DOMAIN, text)
        fails(lambda: client.pfs.start_commit(branch=master), DOMAIN, text)
        assert not client.pfs.branch_exists(other)
        client.pfs.finish_commit(commit=first)
        client.pfs.start_commit(branch=master, parent=first)

    def test_an_output_branch(self, client, chain, spout):
        out = pfs.Branch(name="master", repo=pfs.Repo(name=spout.name))
        for branch in [chain[1], out]:
            text = "cannot start a commit on an output branch: "
            error = fails(lambda: client.pfs.start_commit(branch=branch), DOMAIN, text)
            assert f"{branch.repo.name}@master" in error.details()

    def test_what_it_makes(self, client, make):
        master = make()
        parent = put(client, master)
        put(client, master)
        commit = client.pfs.start_commit(branch=master, parent=parent, description="why")
        info = client.pfs.inspect_commit(commit=commit)
        assert (info.description, info.parent_commit.id, info.origin.kind) == ("why", parent.id, USER)
        assert info.started.year > 1970 and not info.is_set("finishing") and not is_finished(info)
        assert head(client, master).id == commit.id
        assert commit.id in {child.id for child in client.pfs.inspect_commit(commit=parent).child_commits}


class TestFinishing:
    def test_once_only(self, client, make):
        commit = put(client, make())
        text = f"commit default/{commit.repo.name}@{commit.id} has already finished"
        fails(lambda: client.pfs.finish_commit(commit=commit), DOMAIN, text)
        fails(lambda: client.pfs.finish_commit(commit=commit, error="late", force=True), DOMAIN, text)
        assert client.pfs.inspect_commit(commit=commit).error == ""

    def test_a_description_replaces_the_first_and_none_leaves_it(self, client, make):
        master = make()
        for given, expected in [("second", "second"), ("", "first")]:
            commit = client.pfs.start_commit(branch=master, description="first")
            client.pfs.finish_commit(commit=commit, description=given)
            assert client.pfs.inspect_commit(commit=commit).description == expected

    def test_in_error_it_reads_and_passes_nothing_on(self, client, make):
        master = make()
        good = put(client, master, {"/good": b"1"})
        bad = client.pfs.start_commit(branch=master)
        client.pfs.put_file_from_bytes(commit=bad, path="/bad", data=b"22")
        client.pfs.finish_commit(commit=bad, error="went wrong")
        info = client.pfs.wait_commit(bad)
        assert (info.error, info.details.size_bytes) == ("went wrong", 0)
        assert read(client, bad, "/bad") == b"22"
        after = put(client, master, {"/after": b"3"})
        assert client.pfs.inspect_commit(commit=after).parent_commit.id == bad.id != good.id
        assert paths(client.pfs.list_file(file=file(after, "/"))) == ["/after", "/good"]

    def test_a_collision_shows_in_the_commit_and_not_in_the_call(self, client, make):
        commit = put(client, make(), {"/a": b"1", "/a.txt": b"1", "/a/b": b"1"})
        assert "file / directory path collision (" in client.pfs.inspect_commit(commit=commit).error

    def test_two_datums_with_one_path_show_in_the_commit(self, client, make):
        master = make()
        client.pfs.modify_file(iter([
            pfs.ModifyFileRequest(set_commit=named(master)),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", datum="d1", raw=b"1")),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", datum="d2", raw=b"2")),
        ]))
        error = client.pfs.inspect_commit(commit=named(master)).error
        assert "duplicate path output by different datums (/a from d1 and /a from d2)" in error


class TestWaiting:
    def test_what_has_happened_is_not_waited_for(self, client, chain):
        a, b, _ = chain
        commit = client.pfs.start_commit(branch=a)
        for state in [pfs.CommitState.COMMIT_STATE_UNKNOWN, pfs.CommitState.STARTED, pfs.CommitState.READY]:
            info = client.pfs.inspect_commit(commit=commit, wait=state)
            assert not info.is_set("finishing")
        client.pfs.finish_commit(commit=commit)
        for state in [pfs.CommitState.FINISHING, pfs.CommitState.FINISHED]:
            assert client.pfs.inspect_commit(commit=commit, wait=state).is_set("finishing")
        assert not is_finished(client.pfs.inspect_commit(commit=of(b, commit), wait=pfs.CommitState.READY))

    @pytest.mark.parametrize("state", [pfs.CommitState.FINISHING, pfs.CommitState.FINISHED])
    def test_for_the_commit_itself(self, client, make, state):
        commit = client.pfs.start_commit(branch=make())
        waiting = Waiting(lambda: client.pfs.inspect_commit(commit=commit, wait=state))
        client.pfs.finish_commit(commit=commit)
        assert waiting.end().is_set("finishing")

    def test_for_what_a_commit_derives_from(self, client, chain):
        a, b, _ = chain
        commit = client.pfs.start_commit(branch=a)
        waiting = Waiting(lambda: client.pfs.inspect_commit(commit=of(b, commit), wait=pfs.CommitState.READY))
        # Of use for nothing but to show that the wait is not for this.
        client.pfs.get_file_set(commit=of(b, commit), type=pfs.GetFileSetRequestFileSetType.DIFF)
        client.pfs.finish_commit(commit=commit)
        assert not is_finished(waiting.end())

    @pytest.mark.parametrize("wait", [
        lambda client, commit: client.pfs.inspect_commit(commit=commit, wait=pfs.CommitState.FINISHED),
        lambda client, commit: client.pfs.inspect_commit(commit=commit, wait=pfs.CommitState.FINISHING),
        lambda client, commit: client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=commit.id), wait=True),
        lambda client, commit: client.pfs.subscribe_commit(repo=commit.repo, state=pfs.CommitState.FINISHED),
    ], ids=["finished", "finishing", "set", "subscription"])
    def test_a_commit_that_goes_meanwhile(self, client, make, wait):
        masters = []

        def start():
            masters.append(make())
            return client.pfs.start_commit(branch=masters[-1])

        def drop(commit):
            # The set is emptied and the repo goes, too: a subscription that comes late would wait for ever.
            client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit.id))
            client.pfs.delete_repo(repo=commit.repo)

        while_it_waits(client, start, lambda commit: wait(client, commit), drop, "was deleted")


class TestListing:
    @pytest.fixture
    def made(self, client, make):
        """Four commits, the first of them an empty AUTO one."""
        master = make()
        client.pfs.create_branch(branch=master)
        for number in range(3):
            put(client, master, {f"/{number}": b"x"})
        return ids(client.pfs.list_commit(repo=master.repo, reverse=True)), master

    def test_kinds_are_told_apart_and_counted_after_that(self, client, made):
        made, master = made
        kinds = client.pfs.list_commit
        assert ids(kinds(repo=master.repo, origin_kind=AUTO)) == made[:1]
        assert ids(kinds(repo=master.repo, origin_kind=USER)) == made[:0:-1]
        assert ids(kinds(repo=master.repo, origin_kind=USER, all=True)) == made[::-1]
        assert ids(kinds(repo=master.repo, origin_kind=USER, reverse=True, number=2)) == made[1:3]
        assert ids(kinds(repo=master.repo, to=named(master), origin_kind=AUTO)) == made[:1]

    def test_by_time(self, client, made):
        made, master = made
        times = {info.commit.id: info.started for info in client.pfs.list_commit(repo=master.repo)}
        # The SDK has microseconds, the server more: what started with one is not told from it.
        older = ids(client.pfs.list_commit(repo=master.repo, started_time=times[made[2]]))
        assert older in (made[1::-1], made[2::-1])
        newer = ids(client.pfs.list_commit(repo=master.repo, started_time=times[made[1]], reverse=True))
        assert newer in (made[2:], made[1:])

    def test_sizes_are_there(self, client, made):
        _, master = made
        infos = list(client.pfs.list_commit(repo=master.repo))
        assert [info.size_bytes_upper_bound for info in infos] == [3, 2, 1, 0]
        assert [info.details.size_bytes for info in infos] == [3, 2, 1, 0]
        assert client.pfs.inspect_commit(commit=named(master)).size_bytes_upper_bound == 0

    def test_a_piece_by_branch_and_by_ancestry(self, client, made):
        made, master = made
        back = pfs.Commit(repo=master.repo, id="master^2")
        assert ids(client.pfs.list_commit(repo=master.repo, to=named(master), from_=back)) == made[:1:-1]
        assert ids(client.pfs.list_commit(repo=master.repo, to=named(master), from_=back, number=1)) == made[3:]
        assert ids(client.pfs.list_commit(repo=master.repo, to=named(master), from_=named(master))) == []

    def test_pieces_that_cannot_be(self, client, made, make):
        made, master = made
        call, to = client.pfs.list_commit, named(master)
        error = fails(lambda: call(repo=master.repo, from_=to), DOMAIN)
        assert "from" in error.details() and "to" in error.details()
        fails(lambda: call(repo=master.repo, to=to, reverse=True), DOMAIN, "reverse")
        elsewhere = put(client, make())
        text = f"commits need to be from repo default/{master.repo.name}"
        fails(lambda: call(repo=master.repo, to=elsewhere), DOMAIN, text)
        fails(lambda: call(repo=master.repo, to=to, from_=elsewhere), DOMAIN, text)

    def test_everything_there_is(self, own_server):
        client = connect(own_server)
        made = []
        for name in ["a", "b"]:
            branch = pfs.Branch(name="master", repo=pfs.Repo.from_uri(name))
            client.pfs.create_repo(repo=branch.repo)
            made.append(put(client, branch).id)
        assert ids(client.pfs.list_commit(repo=pfs.Repo(name=""))) == made[::-1]

    def test_sets_are_listed_newest_first_and_by_project(self, client, chain, fresh):
        a, b, c = chain
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        inside = pfs.Branch(name="master", repo=pfs.Repo(name="inside", project=project))
        client.pfs.create_repo(repo=inside.repo)
        client.pfs.create_branch(branch=inside, provenance=[a])
        first, second = put(client, a), put(client, a)
        # Of a set that begins in another project, too.
        found = [info.commit_set.id for info in client.pfs.list_commit_set(project=project)]
        assert found[:2] == [second.id, first.id]
        newest = next(iter(client.pfs.list_commit_set()))
        assert newest.commit_set.id == second.id
        assert {info.commit.repo.name for info in newest.commits} == {one.repo.name for one in [a, b, c, inside]}
        assert newest.commits[0].commit.repo.name == a.repo.name
        assert list(client.pfs.list_commit_set(project=pfs.Project(name=fresh("none")))) == []


class TestSubscribing:
    def test_kinds_are_told_apart(self, client, make):
        master = make()
        client.pfs.create_branch(branch=master)
        commit = put(client, master)
        for more, expected in [({"origin_kind": USER}, USER), ({"origin_kind": AUTO}, AUTO), ({"all": True}, AUTO)]:
            stream = client.pfs.subscribe_commit(repo=master.repo, branch="master", **more)
            info = next(stream)
            stream.close()
            assert info.origin.kind == expected
            assert (info.commit.id == commit.id) == (expected == USER)

    def test_a_head_that_moves_is_no_commit(self, client, make):
        master = make()
        first, second = put(client, master), put(client, master)
        side = pfs.Branch(name="side", repo=master.repo)
        client.pfs.create_branch(branch=side, head=first)
        third = put(client, side)
        stream = client.pfs.subscribe_commit(repo=master.repo, branch="side")
        assert next(stream).commit.id == third.id
        stream.close()
        stream = client.pfs.subscribe_commit(repo=master.repo)
        assert [next(stream).commit.id for _ in range(3)] == [first.id, second.id, third.id]
        stream.close()


    def test_a_branch_that_is_gone_has_no_commits(self, client, make):
        side = pfs.Branch(name="side", repo=make().repo)
        put(client, side)
        client.pfs.delete_branch(branch=side)
        second = put(client, side)
        stream = client.pfs.subscribe_commit(repo=side.repo, branch="side")
        assert next(stream).commit.id == second.id
        stream.close()


class TestSets:
    def test_none(self, client):
        for wait in [False, True]:
            call = lambda: client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=NOBODY), wait=wait)  # noqa: E731
            fails(call, NOT_FOUND, f"no commits found for commitset {NOBODY}")

    def test_what_older_sets_give_comes_first(self, client, make):
        a, b = make(), make()
        old = put(client, a)
        client.pfs.create_branch(branch=b, provenance=[a])
        new = head(client, b)
        infos = client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=new.id))
        assert ids(infos) == [old.id, new.id]

    def test_what_is_finished_is_not_held_up(self, client, chain):
        a, b, c = chain
        commit = put(client, a)
        client.pfs.finish_commit(commit=of(c, commit), force=True)
        stream = client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=commit.id), wait=True)
        names = [next(stream).commit.repo.name]
        client.pfs.finish_commit(commit=of(b, commit), force=True)
        names += [info.commit.repo.name for info in stream]
        assert names == [a.repo.name, c.repo.name, b.repo.name]

    def test_a_member_that_goes_while_another_is_waited_for(self, client, chain):
        a, b, c = chain
        commit = put(client, a)
        stream = client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=commit.id), wait=True)
        assert next(stream).commit.repo.name == a.repo.name
        client.pfs.drop_commit(commit=of(c, commit))
        client.pfs.finish_commit(commit=of(b, commit), force=True)
        fails(lambda: stream, DOMAIN, f"commit default/{c.repo.name}@{commit.id} was deleted")

    @pytest.mark.parametrize("call", ["squash_commit_set", "drop_commit_set"])
    def test_what_other_sets_derive_from_stays(self, client, make, call):
        a, b = make(), make()
        first = put(client, a)
        client.pfs.create_branch(branch=b, provenance=[a])
        client.pfs.finish_commit(commit=head(client, b), force=True)
        text = f'commit set "{first.id}" cannot be dropped because it has subvenant commit sets'
        fails(lambda: getattr(client.pfs, call)(commit_set=pfs.CommitSet(id=first.id)), DOMAIN, text)
        assert client.pfs.commit_exists(first)

    @pytest.mark.parametrize("call", ["squash_commit_set", "drop_commit_set"])
    def test_what_made_a_pipeline_stays(self, client, spout, call):
        spec = client.pps.inspect_pipeline(pipeline=spout).spec_commit
        remove = getattr(client.pfs, call)
        fails(lambda: remove(commit_set=pfs.CommitSet(id=spec.id)), DOMAIN, "because it updated a pipeline")
        assert client.pfs.commit_exists(spec)

    def test_squashing_and_dropping_say_which_end_of_history_they_are_for(self, client, make):
        master = make()
        first, second = put(client, master), put(client, master)
        squash, drop = client.pfs.squash_commit_set, client.pfs.drop_commit_set
        older, newer = pfs.CommitSet(id=first.id), pfs.CommitSet(id=second.id)
        fails(lambda: squash(commit_set=newer), DOMAIN, "cannot squash a commit that has no children")
        fails(lambda: drop(commit_set=older), DOMAIN, "cannot drop a commit that has children")

    def test_a_child_must_be_finished_before_its_parent_is_squashed(self, client, make):
        master = make()
        first = put(client, master)
        second = client.pfs.start_commit(branch=master)
        text = f"cannot squash until child commit default/{master.repo.name}@{second.id} is finished"
        fails(lambda: client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id)), DOMAIN, text)
        fails(lambda: client.pfs.squash_commit(commit=first), DOMAIN, text)
        client.pfs.finish_commit(commit=second)
        client.pfs.squash_commit(commit=first)

    def test_an_empty_id_and_none(self, client):
        for call in [client.pfs.squash_commit_set, client.pfs.drop_commit_set]:
            fails(lambda: call(commit_set=pfs.CommitSet(id="")), INVALID)
            fails(lambda: call(), INVALID)


class TestRemovingOne:
    def test_squashing_keeps_the_files_and_the_line(self, client, make):
        master = make()
        first, second, third = (put(client, master, {f"/{name}": b"1"}) for name in "abc")
        client.pfs.squash_commit(commit=second)
        assert ids(client.pfs.list_commit(repo=master.repo)) == [third.id, first.id]
        assert client.pfs.inspect_commit(commit=third).parent_commit.id == first.id
        assert paths(client.pfs.list_file(file=file(third, "/"))) == ["/a", "/b", "/c"]

    def test_a_head_that_is_squashed_moves_back(self, client, make):
        master = make()
        first, second = put(client, master), put(client, master)
        side = pfs.Branch(name="side", repo=master.repo)
        client.pfs.create_branch(branch=side, head=second)
        put(client, master)
        client.pfs.squash_commit(commit=second)
        assert head(client, side).id == first.id
        client.pfs.squash_commit(commit=first)
        empty = client.pfs.inspect_commit(commit=head(client, side))
        assert empty.origin.kind == AUTO and is_finished(empty) and empty.commit.id != first.id

    def test_a_leaf_is_not_squashed_and_a_parent_is_not_dropped(self, client, make):
        master = make()
        first, second = put(client, master), put(client, master)
        fails(lambda: client.pfs.squash_commit(commit=second), DOMAIN, "cannot squash a commit that has no children")
        fails(lambda: client.pfs.drop_commit(commit=first), DOMAIN, "cannot drop a commit that has children")
        client.pfs.drop_commit(commit=second)
        assert head(client, master).id == first.id

    def test_the_first_commit_of_an_output_branch_is_replaced_by_an_open_one(self, client, make):
        a, b = make(), make()
        client.pfs.create_branch(branch=a)
        client.pfs.create_branch(branch=b, provenance=[a])
        first = head(client, b)
        client.pfs.drop_commit(commit=first)
        info = client.pfs.inspect_commit(commit=head(client, b))
        assert info.commit.id != first.id and info.origin.kind == AUTO and not is_finished(info)

    def test_what_derives_from_it_goes_only_if_asked_for(self, client, make):
        a, b = make(), make()
        client.pfs.create_branch(branch=a)
        derive(client, b, a)
        first = put(client, a)
        client.pfs.finish_commit(commit=of(b, first), force=True)
        second = put(client, a)
        client.pfs.finish_commit(commit=of(b, second), force=True)
        for word, commit in [("squash", first), ("drop", second)]:
            call = getattr(client.pfs, f"{word}_commit")
            text = f"cannot {word} commit (default/{a.repo.name}@{commit.id}) with subvenance without recursive"
            fails(lambda: call(commit=commit), DOMAIN, text)
            call(commit=commit, recursive=True)
            assert not client.pfs.commit_exists(commit) and not client.pfs.commit_exists(of(b, commit))

    def test_what_made_a_pipeline_stays(self, client, spout):
        spec = client.pps.inspect_pipeline(pipeline=spout).spec_commit
        for call in [client.pfs.squash_commit, client.pfs.drop_commit]:
            fails(lambda: call(commit=spec, recursive=True), DOMAIN, "because it updated a pipeline")

    def test_clearing_only_what_is_open(self, client, make):
        master = make()
        first = put(client, master, {"/kept": b"1"})
        fails(lambda: client.pfs.clear_commit(commit=first), DOMAIN, "cannot clear finished commit")
        second = client.pfs.start_commit(branch=master)
        client.pfs.put_file_from_bytes(commit=second, path="/gone", data=b"1")
        client.pfs.clear_commit(commit=second)
        client.pfs.finish_commit(commit=second)
        assert paths(client.pfs.list_file(file=file(second, "/"))) == ["/kept"]


class TestForgetting:
    @pytest.fixture
    def outputs(self, client, make):
        """Two finished commits of an output branch, one after the other."""
        a, b = make(), make()
        client.pfs.create_branch(branch=a)
        client.pfs.create_branch(branch=b, provenance=[a])
        client.pfs.finish_commit(commit=head(client, b), force=True)
        commits = []
        for number in range(2):
            commit = of(b, put(client, a))
            client.pfs.put_file_from_bytes(commit=commit, path=f"/{number}", data=b"1")
            client.pfs.finish_commit(commit=commit, force=True)
            commits.append(commit)
        return a, b, commits

    @staticmethod
    def forget(client, commit):
        by_id = pfs.CommitPickerCommitByGlobalId(repo=commit.repo.as_picker(), id=commit.id)
        return client.pfs.forget_commit(commit=pfs.CommitPicker(id=by_id))

    def test_its_files_go_and_its_place_stays(self, client, outputs):
        _, b, (first, second) = outputs
        self.forget(client, first)
        assert {first.id, second.id} <= set(ids(client.pfs.list_commit(repo=b.repo)))
        text = "the commit is forgotten"
        for call in [
            lambda: client.pfs.get_file(file=file(first, "/0")),
            lambda: client.pfs.get_file_tar(file=file(first, "/")),
            lambda: client.pfs.inspect_file(file=file(first, "/0")),
            lambda: client.pfs.list_file(file=file(first, "/")),
            lambda: client.pfs.walk_file(file=file(first, "/")),
            lambda: client.pfs.glob_file(commit=first, pattern="/*"),
            lambda: client.pfs.diff_file(new_file=file(first, "/")),
            lambda: client.pfs.diff_file(new_file=file(second, "/"), old_file=file(first, "/")),
            lambda: client.pfs.get_file_set(commit=first),
        ]:
            fails(call, DOMAIN, text)
        assert read(client, second, "/0") == b"1"

    def test_only_what_can_be_made_again(self, client, outputs):
        a, b, (_, second) = outputs
        forget = self.forget
        source = head(client, a)
        put(client, a)
        text = "the commit to be forgotten must be in an output repo"
        fails(lambda: forget(client, source), DOMAIN, "Forget Commit: ", text)
        fails(lambda: forget(client, second), DOMAIN, "Forget Commit: ", "direct descendants must be closed")

    def test_no_head(self, client, outputs):
        _, b, (first, second) = outputs
        text = "the branch head cannot be a forgotten commit"
        fails(lambda: self.forget(client, second), DOMAIN, text)
        side = pfs.Branch(name="side", repo=b.repo)
        client.pfs.create_branch(branch=side, head=first)
        fails(lambda: self.forget(client, first), DOMAIN, text)
        client.pfs.delete_branch(branch=side)
        self.forget(client, first)
        fails(lambda: client.pfs.create_branch(branch=side, head=first), DOMAIN, text)


class TestNames:
    def test_branches_are_left_in_what_a_commit_is_related_to_and_nowhere_else(self, client, chain):
        a, b, c = chain
        first = put(client, a)
        put(client, a)
        info = client.pfs.inspect_commit(commit=of(b, first))
        assert not info.commit.branch.name and not info.parent_commit.branch.name
        for related in [info.child_commits, info.direct_provenance, info.direct_subvenance]:
            assert [one.branch.name for one in related] == ["master"]
        assert [one.repo.name for one in info.direct_subvenance] == [c.repo.name]

    def test_an_id_counts_more_than_a_branch(self, client, make):
        master = make()
        first = put(client, master)
        put(client, master)
        for name in ["master", "nowhere"]:
            both = pfs.Commit(repo=master.repo, branch=pfs.Branch(name=name, repo=master.repo), id=first.id)
            assert client.pfs.inspect_commit(commit=both).commit.id == first.id
            assert read(client, both) == b"1"
        back = pfs.Commit(repo=master.repo, branch=master, id="^")
        assert client.pfs.inspect_commit(commit=back).commit.id == first.id


class TestWalks:
    def test_bounds(self, client, make):
        a, b, c, d = make("a"), make("b"), make("c"), make("d")
        for branch, source in [(b, a), (c, b), (d, c)]:
            client.pfs.create_branch(branch=branch, provenance=[source])
        put(client, a)

        def names(walk, start, **bounds):
            picker = pfs.CommitPicker(branch_head=start.as_picker())
            return [info.commit.repo.name for info in walk(start=[picker], **bounds)]

        up, down = client.pfs.walk_commit_provenance, client.pfs.walk_commit_subvenance
        assert names(up, d) == [c.repo.name, b.repo.name, a.repo.name]
        assert names(down, a) == [b.repo.name, c.repo.name, d.repo.name]
        assert names(up, d, max_depth=2) == [c.repo.name, b.repo.name]
        assert names(down, a, max_depth=2) == [b.repo.name, c.repo.name]
        assert names(up, d, max_commits=1) == [c.repo.name]
        assert names(down, a, max_commits=1) == [b.repo.name]

    def test_a_search_needs_a_finished_start(self, client, make):
        commit = client.pfs.start_commit(branch=make())
        call = lambda: client.pfs.find_commits(start=commit, file_path="/f")  # noqa: E731
        fails(call, grpc.StatusCode.UNAVAILABLE, f"commit default/{commit.repo.name}@{commit.id} not finished")
