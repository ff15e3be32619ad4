"""Shell programs that use `pachctl`: what they type, what they parse, and the status that they test.

`pachctl` here is the binary under test with that name, on the PATH of a real shell.
"""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from spile_server import ROOT, SPILE, Server

STAYING = "{cmd: [sh, -c, 'echo up and running; exec sleep 3600']}"


class Shell:
    """Runs shell text with `pachctl` and `spile` on the PATH."""

    def __init__(self, folder, address):
        self.folder = folder
        tools = folder / "tools"
        tools.mkdir()
        for name in ["pachctl", "spile"]:
            (tools / name).symlink_to(SPILE)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PACH")},
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PACH_CONFIG": str(folder / "config.json"),
            "PACHD_ADDRESS": address,
            "NO_COLOR": "1",
            # What users have; a pager must not wait for a key when there is nobody to press it.
            "PAGER": "cat",
        }

    def __call__(self, text, given=None, status=0):
        """Runs the text and returns what it prints; fails if the status is another one."""
        done = self.run(text, given)
        assert done.returncode == status, f"{text}\nstatus {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def run(self, text, given=None):
        process = self.start(text, given)
        try:
            output, errors = process.communicate(given)
        except BaseException:
            self.end(process)
            raise
        return subprocess.CompletedProcess(text, process.returncode, output, errors)

    def start(self, text, given=None):
        """Starts the text in a process group of its own."""
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text], env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )

    @staticmethod
    def end(process):
        """Ends what `start` started, with all that it started in turn."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def follow(self, text, wanted):
        """Reads what an endless command prints until a line is the wanted one, then ends the command."""
        return self.follow_until(text, lambda lines: lines[-1] == wanted)

    def follow_until(self, text, holds):
        """Reads what an endless command prints until something holds for the lines so far, then ends the command."""
        process = self.start(text)
        try:
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if holds(lines):
                    return lines
            raise AssertionError(f"{text} ended, status {process.wait()}: {process.stderr.read()}{lines}")
        finally:
            self.end(process)

    def fails(self, text, given=None):
        """Runs the text, which must fail with status 1; returns what it says on the standard error."""
        done = self.run(text, given)
        assert done.returncode == 1, f"{text}\nstatus {done.returncode}: {done.stderr}{done.stdout}"
        assert done.stderr.strip(), f"{text} failed without a word"
        return done.stderr


def objects(text) -> list:
    """`--raw` prints one JSON object after another, with nothing in between."""
    decoder, result, text = json.JSONDecoder(), [], text.lstrip()
    while text:
        value, end = decoder.raw_decode(text)
        result.append(value)
        text = text[end:].lstrip()
    return result


def table(text, *columns) -> list[dict[str, str]]:
    """The rows of a table by column; the header is where it says each one starts. `columns` are all of them."""
    header, *lines = text.splitlines()
    assert header.split() == " ".join(columns).split()
    starts, position = [], 0
    for column in columns:
        starts.append(header.index(column, position))
        position = starts[-1] + len(column)
    ends = [*starts[1:], None]
    return [
        {column: line[start:end].strip() for column, start, end in zip(columns, starts, ends)} for line in lines
    ]


REPO_TABLE = ["PROJECT", "NAME", "CREATED", "SIZE (MASTER)", "DESCRIPTION"]
COMMIT_TABLE = ["PROJECT", "REPO", "COMMIT", "FINISHED", "SIZE", "ORIGIN", "CREATOR", "DESCRIPTION"]
BRANCH_TABLE = ["BRANCH", "HEAD", "TRIGGER", "CREATOR", "CREATED"]
PIPELINE_TABLE = ["PROJECT", "NAME", "VERSION", "INPUT", "CREATED", "STATE / LAST JOB", "ALERTS", "DESCRIPTION"]


def files(text) -> list[str]:
    """The paths of `list file` and `glob file`, whose rows are cut by tabs."""
    header, *lines = text.splitlines()
    assert header.split() == ["SIZE", "NAME"]
    return [line.split("\t")[1].strip() for line in lines]


@pytest.fixture
def shell(server, tmp_path):
    return Shell(tmp_path, server.address)


@pytest.fixture
def repo(shell, fresh):
    name = fresh("cli")
    shell(f"pachctl create repo {name}")
    return name


class TestTheProgram:
    def test_version(self, shell):
        assert re.fullmatch(r"2\.12\.\d+\S*\n", shell("pachctl version --client-only"))
        assert [row["COMPONENT"] for row in table(shell("pachctl version"), "COMPONENT", "VERSION")] == [
            "pachctl", "pachd",
        ]

    def test_without_words_it_helps(self, shell):
        assert "pachctl" in shell("pachctl")
        assert "--append" in shell("pachctl put file --help")

    @pytest.mark.parametrize(
        "text",
        ["pachctl lsit repo", "pachctl list bogus", "pachctl list repo --no-such-flag", "pachctl create repo",
         "pachctl create repo a b", "pachctl inspect repo"],
    )
    def test_a_mistake_ends_with_status_1(self, shell, text):
        shell.fails(text)

    def test_a_server_that_is_not_there(self, shell):
        text = shell.fails("PACHD_ADDRESS=127.0.0.1:1 pachctl --rpc-timeout 2s list repo")
        assert 'could not connect to pachd at "grpc://127.0.0.1:1": ' in text
        assert "onnection refused" in text

    def test_contexts(self, shell, server):
        shell("unset PACHD_ADDRESS; pachctl connect " + server.address)
        assert shell("pachctl config get active-context") == f"{server.address}\n"
        assert json.loads(shell(f"pachctl config get context {server.address}"))["pachd_address"] == server.address
        shell("unset PACHD_ADDRESS; pachctl list repo")
        shell(f"""echo '{{"pachd_address": "{server.address}"}}' | pachctl config set context other --overwrite
                  pachctl config set active-context other
                  pachctl config update context --project elsewhere""")
        assert "elsewhere" in shell("pachctl config get context other")


class TestRepos:
    def test_a_repo_comes_and_goes(self, shell, fresh):
        name = fresh("cli")
        assert shell(f"pachctl create repo {name} -d 'what it is'") == ""
        row = next(row for row in table(shell("pachctl list repos"), *REPO_TABLE) if row["NAME"] == name)
        assert (row["PROJECT"], row["SIZE (MASTER)"], row["DESCRIPTION"]) == ("default", "≤ 0B", "what it is")
        info = objects(shell(f"pachctl inspect repo {name} --raw"))[0]
        assert (info["repo"]["name"], info["description"]) == (name, "what it is")
        assert f"Name: {name}" in shell(f"pachctl inspect repo {name}")
        shell(f"pachctl update repo {name} -d other")
        assert objects(shell(f"pachctl inspect repo {name} --raw"))[0]["description"] == "other"
        assert shell(f"pachctl delete repo {name}") == ""
        assert "not found" in shell.fails(f"pachctl inspect repo {name}")
        shell.fails(f"pachctl delete repo {name}")

    def test_a_repo_that_is_there_and_a_bad_name(self, shell, repo):
        assert "already exists" in shell.fails(f"pachctl create repo {repo}")
        assert "only alphanumeric characters" in shell.fails("pachctl create repo 'a b'")

    def test_raw_in_yaml(self, shell, repo):
        text = shell(f"pachctl inspect repo {repo} --raw -o yaml")
        assert f"name: {repo}" in text


class TestProjects:
    def test_a_project_comes_and_goes(self, shell, fresh):
        name = fresh("project")
        shell(f"pachctl create project {name} -d 'of a test'")
        assert name in shell("pachctl list project")
        shell(f"pachctl create repo data --project {name}")
        shell(f"echo x | pachctl put file data@master:/x --project {name}")
        assert shell(f"pachctl get file data@master:/x --project {name}") == "x\n"
        assert "data" in [
            row["NAME"] for row in table(shell(f"pachctl list repo --project {name}"), *REPO_TABLE)
        ]
        shell(f"pachctl delete repo data --project {name}")
        shell(f"yes | pachctl delete project {name} >/dev/null || test $? = 141")
        assert name not in shell("pachctl list project")


class TestFiles:
    def test_put_and_get(self, shell, repo):
        shell(f"echo hello | pachctl put file {repo}@master:/greeting")
        assert shell(f"pachctl get file {repo}@master:/greeting") == "hello\n"
        shell(f"echo again | pachctl put file {repo}@master:/greeting -f -")
        assert shell(f"pachctl get file {repo}@master:/greeting") == "again\n"
        shell(f"echo more | pachctl put file -a {repo}@master:/greeting -f -")
        assert shell(f"pachctl get file {repo}@master:/greeting") == "again\nmore\n"
        assert len(objects(shell(f"pachctl list commit {repo} --raw"))) == 3

    def test_where_a_local_file_goes(self, shell, repo):
        shell(f"""mkdir -p dir/sub; echo 1 > dir/one; echo 2 > dir/sub/two
                  pachctl put file {repo}@plain -f dir/one
                  pachctl put file {repo}@named:/other -f dir/one
                  pachctl put file {repo}@slash:/into/ -f dir/one
                  pachctl put file {repo}@several:/into -f dir/one -f dir/sub/two
                  pachctl put file -r {repo}@folder -f dir
                  pachctl put file -r {repo}@root:/ -f dir
                  pachctl put file --full-path {repo}@full:/at -f dir/one""")

        def put(branch):
            infos = objects(shell(f"pachctl glob file '{repo}@{branch}:/**' --raw"))
            return [info["file"]["path"] for info in infos if info["file_type"] == "FILE"]

        assert put("plain") == ["/one"]
        assert put("named") == ["/other"]
        assert put("slash") == ["/into/one"]
        assert put("several") == ["/into/one", "/into/two"]
        assert put("folder") == ["/dir/one", "/dir/sub/two"]
        assert put("root") == ["/one", "/sub/two"]

    def test_all_files_of_a_command_are_one_commit(self, shell, repo):
        shell(f"""for number in 1 2 3; do echo $number > $number; done
                  pachctl put file {repo}@master:/ -f 1 -f 2,3""")
        assert len(objects(shell(f"pachctl list commit {repo}@master --raw"))) == 1
        assert files(shell(f"pachctl list file {repo}@master")) == ["/1", "/2", "/3"]

    def test_a_list_of_files(self, shell, repo):
        shell(f"""echo 1 > a; echo 2 > b; printf 'a\\n\\nb\\n' > list
                  pachctl put file {repo}@master:/ -i list""")
        assert shell(f"pachctl get file {repo}@master:/b") == "2\n"

    def test_a_large_file_round_trip(self, shell, repo):
        shell(f"""head -c 30000000 /dev/urandom > large
                  pachctl put file {repo}@master:/large -f large
                  pachctl get file {repo}@master:/large | cmp - large
                  pachctl get file {repo}@master:/large -o copy && cmp copy large
                  pachctl get file {repo}@master:/large --offset 29999990 | cmp - <(tail -c 10 large)
                  pachctl put file -c {repo}@master:/compressed -f large
                  pachctl get file {repo}@master:/compressed | cmp - large""")

    def test_a_folder_round_trip(self, shell, repo):
        shell(f"""mkdir -p in/sub; echo 1 > in/one; : > in/sub/empty
                  pachctl put file -r {repo}@master:/ -f in
                  pachctl get file -r {repo}@master:/ -o out
                  diff -r in out
                  pachctl get file -r {repo}@master:/sub -o sub
                  test -e sub/empty""")

    def test_list_and_glob(self, shell, repo):
        shell(f"""mkdir -p in/dir; printf 12345 > in/file1.dat; printf 1 > in/dir/file2.dat
                  pachctl put file -r {repo}@master:/ -f in""")
        text = shell(f"pachctl list file {repo}@master")
        assert files(text) == ["/dir/", "/file1.dat"]
        assert "5B" in text
        assert files(shell(f"pachctl glob file '{repo}@master:/**2.dat'")) == ["/dir/file2.dat"]
        infos = objects(shell(f"pachctl list file {repo}@master:/ --raw"))
        assert [info["file"]["path"] for info in infos] == ["/dir/", "/file1.dat"]
        assert infos[1]["size_bytes"] == "5"
        assert shell(f"pachctl list file {repo}@master:/nowhere --raw") == ""

    def test_inspect_copy_and_delete(self, shell, repo):
        shell(f"""echo 1 | pachctl put file {repo}@master:/dir/one
                  pachctl copy file {repo}@master:/dir/one {repo}@master:/two
                  pachctl delete file {repo}@master:/dir/one""")
        assert [info["file"]["path"] for info in objects(shell(f"pachctl list file {repo}@master --raw"))] == ["/two"]
        assert "Path: /two" in shell(f"pachctl inspect file {repo}@master:/two")
        shell(f"""echo 1 | pachctl put file {repo}@master:/dir/one
                  pachctl delete file -r {repo}@master:/dir""")
        assert "not found" in shell.fails(f"pachctl inspect file {repo}@master:/dir")

    def test_diff(self, shell, repo):
        shell(f"""printf 'one\\ntwo\\n' | pachctl put file {repo}@master:/file
                  printf 'one\\nthree\\n' | pachctl put file {repo}@master:/file
                  echo new | pachctl put file {repo}@master:/new""")
        assert "/new" in shell(f"pachctl diff file {repo}@master --name-only --no-pager")
        assert "/file" not in shell(f"pachctl diff file {repo}@master --name-only --no-pager")
        text = shell(f"pachctl diff file {repo}@master:/file {repo}@master^^:/file --no-pager")
        assert "-two" in text and "+three" in text

    def test_what_is_missing(self, shell, repo, fresh):
        shell(f"echo x | pachctl put file {repo}@master:/x")
        assert "not found" in shell.fails(f"pachctl get file {repo}@master:/nowhere")
        assert "not found" in shell.fails(f"pachctl get file {repo}@nowhere:/x")
        assert "not found" in shell.fails(f"pachctl get file {fresh('cli')}@master:/x")
        assert "not found" in shell.fails(f"echo x | pachctl put file {fresh('cli')}@master:/x -f -")
        assert shell.fails(f"pachctl put file {repo}@master:/x -f no-such-file")
        assert "-r" in shell.fails(f"pachctl get file {repo}@master:/")
        assert len(objects(shell(f"pachctl list commit {repo} --raw"))) == 1


class TestHowFlagsMayBeWritten:
    @pytest.fixture
    def repo(self, shell, repo):
        shell(f"""mkdir dir; echo 1 > dir/one; echo 2 > dir/two
                  pachctl put file -rf dir {repo}@master:/
                  echo 3 | pachctl put file {repo}@master:/three""")
        return repo

    @pytest.mark.parametrize("flag", ["-n 1", "-n1", "-n=1", "--number 1", "--number=1"])
    def test_values(self, shell, repo, flag):
        assert len(objects(shell(f"pachctl list commit {repo} {flag} --raw"))) == 1
        assert len(objects(shell(f"pachctl list commit --raw {flag} {repo}"))) == 1

    @pytest.mark.parametrize("flag", ["--raw", "--raw=true", "--raw=1", "--raw --full-timestamps=false"])
    def test_switches(self, shell, repo, flag):
        assert objects(shell(f"pachctl list file {repo}@master {flag}"))

    def test_flags_of_the_whole_program_stand_anywhere(self, shell, repo):
        for line in ["--project default list repo", "list --project=default repo", "list repo --project default"]:
            assert repo in shell(f"pachctl --no-color {line} -v")

    def test_progress_can_be_switched_off(self, shell, repo):
        shell(f"pachctl get file {repo}@master:/one --progress=false -o copy; cmp copy dir/one")

    def test_a_name_that_begins_with_a_dash_comes_after_two(self, shell, repo):
        assert "not found" in shell.fails("pachctl inspect repo -- -x")


class TestCommits:
    def test_the_canonical_loop_of_a_spout(self, shell, repo):
        ids = shell(f"""
            for round in 1 2 3; do
                pachctl start commit {repo}@master
                for number in 1 2; do
                    echo "$round $number" | pachctl put file {repo}@master:/$round/$number -f -
                done
                pachctl finish commit {repo}@master
            done""").split()
        assert len(ids) == 3 and all(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{19}", one) for one in ids)
        infos = objects(shell(f"pachctl list commit {repo}@master --raw"))
        assert [info["commit"]["id"] for info in infos] == ids[::-1]
        assert shell(f"pachctl get file {repo}@master:/3/2") == "3 2\n"
        assert shell(f"pachctl get file {repo}@{ids[0]}:/1/1") == "1 1\n"
        shell.fails(f"pachctl get file {repo}@{ids[0]}:/2/1")
        assert shell(f"pachctl get file {repo}@master.2:/2/1") == "2 1\n"

    def test_an_id_in_a_variable(self, shell, repo):
        assert shell(f"""
            id=$(pachctl start commit {repo}@master -m 'first')
            echo data | pachctl put file {repo}@$id:/file -f -
            pachctl finish commit {repo}@$id
            pachctl wait commit {repo}@$id > /dev/null
            pachctl get file {repo}@master=$id:/file""") == "data\n"

    def test_starting_twice_and_finishing_twice(self, shell, repo):
        shell(f"pachctl start commit {repo}@master")
        assert "has not been finished" in shell.fails(f"pachctl start commit {repo}@master")
        shell(f"pachctl finish commit {repo}@master")
        assert "has already finished" in shell.fails(f"pachctl finish commit {repo}@master")

    def test_tables(self, shell, repo):
        shell(f"echo x | pachctl put file {repo}@master:/x -f -")
        row = table(shell(f"pachctl list commit {repo}@master"), *COMMIT_TABLE)[0]
        assert (row["REPO"], row["SIZE"], row["ORIGIN"], row["CREATOR"]) == (repo, "2B", "USER", "-")
        assert shell("pachctl list commit").splitlines()[0].split() == [
            "ID", "SUBCOMMITS", "PROGRESS", "CREATED", "MODIFIED",
        ]
        assert f"Commit: {repo}@" in shell(f"pachctl inspect commit {repo}@master")
        one = objects(shell(f"pachctl inspect commit {repo}@master --raw"))[0]
        assert one["origin"]["kind"] == "USER" and one["details"]["size_bytes"] == "2"
        assert "branch" not in one["commit"]

    def test_wait_shows_the_commit_that_it_waited_for(self, shell, repo):
        shell(f"pachctl start commit {repo}@master; pachctl finish commit {repo}@master")
        assert f"Commit: {repo}@" in shell(f"pachctl wait commit {repo}@master")

    def test_subscribe_prints_each_commit_at_once(self, shell, repo):
        shell(f"echo 0 | pachctl put file {repo}@master:/0 -f -")
        process = shell.start(f"pachctl subscribe commit {repo}@master")
        assert process.stdout.readline().startswith("PROJECT")
        assert repo in process.stdout.readline()
        shell.end(process)

    def test_subscribe_in_a_shell_loop(self, shell, repo):
        shell(f"echo 0 | pachctl put file {repo}@master:/0 -f -")
        process = shell.start(f"pachctl subscribe commit {repo}@master --raw")
        try:
            found, text, decoder = [], "", json.JSONDecoder()
            for line in process.stdout:
                text += line
                try:
                    value, end = decoder.raw_decode(text)
                except ValueError:
                    continue
                text = text[end:].lstrip()
                found.append(value["commit"]["id"])
                if len(found) == 1:
                    shell(f"echo 1 | pachctl put file {repo}@master:/1 -f -")
                if len(found) == 2:
                    break
        finally:
            shell.end(process)
        assert found == [
            info["commit"]["id"] for info in objects(shell(f"pachctl list commit {repo}@master --raw"))
        ][::-1]


class TestBranches:
    def test_a_branch_comes_and_goes(self, shell, repo):
        shell(f"""echo x | pachctl put file {repo}@master:/x -f -
                  pachctl create branch {repo}@staging --head master""")
        assert {row["BRANCH"] for row in table(shell(f"pachctl list branch {repo}"), *BRANCH_TABLE)} == {"master", "staging"}
        heads = [
            objects(shell(f"pachctl inspect branch {repo}@{name} --raw"))[0]["head"]["id"]
            for name in ["master", "staging"]
        ]
        assert heads[0] == heads[1]
        assert f"Name: {repo}@staging" in shell(f"pachctl inspect branch {repo}@staging")
        shell(f"pachctl delete branch {repo}@staging")
        shell.fails(f"pachctl inspect branch {repo}@staging")


class TestSpouts:
    @pytest.fixture
    def spout(self, shell, fresh):
        name = fresh("spout")
        yield name
        # `delete` minds if the test has deleted it already.
        shell(f"! pachctl inspect pipeline {name} >/dev/null 2>&1 || pachctl delete pipeline {name} --force")

    def spec(self, name, transform=STAYING, more=""):
        return f"pipeline: {{name: {name}}}\nspout: {{}}\ntransform: {transform}\n{more}"

    def test_create_look_stop_start_delete(self, shell, spout):
        assert shell("pachctl create pipeline -f -", given=self.spec(spout)) == ""
        row = next(row for row in table(shell("pachctl list pipeline"), *PIPELINE_TABLE) if row["NAME"] == spout)
        assert (row["VERSION"], row["INPUT"]) == ("1", "none")
        shell.follow(f"pachctl logs --pipeline {spout} --follow", "up and running")
        assert "up and running" in shell(f"pachctl logs --pipeline {spout}")
        assert "up and running" in shell(f"pachctl logs -p {spout} --master")
        assert objects(shell(f"pachctl logs -p {spout} --raw"))
        info = objects(shell(f"pachctl inspect pipeline {spout} --raw"))[0]
        assert info["pipeline"]["name"] == spout and "spout" in info["details"]
        assert info["type"] == "PIPELINE_TYPE_SPOUT"
        assert f"Name: {spout}" in shell(f"pachctl inspect pipeline {spout}")
        shell(f"pachctl stop pipeline {spout}")
        assert objects(shell(f"pachctl inspect pipeline {spout} --raw"))[0]["stopped"] is True
        shell(f"pachctl start pipeline {spout}")
        assert "stopped" not in objects(shell(f"pachctl inspect pipeline {spout} --raw"))[0]
        shell(f"pachctl delete pipeline {spout}")
        assert "not found" in shell.fails(f"pachctl inspect pipeline {spout}")

    def test_a_json_spec_of_a_file_and_an_update(self, shell, spout):
        spec = {"pipeline": {"name": spout}, "spout": {}, "transform": {"cmd": ["sleep", "3600"]}}
        (shell.folder / "spec.json").write_text(json.dumps(spec))
        shell("pachctl create pipeline -f spec.json")
        assert "already exists" in shell.fails("pachctl create pipeline -f spec.json")
        shell("pachctl update pipeline -f spec.json")
        assert objects(shell(f"pachctl inspect pipeline {spout} --raw"))[0]["version"] == "2"

    def test_update_makes_what_is_not_there(self, shell, spout):
        shell("pachctl update pipeline -f -", given=self.spec(spout))
        assert objects(shell(f"pachctl inspect pipeline {spout} --raw"))[0]["version"] == "1"

    def test_the_canonical_loop_inside_a_spout(self, shell, spout):
        script = (
            'pachctl start commit $PPS_PIPELINE_NAME@master; '
            'echo 1 | pachctl put file $PPS_PIPELINE_NAME@master:/1 -f -; '
            'echo 2 | pachctl put file $PPS_PIPELINE_NAME@master:/2 -f -; '
            'pachctl finish commit $PPS_PIPELINE_NAME@master; '
            'pachctl list file $PPS_PIPELINE_NAME@master; echo done; exec sleep 3600'
        )
        shell("pachctl create pipeline -f -", given=self.spec(spout, json.dumps({"cmd": ["sh", "-c", script]})))
        shell.follow(f"pachctl logs -p {spout} --follow", "done")
        assert shell(f"pachctl get file {spout}@master:/1; pachctl get file {spout}@master:/2") == "1\n2\n"
        infos = objects(shell(f"pachctl list commit {spout}@master --raw --origin user"))
        assert len(infos) == 1
        logs = shell(f"pachctl logs -p {spout}")
        assert "/1" in logs and "/2" in logs

    @pytest.mark.parametrize(
        ("spec", "fragment"),
        [
            ("{ not: [yaml", ""),
            ("pipeline: {name: x}\nspuot: {}\ntransform: {cmd: [true]}", "spuot"),
            ("pipeline: {name: x}\nspout: {}\ntransform: {cmd: sleep}", "cmd"),
            ("pipeline: {name: x}\nspout: {}\ntransform: {comand: [sleep]}", "comand"),
            ("spout: {}\ntransform: {cmd: [sleep]}", "pipeline"),
            ("pipeline: {name: x}\nspout: {overwrite: true}\ntransform: {cmd: [sleep]}", "overwrite"),
        ],
    )
    def test_a_bad_spec_is_refused_in_words_that_help(self, shell, spec, fragment):
        assert fragment in shell.fails("pachctl create pipeline -f -", given=spec)

    def test_a_spec_file_that_is_not_there(self, shell):
        assert "no-such-file" in shell.fails("pachctl create pipeline -f no-such-file.yaml")


class TestTheReadme:
    def test_its_first_spout(self, shell):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            section = file.read().split("## A first spout")[1]
        program = section.split("```sh\n")[1].split("```")[0].replace("bin/pachctl", "pachctl")
        # A reader takes a moment between the lines that make it and those that look at it.
        made, looked = program.split("pachctl list commit", 1)
        shell(made)
        spout = shell.start("pachctl subscribe commit clock@master --raw --origin user | grep -m 1 finished")
        assert spout.stdout.readline()
        shell.end(spout)
        assert re.search(r"\d\d:\d\d:\d\d", shell("pachctl list commit" + looked))


class TestTheServer:
    def test_sigterm_ends_it_with_status_0(self, own_server):
        assert own_server.stop() == 0

    def test_delete_all_asks_first(self, own_server, tmp_path):
        shell = Shell(tmp_path, own_server.address)
        shell("pachctl create repo one; echo x | pachctl put file one@master:/x")
        shell("echo n | pachctl delete all || true")
        assert "one" in shell("pachctl list repo")
        shell("(yes || true) | pachctl delete all")
        assert "one" not in shell("pachctl list repo")

    def test_a_second_server_on_the_same_folder_is_refused(self, own_server, tmp_path):
        done = subprocess.run(
            [SPILE, "server", "--data", own_server.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert "use" in done.stderr and own_server.data in done.stderr
        assert own_server.process.poll() is None

    def test_an_address_that_is_taken_is_refused(self, own_server, tmp_path):
        done = subprocess.run(
            [SPILE, "server", "--data", str(tmp_path / "other"), "--listen", f"127.0.0.1:{own_server.port}"],
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 1
        assert str(own_server.port) in done.stderr

    @pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:notaport", "127.0.0.1:99999"])
    def test_a_bad_address_is_refused(self, tmp_path, address):
        done = subprocess.run(
            [SPILE, "server", "--data", str(tmp_path / "data"), "--listen", address], capture_output=True, text=True,
            timeout=60,
        )
        assert done.returncode == 1 and done.stderr.strip()

    def test_a_relative_data_folder_serves_spouts_too(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        server = Server("data", "server.log").start()
        try:
            shell = Shell(tmp_path, server.address)
            spec = "pipeline: {name: tap}\nspout: {}\ntransform: {cmd: [sh, -c, 'pachctl list repo; exec sleep 3600']}"
            shell("pachctl create pipeline -f -", given=spec)
            process = shell.start("pachctl logs -p tap --follow")
            assert "PROJECT" in process.stdout.readline()
            shell.end(process)
        finally:
            server.stop()

    def test_data_of_a_newer_format_is_refused(self, own_server):
        own_server.stop()
        path = os.path.join(own_server.data, "format")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        newer = re.sub(r"\d+", lambda number: str(int(number[0]) + 1000), text, count=1)
        assert newer != text
        with open(path, "w", encoding="utf-8") as file:
            file.write(newer)
        done = subprocess.run(
            [SPILE, "server", "--data", own_server.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert "newer" in done.stderr or "format" in done.stderr
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        own_server.start()

    def test_it_goes_on_after_clients_that_talk_nonsense_or_vanish(self, own_server):
        for nonsense in [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""]:
            with socket.create_connection((own_server.host, own_server.port), timeout=10) as connection:
                connection.sendall(nonsense)
        done = subprocess.run(
            [SPILE, "version", "--raw"], env={**os.environ, "PACHD_ADDRESS": own_server.address}, capture_output=True,
            text=True, timeout=60,
        )
        assert done.returncode == 0, done.stderr
