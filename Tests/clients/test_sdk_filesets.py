"""File sets, the workers' cache and content references with pachyderm-sdk 2.12, unchanged, against the server."""

import http.client
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

import betterproto.lib.google.protobuf as google
import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, storage

from spile_server import SPILE, Server

MIB = 1024 * 1024


@pytest.fixture
def client(server):
    return Client(host=server.host, port=server.port)


@pytest.fixture
def repo(client, fresh):
    repo = pfs.Repo.from_uri(fresh("repo"))
    client.pfs.create_repo(repo=repo)
    return repo


@pytest.fixture
def master(repo):
    return pfs.Branch(name="master", repo=repo)


def add(path: str, data: bytes, datum: str = "") -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, datum=datum, raw=data))


def delete(path: str) -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))


def file_set(client, *operations: pfs.ModifyFileRequest) -> str:
    return client.pfs.create_file_set(iter(operations)).file_set_id


def append(path: str, data: bytes) -> storage.CreateFilesetRequest:
    return storage.CreateFilesetRequest(append_file=storage.AppendFile(path=path, data=data))


def storage_set(client, files: dict[str, bytes]) -> str:
    return client.storage.create_fileset(iter([append(*item) for item in files.items()])).fileset_id


def virtual(handle: str) -> pfs.Commit:
    """A file set as a commit."""
    return pfs.Commit(repo=pfs.Repo(name="__filesets__"), id=handle)


def read(client, commit: pfs.Commit, path: str) -> bytes:
    with client.pfs.pfs_file(file=pfs.File(commit=commit, path=path)) as content:
        return content.read()


def paths(client, commit: pfs.Commit) -> list[str]:
    return [info.file.path for info in client.pfs.walk_file(file=pfs.File(commit=commit, path="/"))]


def contents(client, handle: str, *filters: storage.FileFilter) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for message in client.storage.read_fileset(fileset_id=handle, filters=list(filters)):
        found[message.path] = found.get(message.path, b"") + (message.data or b"")
    return found


def details(error) -> str:
    return error.value.details()


GONE = "tracker does not contain item"


class TestMakingFileSets:
    def test_a_handle_is_two_runs_of_hex_and_reads_as_a_commit(self, client):
        handle = file_set(client, add("/dir/b", b"two"), add("/a", b"o"), add("/a", b"ne"))
        assert re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{64}", handle)
        for name in (handle, handle.split(".")[0]):
            commit = virtual(name)
            assert paths(client, commit) == ["/", "/a", "/dir/", "/dir/b"]
            assert read(client, commit, "/a") == b"one"
            assert client.pfs.inspect_file(file=pfs.File(commit=commit, path="/dir/b")).size_bytes == 3
            globbed = client.pfs.glob_file(commit=commit, pattern="/**")
            assert [info.file.path for info in globbed] == ["/a", "/dir/", "/dir/b"]
            listed = client.pfs.list_file(file=pfs.File(commit=commit, path="/"))
            assert [info.file.path for info in listed] == ["/a", "/dir/"]
            assert client.pfs.path_exists(file=pfs.File(commit=commit, path="/a"))
            assert not client.pfs.path_exists(file=pfs.File(commit=commit, path="/none"))

    def test_an_archive_can_be_read_from_it(self, client):
        commit = virtual(file_set(client, add("/dir/a", b"one")))
        with client.pfs.pfs_tar_file(file=pfs.File(commit=commit, path="/")) as archive:
            found = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
        assert found == {"dir/a": b"one"}

    def test_two_of_them_can_be_compared(self, client):
        old, new = file_set(client, add("/a", b"1"), add("/b", b"1")), file_set(client, add("/a", b"1"), add("/b", b"2"))
        found = client.pfs.diff_file(
            new_file=pfs.File(commit=virtual(new), path="/b"), old_file=pfs.File(commit=virtual(old), path="/b"))
        assert [difference.new_file.file.path for difference in found] == ["/b"]

    def test_inspecting_it_shows_a_virtual_commit(self, client):
        handle = file_set(client, add("/a", b"1"))
        info = client.pfs.inspect_commit(commit=virtual(handle))
        assert info.description == "FileSet - Virtual Commit"
        assert info.commit.id == handle and info.commit.repo.name == "__filesets__"
        assert info.finished.timestamp() == 0

    def test_it_cannot_be_created_written_or_listed(self, client):
        handle = file_set(client, add("/a", b"1"))
        with pytest.raises(grpc.RpcError, match="is a reserved name"):
            client.pfs.create_repo(repo=pfs.Repo(name="__filesets__"))
        with pytest.raises(grpc.RpcError) as error:
            client.pfs.put_file_from_bytes(commit=virtual(handle), path="/b", data=b"2")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.RpcError) as error:
            list(client.pfs.list_commit(repo=pfs.Repo(name="__filesets__")))
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        assert all(info.repo.name != "__filesets__" for info in client.pfs.list_repo(type=""))

    def test_a_stream_may_not_name_a_commit(self, client, master):
        message = pfs.ModifyFileRequest(set_commit=pfs.Commit(repo=master.repo, branch=master))
        with pytest.raises(grpc.RpcError, match="cannot set commit"):
            file_set(client, add("/a", b"1"), message)

    @pytest.mark.parametrize("path, text", [
        ("", "only printable ASCII characters allowed"), ("/a*", "globbing character"),
        ("/a/../b", "relative file paths are not allowed"),
    ])
    def test_paths_are_checked_as_elsewhere(self, client, path, text):
        with pytest.raises(grpc.RpcError, match=text):
            file_set(client, add(path, b"1"))

    def test_an_unknown_handle_is_not_found(self, client):
        for handle in ("0" * 12 + "4" + "0" * 19, "nonsense"):
            with pytest.raises(grpc.RpcError, match=GONE) as error:
                list(client.pfs.list_file(file=pfs.File(commit=virtual(handle), path="/")))
            assert error.value.code() == grpc.StatusCode.NOT_FOUND


