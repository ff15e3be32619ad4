"""Projects, repos and branches, call by call: what the larger programs of the other files leave out."""

import pytest
from pachyderm_sdk.api import metadata, pfs, pps

from sdk_tools import (  # noqa: F401
    ALREADY_EXISTS, DOMAIN, NOT_FOUND, PRECONDITION, chain, client, connect, fails, head, ids, is_finished, make, put,
    read, while_it_waits,
)

CHARACTERS = "only alphanumeric characters, underscores, and dashes are allowed"


@pytest.fixture
def project(client, fresh):
    project = pfs.Project(name=fresh("project"))
    client.pfs.create_project(project=project)
    return project


def tag(client, key="k", **target):
    client.metadata.edit_metadata(edits=[metadata.Edit(add_key=metadata.EditAddKey(key=key, value="v"), **target)])


class TestProjects:
    @pytest.mark.parametrize("name, text", [
        ("with space", f"name (with space) invalid: {CHARACTERS}"), ("-first", "start with an alphanumeric character"),
        ("_first", "project names must start with an alphanumeric character"), ("dot.ted", CHARACTERS),
        ("p" * 52, "is 1 characters longer than the 51 max"), ("p" * 60, "is 9 characters longer than the 51 max"),
    ])
    def test_a_bad_name_is_refused(self, client, name, text):
        fails(lambda: client.pfs.create_project(project=pfs.Project(name=name)), DOMAIN, "invalid project name", text)
        assert not client.pfs.project_exists(pfs.Project(name=name))

    def test_the_longest_name(self, client, fresh):
        project = pfs.Project(name=fresh("p").ljust(51, "x"))
        client.pfs.create_project(project=project)
        assert client.pfs.project_exists(project)

    def test_one_that_is_there_says_so(self, client, project):
        text = f"project {project.name} already exists"
        fails(lambda: client.pfs.create_project(project=project), ALREADY_EXISTS, text)

    def test_an_update_changes_the_description_alone(self, client, project):
        tag(client, project=project.as_picker())
        before = client.pfs.inspect_project(project=project)
        assert before.created_at.year > 1970
        client.pfs.create_project(project=project, description="new", update=True)
        after = client.pfs.inspect_project(project=project)
        assert (after.description, after.metadata, after.created_at) == ("new", {"k": "v"}, before.created_at)

    def test_one_that_is_not_there(self, client, fresh):
        project = pfs.Project(name=fresh("none"))
        for call in [
            lambda: client.pfs.inspect_project(project=project),
            lambda: client.pfs.inspect_project_v2(project=project),
            lambda: client.pfs.delete_project(project=project),
            lambda: client.pfs.delete_project(project=project, force=True),
            lambda: client.pfs.create_project(project=project, update=True),
        ]:
            fails(call, NOT_FOUND, f'project "{project.name}" not found')

    def test_one_with_repos_names_them_all(self, client, project):
        for name in ["a", "b"]:
            client.pfs.create_repo(repo=pfs.Repo(name=name, project=project))
        error = fails(lambda: client.pfs.delete_project(project=project), PRECONDITION)
        for name in ["a", "b"]:
            assert f"cannot delete project {project.name}: repo {project.name}/{name} still exists" in error.details()

    def test_they_are_listed_in_the_order_they_were_made(self, client, fresh):
        names = [fresh("z"), fresh("a"), fresh("m")]
        for name in names:
            client.pfs.create_project(project=pfs.Project(name=name))
        infos = list(client.pfs.list_project())
        assert infos[0].project.name == "default"
        assert [info.project.name for info in infos if info.project.name in names] == names

    def test_the_default_one_may_go_and_come_back(self, own_server):
        client, default = connect(own_server), pfs.Project(name="default")
        client.pfs.delete_project(project=default)
        assert list(client.pfs.list_project()) == []
        fails(lambda: client.pfs.create_repo(repo=pfs.Repo.from_uri("r")), NOT_FOUND, "cannot find project")
        client.pfs.delete_all()
        assert client.pfs.inspect_project(project=default).description == ""

    def test_its_defaults_and_what_it_is(self, client, project):
        client.pfs.create_project(project=project, description="d", update=True)
        answer = client.pfs.inspect_project_v2(project=project)
        assert (answer.info.project.name, answer.info.description, answer.defaults_json) == (project.name, "d", "{}")


