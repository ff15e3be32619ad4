"""Writing and reading files, call by call: what the larger programs of the other files leave out."""

import io
import tarfile

import pytest
from pachyderm_sdk.api import pfs

from sdk_tools import (  # noqa: F401
    DOMAIN, NOBODY, NOT_FOUND, chain, client, fails, file, head, ids, make, named, paths, put, read, refusal,
)

FILES = {"/a/b/c": b"333", "/a/d": b"22", "/e": b"1", "/other": b"other"}
TAR_INSTEAD = "Use GetFileTAR instead"


def to(commit) -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(set_commit=commit)


def add(path, data=b"1", datum="") -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, datum=datum, raw=data))


def delete(path, datum="") -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path, datum=datum))


def copy(src, dst, **more) -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(copy_file=pfs.CopyFile(src=src, dst=dst, **more))


def modify(client, *messages):
    return client.pfs.modify_file(iter(messages))


def contents(client, commit) -> dict[str, bytes]:
    infos = client.pfs.walk_file(file=file(commit, "/"))
    found = [info.file.path for info in infos if not info.file.path.endswith("/")]
    # What is read is a pattern.
    return {path: read(client, commit, path.replace("\\", "\\\\")) for path in found}


@pytest.fixture
def tree(client, make) -> pfs.Commit:
    return put(client, make(), FILES)


@pytest.fixture
def numbered(client, make) -> pfs.Commit:
    return put(client, make(), {f"/d/{number}": b"x" for number in range(10)})


class TestWhereWritesGo:
    def test_the_first_message_names_the_commit_and_no_other_does(self, client, make):
        master = make()
        first = "first message must be a commit"
        fails(lambda: modify(client, add("/a")), DOMAIN, first)
        fails(lambda: modify(client), DOMAIN, first)
        fails(lambda: modify(client, to(named(master)), add("/a"), to(named(master))), DOMAIN, "cannot set commit")
        assert "ecognized" in refusal(lambda: modify(client, to(named(master)), pfs.ModifyFileRequest())).details()
        assert list(client.pfs.list_commit(repo=master.repo)) == []

    def test_a_finished_commit_by_its_id(self, client, make):
        master = make()
        commit = put(client, master)
        text = f"commit default/{master.repo.name}@{commit.id} has already finished"
        fails(lambda: modify(client, to(commit), add("/a")), DOMAIN, text)
        both = pfs.Commit(repo=master.repo, branch=master, id=commit.id)
        fails(lambda: modify(client, to(both), add("/a")), DOMAIN, text)
        # The id is a branch here, but it is an id that was given.
        fails(lambda: modify(client, to(pfs.Commit(repo=master.repo, id="master")), add("/a")), DOMAIN, text)
        assert contents(client, named(master)) == {"/x": b"1"}

    def test_a_commit_that_is_finished_meanwhile(self, client, make):
        commit = client.pfs.start_commit(branch=make())

        def messages():
            yield to(commit)
            yield add("/a")
            client.pfs.finish_commit(commit=commit)
            yield add("/b")

        fails(lambda: client.pfs.modify_file(messages()), DOMAIN, "has already finished")
        assert contents(client, commit) == {}

    def test_a_branch_with_an_id_that_nothing_has(self, client, make):
        master = make()
        modify(client, to(pfs.Commit(repo=master.repo, branch=master, id=NOBODY)), add("/a"))
        assert contents(client, named(master)) == {"/a": b"1"}
        assert head(client, master).id != NOBODY

    def test_an_id_that_is_a_branch(self, client, make):
        master = make()
        modify(client, to(pfs.Commit(repo=master.repo, branch=pfs.Branch(repo=master.repo), id="master")), add("/a"))
        assert contents(client, named(master)) == {"/a": b"1"}

    def test_an_output_branch(self, client, chain):
        a, b, _ = chain
        commit = put(client, a)
        # Its open head takes files; once that is finished, nobody starts another.
        modify(client, to(named(b)), add("/a"))
        client.pfs.finish_commit(commit=pfs.Commit(repo=b.repo, id=commit.id), force=True)
        fails(lambda: modify(client, to(named(b)), add("/b")), DOMAIN, "cannot start a commit on an output branch: ")
        assert contents(client, named(b)) == {"/a": b"1"}

    def test_messages_have_a_limit(self, client, make):
        master, limit = make(), 20 * 1024 * 1024
        modify(client, to(named(master)), add("/fits", bytes(limit - 100)))
        refusal(lambda: modify(client, to(named(master)), add("/small"), add("/large", bytes(limit + 64 * 1024))))
        assert paths(client.pfs.list_file(file=file(named(master), "/"))) == ["/fits"]
        assert client.pfs.inspect_file(file=file(named(master), "/fits")).size_bytes == limit - 100

    def test_no_changes_make_a_commit_all_the_same(self, client, make):
        master = make()
        modify(client, to(named(master)))
        [info] = client.pfs.list_commit(repo=master.repo)
        assert info.is_set("finished") and info.origin.kind == pfs.OriginKind.USER