class TestFileSetsAndCommits:
    def test_adding_one_is_a_layer_of_an_open_commit(self, client, master):
        with client.pfs.commit(branch=master) as first:
            for path in ("/keep", "/append", "/replace", "/dir/x"):
                first.put_file_from_bytes(path=path, data=b"old")
        handle = file_set(
            client, add("/append", b"+"), delete("/replace"), add("/replace", b"new"), delete("/dir/"), add("/new", b"1"))
        with client.pfs.commit(branch=master) as second:
            client.pfs.add_file_set(commit=second, file_set_id=handle)
        assert paths(client, second) == ["/", "/append", "/keep", "/new", "/replace"]
        assert read(client, second, "/append") == b"old+"
        assert read(client, second, "/replace") == b"new"
        with pytest.raises(grpc.RpcError, match="has already finished"):
            client.pfs.add_file_set(commit=second, file_set_id=handle)

    def test_adding_one_that_is_gone_is_refused(self, client, master):
        with client.pfs.commit(branch=master) as commit:
            with pytest.raises(grpc.RpcError, match=GONE):
                client.pfs.add_file_set(commit=commit, file_set_id="0" * 12 + "4" + "0" * 19)

    def test_total_and_difference_of_a_commit(self, client, master):
        with client.pfs.commit(branch=master) as first:
            first.put_file_from_bytes(path="/a", data=b"1")
        with client.pfs.commit(branch=master) as second:
            second.put_file_from_bytes(path="/b", data=b"2")
        kinds = pfs.GetFileSetRequestFileSetType
        total = client.pfs.get_file_set(commit=second, type=kinds.TOTAL).file_set_id
        difference = client.pfs.get_file_set(commit=second, type=kinds.DIFF).file_set_id
        assert paths(client, virtual(total)) == ["/", "/a", "/b"]
        assert paths(client, virtual(difference)) == ["/", "/b"]
        with pytest.raises(grpc.RpcError) as error:
            client.pfs.get_file_set(commit=pfs.Commit(repo=master.repo, id="none"), type=kinds.TOTAL)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_files_are_copied_out_of_one(self, client, master):
        handle = file_set(client, add("/dir/a", b"one"))
        with client.pfs.commit(branch=master) as commit:
            commit.copy_file(src=pfs.File(commit=virtual(handle), path="/dir"), dst="/copy")
        assert read(client, commit, "/copy/a") == b"one"


