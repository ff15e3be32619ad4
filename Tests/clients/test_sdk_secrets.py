"""Secrets with pachyderm-sdk: the four calls, what code is given, and where values must never show."""

import base64
import json
import os
import stat
import subprocess

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import UNKNOWN, client, connect, fails, wait_for_reason  # noqa: F401
from spile_server import SPILE, Server

VALUE = "hunter2-é-value"
STAYING = "exec sleep 3600"


@pytest.fixture
def secret(client, fresh):
    name = fresh("secret")
    client.pps.create_secret(name=name, data={"password": VALUE, "user": b"me"})
    yield name
    try:
        client.pps.delete_secret(secret=pps.Secret(name=name))
    except grpc.RpcError:
        pass


@pytest.fixture
def pipeline(client, fresh):
    pipeline = pps.Pipeline(name=fresh("spout"), project=pfs.Project(name="default"))
    yield pipeline
    client.pps.delete_pipeline(pipeline=pipeline, force=True)


def names(client) -> list[str]:
    return [info.secret.name for info in client.pps.list_secret().secret_info]


def spout(client, pipeline, script, *secrets, **more):
    client.pps.create_pipeline(
        pipeline=pipeline, transform=pps.Transform(cmd=["sh", "-c", script], secrets=list(secrets)),
        spout=pps.Spout(service=pps.Service()), **more,
    )


def output(client, pipeline, path) -> bytes:
    """What the spout put to `path` of its output, once it has."""
    branch = pfs.Branch(name="master", repo=pfs.Repo(name=pipeline.name, project=pipeline.project))
    stream = client.pfs.subscribe_commit(
        repo=branch.repo, branch="master", state=pfs.CommitState.FINISHED, origin_kind=pfs.OriginKind.USER)
    commit = next(stream).commit
    return b"".join(m.value for m in client.pfs.get_file(file=pfs.File(commit=commit, path=path)))


class TestCalls:
    def test_its_life(self, client, fresh):
        name = fresh("secret")
        client.pps.create_secret(
            name=name, data={"k": VALUE}, labels={"team": "a"}, annotations={"note": "b"})
        info = client.pps.inspect_secret(secret=pps.Secret(name=name))
        assert info.secret.name == name and info.type == "Opaque" and info.creation_timestamp.year > 2000
        assert name in names(client)
        client.pps.delete_secret(secret=pps.Secret(name=name))
        assert name not in names(client)

    def test_its_errors(self, client, secret, fresh):
        nobody = pps.Secret(name=fresh("nobody"))
        fails(lambda: client.pps.inspect_secret(secret=nobody), UNKNOWN, "failed to get secret")
        fails(lambda: client.pps.delete_secret(secret=nobody), UNKNOWN, "failed to delete secret")
        fails(lambda: client.pps.create_secret(name=secret, data={}), UNKNOWN, "failed to create secret")

    @pytest.mark.parametrize(
        "text, fragment",
        [
            (f'{{"data": "{VALUE}"', "failed to unmarshal secret"),
            (f"metadata: {{name: s}}\ndata: {{k: '{VALUE}'}}", "failed to unmarshal secret"),
            ("{metadata: {name: s, labels: {suite: mine}}}", "invalid suite label set on secret"),
            ("{metadata: {name: Not_A_Name}}", "failed to create secret"),
        ],
    )
    def test_manifests_that_are_refused(self, client, text, fragment):
        error = fails(lambda: create(client, text), UNKNOWN, fragment)
        assert VALUE not in error.details()

    def test_yaml_and_plain_values(self, client, pipeline, fresh):
        name = fresh("secret")
        create(client, f"kind: Secret\nmetadata: {{name: {name}}}\ntype: my/type\nstringData: {{k: plain}}\n")
        assert client.pps.inspect_secret(secret=pps.Secret(name=name)).type == "my/type"
        spout(client, pipeline, f'printf %s "$K" | pachctl put file $PPS_PIPELINE_NAME@master:/k -f -; {STAYING}',
              pps.SecretMount(name=name, key="k", env_var="K"))
        assert output(client, pipeline, "/k") == b"plain"


def create(client, text):
    """The call itself: the SDK's helper takes values only."""
    return super(type(client.pps), client.pps).create_secret(file=text.encode())