class TestMakingRepos:
    @pytest.mark.parametrize("name", ["with space", "dot.ted", "sla/sh", ""])
    def test_a_bad_name_comes_first(self, client, fresh, name):
        repo = pfs.Repo(name=name, project=pfs.Project(name=fresh("none")))
        fails(lambda: client.pfs.create_repo(repo=repo), DOMAIN, f"name ({name}) invalid: {CHARACTERS}")

    def test_a_reserved_name(self, client):
        fails(lambda: client.pfs.create_repo(repo=pfs.Repo.from_uri("__filesets__")), DOMAIN, "is a reserved name")

    def test_a_project_that_is_not_there(self, client, fresh):
        repo = pfs.Repo.from_uri(f"{fresh('none')}/r")
        fails(lambda: client.pfs.create_repo(repo=repo), NOT_FOUND, "cannot find project", repo.project.name)

    def test_one_that_is_there(self, client, make):
        repo = make().repo
        fails(lambda: client.pfs.create_repo(repo=repo), ALREADY_EXISTS, f"repo default/{repo.name} already exists")

    def test_types(self, client, make, fresh):
        lone = pfs.Repo(name=fresh("lone"), type="meta")
        text = "cannot create a system repo without a corresponding 'user' repo"
        fails(lambda: client.pfs.create_repo(repo=lone), DOMAIN, text)
        repo = make().repo
        for type in ["meta", "spec"]:
            client.pfs.create_repo(repo=pfs.Repo(name=repo.name, type=type))
            assert client.pfs.inspect_repo(repo=pfs.Repo(name=repo.name, type=type)).repo.type == type
            again = pfs.Repo(name=repo.name, type=type)
            text = f"repo default/{repo.name}.{type} already exists"
            fails(lambda: client.pfs.create_repo(repo=again), ALREADY_EXISTS, text)
        odd = pfs.Repo(name=repo.name, type="odd")
        for call in [client.pfs.create_repo, client.pfs.inspect_repo, client.pfs.delete_repo]:
            fails(lambda: call(repo=odd), DOMAIN, "odd")
        fails(lambda: client.pfs.list_repo(type="odd"), DOMAIN, "odd")

    def test_an_update_makes_what_is_missing_and_can_take_the_description_away(self, client, fresh):
        repo = pfs.Repo.from_uri(fresh("repo"))
        client.pfs.create_repo(repo=repo, description="first", update=True)
        before = client.pfs.inspect_repo(repo=repo)
        assert (before.description, before.branches) == ("first", [])
        client.pfs.create_repo(repo=repo, update=True)
        after = client.pfs.inspect_repo(repo=repo)
        assert (after.description, after.created) == ("", before.created)