class TestWhatIsWritten:
    @pytest.mark.parametrize("message", [
        lambda path: add(path), lambda path: delete(path), lambda path: copy(pfs.File.from_uri("r@b:/x"), path),
    ], ids=["add", "delete", "copy"])
    @pytest.mark.parametrize("path, text", [
        ("/a\nb", "only printable ASCII characters allowed"),
        *((f"/a{char}b", f"globbing character ({char}) not allowed in path") for char in "*?[]{}!()@+^"),
        ("/a/../b", "relative file paths are not allowed"), ("./a", "relative file paths are not allowed"),
    ])
    def test_paths_are_checked_before_anything_is_written(self, client, make, message, path, text):
        master = make()
        fails(lambda: modify(client, to(named(master)), add("/before"), message(path)), DOMAIN, text)
        assert list(client.pfs.list_commit(repo=master.repo)) == []

    @pytest.mark.parametrize("path, text", [
        ("", "only printable ASCII characters allowed"), (".", "relative file paths are not allowed"),
        ("/.", "relative file paths are not allowed"),
    ])
    @pytest.mark.parametrize("name", [
        "add",
        "delete",
        "copy",
    ])
    def test_an_empty_path_is_not_the_root(self, client, make, name, path, text):
        master = make()
        put(client, master, {"/d/a": b"1"})
        message = {"add": add(path), "delete": delete(path), "copy": copy(file(named(master), "/d"), path)}[name]
        fails(lambda: modify(client, to(named(master)), message), DOMAIN, text)
        assert contents(client, named(master)) == {"/d/a": b"1"}

    def test_the_root_is_no_file(self, client, make):
        master = make()
        fails(lambda: modify(client, to(named(master)), add("/")), DOMAIN)
        assert not client.pfs.branch_exists(master)

    def test_paths_are_put_in_order(self, client, make):
        master = make()
        modify(client, to(named(master)), add("a"), add("/b//c"), add("/d/"), add("/e f,g=#%:'\"\\|<>;`&$~"))
        assert sorted(contents(client, named(master))) == ["/a", "/b/c", "/d", "/e f,g=#%:'\"\\|<>;`&$~"]

    def test_in_the_order_of_the_stream(self, client, make):
        master = make()
        put(client, master, {"/r": b"old", "/g": b"old", "/a": b"old", "/dir/x": b"old"})
        modify(
            client, to(named(master)), delete("/r"), add("/r", b"new"), add("/g", b"more"), delete("/g"),
            add("/a", b"+"), add("/a", b""), delete("/dir"), delete("/none"), add("/new/1"), delete("/new/"),
            add("/empty", b""),
        )
        assert contents(client, named(master)) == {"/r": b"new", "/a": b"old+", "/dir/x": b"old", "/empty": b""}

    def test_what_another_datum_wrote_is_not_deleted(self, client, make):
        master = make()
        modify(client, to(named(master)), add("/d/a", datum="d1"), add("/d/b"))
        modify(client, to(named(master)), delete("/d/"), delete("/d/a"))
        assert contents(client, named(master)) == {"/d/a": b"1"}
        assert client.pfs.inspect_file(file=file(named(master), "/d/a")).file.datum == "d1"
        modify(client, to(named(master)), delete("/d/a", datum="d1"))
        assert contents(client, named(master)) == {}

    def test_copies(self, client, make, tree):
        master = make()
        put(client, master, {"/e": b"here", "/t/d": b"here"})
        modify(
            client, to(named(master)), copy(file(tree, "/e"), "/e"), copy(file(tree, "/other"), "/o"),
            copy(file(tree, "/e"), "/o", append=True), copy(file(tree, "/a"), "/t"), copy(file(tree, "/none"), "/n"),
        )
        assert contents(client, named(master)) == {
            "/e": b"1", "/o": b"other1", "/t/b/c": b"333", "/t/d": b"22",
        }


