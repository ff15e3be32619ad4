"""A server with TLS: the SDK, the command line, and a spout beside it."""

import base64
import json
import os
import subprocess

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

from spile_server import SPILE, Server


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate for this machine that vouches for itself, its key, and a key of nobody."""
    folder = tmp_path_factory.mktemp("tls")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    for name in ["server", "other"]:
        subprocess.run(
            [*make, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def server(files):
    options = ("--tls-cert", str(files / "server.pem"), "--tls-key", str(files / "server.key"))
    server = Server(str(files / "data"), str(files / "log"), options).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(server, files):
    return Client(host="localhost", port=server.port, root_certs=(files / "server.pem").read_bytes())


def test_the_sdk_writes_and_reads(client):
    repo = pfs.Repo.from_uri("data")
    client.pfs.create_repo(repo=repo)
    with client.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
        commit.put_file_from_bytes(path="/a", data=b"1" * 3_000_000)
    assert client.pfs.pfs_file(file=pfs.File(commit=commit, path="/a")).read() == b"1" * 3_000_000


def test_without_encryption_nothing_is_answered(server):
    with pytest.raises(Exception):
        Client(host="localhost", port=server.port).get_version()


def test_the_command_line_by_its_context(server, files, tmp_path):
    roots = base64.b64encode((files / "server.pem").read_bytes()).decode()
    config = {"v2": {"active_context": "here", "contexts": {
        "here": {"pachd_address": f"grpcs://localhost:{server.port}", "server_cas": roots}}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    environment = {**os.environ, "PACH_CONFIG": str(tmp_path / "config.json")}
    run = [SPILE, "create", "repo", "by-command"]
    subprocess.run(run, env=environment, check=True, timeout=60)
    # Nobody vouches for the certificate without the context's word.
    del config["v2"]["contexts"]["here"]["server_cas"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused = subprocess.run(
        [SPILE, "list", "repo"], env=environment, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0


def test_a_spout_needs_to_know_nothing_of_it(client):
    name = pps.Pipeline(name="inside")
    code = "exec 2>&1; echo 1 | pachctl put file inside@master:/a && exec sleep 3600"
    client.pps.create_pipeline(
        pipeline=name, transform=pps.Transform(cmd=["sh", "-c", code]), spout=pps.Spout(service=pps.Service()))
    repo = pfs.Repo.from_uri("inside")
    for info in client.pfs.subscribe_commit(
            repo=repo, branch="master", origin_kind=pfs.OriginKind.USER, state=pfs.CommitState.FINISHED):
        assert client.pfs.pfs_file(file=pfs.File(commit=info.commit, path="/a")).read() == b"1\n"
        break
    client.pps.delete_pipeline(pipeline=name, force=True)


@pytest.mark.parametrize("arguments, text", [
    (["--tls-cert", "server.pem"], "go together"),
    (["--tls-cert", "server.pem", "--tls-key", "nowhere.key"], "no private key can be read"),
    (["--tls-cert", "nowhere.pem", "--tls-key", "server.key"], "no certificate can be read"),
    (["--tls-cert", "server.pem", "--tls-key", "other.key"], "not the key of the certificate"),
])
def test_files_that_will_not_do(files, tmp_path, arguments, text):
    words = [str(files / word) if "." in word else word for word in arguments]
    run = subprocess.run(
        [SPILE, "server", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", *words],
        capture_output=True, text=True, timeout=60)
    assert run.returncode != 0 and text in run.stderr, run.stderr
