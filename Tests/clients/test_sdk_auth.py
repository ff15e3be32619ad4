"""Programs of pachyderm-sdk on a server with authentication: who may do what, and what the others are told."""

import json
import os
import threading
import urllib.error
import urllib.request

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import auth, identity, metadata, pfs, pps, transaction
from pachyderm_sdk.errors import AuthServiceNotActivated

from sdk_tools import NOT_FOUND, fails, file, named, put, read, refusal
from test_sdk_services import free_port

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
INVALID = grpc.StatusCode.INVALID_ARGUMENT

NOT_ALLOWED = "is not authorized to perform this operation"
NO_TOKEN = "no authentication token (try logging in)"
BAD_TOKEN = "provided auth token is corrupted or has expired"

CLUSTER = auth.Resource(type=auth.ResourceType.CLUSTER)


def repo_resource(branch_or_repo) -> auth.Resource:
    repo = getattr(branch_or_repo, "repo", branch_or_repo)
    return auth.Resource(type=auth.ResourceType.REPO, name=f"{repo.project.name}/{repo.name}")


class Cluster:
    """A server with authentication on, and clients of it."""

    def __init__(self, server):
        self.server = server
        self.root_token = self.client().auth.activate().pach_token
        self.root = self.client(self.root_token)
        self.root.pfs.activate_auth()
        self.root.pps.activate_auth()

    def client(self, token=None) -> Client:
        return Client(host=self.server.host, port=self.server.port, auth_token=token)

    def robot(self, name, ttl=0) -> Client:
        return self.client(self.root.auth.get_robot_token(robot=name, ttl=ttl).token)

    def give(self, who, roles, resource, by=None):
        (by or self.root).auth.modify_role_binding(resource=resource, principal=who, roles=roles)


@pytest.fixture
def cluster(own_server):
    return Cluster(own_server)


@pytest.fixture
def alice(cluster):
    return cluster.robot("alice")


@pytest.fixture
def bob(cluster):
    return cluster.robot("bob")


@pytest.fixture
def branch(alice):
    """Alice's own, with one file in it."""
    repo = pfs.Repo.from_uri("readings")
    alice.pfs.create_repo(repo=repo)
    branch = pfs.Branch(name="master", repo=repo)
    put(alice, branch, {"/x": b"1"})
    return branch


class TestOnAndOff:
    def test_while_it_is_off(self, own_server):
        client = Client(host=own_server.host, port=own_server.port, auth_token="whatever")
        with pytest.raises(AuthServiceNotActivated):
            client.auth.who_am_i()
        with pytest.raises(AuthServiceNotActivated):
            client.auth.get_robot_token(robot="a")
        client.pfs.create_repo(repo=pfs.Repo.from_uri("open"))
        assert not client.pfs.inspect_repo(repo=pfs.Repo.from_uri("open")).is_set("auth_info")

    def test_activation(self, cluster):
        who = cluster.root.auth.who_am_i()
        assert who.username == "pach:root"
        assert not who.is_set("expiration")
        fails(lambda: cluster.client().auth.activate(), UNIMPLEMENTED, "the auth service is already activated")
        entries = cluster.root.auth.get_role_binding(resource=CLUSTER).binding.entries
        assert {who: sorted(roles.roles) for who, roles in entries.items()} == {
            "pach:root": ["clusterAdmin"], "internal:auth-server": ["clusterAdmin"],
            "allClusterUsers": ["projectCreator"],
        }

    def test_a_token_that_was_chosen(self, own_server):
        token = "0123456789abcdef0123456789abcdef"
        client = Client(host=own_server.host, port=own_server.port)
        assert client.auth.activate(root_token=token).pach_token == token
        client.auth_token = token
        assert client.auth.who_am_i().username == "pach:root"

    def test_deactivation(self, cluster, alice, branch):
        fails(lambda: alice.auth.deactivate(), DENIED, NOT_ALLOWED)
        cluster.root.auth.deactivate()
        anybody = cluster.client()
        assert read(anybody, named(branch)) == b"1"
        with pytest.raises(AuthServiceNotActivated):
            alice.auth.who_am_i()
        again = Cluster(cluster.server)
        fails(lambda: alice.auth.who_am_i(), UNAUTHENTICATED, BAD_TOKEN)
        assert again.root.auth.get_role_binding(resource=repo_resource(branch)).binding.entries == {}

    def test_it_survives_a_restart(self, cluster, alice, branch):
        cluster.server.stop()
        cluster.server.start()
        again = cluster.client(alice.auth_token)
        assert again.auth.who_am_i().username == "robot:alice"
        assert read(again, named(branch)) == b"1"
        fails(lambda: cluster.client().pfs.list_repo(), UNAUTHENTICATED, NO_TOKEN)

    def test_what_was_there_before_belongs_to_nobody(self, own_server):
        before = Client(host=own_server.host, port=own_server.port)
        branch = pfs.Branch(name="master", repo=pfs.Repo.from_uri("old"))
        before.pfs.create_repo(repo=branch.repo)
        cluster = Cluster(own_server)
        carol = cluster.robot("carol")
        fails(lambda: put(carol, branch), DENIED, "REPO_WRITE")
        cluster.give("robot:carol", ["repoWriter"], repo_resource(branch))
        put(carol, branch)

    def test_a_root_token_given_at_the_start(self, server_with):
        token = "an-administrator-s-token"
        server = server_with(SPILE_AUTH_ROOT_TOKEN=token)
        root = Client(host=server.host, port=server.port, auth_token=token)
        assert root.auth.who_am_i().username == "pach:root"
        root.pfs.create_repo(repo=pfs.Repo.from_uri("r"))
        fails(lambda: root.auth.rotate_root_token(), grpc.StatusCode.FAILED_PRECONDITION, "was given")
        server.stop()
        server.environment["SPILE_AUTH_ROOT_TOKEN"] = "another-one-for-root"
        server.start()
        fails(lambda: root.auth.who_am_i(), UNAUTHENTICATED, BAD_TOKEN)
        root.auth_token = "another-one-for-root"
        assert root.pfs.repo_exists(pfs.Repo.from_uri("r"))

    def test_a_root_token_file(self, server_with, tmp_path):
        (tmp_path / "token").write_text("the-token-of-this-file\n")
        server = server_with("--auth-root-token-file", str(tmp_path / "token"))
        root = Client(host=server.host, port=server.port, auth_token="the-token-of-this-file")
        assert root.auth.who_am_i().username == "pach:root"

    def test_the_root_token_is_rotated(self, cluster):
        new = cluster.root.auth.rotate_root_token().root_token
        fails(lambda: cluster.root.auth.who_am_i(), UNAUTHENTICATED, BAD_TOKEN)
        assert cluster.client(new).auth.who_am_i().username == "pach:root"


