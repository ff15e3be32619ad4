"""`spile server --launcher kubernetes` as a program, at a cluster whose one node runs its pods (cluster.py)."""

import base64
import json
import os
import subprocess

from conftest import BUSYBOX, SPILE, Pachctl, wait_for

# Writes one file to its output repo and stays.
WRITES = "echo begun; until pachctl put file $PPS_PIPELINE_NAME@master:/f -f /etc/passwd; do sleep 0.1; done; "
STAYS = "while :; do sleep 0.1; done"


def spout(name, script, **more):
    transform = {"image": BUSYBOX, "cmd": ["sh", "-c", script]} | more.pop("transform", {})
    return {"pipeline": {"name": name}, "spout": {}, "transform": transform} | more


def pods(cluster, name):
    return [pod for pod in cluster.things("pods", "n").values()
            if pod["metadata"]["labels"]["pipelineName"] == name]


def files(pachctl, name):
    return pachctl.run("list", "file", f"{name}@master", check=False)


def test_a_spout_runs_as_a_pod_and_nothing_of_it_stays_when_it_is_deleted(cluster, serve):
    _, pachctl = serve()
    pachctl.create(**spout(
        "tap", WRITES + STAYS, metadata={"annotations": {"team": "t"}, "labels": {"tier": "one"}},
        resource_requests={"memory": "64Mi", "disk": "1Gi"}, resource_limits={"memory": "128Mi"},
        spout={"service": {"internal_port": 8000, "external_port": 31803, "type": "NodePort"}}))
    pachctl.reaches("tap", "PIPELINE_RUNNING")
    wait_for(lambda: "/f" in files(pachctl, "tap"))
    (pod,) = pods(cluster, "tap")
    assert pod["metadata"]["annotations"]["specCommit"] == pachctl.inspect("tap")["spec_commit"]["id"]
    assert pod["metadata"]["annotations"]["team"] == "t" and pod["metadata"]["labels"]["tier"] == "one"
    (user,) = pod["spec"]["containers"]
    assert user["resources"] == {
        "requests": {"memory": "64Mi", "ephemeral-storage": "1Gi"}, "limits": {"memory": "128Mi"}}
    (service,) = cluster.things("services", "n").values()
    assert service["metadata"]["name"] == "default-tap-v1-user"
    assert service["spec"]["ports"][0]["nodePort"] == 31803
    assert pachctl.inspect("tap")["details"]["spout"]["service"]["ip"] == service["spec"]["clusterIP"]
    assert "begun" in pachctl.run("logs", "--pipeline", "tap")
    pachctl.run("delete", "pipeline", "tap")
    for kind in ("pods", "services", "secrets"):
        wait_for(lambda kind=kind: not cluster.things(kind, "n"))


def test_what_keeps_a_pod_from_running_is_the_reason_of_its_pipeline(cluster, serve):
    _, pachctl = serve()
    pachctl.create(**spout("image", STAYS, transform={"image": "registry.example/no-such:1"}))
    reason = pachctl.reaches("image", "PIPELINE_RESTARTING", "ErrImagePull")
    assert "pull access denied for registry.example/no-such:1" in reason
    pachctl.create(**spout("command", STAYS, transform={"cmd": ["/no/such/program"]}))
    pachctl.reaches("command", "PIPELINE_RESTARTING", "StartError")
    pachctl.create(**spout("port", STAYS, spout={"service": {"internal_port": 1, "external_port": 80}}))
    assert "nodePort" in pachctl.reaches("port", "PIPELINE_RESTARTING", "not in the valid range")
    pachctl.create(**spout("patch", STAYS, pod_patch='[{"op": "remove", "path": "/nothing"}]'))
    assert "/nothing" in pachctl.reaches("patch", "PIPELINE_RESTARTING", "pod_patch")
    # Each with the same words until it runs often enough to be called crashing.
    pachctl.reaches("patch", "PIPELINE_CRASHING", "pod_patch")


def test_a_pod_that_no_node_takes_is_given_up_at_once_when_it_is_not_wanted(cluster, serve):
    _, pachctl = serve()
    pachctl.create(**spout("picky", STAYS, scheduling_spec={"node_selector": {"disk": "ssd"}}))
    wait_for(lambda: pods(cluster, "picky") and pods(cluster, "picky")[0]["status"].get("conditions"))
    pachctl.run("delete", "pipeline", "picky")
    wait_for(lambda: not cluster.things("pods", "n"), 20)