class TestLookingAtRepos:
    def test_inspecting_has_details_and_listing_an_upper_bound(self, client, make):
        master = make()
        put(client, master, {"/a": b"12345"})
        client.pfs.create_branch(branch=pfs.Branch(name="side", repo=master.repo))
        info = client.pfs.inspect_repo(repo=master.repo)
        assert {branch.name for branch in info.branches} == {"master", "side"}
        assert (info.details.size_bytes, info.size_bytes_upper_bound) == (5, 0)
        [listed] = [info for info in client.pfs.list_repo(type="user") if info.repo == master.repo]
        assert listed.size_bytes_upper_bound == 5 and not listed.is_set("details")

    def test_only_a_finished_master_counts(self, client, make):
        master = make()
        put(client, pfs.Branch(name="side", repo=master.repo))
        assert client.pfs.inspect_repo(repo=master.repo).details.size_bytes == 0
        commit = client.pfs.start_commit(branch=master)
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        assert client.pfs.inspect_repo(repo=master.repo).details.size_bytes == 0
        client.pfs.finish_commit(commit=commit)
        assert client.pfs.inspect_repo(repo=master.repo).details.size_bytes == 1

    def test_they_are_listed_by_project_and_name_and_by_type(self, client, fresh):
        projects = [pfs.Project(name=fresh("q")), pfs.Project(name=fresh("p"))]
        for project in projects:
            client.pfs.create_project(project=project)
            for name in ["b", "a"]:
                client.pfs.create_repo(repo=pfs.Repo(name=name, project=project))
        client.pfs.create_repo(repo=pfs.Repo(name="a", type="spec", project=projects[0]))

        def listed(**more):
            infos = client.pfs.list_repo(projects=projects, **more)
            return [(info.repo.project.name, info.repo.name, info.repo.type) for info in infos]

        q, p = projects[0].name, projects[1].name
        users = [(p, "a", "user"), (p, "b", "user"), (q, "a", "user"), (q, "b", "user")]
        assert listed(type="user") == users
        assert listed(type="spec") == [(q, "a", "spec")]
        assert sorted(listed(type="")) == sorted([*users, (q, "a", "spec")])
        assert listed(type="meta") == []
        assert list(client.pfs.list_repo(projects=[pfs.Project(name=fresh("none"))])) == []

    def test_a_summary_of_projects(self, client, fresh):
        full, empty = pfs.Project(name=fresh("full")), pfs.Project(name=fresh("empty"))
        other = pfs.Project(name=fresh("other"))
        for project in [full, empty, other]:
            client.pfs.create_project(project=project)
        for name, data in [("a", b"123"), ("b", b"45")]:
            repo = pfs.Repo(name=name, project=full)
            client.pfs.create_repo(repo=repo)
            put(client, pfs.Branch(name="master", repo=repo), {"/f": data})
        client.pfs.create_repo(repo=pfs.Repo(name="a", type="meta", project=full))
        client.pfs.create_repo(repo=pfs.Repo(name="c", project=other))
        asked = [project.as_picker() for project in [other, empty, pfs.Project(name=fresh("none")), full]]
        found = client.pfs.repos_summary(projects=asked).summaries
        assert [(one.project.name, one.user_repo_count, one.size_bytes) for one in found] == [
            (other.name, 1, 0), (full.name, 2, 5),
        ]
        assert client.pfs.repos_summary().summaries == []


