"""Shell programs on a server with authentication."""

import pytest

from test_cli import Shell


@pytest.fixture
def shell(own_server, tmp_path):
    return Shell(tmp_path, own_server.address)


def activate(shell) -> str:
    """Turns it on and gives the root token."""
    lines = shell("pachctl auth activate").splitlines()
    assert lines[0] == "Root token:" and len(lines[1]) == 32
    return lines[1]


class TestTheSwitch:
    def test_while_it_is_off(self, shell):
        for command in ("whoami", "get-robot-token a", "get cluster", "rotate-root-token", "get-groups"):
            assert "the auth service is not activated" in shell.fails(f"pachctl auth {command}")

    def test_on_and_off(self, shell):
        token = activate(shell)
        assert shell("pachctl auth whoami") == 'You are "pach:root"\n'
        assert "already activated" in shell.fails("pachctl auth activate")
        shell("pachctl create repo r")
        shell("pachctl auth logout")
        assert "no authentication token" in shell.fails("pachctl list repo")
        shell("pachctl auth use-auth-token", token)
        assert "r" in shell("pachctl list repo")
        shell("echo yes | pachctl auth deactivate")
        shell("pachctl list repo")

    def test_lineage_is_for_those_who_may_read_the_repo(self, shell):
        token = activate(shell)
        shell("pachctl create repo r; echo x | pachctl put file r@master:/a -f -")
        robot = shell("pachctl auth get-robot-token -q bob").strip()
        assert shell("pachctl lineage r@master:/a").startswith("r@")
        shell("pachctl auth use-auth-token", robot)
        assert "is not authorized" in shell.fails("pachctl lineage r@master:/a")
        shell("pachctl auth use-auth-token", token)
        shell("pachctl auth set repo r repoReader robot:bob")
        shell("pachctl auth use-auth-token", robot)
        assert shell("pachctl lineage r@master:/a --forward").startswith("r@")

    def test_a_token_that_is_supplied(self, shell):
        shell("pachctl auth activate --supply-root-token", "0123456789abcdef-mine\n")
        assert shell("pachctl auth whoami") == 'You are "pach:root"\n'

    def test_deleting_all_turns_it_off(self, shell):
        activate(shell)
        shell("pachctl create repo r; echo yes | pachctl delete all")
        assert "not activated" in shell.fails("pachctl auth whoami")
        assert "r" not in shell("pachctl list repo --raw")

    def test_the_store_is_for_administrators(self, shell):
        activate(shell)
        robot = shell("pachctl auth get-robot-token a -q")
        shell("pachctl auth use-auth-token", robot)
        for command in ("gc", "check", "snapshot nowhere"):
            assert "CLUSTER_SNAPSHOTTER" in shell.fails(f"pachctl {command}")

    def test_deactivation_asks(self, shell):
        activate(shell)
        assert "nothing was changed" in shell.fails("echo n | pachctl auth deactivate")
        shell("pachctl auth whoami")

    def test_the_root_token_is_rotated(self, shell):
        old = activate(shell)
        new = shell("pachctl auth rotate-root-token").strip()
        assert new != old and len(new) == 32
        shell("pachctl auth whoami")
        shell("pachctl auth use-auth-token", old)
        assert "corrupted or has expired" in shell.fails("pachctl auth whoami")

    def test_login_says_what_to_do(self, shell):
        activate(shell)
        assert "get-robot-token" in shell.fails("pachctl auth login")
        assert "get-robot-token" in shell.fails("pachctl auth login -t", "token")


class TestRoles:
    @pytest.fixture
    def root(self, shell):
        return activate(shell)

    def test_a_robot_gets_its_roles(self, shell, root):
        shell("pachctl create repo readings; echo 1 | pachctl put file readings@master:/x -f -")
        robot = shell("pachctl auth get-robot-token reader -q --ttl 1h").strip()
        assert shell("pachctl auth get-robot-token reader").startswith("Token: ")
        shell("pachctl auth set repo readings repoReader robot:reader")
        assert shell("pachctl auth get repo readings") == (
            "pach:root: [repoOwner]\nrobot:reader: [repoReader]\n")
        assert shell("pachctl auth check repo readings robot:reader").splitlines() == [
            "Roles: [repoReader]",
            "Permissions: [REPO_READ REPO_INSPECT_COMMIT REPO_LIST_COMMIT REPO_LIST_BRANCH REPO_INSPECT_FILE "
            "REPO_LIST_FILE REPO_ADD_PIPELINE_READER REPO_REMOVE_PIPELINE_READER PIPELINE_LIST_JOB PROJECT_CREATE "
            "PROJECT_LIST_REPO PROJECT_CREATE_REPO]",
        ]
        shell("pachctl auth use-auth-token", robot)
        assert shell("pachctl auth whoami").splitlines()[0] == 'You are "robot:reader"'
        assert "session expires: " in shell("pachctl auth whoami")
        assert shell("pachctl get file readings@master:/x") == "1\n"
        assert "Roles: [repoReader]" in shell("pachctl auth check repos readings")
        assert "[repoReader]" in shell("pachctl list repo")
        assert "REPO_WRITE" in shell.fails("echo 2 | pachctl put file readings@master:/x -f -")
        shell("pachctl auth use-auth-token", root)
        shell("pachctl auth set repo readings none robot:reader")
        assert shell("pachctl auth get repo readings") == "pach:root: [repoOwner]\n"
        assert shell("pachctl auth revoke --user robot:reader") == "2 auth tokens revoked\n"
        assert shell(f"pachctl auth revoke --token {robot}") == "0 auth tokens revoked\n"

    def test_projects_and_the_cluster(self, shell, root):
        shell("pachctl create project lab; pachctl auth set project lab projectWriter,projectViewer robot:a")
        assert shell("pachctl auth get project lab") == (
            "pach:root: [projectOwner]\nrobot:a: [projectViewer projectWriter]\n")
        assert "Roles: [projectViewer projectWriter]" in shell("pachctl auth check project lab robot:a")
        shell("pachctl auth set cluster secretAdmin robot:a")
        assert "robot:a: [secretAdmin]\n" in shell("pachctl auth get cluster")
        assert shell("pachctl auth get-groups robot:a") == ""
        assert shell("pachctl auth get-groups") == ""

    def test_roles_for_a_permission(self, shell, root):
        assert shell("pachctl auth roles-for-permission repo_delete").split() == [
            "clusterAdmin", "projectOwner", "repoOwner"]
        assert "unknown permission" in shell.fails("pachctl auth roles-for-permission BOGUS")

    def test_slips(self, shell, root):
        assert 'unknown role "king"' in shell.fails("pachctl auth set cluster king robot:a")
        assert "--token or --user" in shell.fails("pachctl auth revoke")
        assert "--ttl" in shell.fails("pachctl auth get-robot-token a --ttl soon")
        assert "no role binding exists" in shell.fails("pachctl auth get repo none")

    def test_the_configuration_of_logins(self, shell, root):
        shell("pachctl auth set-config", '{"issuer": "https://id.example", "clientId": "c"}')
        assert "https://id.example" in shell("pachctl auth get-config")
        assert "not offered" in shell.fails("pachctl auth login")

    @pytest.mark.parametrize("command", ["", "activate", "set", "set repo", "check repo", "get-robot-token", "login"])
    def test_help(self, shell, command):
        assert "auth" in shell(f"pachctl auth {command} --help")