class TestComposingShardingRenewing:
    def test_later_ones_lie_on_top(self, client):
        lower = file_set(client, add("/a", b"1"), add("/gone", b"1"), add("/replaced", b"1"))
        upper = file_set(client, add("/a", b"2"), delete("/gone"), delete("/replaced"), add("/replaced", b"2"))
        for compact in (False, True):
            both = client.pfs.compose_file_set(file_set_ids=[lower, upper], ttl_seconds=60, compact=compact).file_set_id
            assert contents(client, both) == {"/a": b"12", "/replaced": b"2"}
        with pytest.raises(grpc.RpcError, match=GONE):
            client.pfs.compose_file_set(file_set_ids=[lower, "none"])

    def test_no_ttl_is_the_usual_one(self, client):
        one = file_set(client, add("/a", b"1"))
        both = client.pfs.compose_file_set(file_set_ids=[one], ttl_seconds=0).file_set_id
        assert contents(client, both) == {"/a": b"1"}

    def test_shards_meet_and_cover_everything(self, client):
        handle = file_set(client, *[add(f"/f{index}", b"x" * 10) for index in range(100, 200)])
        shards = client.pfs.shard_file_set(file_set_id=handle, num_files=40).shards
        assert [(shard.lower, shard.upper) for shard in shards] == [
            ("", "/f140"), ("/f140", "/f180"), ("/f180", "")]
        by_size = client.pfs.shard_file_set(file_set_id=handle, size_bytes=500).shards
        assert [shard.lower for shard in by_size] == ["", "/f150"]
        assert len(client.pfs.shard_file_set(file_set_id=handle).shards) == 1
        found = []
        for shard in shards:
            infos = client.pfs.glob_file(commit=virtual(handle), pattern="/*", path_range=shard)
            found += [info.file.path for info in infos]
        assert found == [f"/f{index}" for index in range(100, 200)]
        with pytest.raises(grpc.RpcError, match=GONE):
            client.pfs.shard_file_set(file_set_id="none")

    def test_a_renewal_has_bounds(self, client):
        handle = file_set(client, add("/a", b"1"))
        for seconds in (1, 1800):
            client.pfs.renew_file_set(file_set_id=handle, ttl_seconds=seconds)
        with pytest.raises(grpc.RpcError, match="must be at least one second"):
            client.pfs.renew_file_set(file_set_id=handle, ttl_seconds=0)
        with pytest.raises(grpc.RpcError, match="exceeds max ttl"):
            client.pfs.renew_file_set(file_set_id=handle, ttl_seconds=1801)
        with pytest.raises(grpc.RpcError, match=GONE) as error:
            client.pfs.renew_file_set(file_set_id="none", ttl_seconds=60)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    def test_file_sets_outlive_a_restart(self, own_server):
        client = Client(host=own_server.host, port=own_server.port)
        handle = file_set(client, add("/a", b"1"))
        client.storage.read_fileset(fileset_id=handle)
        assert own_server.stop() == 0
        own_server.start()
        client = Client(host=own_server.host, port=own_server.port)
        assert contents(client, handle) == {"/a": b"1"}


class TestCache:
    def test_the_first_value_stays(self, client, fresh):
        key, handle = fresh("key"), file_set(client, add("/a", b"1"))
        value = google.Any(type_url="type.googleapis.com/some.Thing", value=b"\x0a\x01x")
        client.pfs.put_cache(key=key, value=value, file_set_ids=[handle], tag=key)
        client.pfs.put_cache(key=key, value=google.Any(type_url="other"), tag=key)
        found = client.pfs.get_cache(key=key).value
        assert (found.type_url, found.value) == (value.type_url, value.value)

    def test_a_miss_is_an_error(self, client, fresh):
        with pytest.raises(grpc.RpcError):
            client.pfs.get_cache(key=fresh("key"))

    def test_entries_are_cleared_by_the_start_of_their_tag(self, client, fresh):
        tag = fresh("tag")
        for name in ("a1", "a2", "b"):
            client.pfs.put_cache(key=f"{tag}/{name}", value=google.Any(value=b"1"), tag=f"{tag}/{name}")
        client.pfs.clear_cache(tag_prefix=f"{tag}/a")
        assert client.pfs.get_cache(key=f"{tag}/b").value.value == b"1"
        for name in ("a1", "a2"):
            with pytest.raises(grpc.RpcError):
                client.pfs.get_cache(key=f"{tag}/{name}")

    def test_a_file_set_that_is_gone_cannot_be_held(self, client, fresh):
        with pytest.raises(grpc.RpcError, match=GONE):
            client.pfs.put_cache(key=fresh("key"), value=google.Any(), file_set_ids=["none"])