class TestDeletingRepos:
    def test_system_repos_go_along_and_go_alone(self, client, make):
        repo = make().repo
        meta, spec = (pfs.Repo(name=repo.name, type=type) for type in ["meta", "spec"])
        for one in [meta, spec]:
            client.pfs.create_repo(repo=one)
        assert client.pfs.delete_repo(repo=meta).deleted
        assert client.pfs.repo_exists(repo) and client.pfs.repo_exists(spec)
        assert client.pfs.delete_repo(repo=repo).deleted
        assert not client.pfs.repo_exists(spec)

    def test_one_that_others_derive_from(self, client, chain):
        a, b, c = chain
        put(client, a)
        before = head(client, b)
        text = "cannot be deleted because it's in the direct provenance of"
        fails(lambda: client.pfs.delete_repo(repo=a.repo), DOMAIN, text, b.repo.name)
        assert client.pfs.delete_repo(repo=a.repo, force=True).deleted
        info = client.pfs.inspect_branch(branch=b)
        assert (info.direct_provenance, info.head) == ([], before)
        assert client.pfs.inspect_commit(commit=before).direct_provenance == []

    def test_one_with_a_trigger(self, client, make):
        master = make()
        client.pfs.create_branch(branch=master)
        follower = pfs.Branch(name="follower", repo=master.repo)
        client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", all=True))
        fails(lambda: client.pfs.delete_repo(repo=master.repo), DOMAIN, "cannot be deleted because it")
        assert client.pfs.delete_repo(repo=master.repo, force=True).deleted

    def test_a_subscription_ends(self, client, make):
        master = make()
        commit = put(client, master)
        stream = client.pfs.subscribe_commit(repo=master.repo, branch="master")
        assert next(stream).commit.id == commit.id
        client.pfs.delete_repo(repo=master.repo)
        fails(lambda: stream, (NOT_FOUND, *DOMAIN), "was deleted")

    def test_whoever_waits_for_a_commit_is_told(self, client, make):
        while_it_waits(
            client, lambda: client.pfs.start_commit(branch=make()), client.pfs.wait_commit,
            lambda commit: client.pfs.delete_repo(repo=commit.repo), "was deleted",
        )

    def test_many_at_once(self, client, fresh):
        projects = [pfs.Project(name=fresh("project")) for _ in range(3)]
        for project in projects:
            client.pfs.create_project(project=project)
            for name in ["a", "b"]:
                client.pfs.create_repo(repo=pfs.Repo(name=name, project=project))
        client.pfs.create_repo(repo=pfs.Repo(name="a", type="meta", project=projects[0]))
        assert client.pfs.delete_repos().repos == []
        gone = client.pfs.delete_repos(projects=projects[:2]).repos
        users = [(project.name, name, "user") for project in projects[:2] for name in "ab"]
        assert sorted((repo.project.name, repo.name, repo.type) for repo in gone) == sorted(
            [*users, (projects[0].name, "a", "meta")]
        )
        assert list(client.pfs.list_repo(projects=projects[:2])) == []
        assert len(list(client.pfs.list_repo(projects=projects))) == 2

    def test_many_at_once_keep_to_the_same_rules(self, client, make, fresh):
        project = pfs.Project(name=fresh("project"))
        client.pfs.create_project(project=project)
        source = pfs.Branch(name="master", repo=pfs.Repo(name="source", project=project))
        other = pfs.Repo(name="other", project=project)
        for repo in [source.repo, other]:
            client.pfs.create_repo(repo=repo)
        derived = make()
        client.pfs.create_branch(branch=derived, provenance=[source])
        fails(lambda: client.pfs.delete_repos(projects=[project]), DOMAIN, "in the direct provenance of")
        assert client.pfs.repo_exists(other) and client.pfs.repo_exists(source.repo)
        assert len(client.pfs.delete_repos(projects=[project], force=True).repos) == 2
        assert client.pfs.inspect_branch(branch=derived).direct_provenance == []

    def test_all_of_them_but_not_those_of_a_pipeline(self, own_server):
        client = connect(own_server)
        client.pfs.create_repo(repo=pfs.Repo.from_uri("data"))
        pipeline = pps.Pipeline(name="tap", project=pfs.Project(name="default"))
        client.pps.create_pipeline(
            pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", "exec sleep 3600"]),
            spout=pps.Spout(service=pps.Service()),
        )
        text = "cannot delete a repo associated with a pipeline - delete the pipeline instead"
        fails(lambda: client.pfs.delete_repos(all=True, force=True), DOMAIN, text)
        assert client.pfs.repo_exists(pfs.Repo.from_uri("data"))
        client.pps.delete_pipeline(pipeline=pipeline)
        assert [repo.name for repo in client.pfs.delete_repos(all=True).repos] == ["data"]
        assert list(client.pfs.list_repo()) == []


