"""Manifests as they are shipped and made, run by `podman kube play`: pods of a machine without a cluster.

podman knows less than Kubernetes: no probes are left in what it plays (the tests ask in their place), since it would
run programs of the image for them, and an image of one static program has none.
"""

import base64
import contextlib
import json
import subprocess
import urllib.request

import pytest
import yaml

from conftest import BUSYBOX, ROOT, Pachctl, missing, podman, wait_for

pytestmark = pytest.mark.skipif(bool(missing(BUSYBOX)), reason=missing(BUSYBOX))


@contextlib.contextmanager
def played(folder, things):
    """Plays objects in the machine's own network; takes them away again."""
    path = folder / "play.yaml"
    path.write_text(yaml.safe_dump_all(things))
    command = ["podman", "kube", "play", "--network", "host", str(path)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        assert made.returncode == 0, made.stderr
        yield
    finally:
        podman_quietly("kube", "down", str(path))
        for thing in things:
            name = thing["metadata"]["name"]
            if thing["kind"] in ("Secret", "ConfigMap", "PersistentVolumeClaim"):
                podman_quietly("volume", "rm", "--force", name)
            if thing["kind"] == "Secret":
                podman_quietly("secret", "rm", name)


def podman_quietly(*words):
    subprocess.run(["podman", *words], capture_output=True, check=False)


def test_the_shipped_server_runs_pods_of_its_own(tmp_path, cluster, server_image):
    """The Deployment with its claim, at a cluster that the tests have instead of the one it would run in."""
    things = list(yaml.safe_load_all(open(f"{ROOT}/deploy/kubernetes/server.yaml", encoding="utf-8")))
    spec = things[1]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    container.update(image=server_image, imagePullPolicy="Never")
    # Ports are named for Services alone, which there are none of.
    for part in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports"):
        del container[part]
    changed = {
        "--listen": "0.0.0.0:31750", "--http": "127.0.0.1:31751", "--kubernetes-service": "127.0.0.1",
        "--kubernetes-image": server_image,
    }
    container["args"] = [
        f"{word.split('=')[0]}={changed[word.split('=')[0]]}" if word.split("=")[0] in changed else word
        for word in container["args"]
    ] + ["--kubeconfig=/kube/config", "--image-pull=never"]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "spile-tests-kubeconfig"},
              "data": {"config": cluster.kubeconfig("n")}}
    spec["volumes"].append({"name": "kube", "configMap": {"name": "spile-tests-kubeconfig"}})
    container["volumeMounts"].append({"name": "kube", "mountPath": "/kube"})
    for thing in things:
        thing["metadata"]["name"] = thing["metadata"]["name"].replace("spile", "spile-tests")
    spec["volumes"][0]["persistentVolumeClaim"]["claimName"] = "spile-tests-data"

    def get(path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:31751{path}", timeout=5).read().decode()
        except OSError:
            return ""

    # Of fsGroup podman makes nothing: in its own words, the volume is the server's user's.
    things[0]["metadata"]["annotations"] = {"volume.podman.io/uid": "10001", "volume.podman.io/gid": "10001"}
    with played(tmp_path, [config, *things]):
        wait_for(lambda: get("/readyz").startswith("ok"))
        assert get("/healthz").startswith("ok")
        pachctl = Pachctl(tmp_path, "grpc://127.0.0.1:31750")
        pachctl.create(
            pipeline={"name": "tap"}, spout={},
            transform={"image": BUSYBOX, "cmd": [
                "sh", "-c", "pachctl put file tap@master:/f -f /etc/passwd; while :; do sleep 0.1; done"]})
        wait_for(lambda: "/f" in pachctl.run("list", "file", "tap@master", check=False))
        assert "root:" in pachctl.run("get", "file", "tap@master:/f")
        pachctl.run("delete", "pipeline", "tap")
        wait_for(lambda: not cluster.things("pods", "n"))


def test_a_pod_of_the_launcher_runs(tmp_path):
    """The objects of one spout as KubernetesGoldenTests (Swift) keep them, with a program that tells what it finds."""
    things = json.loads(open(f"{ROOT}/Tests/kubernetes/manifests/plain.json", encoding="utf-8").read())
    (pod,) = [thing for thing in things if thing["kind"] == "Pod"]
    (container,) = pod["spec"]["containers"]
    container.update(image=BUSYBOX, imagePullPolicy="Never", command=[
        "/bin/sh", "-c", "cat $PACH_CONFIG; echo; echo A=$A; pwd > /pfs/f && cat /pfs/f; exit 7"])
    # podman keeps Secrets in a form that it can mount and another that it can make variables of, and not both; it knows
    # no namespaces and no pod's own address.
    (secret,) = [thing for thing in things if thing["kind"] == "Secret"]
    variables = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    for variable in container["env"]:
        if reference := variable["valueFrom"].pop("secretKeyRef", None):
            variable["valueFrom"]["configMapKeyRef"] = {"name": "spile-tests-env", "key": reference["key"]}
        elif variable["valueFrom"]["fieldRef"]["fieldPath"] in ("metadata.namespace", "status.podIP"):
            variable.update(valueFrom=None, value="unknown")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "spile-tests-env"}, "data": variables}
    name = f"{pod['metadata']['name']}-user"
    with played(tmp_path, [config, *things]):
        assert podman("wait", name).strip() == "7"
        lines = podman("logs", name).splitlines()
    # Older ones mount what stands in a Secret as it is, without decoding it.
    assert lines[0] in ("{}", base64.b64encode(b"{}").decode()) and lines[1] == "A=$(B) 'x'" and lines[2] == "/tmp"
