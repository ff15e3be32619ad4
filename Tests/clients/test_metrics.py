"""What the server tells of itself by plain HTTP and in its log: figures, probes, lines of JSON."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps

from sdk_tools import connect, named
from spile_server import SPILE

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"')


def get(server, path):
    with urllib.request.urlopen(f"http://{server.host}:{server.http_port}{path}") as answer:
        return answer.headers, answer.read().decode()


class Metrics:
    """One look at /metrics, read strictly: each family announced once, before its samples, none twice."""

    def __init__(self, server):
        headers, text = get(server, "/metrics")
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert text.endswith("\n")
        self.types, self.samples, helped, family = {}, {}, set(), None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name, about = line.removeprefix("# HELP ").split(" ", 1)
                assert name not in helped and about
                helped.add(name)
            elif line.startswith("# TYPE "):
                family, kind = line.removeprefix("# TYPE ").split(" ")
                assert family in helped and family not in self.types and kind in ("counter", "gauge", "histogram")
                self.types[family] = kind
            else:
                match = SAMPLE.match(line)
                assert match, line
                name, labels, value = match[1], tuple(sorted(LABEL.findall(match[2] or ""))), float(match[3])
                own = (family,) if self.types[family] != "histogram" else tuple(
                    family + end for end in ("_bucket", "_sum", "_count"))
                assert name in own, f"{name} stands in family {family}"
                assert (name, labels) not in self.samples, line
                self.samples[name, labels] = value

    def __call__(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def of(self, pipeline, name, **labels):
        return self("spile_spout_" + name, project=pipeline.project.name, pipeline=pipeline.name, **labels)


def spout(client, name, script):
    pipeline = pps.Pipeline(name=name, project=pfs.Project(name="default"))
    request = {"pipeline": {"name": name}, "spout": {}, "transform": {"cmd": [sys.executable, "-c", script]}}
    client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(request))
    return pipeline


def finished(client, pipeline, count):
    """Waits for so many commits of the spout's own code."""
    repo = pfs.Repo(name=pipeline.name, project=pipeline.project)
    stream = client.pfs.subscribe_commit(
        repo=repo, branch="master", state=pfs.CommitState.FINISHED, origin_kind=pfs.OriginKind.USER)
    return [next(stream) for _ in range(count)]


WRITER = """
import os, time
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
client = Client(host=os.environ["PACHD_SERVICE_HOST"], port=int(os.environ["PACHD_SERVICE_PORT"]),
                auth_token=os.environ["PACH_PYTHON_AUTH_TOKEN"])
branch = pfs.Branch.from_uri("%s@master")
for number in range(3):
    with client.pfs.commit(branch=branch) as commit:
        commit.put_file_from_bytes(path=f"/a{number}", data=b"x" * 100)
        commit.put_file_from_bytes(path=f"/b{number}", data=b"y" * 11)
time.sleep(3600)
"""


class TestSpouts:
    def test_figures_move_by_exactly_what_was_written(self, own_server):
        client = connect(own_server)
        pipeline = spout(client, "writer", WRITER % "writer")
        finished(client, pipeline, 3)
        metrics = Metrics(own_server)
        counts = [metrics.of(pipeline, name) for name in ("commits_total", "files_total", "bytes_total")]
        assert counts == [3, 6, 333]
        assert metrics.of(pipeline, "launches_total") == 1
        assert metrics.of(pipeline, "failures_total") == 0
        assert metrics.of(pipeline, "refused_writes_total") == 0
        assert metrics.of(pipeline, "stalled") == 0
        assert 0 <= metrics.of(pipeline, "last_commit_age_seconds") < 60
        # The server's own commits are nobody's.
        client.pps.stop_pipeline(pipeline=pipeline)
        while client.pps.inspect_pipeline(pipeline=pipeline).state != pps.PipelineState.PIPELINE_PAUSED:
            pass
        metrics = Metrics(own_server)
        assert metrics.of(pipeline, "commits_total") == 3
        assert metrics.of(pipeline, "failures_total") == 0, "it was stopped, it did not end by itself"
        assert metrics.of(pipeline, "state", state="paused") == 1
        assert metrics.of(pipeline, "state", state="running") == 0
        client.pps.delete_pipeline(pipeline=pipeline, force=True)
        assert not any(name.startswith("spile_spout_") for name, _ in Metrics(own_server).samples)

    def test_code_that_ends_is_counted(self, own_server):
        client = connect(own_server)
        pipeline = spout(client, "brief", "import sys; sys.exit(3)")
        while client.pps.inspect_pipeline(pipeline=pipeline).state != pps.PipelineState.PIPELINE_CRASHING:
            pass
        metrics = Metrics(own_server)
        assert metrics.of(pipeline, "failures_total") >= 3
        assert metrics.of(pipeline, "launches_total") >= 3
        assert metrics.of(pipeline, "state", state="crashing") == 1

    def test_a_refused_write_is_counted(self, own_server):
        client = connect(own_server)
        script = (WRITER % "refused").replace(
            "for number in range(3):", """
try: client.pfs.put_file_from_bytes(commit=pfs.Commit.from_uri("refused@master"), path="/../x", data=b"1")
except Exception: pass
for number in range(1):""")
        pipeline = spout(client, "refused", script)
        finished(client, pipeline, 1)
        metrics = Metrics(own_server)
        assert metrics.of(pipeline, "refused_writes_total") == 1
        assert metrics.of(pipeline, "commits_total") == 1
        assert metrics.of(pipeline, "bytes_total") == 111