class TestMakingBranches:
    @pytest.mark.parametrize("name, text", [
        ("with space", CHARACTERS), ("dot.ted", CHARACTERS), ("", CHARACTERS),
        ("0123456789ab4def8123456789abcdef", "branch name cannot be a UUID V4"),
    ])
    def test_a_bad_name_is_refused(self, client, make, name, text):
        repo = make().repo
        fails(lambda: client.pfs.create_branch(branch=pfs.Branch(name=name, repo=repo)), DOMAIN, text)
        if name:
            fails(lambda: client.pfs.start_commit(branch=pfs.Branch(name=name, repo=repo)), DOMAIN, text)
        assert list(client.pfs.list_branch(repo=repo)) == []

    def test_a_head_in_another_repo(self, client, make):
        commit = put(client, make())
        text = "branch and head commit must belong to the same repo"
        fails(lambda: client.pfs.create_branch(branch=make(), head=commit), DOMAIN, text)

    def test_provenance_in_its_own_repo_and_in_none(self, client, make, fresh):
        branch = make()
        side = pfs.Branch(name="side", repo=branch.repo)
        text = f"repo default/{branch.repo.name} cannot be in the provenance of its own branch"
        fails(lambda: client.pfs.create_branch(branch=branch, provenance=[side]), DOMAIN, text)
        none = pfs.Branch.from_uri(f"{fresh('none')}@master")
        text = f"repo default/{none.repo.name} not found"
        fails(lambda: client.pfs.create_branch(branch=branch, provenance=[none]), NOT_FOUND, text)
        assert not client.pfs.branch_exists(branch)

    def test_two_branches_of_one_repo_upstream(self, client, make):
        a, b, c = make(), make(), make()
        other = pfs.Branch(name="other", repo=a.repo)
        client.pfs.create_branch(branch=b, provenance=[a])
        text = f'multiple branches from the same repo, "{a.repo.name}", cannot participate in a DAG'
        error = fails(lambda: client.pfs.create_branch(branch=c, provenance=[b, other]), DOMAIN)
        assert text in error.details().replace("default/", "")
        assert not client.pfs.branch_exists(c) and not client.pfs.branch_exists(other)

    def test_an_upstream_branch_is_made_if_missing(self, client, make):
        a, b = make(), make()
        client.pfs.create_branch(branch=b, provenance=[a])
        upstream = client.pfs.inspect_commit(commit=head(client, a))
        assert upstream.origin.kind == pfs.OriginKind.AUTO and is_finished(upstream)
        commit = client.pfs.inspect_commit(commit=head(client, b))
        assert not is_finished(commit)
        assert [one.id for one in commit.direct_provenance] == [upstream.commit.id]

    def test_saying_the_same_again_changes_nothing(self, client, make):
        a, b = make(), make()
        put(client, a)
        client.pfs.create_branch(branch=b, provenance=[a])
        before = client.pfs.inspect_branch(branch=b)
        client.pfs.create_branch(branch=b, provenance=[a])
        assert client.pfs.inspect_branch(branch=b) == before
        assert len(list(client.pfs.list_commit(repo=b.repo))) == 1

    def test_a_head_moves_and_what_derives_from_it_follows(self, client, make):
        a, b = make(), make()
        first, second = put(client, a, {"/1": b"1"}), put(client, a, {"/2": b"2"})
        client.pfs.create_branch(branch=b, provenance=[a])
        before = head(client, b)
        client.pfs.create_branch(branch=a, head=first)
        assert head(client, a).id == first.id
        info = client.pfs.inspect_commit(commit=head(client, b))
        assert info.commit.id not in {first.id, second.id, before.id}
        assert info.parent_commit.id == before.id
        assert [one.id for one in info.direct_provenance] == [first.id]

    def test_a_head_and_provenance_at_once(self, client, make):
        a, b = make(), make()
        put(client, a)
        parent = put(client, b)
        put(client, b)
        client.pfs.create_branch(branch=b, head=parent, provenance=[a])
        info = client.pfs.inspect_commit(commit=head(client, b))
        assert info.origin.kind == pfs.OriginKind.AUTO and not is_finished(info)
        assert info.parent_commit.id == parent.id

    def test_provenance_that_is_not_said_again_is_gone(self, client, chain):
        a, b, _ = chain
        before = len(list(client.pfs.list_commit(repo=b.repo)))
        client.pfs.create_branch(branch=b)
        assert client.pfs.inspect_branch(branch=b).direct_provenance == []
        assert len(list(client.pfs.list_commit(repo=b.repo))) == before

    def test_a_quiet_edge_must_be_one_of_its_provenance(self, client, make):
        a, b, c = make(), make(), make()
        spec = pfs.BranchPropagationSpec(branch=c, propagation_spec=pfs.PropagationSpec(never=True))
        error = fails(
            lambda: client.pfs.create_branch(branch=b, provenance=[a], branch_propagation_specs=[spec]),
            (NOT_FOUND, *DOMAIN),
        )
        assert c.repo.name in error.details()

    @pytest.mark.parametrize("trigger, text", [
        (pfs.Trigger(branch="", all=True), "triggers must specify a branch to trigger on"),
        (pfs.Trigger(branch="follower", all=True), "trigger on itself"),
        (pfs.Trigger(branch="master", rate_limit_spec="often"), "invalid trigger rate limit spec"),
        (pfs.Trigger(branch="bad name", all=True), ""),
        (pfs.Trigger(branch="last", all=True), "triggers cannot form a loop"),
    ])
    def test_triggers_that_cannot_be(self, client, make, trigger, text):
        master = make()
        follower, last = (pfs.Branch(name=name, repo=master.repo) for name in ["follower", "last"])
        for branch in [master, follower]:
            client.pfs.create_branch(branch=branch)
        client.pfs.create_branch(branch=last, trigger=pfs.Trigger(branch="follower", all=True))
        fails(lambda: client.pfs.create_branch(branch=follower, trigger=trigger), (NOT_FOUND, *DOMAIN), text)
        assert client.pfs.inspect_branch(branch=follower).trigger in (None, pfs.Trigger())

    def test_a_trigger_and_provenance_do_not_go_together(self, client, make):
        a, master = make(), make()
        client.pfs.create_branch(branch=master)
        follower, trigger = pfs.Branch(name="follower", repo=master.repo), pfs.Trigger(branch="master", all=True)
        fails(lambda: client.pfs.create_branch(branch=follower, provenance=[a], trigger=trigger), DOMAIN, "trigger")
        client.pfs.create_branch(branch=follower, trigger=trigger)
        fails(lambda: client.pfs.create_branch(branch=follower, provenance=[a]), DOMAIN, "trigger")

    def test_a_trigger_stays_when_it_is_not_said_again(self, client, make):
        master = make()
        commit = put(client, master)
        follower = pfs.Branch(name="follower", repo=master.repo)
        client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", commits=5))
        client.pfs.create_branch(branch=follower, head=commit)
        info = client.pfs.inspect_branch(branch=follower)
        assert (info.trigger.branch, info.trigger.commits, info.head.id) == ("master", 5, commit.id)