class TestTokens:
    def test_without_one(self, cluster, branch):
        nobody = cluster.client()
        assert nobody.get_version().major == 2
        assert nobody.admin.inspect_cluster().warnings_ok
        for call in (
            lambda: nobody.auth.who_am_i(), lambda: nobody.pfs.list_repo(),
            lambda: nobody.pfs.create_repo(repo=pfs.Repo.from_uri("mine")), lambda: put(nobody, branch),
            lambda: nobody.auth.authorize(resource=CLUSTER, permissions=[auth.Permission.PROJECT_CREATE]),
            lambda: nobody.pfs.get_file_tar(file=file(named(branch))),
        ):
            fails(call, UNAUTHENTICATED, NO_TOKEN)

    def test_one_that_is_not_known(self, cluster):
        stray = cluster.client("0" * 32)
        for call in (lambda: stray.auth.who_am_i(), lambda: stray.pfs.list_repo()):
            fails(call, UNAUTHENTICATED, BAD_TOKEN)
        assert stray.get_version().major == 2

    def test_two_at_once(self, cluster):
        channel = grpc.insecure_channel(f"{cluster.server.host}:{cluster.server.port}")
        call = channel.unary_unary(
            "/pfs_v2.API/InspectRepo", request_serializer=bytes, response_deserializer=bytes)
        header = ("authn-token", cluster.root_token)
        error = refusal(lambda: call(b"", metadata=[header, header]))
        assert error.code() == UNAUTHENTICATED and "more than one authn-token" in error.details()

    def test_robots(self, cluster, alice):
        assert alice.auth.who_am_i().username == "robot:alice"
        assert cluster.robot("robot:carol").auth.who_am_i().username == "robot:carol"
        fails(lambda: cluster.root.auth.get_robot_token(robot="user:carol"), INVALID)
        fails(lambda: alice.auth.get_robot_token(robot="mallory"), DENIED, NOT_ALLOWED)
        dated = cluster.robot("dated", ttl=3600)
        assert dated.auth.who_am_i().is_set("expiration")
        assert dated.auth.who_am_i().expiration.year > 2000

    def test_revocation(self, cluster, alice, bob):
        assert cluster.root.auth.revoke_auth_token(token=alice.auth_token).number == 1
        fails(lambda: alice.pfs.list_repo(), UNAUTHENTICATED, BAD_TOKEN)
        assert cluster.root.auth.revoke_auth_token(token=alice.auth_token).number == 0
        assert cluster.root.auth.revoke_auth_tokens_for_user(username="robot:bob").number == 1
        fails(lambda: bob.auth.who_am_i(), UNAUTHENTICATED, BAD_TOKEN)
        fails(lambda: cluster.root.auth.revoke_auth_tokens_for_user(username="pach:root"), INVALID)

    def test_no_file_of_the_server_holds_one(self, cluster, alice):
        cluster.server.stop()
        for folder, _, names in os.walk(cluster.server.data):
            for name in names:
                with open(os.path.join(folder, name), "rb") as stored:
                    text = stored.read()
                assert cluster.root_token.encode() not in text and alice.auth_token.encode() not in text, name
        assert cluster.root_token not in cluster.server.log_text()
        cluster.server.start()

    def test_they_move_to_another_server(self, cluster, alice):
        tokens = cluster.root.auth.extract_auth_tokens().tokens
        assert [token.subject for token in tokens] == ["robot:alice"]
        assert alice.auth_token not in tokens[0].hashed_token
        cluster.root.auth.revoke_auth_token(token=alice.auth_token)
        cluster.root.auth.restore_auth_token(token=tokens[0])
        assert alice.auth.who_am_i().username == "robot:alice"
        cluster.root.auth.delete_expired_auth_tokens()

    def test_logins_say_that_they_are_not_offered(self, cluster):
        nobody = cluster.client()
        fails(lambda: nobody.auth.get_oidc_login(), UNIMPLEMENTED, "OIDC ID provider configuration not found")
        config = auth.OidcConfig(issuer="https://id.example", client_id="spile", client_secret="s3cr3t-of-a-client")
        cluster.root.auth.set_configuration(configuration=config)
        assert cluster.root.auth.get_configuration().configuration == config
        fails(lambda: nobody.auth.authenticate(id_token="x"), UNIMPLEMENTED, "not offered")
        fails(lambda: nobody.auth.get_configuration(), UNAUTHENTICATED, NO_TOKEN)