class TestReadingOne:
    def test_one_that_is_not_there(self, client, tree):
        text = f"file /none not found in repo default/{tree.repo.name} at commit "
        for call in [client.pfs.get_file, client.pfs.get_file_tar, client.pfs.inspect_file]:
            fails(lambda: call(file=file(tree, "/none")), NOT_FOUND, text + tree.id)
            fails(lambda: call(file=file(pfs.Commit(repo=tree.repo, id="master"), "/none")), NOT_FOUND, text + "master")

    def test_a_directory_and_many_files(self, client, tree):
        for path in ["/a", "/", "/a/"]:
            text = f"cannot get directory or non-regular file. {TAR_INSTEAD}"
            fails(lambda: client.pfs.get_file(file=file(tree, path)), DOMAIN, text)
        for path in ["/*", "/{e,other}"]:
            fails(lambda: client.pfs.get_file(file=file(tree, path)), DOMAIN, f"matched multiple files. {TAR_INSTEAD}")
        assert read(client, tree, "/o*") == b"other"

    def test_a_pattern_that_cannot_be_read(self, client, tree):
        for call in [client.pfs.get_file, client.pfs.get_file_tar]:
            assert refusal(lambda: call(file=file(tree, "/[a"))).code() in DOMAIN
        assert refusal(lambda: client.pfs.glob_file(commit=tree, pattern="/[a")).code() in DOMAIN

    def test_a_part(self, client, tree):
        def part(offset):
            return b"".join(one.value for one in client.pfs.get_file(file=file(tree, "/other"), offset=offset))

        assert [part(0), part(2), part(5), part(99)] == [b"other", b"her", b"", b""]
        fails(lambda: client.pfs.get_file(file=file(tree, "/other"), offset=-1), DOMAIN, "offset")

    def test_a_range_of_paths(self, client, tree):
        get = client.pfs.get_file
        assert b"".join(m.value for m in get(file=file(tree, "/*"), path_range=pfs.PathRange("/e", "/other"))) == b"1"
        fails(lambda: get(file=file(tree, "/e"), path_range=pfs.PathRange("/f", "")), NOT_FOUND, "not found in repo")

    def test_a_datum(self, client, make):
        master = make()
        modify(client, to(named(master)), add("/f", datum="d1"))
        assert client.pfs.inspect_file(file=pfs.File(commit=named(master), path="/f", datum="d1")).size_bytes == 1
        other = pfs.File(commit=named(master), path="/f", datum="d2")
        for call in [client.pfs.inspect_file, client.pfs.get_file]:
            fails(lambda: call(file=other), NOT_FOUND)

    def test_what_one_is(self, client, tree):
        info = client.pfs.inspect_file(file=file(tree, "e"))
        assert (info.file.path, info.file.datum, info.size_bytes, len(info.hash)) == ("/e", "default", 1, 32)
        folder = client.pfs.inspect_file(file=file(tree, "a/"))
        assert (folder.file.path, folder.file.datum, folder.size_bytes) == ("/a/", "", 5)
        assert info.committed == client.pfs.inspect_commit(commit=tree).finishing

    def test_the_root_of_nothing(self, client, make):
        master = make()
        client.pfs.create_branch(branch=master)
        root = file(named(master), "/")
        for call in [client.pfs.inspect_file, client.pfs.get_file_tar]:
            fails(lambda: call(file=root), NOT_FOUND)
        for call in [client.pfs.list_file, client.pfs.walk_file]:
            assert list(call(file=root)) == []
        assert list(client.pfs.glob_file(commit=named(master), pattern="/")) == []