class TestTriggersThatFire:
    @pytest.fixture
    def follow(self, client, make):
        def follow(**conditions):
            master = make()
            client.pfs.create_branch(branch=master)
            follower = pfs.Branch(name="follower", repo=master.repo)
            client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", **conditions))
            return master, follower

        return follow

    def test_by_size(self, client, follow):
        master, follower = follow(size="10B")
        small = put(client, master, {"/a": b"123456789"})
        assert head(client, follower).id != small.id
        large = put(client, master, {"/b": b"1"})
        assert head(client, follower).id == large.id

    def test_without_conditions_by_all_alone(self, client, follow):
        master, follower = follow(all=True)
        assert put(client, master).id == head(client, follower).id
        master, follower = follow()
        assert put(client, master).id != head(client, follower).id

    def test_all_of_the_conditions_or_one(self, client, follow):
        for both, expected in [(True, False), (False, True)]:
            master, follower = follow(size="1k", commits=1, all=both)
            commit = put(client, master)
            assert (head(client, follower).id == commit.id) == expected

    def test_a_head_that_is_moved_fires_nothing(self, client, follow):
        master, follower = follow(all=True)
        first, second = put(client, master), put(client, master)
        client.pfs.create_branch(branch=master, head=first)
        assert head(client, follower).id == second.id

    def test_a_chain_and_a_commit_in_error(self, client, follow):
        master, follower = follow(all=True)
        last = pfs.Branch(name="last", repo=master.repo)
        client.pfs.create_branch(branch=last, trigger=pfs.Trigger(branch="follower", all=True))
        commit = put(client, master)
        assert head(client, last).id == head(client, follower).id == commit.id
        broken = client.pfs.start_commit(branch=master)
        client.pfs.finish_commit(commit=broken, error="broken")
        assert head(client, follower).id == commit.id