class OpenCall:
    """A call whose headers the server has, and whose messages are still to come."""

    def __init__(self, server, method, token=None):
        self.channel = grpc.insecure_channel(f"{server.host}:{server.port}")
        self.go = threading.Event()
        self.messages = []
        call = self.channel.stream_unary(method, request_serializer=bytes, response_deserializer=bytes)
        self.answer = call.future(self.wait(), metadata=[("authn-token", token)] if token else None)
        # On one connection headers come in order: where this is answered, those before it are there.
        version = self.channel.unary_unary("/versionpb_v2.API/GetVersion", request_serializer=bytes)
        version(b"")

    def wait(self):
        self.go.wait(60)
        yield from self.messages

    def send(self, *messages):
        self.messages = messages
        self.go.set()
        return self.answer.result(timeout=60)


def changes(branch):
    """Messages of ModifyFile."""
    return [
        pfs.ModifyFileRequest(set_commit=named(branch)),
        pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/late", raw=b"1")),
    ]


class TestOpenCalls:
    """Calls that begin under one rule and end under another."""

    def test_of_a_token_that_is_revoked(self, cluster, alice):
        cluster.give("robot:alice", ["robotUser"], CLUSTER)
        call = OpenCall(cluster.server, "/auth_v2.API/GetRobotToken", alice.auth_token)
        cluster.root.auth.revoke_auth_token(token=alice.auth_token)
        fails(lambda: call.send(auth.GetRobotTokenRequest(robot="mallory")), UNAUTHENTICATED, BAD_TOKEN)

    def test_of_nobody_when_it_is_turned_on(self, own_server):
        call = OpenCall(own_server, "/pfs_v2.API/CreateRepo")
        cluster = Cluster(own_server)
        fails(lambda: call.send(pfs.CreateRepoRequest(repo=pfs.Repo.from_uri("late"))), UNAUTHENTICATED, NO_TOKEN)
        assert not cluster.root.pfs.repo_exists(pfs.Repo.from_uri("late"))

    def test_writes_of_a_token_that_is_revoked(self, cluster, alice, branch):
        calls = [
            (OpenCall(cluster.server, "/pfs_v2.API/ModifyFile", alice.auth_token), changes(branch)),
            (OpenCall(cluster.server, "/pfs_v2.API/CreateFileSet", alice.auth_token), changes(branch)[1:]),
            (OpenCall(cluster.server, "/storage.Fileset/CreateFileset", alice.auth_token), []),
        ]
        cluster.root.auth.revoke_auth_token(token=alice.auth_token)
        for call, messages in calls:
            fails(lambda: call.send(*messages), UNAUTHENTICATED, BAD_TOKEN)
        assert not cluster.root.pfs.path_exists(file(named(branch), "/late"))

    def test_writes_of_nobody_when_it_is_turned_on(self, own_server):
        before = Client(host=own_server.host, port=own_server.port)
        branch = pfs.Branch(name="master", repo=pfs.Repo.from_uri("old"))
        before.pfs.create_repo(repo=branch.repo)
        put(before, branch)
        write = OpenCall(own_server, "/pfs_v2.API/ModifyFile")
        copy = OpenCall(own_server, "/pfs_v2.API/CreateFileSet")
        cluster = Cluster(own_server)
        fails(lambda: write.send(*changes(branch)), UNAUTHENTICATED, NO_TOKEN)
        copied = pfs.CopyFile(src=file(named(branch)), dst="/taken")
        fails(lambda: copy.send(pfs.ModifyFileRequest(copy_file=copied)), UNAUTHENTICATED, NO_TOKEN)
        assert not cluster.root.pfs.path_exists(file(named(branch), "/late"))


