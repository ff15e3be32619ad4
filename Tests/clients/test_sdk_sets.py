"""File sets, the cache and the calls about the store, call by call: what the larger programs leave out."""

import betterproto.lib.google.protobuf as google
import grpc
import pytest
from pachyderm_sdk.api import pfs, storage

from sdk_tools import (  # noqa: F401
    DOMAIN, INVALID, NOBODY, NOT_FOUND, client, connect, fails, file, make, named, paths, put, read, refusal,
)

GONE = "tracker does not contain item"
TOTAL, DIFF = pfs.GetFileSetRequestFileSetType.TOTAL, pfs.GetFileSetRequestFileSetType.DIFF
PRINTABLE = "only printable ASCII characters allowed"


def add(path, data=b"1", datum="") -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, datum=datum, raw=data))


def delete(path) -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))


def make_set(client, *messages) -> str:
    return client.pfs.create_file_set(iter(messages)).file_set_id


def virtual(handle) -> pfs.Commit:
    return pfs.Commit(repo=pfs.Repo(name="__filesets__"), id=handle)


def contents(client, handle) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for message in client.storage.read_fileset(fileset_id=handle):
        found[message.path] = found.get(message.path, b"") + (message.data or b"")
    return found


# What a file set must be there for.
NEEDS_A_SET = {
    "AddFileSet": lambda c, handle, commit: c.pfs.add_file_set(commit=commit, file_set_id=handle),
    "RenewFileSet": lambda c, handle, _: c.pfs.renew_file_set(file_set_id=handle, ttl_seconds=60),
    "ComposeFileSet": lambda c, handle, _: c.pfs.compose_file_set(file_set_ids=[handle], ttl_seconds=60),
    "ComposeFileSet_compact": lambda c, handle, _: c.pfs.compose_file_set(
        file_set_ids=[handle], ttl_seconds=60, compact=True),
    "ShardFileSet": lambda c, handle, _: c.pfs.shard_file_set(file_set_id=handle),
    "PutCache": lambda c, handle, _: c.pfs.put_cache(key=handle, value=google.Any(), file_set_ids=[handle]),
    "GetFile": lambda c, handle, _: c.pfs.get_file(file=file(virtual(handle))),
    "GetFileTAR": lambda c, handle, _: c.pfs.get_file_tar(file=file(virtual(handle))),
    "InspectFile": lambda c, handle, _: c.pfs.inspect_file(file=file(virtual(handle))),
    "InspectCommit": lambda c, handle, _: c.pfs.inspect_commit(commit=virtual(handle)),
    "ListFile": lambda c, handle, _: c.pfs.list_file(file=file(virtual(handle))),
    "WalkFile": lambda c, handle, _: c.pfs.walk_file(file=file(virtual(handle))),
    "GlobFile": lambda c, handle, _: c.pfs.glob_file(commit=virtual(handle), pattern="/*"),
    "DiffFile": lambda c, handle, _: c.pfs.diff_file(new_file=file(virtual(handle))),
    "ModifyFile": lambda c, handle, commit: c.pfs.copy_file(commit=commit, src=file(virtual(handle)), dst="/c"),
    "ReadFileset": lambda c, handle, _: c.storage.read_fileset(fileset_id=handle),
    "ReadFilesetCDR": lambda c, handle, _: c.storage.read_fileset_cdr(fileset_id=handle),
    "RenewFileset": lambda c, handle, _: c.storage.renew_fileset(fileset_id=handle, ttl_seconds=60),
    "ComposeFileset": lambda c, handle, _: c.storage.compose_fileset(fileset_ids=[handle], ttl_seconds=60),
    "ShardFileset": lambda c, handle, _: c.storage.shard_fileset(fileset_id=handle),
    "CreateFileset": lambda c, handle, _: c.storage.create_fileset(iter([storage.CreateFilesetRequest(
        copy_file=storage.CopyFile(fileset_id=handle, src="/a"))])),
}


