"""Shell programs that keep secrets and defaults, and look how pipelines do."""

import json

import pytest

from test_cli import Shell, table


@pytest.fixture
def shell(own_server, tmp_path):
    return Shell(tmp_path, own_server.address)


SPEC = """pipeline: {name: tap}
transform:
  cmd: [sh, -c, 'printf %s "$PW" | pachctl put file tap@master:/pw -f -; exec sleep 3600']
  secrets: [{name: db, key: password, env_var: PW}]
spout: {}
"""


class TestSecrets:
    def test_their_life(self, shell):
        shell("pachctl create secret -f -", json.dumps(
            {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}}))
        rows = table(shell("pachctl list secret"), "NAME", "TYPE", "CREATED")
        assert [(row["NAME"], row["TYPE"]) for row in rows] == [("db", "Opaque")]
        assert "hunter2" not in shell("pachctl inspect secret db")
        shell("pachctl create pipeline -f -", SPEC)
        shell("until pachctl get file tap@master:/pw >out 2>/dev/null; do pachctl version >/dev/null; done")
        assert shell("cat out") == "hunter2"
        shell("pachctl delete pipeline tap; pachctl delete secret db")
        assert table(shell("pachctl list secret"), "NAME", "TYPE", "CREATED") == []
        assert "failed to get secret" in shell.fails("pachctl inspect secret db")

    def test_yaml_with_several(self, shell):
        shell("pachctl create secret", "metadata: {name: a}\nstringData: {k: v}\n---\nmetadata: {name: b}\n")
        assert [row["NAME"] for row in table(shell("pachctl list secrets"), "NAME", "TYPE", "CREATED")] == ["a", "b"]

    @pytest.mark.parametrize("verb", ["create", "list", "inspect", "delete"])
    def test_help(self, shell, verb):
        assert "secret" in shell(f"pachctl {verb} secret --help")

    def test_a_spec_that_names_none_that_is_there(self, shell):
        assert "missing Kubernetes secret db" in shell.fails("pachctl create pipeline -f -", SPEC)


class TestDefaults:
    def test_their_life(self, shell):
        shell("pachctl create pipeline -f -", "pipeline: {name: tap}\ntransform: {cmd: [sleep, '3600']}\nspout: {}\n")
        assert shell("pachctl inspect defaults --cluster").strip() == "{}"
        given = '{"create_pipeline_request": {"datum_tries": 1}}'
        assert shell("pachctl update defaults --cluster -f - --regenerate --dry-run", given) == (
            "affected pipelines:\n\tdefault/tap\n")
        assert shell("pachctl update defaults --cluster -f - --regenerate", given) == (
            "affected pipelines:\n\tdefault/tap\n")
        assert json.loads(shell("pachctl inspect defaults --cluster")) == json.loads(given)
        assert shell("pachctl inspect pipeline tap --raw | grep '\"version\"'").split() == ['"version":', '"2",']
        shell("pachctl delete defaults --cluster")
        assert shell("pachctl inspect defaults --cluster").strip() == "{}"
        assert "invalid project defaults JSON" in shell.fails(
            "pachctl create defaults --project default -f -", '{"nope": 1}')

    def test_how_pipelines_do(self, shell):
        shell("pachctl create pipeline -f -", "pipeline: {name: tap}\ntransform: {cmd: []}\nspout: {}\n")
        shell("until pachctl check status | grep -q FAILURE; do pachctl version >/dev/null; done")
        assert "default/tap: FAILURE: nothing to run: no transform.cmd" in shell("pachctl check status --all-projects")
        shell("pachctl rerun pipeline tap")
