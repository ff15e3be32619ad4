"""Spouts in containers: `spile server --launcher container`, with podman and an image of nothing but a static busybox.

The image comes from Scripts/test-image.sh. The containers get a static `pachctl`: bin/spile, or what SPILE_STATIC names;
without podman, the image or a static program the tests are skipped, with the reason.
"""

import json
import re
import subprocess

import pytest

from containers import BUSYBOX as IMAGE
from containers import OPTIONS, missing, podman
from spile_server import SPILE
from test_cli import Shell
from test_sdk_plain_services import fetch
from test_sdk_services import free_port

ONE_COMMIT = "until pachctl put file $PPS_PIPELINE_NAME@master:/{} -f {}; do sleep 0.1; done"

pytestmark = pytest.mark.skipif(bool(missing(IMAGE)), reason=missing(IMAGE))


@pytest.fixture
def own_shell(tmp_path, server_with):
    """A shell that talks to a server of its own, whose options it is given."""

    def start(*options):
        server = server_with(*OPTIONS, *options)
        folder = tmp_path / "shell"
        folder.mkdir()
        shell = Shell(folder, server.address)
        shell.server = server
        return shell

    return start


@pytest.fixture
def shell(own_shell):
    return own_shell("--launcher", "container")


def create(shell, name, script, launcher=None, **more):
    """Makes a spout of a shell script."""
    transform = {"image": IMAGE, "cmd": ["sh", "-c", script]} | more.pop("transform", {})
    spec = {"pipeline": {"name": name}, "spout": {}, "transform": transform} | more
    if launcher:
        spec["metadata"] = {"annotations": {"spile.io/launcher": launcher}}
    shell("pachctl create pipeline -f -", json.dumps(spec))


def first_output(shell, name):
    """Waits for the first commit of a spout's own code."""
    process = shell.start(f"pachctl subscribe commit {name}@master --origin user")
    try:
        assert process.stdout.readline()
    finally:
        Shell.end(process)


def containers(name, *options):
    """The ids of the containers that run a pipeline's code."""
    label = f"label=io.spile.pipeline=default/{name}"
    return podman("ps", "--quiet", "--no-trunc", "--filter", label, *options).split()


def state(shell, name, wanted):
    """Waits for a pipeline's state; returns the reason. The test's own time limit ends it."""
    while True:
        info = json.loads(shell(f"pachctl inspect pipeline {name} --raw"))
        if info["state"] == wanted:
            return info.get("reason", "")


class TestCode:
    def test_pachctl_works_in_an_image_without_a_c_library(self, shell, fresh):
        name = fresh("spout")
        script = "(env; pwd; id -u; ls /pfs; cat $PACH_CONFIG) > /tmp/seen; " + ONE_COMMIT.format("seen", "/tmp/seen")
        create(shell, name, script + "; sleep 1000", transform={"env": {"MINE": "a b"}})
        first_output(shell, name)
        seen = shell(f"pachctl get file {name}@master:/seen").splitlines()
        assert "IMAGE_SAYS=hello" in seen and "MINE=a b" in seen
        assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/pach-bin" in seen
        assert "PACH_CONFIG=/pachctl/config.json" in seen
        assert seen[-3:-1] == ["/tmp", "0"], "the image's working folder, and nothing in /pfs"
        context = json.loads(seen[-1])["v2"]["contexts"]["default"]
        assert context["pachd_address"] == shell.server.address

    def test_the_usual_form_a_shell_that_reads_its_script(self, shell, fresh):
        name = fresh("spout")
        script = ["date > /tmp/x", ONE_COMMIT.format("x", "/tmp/x"), "sleep 1000"]
        create(shell, name, "", transform={"cmd": ["sh"], "stdin": script})
        first_output(shell, name)

    def test_what_it_prints_is_kept(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "echo to stdout; echo to stderr >&2; sleep 1000")
        for line in ["to stdout", "to stderr"]:
            shell.follow(f"pachctl logs --pipeline {name} --follow", line)

    def test_user_folder_and_files(self, shell, fresh):
        name = fresh("spout")
        script = "(id -u; pwd; echo x > /pfs/x && echo wrote) > /tmp/seen; " + ONE_COMMIT.format("s", "/tmp/seen")
        create(shell, name, script + "; sleep 1000", transform={"user": "nobody", "workingDir": "/usr"})
        first_output(shell, name)
        assert shell(f"pachctl get file {name}@master:/s").splitlines() == ["65534", "/usr", "wrote"]


