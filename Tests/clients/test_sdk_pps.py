"""The calls on pipelines as such with pachyderm-sdk: defaults, rerun, lists, status, summaries, what is not offered."""

import json

import grpc
import pytest
from pachyderm_sdk.api import metadata, pfs, pps

from sdk_tools import INVALID, NOT_FOUND, UNKNOWN, client, connect, fails, wait_for_state  # noqa: F401

STAYING = ["sh", "-c", "exec sleep 3600"]


@pytest.fixture
def own(own_server):
    return connect(own_server)


def make(client, name, project="default", **more) -> pps.Pipeline:
    spec = {"pipeline": {"name": name, "project": {"name": project}}, "transform": {"cmd": STAYING}, "spout": {}}
    client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec | more))
    return pps.Pipeline(name=name, project=pfs.Project(name=project))


def inspect(client, pipeline) -> pps.PipelineInfo:
    return client.pps.inspect_pipeline(pipeline=pipeline, details=True)


def tries(count) -> str:
    return json.dumps({"create_pipeline_request": {"datum_tries": count}})


def named(pipelines) -> list[str]:
    return [f"{pipeline.project.name}/{pipeline.name}" for pipeline in pipelines]


class TestDefaults:
    def test_of_the_cluster(self, own):
        assert own.pps.get_cluster_defaults().cluster_defaults_json == "{}"
        plain, stubborn = make(own, "plain"), make(own, "stubborn", datumTries=9)
        text = tries(5) + "\n"
        assert named(own.pps.set_cluster_defaults(cluster_defaults_json=text, regenerate=True, dry_run=True)
                     .affected_pipelines) == ["default/plain"]
        assert own.pps.get_cluster_defaults().cluster_defaults_json == "{}"
        assert own.pps.set_cluster_defaults(cluster_defaults_json=text).affected_pipelines == []
        assert own.pps.get_cluster_defaults().cluster_defaults_json == text
        assert inspect(own, plain).version == 1 and inspect(own, plain).details.datum_tries == 3
        assert named(own.pps.set_cluster_defaults(cluster_defaults_json=text, regenerate=True)
                     .affected_pipelines) == ["default/plain"]
        info = inspect(own, plain)
        assert info.version == 2 and info.details.datum_tries == 5
        assert inspect(own, stubborn).version == 1
        assert inspect(own, make(own, "later")).details.datum_tries == 5

    def test_of_a_project(self, own):
        project = pfs.Project(name="other")
        own.pfs.create_project(project=project)
        assert own.pps.get_project_defaults(project=project).project_defaults_json == "{}"
        make(own, "here")
        there = make(own, "there", project="other")
        salt = inspect(own, there).details.salt
        affected = own.pps.set_project_defaults(
            project=project, project_defaults_json=tries(7), regenerate=True, reprocess=True).affected_pipelines
        assert named(affected) == ["other/there"]
        assert inspect(own, there).details.datum_tries == 7 and inspect(own, there).details.salt != salt
        defaults = own.pps.get_project_defaults(project=project)
        assert defaults.project_defaults_json == tries(7) and defaults.created_at.year > 2000
        assert own.pfs.inspect_project_v2(project=project).defaults_json == tries(7)

    def test_what_is_refused(self, client):
        for text in ["", "nope", '{"nope": 1}', '{"create_pipeline_request": {"nope": 1}}']:
            fails(lambda text=text: client.pps.set_cluster_defaults(cluster_defaults_json=text), INVALID,
                  "invalid cluster defaults JSON")
            fails(lambda text=text: client.pps.set_project_defaults(
                project=pfs.Project(name="default"), project_defaults_json=text), INVALID,
                "invalid project defaults JSON")
        nobody = pfs.Project(name="nobody")
        fails(lambda: client.pps.get_project_defaults(project=nobody), NOT_FOUND, "nobody")
        fails(lambda: client.pps.set_project_defaults(project=nobody, project_defaults_json="{}"), UNKNOWN,
              "unknown error: could not write project defaults")

    def test_the_field_is_named_in_the_details(self, client):
        error = fails(lambda: client.pps.set_cluster_defaults(cluster_defaults_json="nope"), INVALID)
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert b"google.rpc.BadRequest" in details and b"cluster_defaults_json" in details