class TestReadingAnArchive:
    @staticmethod
    def archive(client, commit, path, **more) -> list[tarfile.TarInfo]:
        data = b"".join(message.value for message in client.pfs.get_file_tar(file=file(commit, path), **more))
        assert data.endswith(bytes(1024))
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return archive.getmembers()

    def test_it_is_the_same_each_time(self, client, tree):
        members = self.archive(client, tree, "/")
        # Python takes the slash of a directory away.
        assert [member.name for member in members] == ["", "/a", "/a/b", "/a/b/c", "/a/d", "/e", "/other"]
        assert {(one.mode, one.mtime, one.uid, one.gid) for one in members} == {(0, 0, 0, 0)}

    def test_patterns_ranges_and_one_file(self, client, tree):
        def names(path, **more):
            return [member.name for member in self.archive(client, tree, path, **more)]

        assert names("/a/b/c") == ["/a/b/c"]
        assert names("/{a,e}") == ["/a", "/a/b", "/a/b/c", "/a/d", "/e"]
        assert names("/*", path_range=pfs.PathRange("/b", "/o")) == ["/e"]
        # An offset is of no meaning here.
        assert names("/e", offset=5) == ["/e"]

    def test_names_of_any_length(self, client, make):
        deep, long = f"/{'d' * 90}/{'e' * 90}/{'f' * 200}", f"/{'l' * 155}/{'m' * 99}"
        files = {deep: b"deep", long: b"x", f"/{'n' * 101}": b"n"}
        commit = put(client, make(), files)
        members = [member for member in self.archive(client, commit, "/") if member.isfile()]
        assert {member.name: member.size for member in members} == {path: len(data) for path, data in files.items()}

    def test_nothing_matches(self, client, tree):
        fails(lambda: client.pfs.get_file_tar(file=file(tree, "/none*")), NOT_FOUND, "not found in repo")


class TestReadingMany:
    @pytest.mark.parametrize("name", ["list_file", "walk_file"])
    def test_pages_have_rules(self, client, numbered, name):
        call, folder = getattr(client.pfs, name), file(numbered, "/d")
        fails(lambda: call(file=folder, number=100_001), DOMAIN, "cannot return more than 100000 files at a time")
        fails(lambda: call(file=folder, reverse=True), DOMAIN, "number must be > 0 when reverse is true")
        assert len(list(call(file=folder, number=100_000))) in (10, 11)

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("name", ["list_file", "walk_file"])
    def test_pages_in_both_directions(self, client, numbered, name, reverse):
        call, folder = getattr(client.pfs, name), file(numbered, "/d")
        expected = [*(["/d/"] if name == "walk_file" else []), *(f"/d/{number}" for number in range(10))]
        marker, found = None, []
        while page := paths(call(file=folder, number=3, pagination_marker=marker, reverse=reverse)):
            assert len(page) <= 3
            found += page
            marker = file(numbered, page[-1])
        assert found == (expected[::-1] if reverse else expected)

    def test_a_marker_alone(self, client, numbered):
        marker = file(numbered, "/d/7")
        for call in [client.pfs.list_file, client.pfs.walk_file]:
            assert paths(call(file=file(numbered, "/d"), pagination_marker=marker)) == ["/d/8", "/d/9"]
            # One that is not there, too.
            gone = file(numbered, "/d/85")
            assert paths(call(file=file(numbered, "/d"), pagination_marker=gone)) == ["/d/9"]

    def test_what_is_not_there(self, client, tree):
        fails(
            lambda: client.pfs.walk_file(file=file(tree, "none")), NOT_FOUND,
            f"commit/{tree.id} does not contain item: (/none)",
        )
        assert list(client.pfs.list_file(file=file(tree, "/none"))) == []
        assert list(client.pfs.glob_file(commit=tree, pattern="/none*")) == []
        assert list(client.pfs.diff_file(new_file=file(tree, "/none"))) == []

    def test_a_literal_path_is_no_pattern(self, client, tree):
        assert list(client.pfs.list_file(file=file(tree, "/*"))) == []
        for call in [client.pfs.walk_file, client.pfs.inspect_file]:
            fails(lambda: call(file=file(tree, "/*")), NOT_FOUND)

    def test_order_is_that_of_paths_with_their_slash(self, client, make):
        commit = put(client, make(), {"/b/a": b"1", "/b-x": b"1", "/b.txt": b"1", "/b0": b"1"})
        assert paths(client.pfs.list_file(file=file(commit, "/"))) == ["/b-x", "/b.txt", "/b/", "/b0"]
        assert paths(client.pfs.walk_file(file=file(commit, "/"))) == ["/", "/b-x", "/b.txt", "/b/", "/b/a", "/b0"]

    def test_ranges_of_a_glob_part_what_matches(self, client, tree):
        def glob(lower="", upper=""):
            return list(client.pfs.glob_file(commit=tree, pattern="/*", path_range=pfs.PathRange(lower, upper)))

        assert paths(glob()) == ["/a/", "/e", "/other"]
        assert (paths(glob(upper="/a/b")), paths(glob(lower="/a/b"))) == (["/a/"], ["/e", "/other"])
        assert glob(upper="/a/b")[0].size_bytes == 5
        assert paths(glob("/e", "/other")) == ["/e"]

    @pytest.mark.parametrize("pattern, expected", [
        ("/", ["/"]), ("/**", ["/a/", "/a/b/", "/a/b/c", "/a/d", "/e", "/other"]), ("/a/", ["/a/"]), ("a", ["/a/"]),
        ("/?", ["/a/", "/e"]), ("/[!a]*", ["/e", "/other"]), ("/(e|other)", ["/e", "/other"]),
        ("/!(e)", ["/a/", "/other"]),
        ("/a/{b/*,d}", ["/a/b/c", "/a/d"]), ("/[[:alpha:]]", ["/a/", "/e"]), ("/\\e", ["/e"]),
    ])
    def test_patterns(self, client, tree, pattern, expected):
        assert paths(client.pfs.glob_file(commit=tree, pattern=pattern)) == expected