def test_code_that_uses_more_memory_than_it_may_is_said_to_have(cluster, serve):
    _, pachctl = serve()
    pachctl.create(**spout(
        "greedy", "echo up; tail -c 500000000 /dev/zero", resource_limits={"memory": "32Mi"}))
    pachctl.reaches("greedy", "PIPELINE_RESTARTING", "resource_limits.memory")


def test_a_new_version_takes_the_place_of_the_old_one_and_a_stopped_one_has_no_pod(cluster, serve):
    _, pachctl = serve()
    more = {"spout": {"service": {"internal_port": 8000, "external_port": 31803, "type": "NodePort"}}}
    pachctl.create(**spout("tap", "trap 'echo drained; exit 0' TERM; echo old; " + STAYS, **more))
    wait_for(lambda: "old" in pachctl.run("logs", "--pipeline", "tap"))
    pachctl.run("update", "pipeline", "-f", "-", given=json.dumps(spout("tap", "echo new; " + STAYS, **more)))
    wait_for(lambda: "new" in pachctl.run("logs", "--pipeline", "tap"))
    assert "drained" in pachctl.run("logs", "--pipeline", "tap")
    (pod,) = pods(cluster, "tap")
    assert pod["metadata"]["labels"]["pipelineVersion"] == "2"
    assert list(cluster.things("services", "n")) == ["default-tap-v2-user"]
    pachctl.run("stop", "pipeline", "tap")
    wait_for(lambda: not cluster.things("pods", "n"))
    pachctl.run("start", "pipeline", "tap")
    wait_for(lambda: pods(cluster, "tap"))
    pachctl.run("create", "repo", "data")
    pachctl.run("update", "pipeline", "-f", "-", given=json.dumps({
        "pipeline": {"name": "tap"}, "transform": {"image": BUSYBOX, "cmd": ["true"]},
        "input": {"pfs": {"repo": "data", "glob": "/*"}}, "parallelism_spec": {"constant": 1}}))
    wait_for(lambda: not cluster.things("services", "n") and [
        pod["metadata"]["labels"]["pipelineVersion"] for pod in pods(cluster, "tap")] == ["3"])
    (worker,) = pods(cluster, "tap")
    wait_for(lambda: list(cluster.things("secrets", "n")) == [worker["metadata"]["name"]])


def test_a_server_that_was_killed_finds_its_pods_and_forgets_what_it_does_not_know(cluster, serve):
    server, pachctl = serve()
    pachctl.create(**spout("tap", WRITES + STAYS))
    wait_for(lambda: "/f" in files(pachctl, "tap"))
    (old,) = pods(cluster, "tap")
    # As of a pipeline that was deleted while no server could clean up.
    stray = json.loads(json.dumps(old))
    server.kill()
    with cluster.store.changed:
        cluster.create("n", "services", {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "default-gone-v1-user", "labels": stray["metadata"]["labels"] | {"pipelineName": "gone"},
                "annotations": {"pipelineName": "gone", "pipelineProject": "default"},
            }, "spec": {"ports": [{"port": 80}]},
        })
    server.start()
    wait_for(lambda: [pod for pod in pods(cluster, "tap") if pod["metadata"]["uid"] != old["metadata"]["uid"]])
    wait_for(lambda: not cluster.things("services", "n"))
    wait_for(lambda: len(pods(cluster, "tap")) == 1)
    pachctl.reaches("tap", "PIPELINE_RUNNING")


def transform(pachctl, script, *, glob="/*", pfs=None, transform=None, **more):
    """A pipeline `t` over a repo `data`."""
    pachctl.run("create", "repo", "data")
    pachctl.create(
        pipeline={"name": "t"}, input={"pfs": {"repo": "data", "glob": glob} | (pfs or {})},
        transform={"image": BUSYBOX, "cmd": ["sh", "-c", script]} | (transform or {}), **more)


def put(pachctl, **given):
    pachctl.run("start", "commit", "data@master")
    for name, text in given.items():
        pachctl.run("put", "file", f"data@master:/{name}", "-f", "-", given=text)
    pachctl.run("finish", "commit", "data@master")