class TestRepos:
    def test_its_owner_and_a_stranger(self, cluster, alice, bob, branch):
        info = alice.pfs.inspect_repo(repo=branch.repo)
        assert info.auth_info.roles == ["repoOwner"]
        assert auth.Permission.REPO_WRITE in info.auth_info.permissions
        commit = alice.pfs.inspect_branch(branch=branch).head
        other = pfs.Branch(name="other", repo=branch.repo)
        for call in (
            lambda: put(bob, branch), lambda: read(bob, commit), lambda: bob.pfs.inspect_commit(commit=commit),
            lambda: bob.pfs.list_commit(repo=branch.repo), lambda: bob.pfs.list_branch(repo=branch.repo),
            lambda: bob.pfs.inspect_file(file=file(commit)), lambda: bob.pfs.list_file(file=file(commit, "/")),
            lambda: bob.pfs.walk_file(file=file(commit, "/")), lambda: bob.pfs.glob_file(commit=commit, pattern="*"),
            lambda: bob.pfs.diff_file(new_file=file(commit)), lambda: bob.pfs.get_file_tar(file=file(commit, "/")),
            lambda: bob.pfs.subscribe_commit(repo=branch.repo, branch="master"),
            lambda: bob.pfs.create_branch(branch=other), lambda: bob.pfs.delete_branch(branch=branch),
            lambda: bob.pfs.create_repo(repo=branch.repo, description="mine now", update=True),
            lambda: bob.pfs.get_file_set(commit=commit),
            lambda: bob.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=commit.id)),
        ):
            fails(call, DENIED, NOT_ALLOWED, "robot:bob")
        assert bob.pfs.delete_repo(repo=branch.repo).deleted is False
        assert read(alice, commit) == b"1"
        # Where it is shown is for those in the project; what is in it is not.
        assert bob.pfs.inspect_repo(repo=branch.repo).auth_info.roles == []

    def test_a_refusal_says_what_would_help(self, cluster, bob, branch):
        error = fails(lambda: put(bob, branch), DENIED, "needs permissions [REPO_WRITE] on REPO default/readings")
        assert "pachctl auth set repo readings repoWriter <subject> --project default" in error.details()

    def test_a_reader(self, cluster, alice, bob, branch):
        cluster.give("robot:bob", ["repoReader"], repo_resource(branch), by=alice)
        assert read(bob, named(branch)) == b"1"
        assert [info.file.path for info in bob.pfs.list_file(file=file(named(branch), "/"))] == ["/x"]
        assert len(list(bob.pfs.list_commit(repo=branch.repo))) == 1
        fails(lambda: put(bob, branch), DENIED, "REPO_WRITE")
        fails(lambda: cluster.give("robot:bob", ["repoOwner"], repo_resource(branch), by=bob), DENIED, NOT_ALLOWED)

    def test_a_writer(self, cluster, alice, bob, branch):
        cluster.give("robot:bob", ["repoWriter"], repo_resource(branch), by=alice)
        put(bob, branch, {"/y": b"2"})
        assert read(alice, named(branch), "/y") == b"2"
        assert bob.pfs.delete_repo(repo=branch.repo).deleted is False
        cluster.give("robot:bob", [], repo_resource(branch), by=alice)
        fails(lambda: put(bob, branch), DENIED)

    def test_a_copy_reads_its_source(self, cluster, alice, bob, branch):
        mine = pfs.Branch(name="master", repo=pfs.Repo.from_uri("bobs"))
        bob.pfs.create_repo(repo=mine.repo)

        def copy():
            with bob.pfs.commit(branch=mine) as commit:
                bob.pfs.copy_file(commit=commit, src=file(named(branch)), dst="/stolen")

        fails(copy, DENIED, "REPO_READ")
        cluster.give("robot:bob", ["repoReader"], repo_resource(branch), by=alice)
        copy()
        assert read(bob, named(mine), "/stolen") == b"1"

    def test_everybody(self, cluster, bob, branch):
        cluster.give("allClusterUsers", ["repoReader"], repo_resource(branch))
        assert read(bob, named(branch)) == b"1"
        fails(lambda: read(cluster.client(), named(branch)), UNAUTHENTICATED, NO_TOKEN)

    def test_a_group(self, cluster, bob, branch):
        cluster.give("group:chemists", ["repoReader"], repo_resource(branch))
        fails(lambda: read(bob, named(branch)), DENIED)
        cluster.root.auth.modify_members(group="chemists", add=["robot:bob"])
        assert read(bob, named(branch)) == b"1"
        assert bob.auth.get_groups().groups == ["chemists"]
        assert cluster.root.auth.get_users(group="chemists").usernames == ["robot:bob"]
        assert cluster.root.auth.get_groups_for_principal(principal="robot:bob").groups == ["chemists"]
        cluster.root.auth.set_groups_for_user(username="robot:bob", groups=["physicists"])
        fails(lambda: read(bob, named(branch)), DENIED)
        cluster.root.auth.modify_members(group="physicists", remove=["robot:bob"])
        assert bob.auth.get_groups().groups == []
        assert cluster.root.auth.get_users(group="physicists").usernames == []
        fails(lambda: bob.auth.modify_members(group="chemists", add=["robot:bob"]), DENIED)

    def test_one_that_is_not_there(self, cluster, alice):
        missing = pfs.Branch(name="master", repo=pfs.Repo.from_uri("none"))
        assert not alice.pfs.repo_exists(missing.repo)
        fails(lambda: put(alice, missing), NOT_FOUND, "repo default/none not found")
        fails(lambda: cluster.root.auth.get_role_binding(resource=repo_resource(missing)), NOT_FOUND,
              "no role binding exists for")

    def test_deleting_it_takes_its_roles_away(self, cluster, alice, branch):
        assert alice.pfs.delete_repo(repo=branch.repo).deleted is True
        fails(lambda: cluster.root.auth.get_role_binding(resource=repo_resource(branch)), NOT_FOUND)

    def test_in_a_transaction(self, cluster, alice, bob, branch):
        with pytest.raises(grpc.RpcError) as error:
            with bob.transaction.transaction():
                bob.pfs.create_branch(branch=pfs.Branch(name="sneaky", repo=branch.repo))
        assert error.value.code() == DENIED
        request = transaction.TransactionRequest(
            delete_branch=pfs.DeleteBranchRequest(branch=branch, force=True))
        fails(lambda: bob.transaction.batch_transaction(requests=[request]), DENIED, NOT_ALLOWED)

    def test_a_transaction_is_of_who_started_it(self, cluster, alice, bob, branch):
        theirs = alice.transaction.start_transaction()
        for call in (
            lambda: bob.transaction.finish_transaction(transaction=theirs),
            lambda: bob.transaction.delete_transaction(transaction=theirs),
        ):
            fails(call, DENIED, NOT_ALLOWED)
        intruder = Client(
            host=cluster.server.host, port=cluster.server.port, auth_token=bob.auth_token, transaction_id=theirs.id)
        fails(lambda: intruder.pfs.create_repo(repo=pfs.Repo.from_uri("bobs")), DENIED, "somebody else's")
        cluster.root.transaction.delete_transaction(transaction=theirs)

    def test_a_batch_cannot_squash_either(self, cluster, alice, branch):
        commit = alice.pfs.inspect_branch(branch=branch).head
        request = transaction.TransactionRequest(
            squash_commit_set=pfs.SquashCommitSetRequest(commit_set=pfs.CommitSet(id=commit.id)))
        fails(lambda: alice.transaction.batch_transaction(requests=[request]), DENIED, "on CLUSTER")