class TestRerun:
    def test_the_same_spec_becomes_the_next_version(self, client, fresh):
        pipeline = make(client, fresh("spout"), description="a test")
        first = inspect(client, pipeline)
        client.pps.rerun_pipeline(pipeline=pipeline)
        second = inspect(client, pipeline)
        assert (second.version, second.details.salt) == (2, first.details.salt)
        assert second.user_spec_json == first.user_spec_json and second.details.description == "a test"
        client.pps.rerun_pipeline(pipeline=pps.Pipeline(name=pipeline.name), reprocess=True)
        third = inspect(client, pipeline)
        assert third.version == 3 and third.details.salt != first.details.salt
        client.pps.delete_pipeline(pipeline=pipeline)

    def test_a_pipeline_that_is_not_there(self, client, fresh):
        nobody = pps.Pipeline(name=fresh("nobody"), project=pfs.Project(name="default"))
        fails(lambda: client.pps.rerun_pipeline(pipeline=nobody), NOT_FOUND, "not found")
        fails(lambda: client.pps.run_pipeline(pipeline=nobody), UNKNOWN, "unimplemented")


class TestLists:
    @pytest.fixture
    def three(self, own):
        pipelines = [make(own, name) for name in ("one", "two", "three")]
        own.pps.rerun_pipeline(pipeline=pipelines[0])
        return pipelines

    def listed(self, client, **how) -> list[tuple]:
        return [(info.pipeline.name, info.version) for info in client.pps.list_pipeline(**how)]

    def test_history_and_pages(self, own, three):
        assert self.listed(own) == [("one", 2), ("three", 1), ("two", 1)]
        assert self.listed(own, history=-1) == [("one", 2), ("three", 1), ("two", 1), ("one", 1)]
        assert self.listed(own, pipeline=three[0], history=1) == [("one", 2), ("one", 1)]
        page = pps.PipelinePage(page_size=2, page_index=1)
        assert self.listed(own, page=page) == [("two", 1)]
        assert self.listed(own, page=pps.PipelinePage(page_size=2, page_index=9)) == []
        fails(lambda: own.pps.list_pipeline(pipeline=pps.Pipeline(name="nobody")), NOT_FOUND, "not found")

    def test_by_project(self, own, three):
        own.pfs.create_project(project=pfs.Project(name="other"))
        make(own, "four", project="other")
        assert self.listed(own, projects=[pfs.Project(name="other")]) == [("four", 1)]
        assert len(self.listed(own)) == 4

    def test_as_of_a_commit_set(self, own, three):
        old = list(own.pps.list_pipeline(pipeline=three[0], history=-1))[-1].spec_commit
        assert self.listed(own, commit_set=pfs.CommitSet(id=old.id)) == [("one", 1)]
        fails(lambda: own.pps.list_pipeline(commit_set=pfs.CommitSet(id="0" * 12 + "4" + "0" * 19)), NOT_FOUND)

    def test_filters(self, own, three):
        own.pps.stop_pipeline(pipeline=three[1])
        wait_for_state(own, three[1], pps.PipelineState.PIPELINE_PAUSED)
        paused = '.state == "PIPELINE_PAUSED"'
        assert self.listed(own, jq_filter=paused) == [("two", 1)]
        assert self.listed(own, jq_filter=paused + ' or .state == "PIPELINE_FAILURE"') == [("two", 1)]
        assert self.listed(own, jq_filter='.details.created_at != null and (.pipeline.name | startswith("t"))'
                           ) == [("three", 1), ("two", 1)]
        assert self.listed(own, jq_filter='select(.version == "2")') == [("one", 2)]
        error = fails(lambda: own.pps.list_pipeline(jq_filter="reduce .[] as $x (0; . + $x)"),
                      (UNKNOWN, grpc.StatusCode.UNIMPLEMENTED), "error parsing jq filter")
        assert "jq" in error.details()

    def test_metadata_stays_over_versions(self, own, three):
        picker = pps.PipelinePicker(name=pps.PipelinePickerPipelineName(
            name="one", project=pfs.ProjectPicker(name="default")))
        own.metadata.edit_metadata(edits=[metadata.Edit(
            pipeline=picker, replace=metadata.EditReplace(replacement={"team": "a"}))])
        assert inspect(own, three[0]).metadata == {"team": "a"}
        own.pps.rerun_pipeline(pipeline=three[0])
        assert inspect(own, three[0]).metadata == {"team": "a"} and inspect(own, three[0]).version == 3