class TestServer:
    def test_calls_by_method_and_code(self, own_server):
        client = connect(own_server)
        repo = pfs.Repo.from_uri("repo")
        client.pfs.create_repo(repo=repo)
        for _ in range(3):
            client.pfs.inspect_repo(repo=repo)
        with pytest.raises(grpc.RpcError):
            client.pfs.inspect_repo(repo=pfs.Repo.from_uri("none"))
        assert len(list(client.pfs.list_repo())) == 1
        metrics = Metrics(own_server)

        def handled(method, code):
            return metrics("grpc_server_handled_total", grpc_service="pfs_v2.API", grpc_method=method, grpc_code=code)

        assert handled("CreateRepo", "OK") == 1
        assert handled("InspectRepo", "OK") == 3
        assert handled("InspectRepo", "NotFound") == 1
        assert handled("ListRepo", "OK") == 1
        method = {"grpc_service": "pfs_v2.API", "grpc_method": "InspectRepo"}
        assert metrics("grpc_server_handling_seconds_count", **method) == 4
        assert metrics("grpc_server_handling_seconds_bucket", le="+Inf", **method) == 4
        assert 0 < metrics("grpc_server_handling_seconds_sum", **method) < 60

    def test_histograms_grow_from_bound_to_bound(self, own_server):
        client = connect(own_server)
        client.pfs.create_repo(repo=pfs.Repo.from_uri("repo"))
        metrics = Metrics(own_server)
        series = {}
        for (name, labels), value in metrics.samples.items():
            if name.endswith("_bucket"):
                rest = tuple(label for label in labels if label[0] != "le")
                series.setdefault((name, rest), []).append((float(dict(labels)["le"]), value))
        assert series
        for (name, labels), points in series.items():
            values = [value for _, value in sorted(points)]
            assert values == sorted(values)
            assert values[-1] == metrics.samples[name.removesuffix("_bucket") + "_count", labels]

    def test_store_and_committer(self, own_server):
        client = connect(own_server)
        branch = pfs.Branch.from_uri("repo@master")
        client.pfs.create_repo(repo=branch.repo)
        before = Metrics(own_server)
        for number in range(5):
            client.pfs.put_file_from_bytes(commit=named(branch), path="/x", data=b"%d" % number * 1000)
        after = Metrics(own_server)
        # One caller, so each change is a batch of its own.
        assert after("spile_commit_batch_size_sum") - before("spile_commit_batch_size_sum") == 5
        assert after("spile_commit_batch_size_count") - before("spile_commit_batch_size_count") == 5
        assert after("spile_commit_queue_length") == 0
        assert after("spile_commit_failures_total") == 0 and after("spile_commit_refusing") == 0
        assert after("spile_store_written_bytes_total") - before("spile_store_written_bytes_total") >= 5000
        assert after("spile_store_syncs_total") - before("spile_store_syncs_total") == 5
        assert after("spile_store_open_segments") >= 1

    def test_process_and_version(self, own_server):
        metrics = Metrics(own_server)
        assert metrics("process_resident_memory_bytes") > 1 << 20
        assert metrics("process_start_time_seconds") > 1_700_000_000
        assert [value for (name, _), value in metrics.samples.items() if name == "spile_build_info"] == [1]

    def test_a_user_repo_is_no_spout(self, own_server):
        client = connect(own_server)
        branch = pfs.Branch.from_uri("repo@master")
        client.pfs.create_repo(repo=branch.repo)
        client.pfs.put_file_from_bytes(commit=named(branch), path="/x", data=b"1")
        assert not any(name.startswith("spile_spout_") for name, _ in Metrics(own_server).samples)


class TestProbes:
    def test_not_ready_while_shutting_down(self, own_server):
        client = connect(own_server)
        # Code that is deaf to SIGTERM keeps the server going down for as long as its grace.
        pipeline = spout(client, "deaf", "import signal, time; signal.signal(15, lambda *_: None); print('up', flush=1)\n"
                         "while True: time.sleep(60)")
        while not any(b"up" in str(log.message).encode() for log in client.pps.get_logs(pipeline=pipeline)):
            pass
        assert get(own_server, "/readyz")[1] == "ok\n"
        own_server.process.terminate()
        while True:
            try:
                get(own_server, "/readyz")
            except urllib.error.HTTPError as error:
                assert (error.code, error.read()) == (503, b"the server is shutting down\n")
                break
        assert get(own_server, "/healthz")[1] == "ok\n"
        own_server.process.wait(60)


class TestLog:
    def test_json(self, server_with):
        server = server_with("--log-format", "json", "--log-level", "debug")
        connect(server).get_version()
        server.stop()
        lines = [json.loads(line) for line in server.log_text().splitlines()]
        assert lines[-1]["message"] == "the server has stopped"
        for line in lines:
            assert set(line) - {"metadata"} == {"time", "level", "label", "message"}
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line["time"])

    def test_text_is_what_it_was(self, server_with):
        server = server_with()
        server.stop()
        assert re.search(r" info spile: .*the server has stopped", server.log_text())

    def test_another_format_is_refused(self):
        done = subprocess.run([SPILE, "server", "--log-format", "xml"], capture_output=True, text=True)
        assert done.returncode == 1 and 'unknown log format "xml"' in done.stderr
