"""Shell programs that draw pipelines."""

import json

import pytest

from test_cli import STAYING, Shell
from test_sdk_services import free_port


@pytest.fixture
def shell(own_server, tmp_path):
    return Shell(tmp_path, own_server.address)


def test_pipelines_and_what_they_read(shell):
    assert "no pipelines" in shell("pachctl draw pipeline 2>&1")
    shell("pachctl create repo data; echo one | pachctl put file data@master:/x -f -")
    shell("pachctl create pipeline -f -", f"pipeline: {{name: tap}}\nspout: {{}}\ntransform: {STAYING}")
    before = json.loads(shell("pachctl inspect commit tap.spec@master --raw"))["commit"]["id"]
    spec = {
        "pipeline": {"name": "web"}, "transform": {"cmd": ["sleep", "3600"]},
        "input": {"cross": [{"pfs": {"repo": "data", "glob": "/"}}, {"pfs": {"repo": "tap", "glob": "/"}}]},
        "service": {"internal_port": free_port(), "external_port": free_port()},
    }
    shell("pachctl create pipeline -f -", json.dumps(spec))
    assert shell("pachctl draw pipeline --box-width 5 --edge-height 3") == (
        ".-----.   +-----+\n"
        "|data |   | tap |\n"
        "'-----'   +-----+\n"
        "   |         |\n"
        "   +--+   +--+\n"
        "      v   v\n"
        "   +---------+\n"
        "   |   web   |\n"
        "   +---------+\n")
    assert "tap" in shell(f"pachctl draw pipeline -c {before} --project default")
    assert "web" not in shell(f"pachctl draw pipeline -c {before}")
    shell("pachctl create project lab")
    assert "project lab has no pipelines" in shell("pachctl draw pipeline --project lab 2>&1")
    assert "--box-width 0" in shell.fails("pachctl draw pipeline --box-width 0")
    shell("pachctl delete pipeline web; pachctl delete pipeline tap")