class TestStorage:
    def test_what_is_appended_is_read_in_path_order(self, client):
        requests = [append("/b", b"2"), append("/a", b"1"), append("/a", b"1"), append("/empty", b"")]
        handle = client.storage.create_fileset(iter(requests)).fileset_id
        messages = list(client.storage.read_fileset(fileset_id=handle))
        assert [message.path for message in messages] == ["/a", "/b", "/empty"]
        assert contents(client, handle) == {"/a": b"11", "/b": b"2", "/empty": b""}

    def test_files_are_deleted_and_copied(self, client):
        first = storage_set(client, {"/dir/a": b"1", "/dir/b": b"2", "/c": b"3"})
        copy = lambda src, dst: storage.CreateFilesetRequest(
            copy_file=storage.CopyFile(fileset_id=first, src=src, dst=dst))
        requests = [
            append("/c", b"old"), append("/gone", b"1"), copy("/c", ""), copy("/dir", "/copy"),
            storage.CreateFilesetRequest(delete_file=storage.DeleteFile(path="/gone")),
        ]
        second = client.storage.create_fileset(iter(requests)).fileset_id
        assert contents(client, second) == {"/c": b"3", "/copy/a": b"1", "/copy/b": b"2"}
        with pytest.raises(grpc.RpcError, match=GONE):
            client.storage.create_fileset(iter([
                storage.CreateFilesetRequest(copy_file=storage.CopyFile(fileset_id="none", src="/a"))]))

    def test_bad_paths_are_refused(self, client):
        with pytest.raises(grpc.RpcError, match="globbing character"):
            storage_set(client, {"/a*": b""})

    def test_a_large_file_comes_in_pieces(self, client):
        data = os.urandom(5 * MIB)
        handle = storage_set(client, {"/big": data})
        assert len(list(client.storage.read_fileset(fileset_id=handle))) > 1
        assert contents(client, handle) == {"/big": data}

    def test_filters_are_all_applied(self, client):
        handle = storage_set(client, {f"/{name}": b"1" for name in ("a1", "a2", "b1", "c1")})
        regex = lambda text: storage.FileFilter(path_regex=text)
        ranged = lambda lower, upper: storage.FileFilter(path_range=storage.PathRange(lower=lower, upper=upper))
        assert list(contents(client, handle, regex("1"))) == ["/a1", "/b1", "/c1"]
        assert list(contents(client, handle, regex("^/a"), regex("1$"))) == ["/a1"]
        assert list(contents(client, handle, ranged("/a2", "/c"))) == ["/a2", "/b1"]
        assert list(contents(client, handle, ranged("/a2", ""), ranged("", "/c1"), regex("[ab]1"))) == ["/b1"]
        assert contents(client, handle, ranged("/c", "/b")) == {}
        with pytest.raises(grpc.RpcError, match="path_regex") as error:
            contents(client, handle, regex("(unclosed"))
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    def test_renewing_composing_and_sharding(self, client):
        handles = [storage_set(client, {f"/{index}": b"x"}) for index in range(3)]
        whole = client.storage.compose_fileset(fileset_ids=handles, ttl_seconds=60).fileset_id
        assert list(contents(client, whole)) == ["/0", "/1", "/2"]
        shards = client.storage.shard_fileset(fileset_id=whole, num_files=2).shards
        assert [(shard.lower, shard.upper) for shard in shards] == [("", "/2"), ("/2", "")]
        client.storage.renew_fileset(fileset_id=whole, ttl_seconds=60)
        with pytest.raises(grpc.RpcError, match="exceeds max ttl"):
            client.storage.renew_fileset(fileset_id=whole, ttl_seconds=4000)
        for call in (
            lambda: client.storage.renew_fileset(fileset_id="none", ttl_seconds=60),
            lambda: client.storage.compose_fileset(fileset_ids=["none"]),
            lambda: client.storage.shard_fileset(fileset_id="none"),
            lambda: contents(client, "none"),
        ):
            with pytest.raises(grpc.RpcError, match=GONE):
                call()


def urls(ref) -> list[str]:
    """The URLs in a reference, in order."""
    if ref.http.url:
        return [ref.http.url]
    for inner in (ref.slice.inner, ref.content_hash.inner):
        if inner is not None and inner != type(ref)():
            return urls(inner)
    return [url for part in ref.concat.refs for url in urls(part)]