class TestLife:
    def test_its_end_is_told_and_it_is_started_again(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "echo last words; exit 7")
        reason = state(shell, name, "PIPELINE_CRASHING")
        assert "exited with code 7" in reason and "last words" in reason

    def test_stop_start_and_delete(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "echo up; sleep 1000")
        state(shell, name, "PIPELINE_RUNNING")
        first = containers(name)
        assert len(first) == 1
        shell(f"pachctl stop pipeline {name}")
        state(shell, name, "PIPELINE_PAUSED")
        assert containers(name) == []
        shell(f"pachctl start pipeline {name}")
        state(shell, name, "PIPELINE_RUNNING")
        assert len(containers(name)) == 1 and containers(name) != first
        shell(f"pachctl delete pipeline {name}")
        # One that has ended is still in the list for a moment, until it is removed.
        while containers(name, "--all"):
            pass

    def test_a_killed_server_leaves_no_second_run(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "echo up; sleep 1000")
        state(shell, name, "PIPELINE_RUNNING")
        old = containers(name)
        shell.server.kill()
        assert containers(name) == old, "the container outlives the server"
        shell.server.start()
        while containers(name) in ([], old) or len(containers(name)) > 1:
            pass
        assert old[0] not in containers(name)

    def test_a_stopped_server_leaves_nothing(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "echo up; sleep 1000")
        state(shell, name, "PIPELINE_RUNNING")
        assert shell.server.stop() == 0
        assert containers(name) == []


class TestFaults:
    def test_an_image_that_is_not_there(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "true", transform={"image": "localhost/no-such-image:1"})
        assert 'there is no image "localhost/no-such-image:1"' in state(shell, name, "PIPELINE_CRASHING")

    def test_memory_has_a_limit(self, shell, fresh):
        name = fresh("spout")
        # Shared memory counts, and takes no more than is written.
        create(
            shell, name, "head -c 50000000 /dev/zero > /dev/shm/x && echo too much",
            resourceLimits={"memory": "32Mi"},
        )
        reason = state(shell, name, "PIPELINE_CRASHING")
        if "control groups" in reason:
            pytest.skip("containers have no control groups here")
        assert "was ended by signal 9" in reason
        assert "too much" not in shell(f"pachctl logs --pipeline {name}")


class TestChoice:
    def test_a_pipeline_chooses_containers(self, own_shell, fresh):
        shell, name, other = own_shell(), fresh("spout"), fresh("spout")
        create(shell, name, f"echo $IMAGE_SAYS > /tmp/x; {ONE_COMMIT.format('x', '/tmp/x')}; sleep 1000", "container")
        create(shell, other, f"{ONE_COMMIT.format('x', '/etc/hostname')}; sleep 1000")
        for spout in [name, other]:
            first_output(shell, spout)
        assert shell(f"pachctl get file {name}@master:/x") == "hello\n"
        assert len(containers(name)) == 1 and containers(other) == []

    def test_a_pipeline_chooses_processes(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, f"{ONE_COMMIT.format('x', '/etc/hostname')}; sleep 1000", "process")
        first_output(shell, name)
        assert containers(name) == []

    def test_a_launcher_that_there_is_not(self, shell, fresh):
        name = fresh("spout")
        create(shell, name, "true", "balloon")
        assert 'there is no launcher "balloon"' in state(shell, name, "PIPELINE_FAILURE")

    def test_without_a_container_tool_the_pipeline_says_so(self, own_shell, fresh):
        shell, name = own_shell("--container-command", "no-such-tool"), fresh("spout")
        create(shell, name, "true", "container")
        assert 'there is no program "no-such-tool" to run containers with' in state(shell, name, "PIPELINE_CRASHING")

    @pytest.mark.parametrize(
        "options, text",
        [
            (["--container-command", "no-such-tool"], "there is no program .no-such-tool. to run containers with"),
            (["--container-network", "bridge"], "containers in the network bridge cannot reach the server"),
            (["--image-pull", "sometimes"], "--image-pull sometimes is none of missing, always, never"),
        ],
    )
    def test_a_server_that_cannot_run_containers_does_not_start(self, tmp_path, options, text):
        done = subprocess.run(
            [SPILE, "server", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--launcher", "container", *options],
            capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode != 0 and re.search(text, done.stderr), done.stderr


class TestPlainServices:
    def test_the_newest_commit_stands_at_pfs_and_is_served(self, shell, fresh):
        name, repo = fresh("web"), fresh("data")
        inside, outside = free_port(), free_port()
        spec = {
            "pipeline": {"name": name},
            "input": {"pfs": {"name": "data", "repo": repo, "glob": "/"}},
            "transform": {"image": IMAGE, "cmd": ["httpd", "-f", "-p", str(inside), "-h", "/pfs/data"]},
            "service": {"internal_port": inside, "external_port": outside},
        }
        shell(f"pachctl create repo {repo}; echo one | pachctl put file {repo}@master:/index.html -f -")
        shell("pachctl create pipeline -f -", json.dumps(spec))
        for text in ["one", "two"]:
            shell(f"echo {text} | pachctl put file {repo}@master:/index.html -f -")
            while fetch(outside, "/index.html") != f"{text}\n".encode():
                pass
            assert len(containers(name)) <= 1
        shell(f"pachctl delete pipeline {name}")
        while containers(name):
            pass