class TestStatus:
    def test_summaries(self, own):
        own.pfs.create_project(project=pfs.Project(name="empty"))
        own.pfs.create_project(project=pfs.Project(name="other"))
        make(own, "runs")
        paused, broken = make(own, "paused"), make(own, "broken", "other", transform={"cmd": []})
        own.pps.stop_pipeline(pipeline=paused)
        wait_for_state(own, paused, pps.PipelineState.PIPELINE_PAUSED)
        wait_for_state(own, broken, pps.PipelineState.PIPELINE_FAILURE)
        summaries = {s.project.name: s for s in own.pps.pipelines_summary().summaries}
        assert sorted(summaries) == ["default", "other"]
        assert (summaries["default"].active_pipelines, summaries["default"].paused_pipelines) == (1, 1)
        assert summaries["other"].failed_pipelines == 1
        only = own.pps.pipelines_summary(projects=[pfs.ProjectPicker(name="other")]).summaries
        assert [summary.project.name for summary in only] == ["other"]

    def test_check_status(self, own):
        running = make(own, "runs")
        wait_for_state(own, running, pps.PipelineState.PIPELINE_RUNNING)
        broken = make(own, "broken", transform={"cmd": []})
        wait_for_state(own, broken, pps.PipelineState.PIPELINE_FAILURE)
        answers = {answer.pipeline.name: answer for answer in own.pps.check_status(all=True)}
        assert sorted(answers) == ["broken", "runs"]
        assert "default/runs: Started running at" in answers["runs"].alerts[0]
        assert "exceeded maximum uptime by" in answers["runs"].alerts[0]
        assert answers["broken"].alerts == ["default/broken: FAILURE: nothing to run: no transform.cmd"]
        project = pfs.Project(name="default")
        assert {answer.project.name for answer in own.pps.check_status(project=project)} == {"default"}
        own.pps.stop_pipeline(pipeline=running)
        wait_for_state(own, running, pps.PipelineState.PIPELINE_PAUSED)
        assert [answer.pipeline.name for answer in own.pps.check_status(all=True)] == ["broken"]


class TestTheRest:
    def test_everything_goes(self, own):
        make(own, "one")
        own.pps.delete_all()
        assert list(own.pps.list_pipeline()) == []

    def test_templates_are_rendered_elsewhere(self, client):
        fails(lambda: client.pps.render_template(template="{}"), grpc.StatusCode.UNIMPLEMENTED, "jsonnet")

    def test_a_bad_spec_names_its_field(self, client):
        error = fails(lambda: client.pps.create_pipeline_v2(create_pipeline_request_json="{"), INVALID,
                      "could not make effective spec:")
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert b"create_pipeline_v2_request.create_pipeline_request_json" in details

    def test_a_transaction_keeps_the_defaults_it_was_appended_with(self, own_server, own):
        with own.transaction.transaction():
            make(own, "one")
            connect(own_server).pps.set_cluster_defaults(cluster_defaults_json=tries(5))
        pipeline = pps.Pipeline(name="one", project=pfs.Project(name="default"))
        assert inspect(own, pipeline).details.datum_tries == 3