class TestReferences:
    FILES = {"/dir/a b&c=d": b"one", "/empty": b"", "/\u00e9": b"two"}

    def test_a_file_set_is_assembled_from_them(self, client, tmp_path):
        files = self.FILES | {"/big": os.urandom(9 * MIB)}
        handle = storage_set(client, files)
        client.storage.assemble_fileset(handle, "/", tmp_path / "out", cache_location=tmp_path / "cache")
        for path, data in files.items():
            assert (tmp_path / "out" / path[1:]).read_bytes() == data
        assert len(os.listdir(tmp_path / "cache")) > 4

    def test_what_was_fetched_is_not_fetched_again(self, client, tmp_path):
        data = os.urandom(8 * MIB)
        first = storage_set(client, {"/big": data})
        client.storage.fetch_chunks(first, "/", cache_location=tmp_path / "cache")
        before = set(os.listdir(tmp_path / "cache"))
        client.storage.assemble_fileset(
            first, "/big", tmp_path / "out", cache_location=tmp_path / "cache", fetch_missing_chunks=False)
        assert (tmp_path / "out/big").read_bytes() == data
        second = storage_set(client, {"/big": data + b"more"})
        client.storage.fetch_chunks(second, "/", cache_location=tmp_path / "cache")
        assert len(set(os.listdir(tmp_path / "cache")) - before) == 1
        client.storage.fetch_chunks(second, "/", cache_location=tmp_path / "cache", prune=True)
        assert len(os.listdir(tmp_path / "cache")) <= len(before)

    def test_filters_hold_for_references(self, client, tmp_path):
        handle = storage_set(client, {"/a": b"1", "/b": b"2", "/c": b"3"})
        client.storage.assemble_fileset(handle, "[ab]", tmp_path / "one", cache_location=tmp_path / "cache")
        assert sorted(os.listdir(tmp_path / "one")) == ["a", "b"]
        bounds = storage.PathRange(lower="/b")
        client.storage.assemble_fileset(handle, bounds, tmp_path / "two", cache_location=tmp_path / "cache")
        assert sorted(os.listdir(tmp_path / "two")) == ["b", "c"]

    def test_the_host_of_a_url_can_be_replaced(self, client, server, tmp_path):
        handle = storage_set(client, {"/a": b"1"})
        client.storage.assemble_fileset(
            handle, "/", tmp_path / "out", cache_location=tmp_path / "cache",
            http_host_replacement=f"localhost:{server.http_port}")
        assert (tmp_path / "out/a").read_bytes() == b"1"

    def test_a_url_is_good_as_it_is_and_in_no_other_way(self, client):
        handle = storage_set(client, {"/a": b"12345", "/secret": b"x"})
        message = next(iter(client.storage.read_fileset_cdr(fileset_id=handle)))
        (url,) = urls(message.ref)
        assert urllib.request.urlopen(url).read() == b"12345"
        for bad in (
            url.replace("path=/a", "path=/secret"), url.replace("to=5", "to=4"), re.sub(r"expires=\d+", "expires=9", url),
            url[:-1] + ("0" if url[-1] != "0" else "1"), re.sub("&signature.*", "", url),
        ):
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(bad)
            assert error.value.code == 403

    def test_a_url_outlives_the_lease_of_its_file_set(self, client):
        handle = storage_set(client, {"/a": b"1"})
        (url,) = urls(next(iter(client.storage.read_fileset_cdr(fileset_id=handle))).ref)
        client.storage.renew_fileset(fileset_id=handle, ttl_seconds=1)
        while True:
            try:
                contents(client, handle)
            except grpc.RpcError as error:
                assert GONE in error.details()
                break
        storage_set(client, {"/b": b"makes the sweep run"})
        assert urllib.request.urlopen(url).read() == b"1"

    def test_a_missing_file_set_is_told_before_anything_else(self, client):
        with pytest.raises(grpc.RpcError, match=GONE):
            list(client.storage.read_fileset_cdr(fileset_id="none"))


class TestPlainHTTP:
    def test_a_connection_left_open_does_not_hold_the_server(self, own_server):
        connection = http.client.HTTPConnection(own_server.host, own_server.http_port)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        started = time.monotonic()
        assert own_server.stop() == 0
        assert time.monotonic() - started < 10
        connection.close()

    def test_health_and_readiness(self, server):
        for path in ("/healthz", "/readyz"):
            with urllib.request.urlopen(f"http://{server.host}:{server.http_port}{path}") as answer:
                assert (answer.status, answer.read()) == (200, b"ok\n")
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://{server.host}:{server.http_port}/none")
        assert error.value.code == 404

    def test_it_can_be_off_and_references_say_so(self, tmp_path):
        server = Server(str(tmp_path / "data"), str(tmp_path / "log"))
        server.http = "off"
        server.start()
        try:
            assert server.http_port == 0
            client = Client(host=server.host, port=server.port)
            handle = storage_set(client, {"/a": b"1"})
            with pytest.raises(grpc.RpcError, match="plain HTTP") as error:
                list(client.storage.read_fileset_cdr(fileset_id=handle))
            assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
            assert contents(client, handle) == {"/a": b"1"}
        finally:
            server.stop()

    def test_a_taken_port_is_refused_where_it_was_asked_for(self, server, tmp_path):
        command = [
            SPILE, "server", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0",
            "--http", f"127.0.0.1:{server.http_port}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert f"cannot listen on 127.0.0.1:{server.http_port} for plain HTTP" in done.stderr