class TestHandles:
    @pytest.mark.parametrize("call", NEEDS_A_SET)
    def test_one_of_nothing(self, client, make, call):
        commit = client.pfs.start_commit(branch=make())
        for handle in [NOBODY, f"{NOBODY}.{'0' * 64}", "nonsense"]:
            fails(lambda: NEEDS_A_SET[call](client, handle, commit), NOT_FOUND, GONE)

    @pytest.mark.parametrize("call", NEEDS_A_SET)
    def test_none(self, client, make, call):
        commit = client.pfs.start_commit(branch=make())
        assert refusal(lambda: NEEDS_A_SET[call](client, "", commit)).code() in (NOT_FOUND, *DOMAIN)

    @pytest.mark.parametrize("renew", ["RenewFileSet", "RenewFileset"])
    def test_a_lease_ends_and_what_holds_the_files_does_not(self, client, make, renew):
        call = client.pfs.renew_file_set if renew == "RenewFileSet" else client.storage.renew_fileset
        name = "file_set_id" if renew == "RenewFileSet" else "fileset_id"
        commit = client.pfs.start_commit(branch=make())
        handle = make_set(client, add("/a"))
        client.pfs.add_file_set(commit=commit, file_set_id=handle)
        both = client.pfs.compose_file_set(file_set_ids=[handle], ttl_seconds=60).file_set_id
        call(**{name: handle}, ttl_seconds=1)
        while True:
            try:
                contents(client, handle)
            except grpc.RpcError as error:
                assert error.code() == NOT_FOUND and GONE in error.details()
                break
        fails(lambda: call(**{name: handle}, ttl_seconds=60), NOT_FOUND, GONE)
        make_set(client, add("/b"))
        assert contents(client, both) == {"/a": b"1"}
        assert read(client, commit, "/a") == b"1"

    @pytest.mark.parametrize("seconds, text", [
        (0, "must be at least one second"), (-5, "must be at least one second"), (1801, "exceeds max ttl"),
    ])
    def test_a_renewal_has_bounds(self, client, seconds, text):
        handle = make_set(client, add("/a"))
        fails(lambda: client.pfs.renew_file_set(file_set_id=handle, ttl_seconds=seconds), DOMAIN, text)
        fails(lambda: client.storage.renew_fileset(fileset_id=handle, ttl_seconds=seconds), DOMAIN, text)
        client.storage.renew_fileset(fileset_id=handle, ttl_seconds=1800)


class TestMaking:
    @pytest.mark.parametrize("path, text", [
        ("/a\nb", PRINTABLE), ("/a*b", "globbing character (*) not allowed in path"),
        ("/a/../b", "relative file paths are not allowed"),
    ])
    def test_paths_are_checked_as_elsewhere(self, client, path, text):
        for message in [add(path), delete(path)]:
            fails(lambda: make_set(client, message), DOMAIN, text)
        source = storage.CopyFile(fileset_id=make_set(client, add("/x")), src="/x", dst=path)
        for request in [
            storage.CreateFilesetRequest(append_file=storage.AppendFile(path=path, data=b"1")),
            storage.CreateFilesetRequest(delete_file=storage.DeleteFile(path=path)),
            storage.CreateFilesetRequest(copy_file=source),
        ]:
            fails(lambda: client.storage.create_fileset(iter([request])), DOMAIN, text)

    def test_an_empty_path_is_refused(self, client):
        fails(lambda: make_set(client, add("")), DOMAIN, PRINTABLE)
        append = storage.CreateFilesetRequest(append_file=storage.AppendFile(path="", data=b"1"))
        fails(lambda: client.storage.create_fileset(iter([append])), DOMAIN, PRINTABLE)

    @pytest.mark.parametrize("kind", ["CreateFileSet", "CreateFileset"])
    def test_an_empty_path_to_delete_is_refused(self, client, kind):
        if kind == "CreateFileSet":
            fails(lambda: make_set(client, add("/a"), delete("")), DOMAIN, PRINTABLE)
        requests = [storage.CreateFilesetRequest(delete_file=storage.DeleteFile(path=""))]
        fails(lambda: client.storage.create_fileset(iter(requests)), DOMAIN, PRINTABLE)

    def test_a_message_without_a_body(self, client):
        assert "ecognized" in refusal(lambda: make_set(client, pfs.ModifyFileRequest())).details()
        empty = [storage.CreateFilesetRequest()]
        assert "ecognized" in refusal(lambda: client.storage.create_fileset(iter(empty))).details()

    def test_a_commit_is_no_place_for_it(self, client, make):
        commit = pfs.ModifyFileRequest(set_commit=named(make()))
        fails(lambda: make_set(client, commit), DOMAIN, "cannot set commit")
        copy = pfs.ModifyFileRequest(copy_file=pfs.CopyFile(dst="/a"))
        fails(lambda: make_set(client, copy), INVALID, "validate recv:")

    def test_nothing_is_a_set_too(self, client):
        assert contents(client, make_set(client)) == {}
        assert contents(client, client.storage.create_fileset(iter([])).fileset_id) == {}

    def test_deletions_are_kept_for_the_commit(self, client, make):
        master = make()
        put(client, master, {"/a": b"1", "/d/b": b"1", "/d/c": b"1"})
        commit = client.pfs.start_commit(branch=master)
        handle = make_set(client, add("/a", b"2"), delete("/a"), delete("/d/b"), add("/new"))
        assert contents(client, handle) == {"/new": b"1"}
        client.pfs.add_file_set(commit=commit, file_set_id=handle)
        client.pfs.finish_commit(commit=commit)
        assert paths(client.pfs.list_file(file=file(commit, "/"))) == ["/d/", "/new"]