class TestCode:
    def test_a_value_as_a_variable(self, client, secret, pipeline):
        spout(client, pipeline, f'printf %s "$PW" | pachctl put file $PPS_PIPELINE_NAME@master:/pw -f -; {STAYING}',
              pps.SecretMount(name=secret, key="password", env_var="PW"))
        assert output(client, pipeline, "/pw") == VALUE.encode()
        info = client.pps.inspect_pipeline(pipeline=pipeline, details=True)
        assert info.details.transform.secrets[0].name == secret
        assert VALUE not in str(info)
        assert not [m for m in client.pps.get_logs(pipeline=pipeline, master=True) if VALUE in m.message]

    def test_a_secret_as_files(self, client, secret, pipeline):
        variable = f"SPILE_SECRETS_{secret.upper()}"
        spout(client, pipeline, f'pachctl put file -r $PPS_PIPELINE_NAME@master:/ -f "${variable}"; {STAYING}',
              pps.SecretMount(name=secret, mount_path="/etc/secret"))
        assert output(client, pipeline, "/password") == VALUE.encode()
        notes = [m.message for m in client.pps.get_logs(pipeline=pipeline, master=True)]
        assert [note for note in notes if variable in note and "/etc/secret" in note]

    def test_what_is_missing_is_refused(self, client, secret, pipeline):
        for mount, text in [
            (pps.SecretMount(name=secret, env_var="A"), f"secret {secret} has env_var set but is missing key"),
            (pps.SecretMount(name="nobody", key="k", env_var="A"), "missing Kubernetes secret nobody"),
            (pps.SecretMount(name=secret, key="none", env_var="A"), f"Kubernetes secret {secret} missing key none"),
        ]:
            fails(lambda mount=mount: spout(client, pipeline, STAYING, mount), UNKNOWN, text)

    def test_one_that_goes_later_is_named_by_the_pipelines_reason(self, client, secret, pipeline):
        spout(client, pipeline, STAYING, pps.SecretMount(name=secret, key="user", env_var="A"))
        client.pps.stop_pipeline(pipeline=pipeline)
        # Started before its code has ended, it would go on with what it has.
        while client.pps.inspect_pipeline(pipeline=pipeline).state != pps.PipelineState.PIPELINE_PAUSED:
            pass
        client.pps.delete_secret(secret=pps.Secret(name=secret))
        client.pps.start_pipeline(pipeline=pipeline)
        wait_for_reason(client, pipeline, f"missing secret {secret}")
        client.pps.create_secret(name=secret, data={"other": "x"})
        wait_for_reason(client, pipeline, f"secret {secret} is missing key user")

    def test_code_may_not_look_at_secrets(self, client, secret, pipeline):
        spout(client, pipeline, f'pachctl list secret > out 2>&1 || true; pachctl create secret -f /dev/null >> out 2>&1 '
              f'|| true; pachctl put file $PPS_PIPELINE_NAME@master:/out -f out; {STAYING}')
        text = output(client, pipeline, "/out").decode()
        assert "not authorized to perform this operation" in text and secret not in text


class TestAtRest:
    def test_values_lie_nowhere_in_the_clear_and_a_snapshot_brings_them_back(self, own_server, tmp_path):
        client = connect(own_server)
        client.pps.create_secret(name="s", data={"k": VALUE})
        pipeline = pps.Pipeline(name="p", project=pfs.Project(name="default"))
        spout(client, pipeline, f'printf %s "$K" | pachctl put file $PPS_PIPELINE_NAME@master:/k -f -; {STAYING}',
              pps.SecretMount(name="s", key="k", env_var="K"))
        client.pps.stop_pipeline(pipeline=pipeline)
        key = os.path.join(own_server.data, "secrets.key")
        assert stat.S_IMODE(os.stat(key).st_mode) == 0o600 and os.path.getsize(key) == 32
        for folder, _, files in os.walk(own_server.data):
            for name in files:
                if "segments" not in folder:
                    content = open(os.path.join(folder, name), "rb").read()
                    assert VALUE.encode() not in content and base64.b64encode(VALUE.encode()) not in content, name
        assert VALUE not in own_server.log_text()

        copy, again = str(tmp_path / "copy"), str(tmp_path / "again")
        environment = {**os.environ, "PACHD_ADDRESS": own_server.address, "PACH_CONFIG": str(tmp_path / "config.json")}
        subprocess.run([SPILE, "snapshot", copy], env=environment, check=True, capture_output=True)
        assert stat.S_IMODE(os.stat(os.path.join(copy, "secrets.key")).st_mode) == 0o600
        subprocess.run([SPILE, "restore", copy, "--data", again], env=environment, check=True, capture_output=True)
        assert stat.S_IMODE(os.stat(os.path.join(again, "secrets.key")).st_mode) == 0o600
        other = Server(again, str(tmp_path / "again.log")).start()
        try:
            client = connect(other)
            assert names(client) == ["s"]
            client.pps.start_pipeline(pipeline=pipeline)
            assert output(client, pipeline, "/k") == VALUE.encode()
        finally:
            other.stop()

    def test_a_lost_key_is_said(self, own_server):
        client = connect(own_server)
        client.pps.create_secret(name="s", data={"k": VALUE})
        own_server.stop()
        os.remove(os.path.join(own_server.data, "secrets.key"))
        own_server.start()
        client = connect(own_server)
        fails(lambda: client.pps.create_secret(name="t", data={"k": "v"}), grpc.StatusCode.FAILED_PRECONDITION,
              "secrets.key", "put it back")
        client.pps.delete_secret(secret=pps.Secret(name="s"))
        client.pps.create_secret(name="t", data={"k": "v"})

    def test_they_go_with_everything(self, own_server):
        client = connect(own_server)
        client.pps.create_secret(name="s", data=json.loads('{"k": "v"}'))
        client.pps.delete_all()
        assert names(client) == []