class TestProjects:
    @pytest.fixture
    def lab(self, alice):
        project = pfs.Project(name="lab")
        alice.pfs.create_project(project=project)
        return project

    def test_lists_leave_out_what_is_not_to_be_seen(self, cluster, alice, bob, branch, lab):
        secret = pfs.Branch(name="master", repo=pfs.Repo(name="secret", type="user", project=lab))
        alice.pfs.create_repo(repo=secret.repo)
        commit = put(alice, secret)

        def names(client):
            return sorted(info.repo.name for info in client.pfs.list_repo(type="user"))

        assert names(alice) == ["readings", "secret"]
        # Everybody writes in project default, and so sees what is there.
        assert names(bob) == ["readings"]
        assert bob.pfs.repos_summary(projects=[lab]).summaries == []
        assert list(bob.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=commit.id))) == []
        assert commit.id not in [info.commit_set.id for info in bob.pfs.list_commit_set()]
        assert commit.id in [info.commit_set.id for info in alice.pfs.list_commit_set()]
        everywhere = pfs.Repo(type="user")
        assert {info.commit.repo.name for info in bob.pfs.list_commit(repo=everywhere)} == set()
        assert commit.id in [info.commit.id for info in alice.pfs.list_commit(repo=everywhere)]
        cluster.give("robot:bob", ["repoReader"], repo_resource(branch), by=alice)
        # What is left out does not count: the newest that is shown is not the newest there is.
        listed = list(bob.pfs.list_commit(repo=everywhere, number=1))
        assert [info.commit.repo.name for info in listed] == ["readings"]
        cluster.give("robot:bob", ["repoReader"], repo_resource(secret), by=alice)
        assert names(bob) == ["readings", "secret"]
        assert commit.id in [info.commit.id for info in bob.pfs.list_commit(repo=everywhere)]

    def test_its_owner(self, cluster, alice, bob, lab):
        assert alice.pfs.inspect_project(project=lab).auth_info.roles == ["projectOwner"]
        repo = pfs.Repo(name="r", type="user", project=lab)
        fails(lambda: bob.pfs.create_repo(repo=repo), DENIED, "PROJECT_CREATE_REPO")
        fails(lambda: bob.pfs.delete_project(project=lab), DENIED, NOT_ALLOWED)
        resource = auth.Resource(type=auth.ResourceType.PROJECT, name="lab")
        cluster.give("robot:bob", ["projectWriter"], resource, by=alice)
        bob.pfs.create_repo(repo=repo)
        # The owner of a project is one of all that is in it.
        put(alice, pfs.Branch(name="master", repo=repo))
        assert alice.pfs.delete_repo(repo=repo).deleted is True
        alice.pfs.delete_project(project=lab)

    def test_defaults(self, cluster, bob, lab):
        fails(lambda: bob.pps.set_project_defaults(project=lab, project_defaults_json="{}"), DENIED)
        fails(lambda: bob.pps.set_cluster_defaults(cluster_defaults_json="{}"), DENIED)
        cluster.root.pps.set_cluster_defaults(cluster_defaults_json="{}")