def test_a_worker_takes_one_datum_after_the_other_and_shares_no_volume(cluster, serve):
    _, pachctl = serve()
    transform(
        pachctl, "umask 077; for f in /pfs/data/*; do { tr a-z A-Z < $f; cat $f; echo $PPS_POD_NAME; } > "
        "/pfs/out/$(basename $f); ln -s $f /pfs/out/$(basename $f).same; done; "
        "env | grep -c SPILE_WORKER; ps | grep -c '[s]idecar'; ls -A /pachctl 2>/dev/null; true",
        parallelism_spec={"constant": 1}, sidecar_resource_requests={"memory": "32Mi"})
    (pod,) = wait_for(lambda: pods(cluster, "t"))
    user, storage = pod["spec"]["containers"]
    assert (user["name"], storage["name"]) == ("user", "storage") and not pod["spec"]["shareProcessNamespace"]
    assert storage["resources"] == {"requests": {"memory": "32Mi"}} and storage["securityContext"]["runAsUser"] == 1000
    assert not any("persistentVolumeClaim" in volume for volume in pod["spec"]["volumes"])
    put(pachctl, **{f"f{number}": f"word {number}\n" for number in range(20)})
    wait_for(lambda: "/f19" in files(pachctl, "t"))
    put(pachctl, g="more\n")
    wait_for(lambda: "/g" in files(pachctl, "t"))
    for number in (0, 7, 19):
        upper, text, name = pachctl.run("get", "file", f"t@master:/f{number}").splitlines()
        assert (upper, text, name) == (f"WORD {number}", f"word {number}", pod["metadata"]["name"])
        assert pachctl.run("get", "file", f"t@master:/f{number}.same") == f"word {number}\n"
    said = set(pachctl.run("logs", "--pipeline", "t").splitlines())
    assert said == {"0"}, said
    assert len(pods(cluster, "t")) == 1
    pachctl.run("delete", "pipeline", "t")
    for kind in ("pods", "secrets"):
        wait_for(lambda kind=kind: not cluster.things(kind, "n"))


def test_lazy_and_large_files_go_to_a_worker_and_come_from_it_whole(serve, tmp_path):
    _, pachctl = serve()
    transform(pachctl, "cat /pfs/data/big > /pfs/out/big; md5sum < /pfs/out/big", pfs={"lazy": True})
    (tmp_path / "big").write_bytes(os.urandom(30_000_000))
    for _ in range(2):
        pachctl.run("put", "file", "data@master:/big", "-f", str(tmp_path / "big"))
        commit = json.loads(pachctl.run("inspect", "commit", "data@master", "--raw"))["commit"]["id"]
        pachctl.run("wait", "commit", f"t@{commit}")
        pachctl.run("get", "file", "t@master:/big", "-o", str(tmp_path / "taken"))
        assert (tmp_path / "big").read_bytes() == (tmp_path / "taken").read_bytes()
        with open(tmp_path / "big", "ab") as file:
            file.write(b"and more")


def test_a_datum_whose_worker_is_killed_is_tried_by_another(cluster, serve):
    _, pachctl = serve()
    transform(pachctl, "if [ $PPS_POD_NAME = $(cat /pfs/data/f) ]; then echo stays; " + STAYS + "; fi; "
              "echo done > /pfs/out/done", parallelism_spec={"constant": 1})
    (pod,) = wait_for(lambda: pods(cluster, "t"))
    put(pachctl, f=pod["metadata"]["name"])
    wait_for(lambda: "stays" in pachctl.run("logs", "--pipeline", "t"))
    cluster.crash("n", pod["metadata"]["name"], "storage")
    wait_for(lambda: "/done" in files(pachctl, "t"))
    (other,) = wait_for(lambda: pods(cluster, "t"))
    assert other["metadata"]["name"] != pod["metadata"]["name"]


def test_code_asks_for_its_datums_in_the_pod(cluster, serve):
    _, pachctl = serve()
    transform(pachctl, "echo start; while pachctl next datum; do cp /pfs/data/* /pfs/out/; done",
              transform={"datum_batching": True}, parallelism_spec={"constant": 1})
    wait_for(lambda: pods(cluster, "t"))
    put(pachctl, **{f"f{number}": f"{number}" for number in range(10)})
    wait_for(lambda: "/f9" in files(pachctl, "t"))
    assert len(files(pachctl, "t").splitlines()) == 11
    assert pachctl.run("logs", "--pipeline", "t").splitlines().count("start") == 1