class TestCommitsAndSets:
    def test_of_an_open_commit(self, client, make):
        master = make()
        put(client, master, {"/a": b"1"})
        commit = client.pfs.start_commit(branch=master)
        client.pfs.modify_file(iter([pfs.ModifyFileRequest(set_commit=commit), add("/b")]))
        total = client.pfs.get_file_set(commit=commit, type=TOTAL).file_set_id
        difference = client.pfs.get_file_set(commit=commit, type=DIFF).file_set_id
        assert (contents(client, total), contents(client, difference)) == ({"/a": b"1", "/b": b"1"}, {"/b": b"1"})

    def test_what_a_commit_deletes_is_in_its_difference(self, client, make):
        first, second = make(), make()
        for branch in [first, second]:
            put(client, branch, {"/a": b"1", "/b": b"1"})
        with client.pfs.commit(branch=first) as commit:
            commit.delete_file(path="/a")
        difference = client.pfs.get_file_set(commit=named(first), type=DIFF).file_set_id
        with client.pfs.commit(branch=second) as commit:
            client.pfs.add_file_set(commit=commit, file_set_id=difference)
        assert paths(client.pfs.list_file(file=file(named(second), "/"))) == ["/b"]

    def test_only_an_open_commit_takes_one(self, client, make):
        master = make()
        commit, handle = put(client, master), make_set(client, add("/a"))
        text = f"commit default/{master.repo.name}@{commit.id} has already finished"
        for one in [commit, named(master)]:
            fails(lambda: client.pfs.add_file_set(commit=one, file_set_id=handle), DOMAIN, text)
        assert not client.pfs.path_exists(file(commit, "/a"))


class TestShards:
    def test_they_end_by_files_or_by_bytes_whichever_is_first(self, client):
        handle = make_set(client, *[add(f"/{number}", b"x" * 10) for number in range(6)])
        for call, name in [
            (client.pfs.shard_file_set, "file_set_id"), (client.storage.shard_fileset, "fileset_id"),
        ]:
            def shards(**bounds):
                return [(one.lower, one.upper) for one in call(**{name: handle}, **bounds).shards]

            assert shards() == [("", "")]
            assert shards(num_files=4) == [("", "/4"), ("/4", "")]
            assert shards(size_bytes=20) == [("", "/2"), ("/2", "/4"), ("/4", "")]
            assert shards(num_files=3, size_bytes=20) == [("", "/2"), ("/2", "/4"), ("/4", "")]

    def test_nothing_is_one_shard(self, client):
        handle = make_set(client)
        assert [(one.lower, one.upper) for one in client.pfs.shard_file_set(file_set_id=handle).shards] == [("", "")]


class TestTheCache:
    def test_it_holds_what_it_names(self, client, fresh):
        handle = make_set(client, add("/a"))
        key = fresh("key")
        client.pfs.put_cache(key=key, value=google.Any(value=b"1"), file_set_ids=[handle], tag=key)
        client.pfs.renew_file_set(file_set_id=handle, ttl_seconds=1)
        short = make_set(client, add("/b"))
        client.pfs.renew_file_set(file_set_id=short, ttl_seconds=1)
        # Once the other one is gone, this one's second is over as well.
        while True:
            try:
                contents(client, short)
            except grpc.RpcError as error:
                assert GONE in error.details()
                break
        make_set(client, add("/c"))
        assert contents(client, handle) == {"/a": b"1"}
        client.pfs.clear_cache(tag_prefix=key)
        assert refusal(lambda: client.pfs.get_cache(key=key))

    def test_an_empty_prefix_clears_all(self, own_server):
        client = connect(own_server)
        for key in ["a", "b"]:
            client.pfs.put_cache(key=key, value=google.Any(value=b"1"), tag=key)
        client.pfs.clear_cache()
        for key in ["a", "b"]:
            assert refusal(lambda: client.pfs.get_cache(key=key))


class TestTheStore:
    def test_a_check_of_a_clean_system_is_empty(self, client, make):
        put(client, make())
        for more in [{}, {"fix": True}, {"zombie_all": True}]:
            assert list(client.pfs.fsck(**more)) == []

    def test_everything_goes_and_the_default_project_comes_back(self, own_server):
        client = connect(own_server)
        project = pfs.Project(name="p")
        client.pfs.create_project(project=project)
        branches = []
        for repo in [pfs.Repo.from_uri("r"), pfs.Repo.from_uri("p/r")]:
            client.pfs.create_repo(repo=repo)
            branches.append(pfs.Branch(name="master", repo=repo))
        client.pfs.create_branch(branch=branches[1], provenance=[branches[0]])
        client.pfs.delete_all()
        assert list(client.pfs.list_repo()) == [] and list(client.pfs.list_commit_set()) == []
        [info] = client.pfs.list_project()
        assert (info.project.name, info.description) == ("default", "")
        client.pfs.create_repo(repo=pfs.Repo.from_uri("r"))

    def test_calls_that_have_nothing_to_do(self, client):
        assert client.pfs.activate_auth() is not None
        assert list(client.pfs.list_task()) == []