class TestRoles:
    def test_who_may_what(self, cluster, alice, branch):
        answer = alice.auth.authorize(
            resource=repo_resource(branch),
            permissions=[auth.Permission.REPO_READ, auth.Permission.CLUSTER_DELETE_ALL])
        assert (answer.authorized, answer.principal) == (False, "robot:alice")
        assert answer.satisfied == [auth.Permission.REPO_READ]
        assert answer.missing == [auth.Permission.CLUSTER_DELETE_ALL]
        assert alice.auth.get_permissions(resource=repo_resource(branch)).roles == ["repoOwner"]
        others = cluster.root.auth.get_permissions_for_principal(
            resource=repo_resource(branch), principal="robot:bob")
        assert others.roles == []
        assert auth.Permission.REPO_READ not in others.permissions
        fails(lambda: alice.auth.get_permissions_for_principal(resource=CLUSTER, principal="robot:bob"), DENIED)

    def test_an_administrator_is_asked_nothing_more(self, cluster):
        answer = cluster.root.auth.authorize(
            resource=auth.Resource(type=auth.ResourceType.REPO, name="foobar"), permissions=[auth.Permission.REPO_READ])
        assert answer.authorized

    def test_roles_for_a_permission(self, cluster):
        roles = cluster.root.auth.get_roles_for_permission(permission=auth.Permission.REPO_WRITE).roles
        assert [role.name for role in roles] == ["clusterAdmin", "projectOwner", "repoOwner", "repoWriter"]

    def test_what_cannot_be_given(self, cluster, branch):
        for who, roles, resource, text in (
            ("robot:bob", ["king"], repo_resource(branch), 'unknown role "king"'),
            ("bob", ["repoReader"], repo_resource(branch), "prefix"),
            ("robot:bob", ["clusterAdmin"], repo_resource(branch), "cannot be bound"),
            ("pach:root", [], CLUSTER, "cannot be changed"),
        ):
            fails(lambda: cluster.give(who, roles, resource), INVALID, text)

    def test_secrets(self, cluster, bob):
        fails(lambda: bob.pps.list_secret(), DENIED, "CLUSTER_LIST_SECRETS")
        fails(lambda: bob.pps.create_secret(name="s", data={"k": "v"}), DENIED, "CLUSTER_CREATE_SECRET")
        cluster.give("robot:bob", ["secretAdmin"], CLUSTER)
        bob.pps.create_secret(name="s", data={"k": "v"})
        assert [info.secret.name for info in bob.pps.list_secret().secret_info] == ["s"]

    def test_deleting_everything(self, cluster, alice, branch):
        for call in (alice.pfs.delete_all, alice.pps.delete_all, alice.transaction.delete_all):
            fails(call, DENIED, "CLUSTER_DELETE_ALL")
        cluster.root.pps.delete_all()
        cluster.root.pfs.delete_all()
        alice.pfs.create_repo(repo=branch.repo)

    def test_metadata(self, cluster, alice, bob, branch):
        def edit(client, **target):
            client.metadata.edit_metadata(
                edits=[metadata.Edit(add_key=metadata.EditAddKey(key="k", value="v"), **target)])

        picker = pfs.RepoPicker(name=pfs.RepoPickerRepoName(
            project=pfs.ProjectPicker(name="default"), name="readings", type="user"))
        fails(lambda: edit(bob, repo=picker), DENIED, NOT_ALLOWED)
        fails(lambda: edit(bob, cluster=metadata.ClusterPicker()), DENIED, "CLUSTER_EDIT_CLUSTER_METADATA")
        edit(alice, repo=picker)


class TestSmallServices:
    def test_identity_clients_come_and_go(self, cluster, alice):
        service = cluster.root.identity
        wanted = identity.OidcClient(id="c", name="one", redirect_uris=["http://a"])
        made = service.create_oidc_client(client=wanted).client
        assert made.secret
        assert service.list_oidc_clients().clients == [made]
        fails(lambda: service.create_oidc_client(client=made), grpc.StatusCode.INTERNAL, "ID already exists")
        service.update_oidc_client(client=identity.OidcClient(id="c", name="two"))
        assert service.get_oidc_client(id="c").client == identity.OidcClient(
            id="c", name="two", redirect_uris=["http://a"], secret=made.secret)
        service.delete_oidc_client(id="c")
        fails(lambda: service.get_oidc_client(id="c"), grpc.StatusCode.INTERNAL, "ID does not exist")
        fails(lambda: alice.identity.list_oidc_clients(), DENIED, "CLUSTER_IDENTITY_LIST_OIDC_CLIENTS")
        fails(lambda: cluster.client().identity.list_oidc_clients(), UNAUTHENTICATED, NO_TOKEN)

    def test_identity_connectors_come_and_go(self, cluster):
        service = cluster.root.identity
        connector = identity.IdpConnector(
            id="i", name="one", type="mockPassword", json_config='{"password": "s3cret-p"}')
        service.create_idp_connector(connector=connector)
        assert service.list_idp_connectors().connectors == [connector]
        service.update_idp_connector(connector=identity.IdpConnector(id="i", name="two", config_version=1))
        assert service.get_idp_connector(id="i").connector.name == "two"
        cluster.server.stop()
        with open(os.path.join(cluster.server.data, "catalog.sqlite"), "rb") as catalog:
            assert b"s3cret-p" not in catalog.read()
        cluster.server.start()
        assert cluster.client(cluster.root_token).identity.get_idp_connector(id="i").connector.name == "two"
        service = cluster.client(cluster.root_token).identity
        service.delete_idp_connector(id="i")
        fails(lambda: service.delete_idp_connector(id="i"), grpc.StatusCode.INTERNAL, "ID does not exist")

    def test_the_identity_server_s_configuration(self, cluster):
        config = identity.IdentityServerConfig(issuer="https://id.example", id_token_expiry="1h")
        cluster.root.identity.set_identity_server_config(config=config)
        assert cluster.root.identity.get_identity_server_config().config == config
        cluster.root.identity.delete_all()
        assert cluster.root.identity.get_identity_server_config().config == identity.IdentityServerConfig()

    def test_enterprise_says_what_is_so(self, cluster):
        cluster.root.license.delete_all()
        fails(lambda: cluster.root.enterprise.activate(), UNIMPLEMENTED,
              "enterprise licensing is not part of this server")

    def test_metrics(self, cluster, alice):
        address = f"http://{cluster.server.host}:{cluster.server.http_port}"

        def status(token=None, path="/metrics"):
            request = urllib.request.Request(address + path)
            if token:
                request.add_header("Authorization", f"Bearer {token}")
            try:
                return urllib.request.urlopen(request).status
            except urllib.error.HTTPError as error:
                return error.code

        assert status(path="/healthz") == 200
        assert status() == 401
        assert status(alice.auth_token) == 403
        cluster.give("robot:alice", ["pachdLogReader"], CLUSTER)
        assert status(alice.auth_token) == 200
        assert status(path=f"/metrics?authn-token={cluster.root_token}") == 200