def test_code_may_run_as_a_user_of_its_own(cluster, serve):
    _, pachctl = serve()
    transform(pachctl, "umask 077; id -u > /pfs/out/user; cat /pfs/data/f > /pfs/out/f", transform={"user": "4321"})
    (pod,) = wait_for(lambda: pods(cluster, "t"))
    assert pod["spec"]["containers"][1]["securityContext"]["runAsUser"] == 4321
    put(pachctl, f="x")
    wait_for(lambda: "/user" in files(pachctl, "t"))
    assert pachctl.run("get", "file", "t@master:/user") == "4321\n"


def test_a_service_reads_through_the_shared_volume_and_is_refused_without_one(cluster, serve, tmp_path):
    spec = {"pipeline": {"name": "s"}, "input": {"pfs": {"repo": "data", "glob": "/"}},
            "service": {"internal_port": 8000, "external_port": 31805},
            "transform": {"image": BUSYBOX, "cmd": ["sh", "-c", "cat /pfs/data/f; " + STAYS]}}
    server, pachctl = serve()
    pachctl.run("create", "repo", "data")
    pachctl.create(**spec)
    pachctl.run("put", "file", "data@master:/f", "-f", "-", given="words\n")
    assert "ReadWriteMany" in pachctl.reaches("s", "PIPELINE_CRASHING", "volume")
    assert server.stop() == 0
    _, pachctl = serve("--kubernetes-claim", f"data:{tmp_path}/server")
    wait_for(lambda: "words" in pachctl.run("logs", "--pipeline", "s"))


def test_pods_of_a_server_with_tls_are_served_in_the_clear_where_it_says(cluster, serve, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path, check=True, capture_output=True)
    server, _ = serve("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"),
                      "--peer-listen", "0.0.0.0:0")
    pachctl = Pachctl(tmp_path, f"grpcs://localhost:{server.port}",
                      base64.b64encode((tmp_path / "cert.pem").read_bytes()).decode())
    pachctl.create(**spout("tap", "echo port $PEER_PORT; " + WRITES + STAYS))
    wait_for(lambda: "/f" in files(pachctl, "tap"))
    assert f"port {server.port}\n" not in pachctl.run("logs", "--pipeline", "tap")


def test_the_program_brings_itself_to_a_folder(tmp_path):
    def install(*words):
        return subprocess.run([SPILE, "install-tools", *words], capture_output=True, text=True, check=False)

    for _ in range(2):
        assert install(str(tmp_path / "a/b")).returncode == 0
        assert sorted(os.listdir(tmp_path / "a/b")) == ["pachctl", "spile"]
    version = subprocess.run([tmp_path / "a/b/pachctl", "version", "--client-only"], capture_output=True, check=True)
    assert version.stdout
    for wrong in [(), ("/proc/no/such",), ("a", "b")]:
        done = install(*wrong)
        assert done.returncode == 1 and done.stderr.strip()


def test_a_server_that_cannot_run_pods_says_so_before_it_starts(tmp_path):
    def refusal(*options, **environment):
        done = subprocess.run(
            [SPILE, "server", "--data", str(tmp_path / "data"), "--launcher", "kubernetes", *options],
            env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1, done
        return done.stderr

    everywhere = ("--listen", "0.0.0.0:0")
    assert "--listen 0.0.0.0:30650" in refusal("--listen", "127.0.0.1:0")
    assert "run it in the cluster, or give it a kubeconfig" in refusal(*everywhere)
    assert "/no/such/file cannot be read" in refusal(*everywhere, KUBECONFIG="/no/such/file")
    assert "is not NAME[:PORT]" in refusal(*everywhere, "--kubernetes-service", "pachd:x")
    (tmp_path / "wrong").write_text("a: [")
    assert "line" in refusal(*everywhere, "--kubeconfig", str(tmp_path / "wrong"))
    assert "--peer-listen is for servers with --tls-cert" in refusal(*everywhere, "--peer-listen", "0.0.0.0:0")