class TestDifferences:
    @staticmethod
    def pairs(client, **request):
        return [
            (one.new_file.file.path, one.old_file.file.path) for one in client.pfs.diff_file(**request)
        ]

    def test_folders_on_the_way_are_told_too(self, client, make):
        master = make()
        old = put(client, master, {"/d/a": b"1", "/d/b": b"1"})
        new = put(client, master, {"/d/a": b"2"})
        expected = [("/", "/"), ("/d/", "/d/"), ("/d/a", "/d/a")]
        assert self.pairs(client, new_file=file(new, "/")) == expected
        assert self.pairs(client, new_file=file(new, "/"), old_file=file(old, "/")) == expected
        assert self.pairs(client, new_file=file(new, "/d/b"), old_file=file(old, "/d/b")) == []

    def test_a_first_commit_is_all_new(self, client, tree):
        assert [new for new, old in self.pairs(client, new_file=file(tree, "/")) if not old] == [
            "/", "/a/", "/a/b/", "/a/b/c", "/a/d", "/e", "/other",
        ]

    def test_shallow_leaves_out_what_is_in_a_folder_of_one_side(self, client, make):
        master = make()
        put(client, master, {"/old/x": b"1", "/both/x": b"1"})
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/old/")
            commit.put_file_from_bytes(path="/new/deep/x", data=b"1")
            commit.put_file_from_bytes(path="/both/x", data=b"2")
        found = self.pairs(client, new_file=file(named(master), "/"), shallow=True)
        assert found == [("/", "/"), ("/both/", "/both/"), ("/both/x", "/both/x"), ("/new/", ""), ("", "/old/")]

    def test_two_repos(self, client, make, tree):
        other = put(client, make(), {"/e": b"2"})
        found = self.pairs(client, new_file=file(other, "/e"), old_file=file(tree, "/e"))
        assert found == [("/e", "/e")]


class TestOpenCommits:
    def test_when_its_files_were_committed_is_not_known_yet(self, client, make):
        commit = client.pfs.start_commit(branch=make())
        modify(client, to(commit), add("/a"))
        assert not client.pfs.inspect_file(file=file(commit, "/a")).is_set("committed")
        handle = client.pfs.create_file_set(iter([add("/a")])).file_set_id
        virtual = pfs.Commit(repo=pfs.Repo(name="__filesets__"), id=handle)
        assert not client.pfs.inspect_file(file=file(virtual, "/a")).is_set("committed")

    def test_a_collision_is_told_to_who_reads_there(self, client, make):
        commit = client.pfs.start_commit(branch=make())
        modify(client, to(commit), add("/a"), add("/a/b"))
        error = refusal(lambda: client.pfs.walk_file(file=file(commit, "/")))
        assert "file / directory path collision (" in error.details()

    def test_one_whose_base_is_open_shows_what_there_is(self, client, chain):
        a, b, _ = chain
        first = put(client, a)
        second = put(client, a)
        base, child = (pfs.Commit(repo=b.repo, id=commit.id) for commit in [first, second])
        modify(client, to(base), add("/base"))
        modify(client, to(child), add("/child"))
        assert read(client, child, "/child") == b"1"