class TestLookingAtBranches:
    def test_what_one_is(self, client, chain):
        a, b, c = chain
        info = client.pfs.inspect_branch(branch=b)
        assert info.branch == b and info.head.id and not info.head.branch.name
        assert [one.repo.name for one in info.subvenance] == [c.repo.name]
        assert info.created_at.year > 1970 and info.updated_at >= info.created_at

    def test_one_that_is_not_there(self, client, make):
        branch = make()
        text = f'branch "master" not found in repo default/{branch.repo.name}'
        fails(lambda: client.pfs.inspect_branch(branch=branch), NOT_FOUND, text)
        fails(lambda: client.pfs.delete_branch(branch=branch, force=True), NOT_FOUND, text)

    def test_the_newest_comes_first(self, client, make):
        repo = make().repo
        for name in ["b", "c", "a"]:
            client.pfs.create_branch(branch=pfs.Branch(name=name, repo=repo))
        assert [info.branch.name for info in client.pfs.list_branch(repo=repo)] == ["a", "c", "b"]
        assert [info.branch.name for info in client.pfs.list_branch(repo=repo, reverse=True)] == ["b", "c", "a"]

    def test_those_of_all_repos(self, client, make):
        branches = [make(), make()]
        for branch in branches:
            client.pfs.create_branch(branch=branch)
        found = [info.branch for info in client.pfs.list_branch()]
        assert all(branch in found for branch in branches)

    def test_walks_have_bounds_and_go_breadth_first(self, client, make):
        a, b, c, d = make("a"), make("b"), make("c"), make("d")
        client.pfs.create_branch(branch=b, provenance=[a])
        client.pfs.create_branch(branch=c, provenance=[b])
        client.pfs.create_branch(branch=d, provenance=[c])

        def down(**bounds):
            return [info.branch for info in client.pfs.walk_branch_subvenance(start=[a.as_picker()], **bounds)]

        def up(**bounds):
            return [info.branch for info in client.pfs.walk_branch_provenance(start=[d.as_picker()], **bounds)]

        assert (down(), up()) == ([b, c, d], [c, b, a])
        assert (down(max_depth=2), up(max_depth=2)) == ([b, c], [c, b])
        assert (down(max_branches=1), up(max_branches=1)) == ([b], [c])


class TestDeletingBranches:
    def test_its_commits_stay(self, client, make):
        master = make()
        commit = put(client, master)
        client.pfs.delete_branch(branch=master)
        assert ids(client.pfs.list_commit(repo=master.repo)) == [commit.id]
        assert read(client, commit) == b"1"

    def test_either_end_of_a_trigger_holds_it(self, client, make):
        master = make()
        client.pfs.create_branch(branch=master)
        follower = pfs.Branch(name="follower", repo=master.repo)
        client.pfs.create_branch(branch=follower, trigger=pfs.Trigger(branch="master", all=True))
        fails(lambda: client.pfs.delete_branch(branch=follower), DOMAIN, "it is triggered by branches [")
        fails(lambda: client.pfs.delete_branch(branch=master), DOMAIN, "it triggers branches [")
        client.pfs.delete_branch(branch=master, force=True)
        assert client.pfs.inspect_branch(branch=follower).trigger.branch == ""
        client.pfs.delete_branch(branch=follower)