SPOUT = """
i=0
while :; do
  i=$((i+1)); echo $i | pachctl put file tap@master:/n -f -
  if [ $i = 1 ]; then
    echo x | pachctl put file readings@master:/stolen -f - 2>/dev/null ||
      echo refused | pachctl put file tap@master:/other -f -
    pachctl auth whoami | pachctl put file tap@master:/who -f -
  fi
  sleep 0.2
done
"""


class TestSpouts:
    @pytest.fixture
    def tap(self, alice, branch):
        spec = {"pipeline": {"name": "tap"}, "transform": {"cmd": ["sh", "-c", SPOUT]}, "spout": {}}
        alice.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
        return pps.Pipeline(name="tap", project=pfs.Project(name="default"))

    @staticmethod
    def next_commit(client, after=None):
        repo = pfs.Repo.from_uri("tap")
        for info in client.pfs.subscribe_commit(
                repo=repo, branch="master", state=pfs.CommitState.FINISHED, **({"from_": after} if after else {})):
            if not after or info.commit.id != after.id:
                return info.commit

    def wait_for_file(self, client, path):
        repo = pfs.Repo.from_uri("tap")
        for info in client.pfs.subscribe_commit(repo=repo, branch="master", state=pfs.CommitState.FINISHED):
            if client.pfs.path_exists(file(info.commit, path)):
                return read(client, info.commit, path)

    def test_it_writes_its_own_repo_and_no_other(self, cluster, alice, branch, tap):
        assert self.wait_for_file(alice, "/other") == b"refused\n"
        assert b"pipeline:default/tap" in self.wait_for_file(alice, "/who")
        assert not alice.pfs.path_exists(file(named(branch), "/stolen"))
        entries = alice.auth.get_role_binding(
            resource=auth.Resource(type=auth.ResourceType.REPO, name="default/tap")).binding.entries
        assert {who: sorted(roles.roles) for who, roles in entries.items()} == {
            "robot:alice": ["repoOwner"], "pipeline:default/tap": ["repoWriter"]}

    def test_others_may_not_touch_it(self, cluster, alice, bob, tap):
        for call in (
            lambda: bob.pps.stop_pipeline(pipeline=tap), lambda: bob.pps.start_pipeline(pipeline=tap),
            lambda: bob.pps.delete_pipeline(pipeline=tap), lambda: bob.pps.get_logs(pipeline=tap),
            lambda: bob.pps.rerun_pipeline(pipeline=tap),
        ):
            fails(call, DENIED, NOT_ALLOWED)
        assert bob.pps.pipeline_exists(tap)
        alice.pps.stop_pipeline(pipeline=tap)
        alice.pps.delete_pipeline(pipeline=tap)
        fails(lambda: cluster.root.auth.get_role_binding(
            resource=auth.Resource(type=auth.ResourceType.REPO, name="default/tap")), NOT_FOUND)

    def test_it_goes_on_after_a_restart_of_the_server(self, cluster, alice, tap):
        self.wait_for_file(alice, "/n")
        cluster.server.stop()
        cluster.server.start()
        again = cluster.client(alice.auth_token)
        head = again.pfs.inspect_branch(branch=pfs.Branch.from_uri("tap@master")).head
        assert self.next_commit(again, after=head)

    def test_taking_its_role_away_stops_its_writes(self, cluster, alice, tap):
        self.wait_for_file(alice, "/n")
        resource = auth.Resource(type=auth.ResourceType.REPO, name="default/tap")
        cluster.give("pipeline:default/tap", [], resource, by=alice)
        head = alice.pfs.inspect_branch(branch=pfs.Branch.from_uri("tap@master")).head
        for message in alice.pps.get_logs(pipeline=tap, follow=True):
            if NOT_ALLOWED in message.message:
                break
        assert alice.pfs.inspect_branch(branch=pfs.Branch.from_uri("tap@master")).head.id == head.id

    def test_one_that_runs_when_it_is_turned_on_goes_on(self, own_server):
        before = Client(host=own_server.host, port=own_server.port)
        spec = {"pipeline": {"name": "tap"}, "transform": {"cmd": ["sh", "-c", SPOUT]}, "spout": {}}
        before.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
        self.wait_for_file(before, "/n")
        cluster = Cluster(own_server)
        head = cluster.root.pfs.inspect_branch(branch=pfs.Branch.from_uri("tap@master")).head
        assert self.next_commit(cluster.root, after=head)
        info = cluster.root.pps.inspect_pipeline(pipeline=pps.Pipeline(name="tap"))
        assert info.state == pps.PipelineState.PIPELINE_RUNNING


def service(repo):
    return {
        "pipeline": {"name": "view"}, "transform": {"cmd": ["sleep", "3600"]},
        "input": {"pfs": {"repo": repo, "glob": "/"}},
        "service": {"internal_port": free_port(), "external_port": free_port()},
    }


class TestVersions:
    """What one version of a pipeline names, and another does not."""

    def test_a_batch_has_no_spec_in_force_of_its_own(self, cluster, bob, branch):
        harmless = {"pipeline": {"name": "view"}, "transform": {"cmd": ["sleep", "3600"]}, "spout": {}}
        request = transaction.TransactionRequest(
            create_pipeline_v2=pps.CreatePipelineTransaction(
                create_pipeline_request=pps.CreatePipelineRequest(pipeline=pps.Pipeline(name="view")),
                user_json=json.dumps(service("readings")), effective_json=json.dumps(harmless)))
        fails(lambda: bob.transaction.batch_transaction(requests=[request]), DENIED, "REPO_READ", "readings")
        assert not bob.pps.pipeline_exists(pps.Pipeline(name="view"))

    def test_their_one_log_is_for_who_may_read_the_newest(self, cluster, alice, bob, branch):
        shown = pfs.Repo.from_uri("shown")
        alice.pfs.create_repo(repo=shown)
        alice.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(service("shown")))
        for repo in (shown, pfs.Repo.from_uri("view")):
            cluster.give("robot:bob", ["repoReader"], repo_resource(repo), by=alice)
        list(bob.pps.get_logs(pipeline=pps.Pipeline(name="view")))
        alice.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(service("readings")), update=True)
        before = pps.Pipeline(name="view^")
        fails(lambda: list(bob.pps.get_logs(pipeline=before)), DENIED, NOT_ALLOWED, "readings")
        list(alice.pps.get_logs(pipeline=before))
        # An input that is gone is in nobody's way.
        alice.pfs.delete_repo(repo=shown, force=True)
        list(alice.pps.get_logs(pipeline=before))
        fails(lambda: list(bob.pps.get_logs(pipeline=before)), DENIED, NOT_ALLOWED, "readings")


class TestServices:
    @pytest.fixture
    def web(self, alice, branch):
        """Alice's service over her own repo."""
        inside, outside = free_port(), free_port()
        alice.pps.create_pipeline(
            pipeline=pps.Pipeline(name="web"),
            transform=pps.Transform(cmd=["sh", "-c", "pachctl get file readings@master:/x; echo; exec sleep 3600"]),
            input=pps.Input(pfs=pps.PfsInput(repo="readings", glob="/")),
            service=pps.Service(internal_port=inside, external_port=outside),
        )
        running = pps.JobState.JOB_RUNNING
        while next(iter(alice.pps.list_job(pipeline=pps.Pipeline(name="web")))).state != running:
            pass
        return next(iter(alice.pps.list_job(pipeline=pps.Pipeline(name="web"))))

    def test_its_jobs_are_for_those_who_may_list_them(self, cluster, alice, bob, web):
        assert [job.job.id for job in bob.pps.list_job()] == []
        assert [info.job_set.id for info in bob.pps.list_job_set()] == []
        fails(lambda: bob.pps.inspect_job(job=web.job), DENIED, NOT_ALLOWED)
        fails(lambda: bob.pps.stop_job(job=web.job), DENIED, NOT_ALLOWED)
        output = repo_resource(pfs.Repo.from_uri("web"))
        cluster.give("robot:bob", ["repoReader"], output)
        assert [job.job.id for job in bob.pps.list_job()] == [web.job.id]
        assert bob.pps.inspect_job(job=web.job).job.id == web.job.id
        fails(lambda: bob.pps.stop_job(job=web.job), DENIED, NOT_ALLOWED)
        fails(lambda: bob.pps.delete_job(job=web.job), DENIED, NOT_ALLOWED)
        cluster.give("robot:bob", ["repoWriter"], output)
        bob.pps.stop_job(job=web.job)
        assert alice.pps.inspect_job(job=web.job).state == pps.JobState.JOB_KILLED

    def test_its_code_reads_its_inputs(self, alice, web):
        lines = alice.pps.get_logs(pipeline=pps.Pipeline(name="web"), follow=True)
        assert next(line.message for line in lines if line.user) == "1"

    def test_what_is_taken_from_it_is_not_laid_out(self, cluster, alice, branch, web):
        cluster.give("pipeline:default/web", [], repo_resource(branch))
        put(alice, branch, {"/x": b"2"})
        job = next(iter(alice.pps.list_job(pipeline=pps.Pipeline(name="web"))))
        failed = alice.pps.inspect_job(job=job.job, wait=True)
        assert failed.state == pps.JobState.JOB_FAILURE
        assert NOT_ALLOWED in failed.reason
