"""Every manifest that Spile makes or ships, against the published schemas of Kubernetes.

What the launcher makes stands in manifests/, written by KubernetesGoldenTests (Swift); the chart is rendered by Helm.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MADE = sorted((ROOT / "Tests/kubernetes/manifests").glob("*.json"))
SHIPPED = sorted(p for p in (ROOT / "deploy/kubernetes").glob("*.yaml") if p.name != "kustomization.yaml")

TOOLS = pathlib.Path(sys.executable).parent
CHART = ROOT / "deploy/helm/spile"

# The oldest release that the manifests are for, and the newest whose schemas are published.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]

# What the chart is given, each a way in which somebody may run it.
MANY = {
    "replicas": 3, "catalog": {"url": "postgres://spile@db/spile", "passwordSecret": {"name": "db"}},
    "store": {"url": "s3://bucket/prefix", "endpoint": "http://s3:9000", "region": "r",
              "credentialsSecret": {"name": "s3"}},
    "pipelines": {"toolImage": "spile:static"},
}
RELEASES = {
    "plain": {},
    "processes": {"pipelines": {"launcher": "process"}, "podDisruptionBudget": {"enabled": False}},
    "many": MANY,
    "many-sharing": MANY | {"pipelines": {"toolImage": "spile:static", "sharesData": True},
                            "data": {"existingClaim": "shared"}},
    "everything": {
        "tls": {"secret": "tls"}, "auth": {"rootTokenSecret": {"name": "root"}},
        "ingress": {"enabled": True, "className": "nginx", "host": "spile.example", "tlsSecret": "web",
                    "annotations": {"nginx.ingress.kubernetes.io/backend-protocol": "GRPCS"}},
        "data": {"accessMode": "ReadWriteMany", "storageClass": "nfs"}, "pipelines": {"sharesData": True},
        "image": {"pullSecrets": ["registry"]}, "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        "extraArgs": ["--gc-interval=off"], "extraEnv": [{"name": "A", "value": "1"}], "podAnnotations": {"c": "d"},
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
}


def helm(*words, values=None):
    return subprocess.run([str(TOOLS / "helm"), *words, "--values", "-"], input=json.dumps(values or {}),
                          capture_output=True, text=True, check=False)


def release(name):
    """The objects of a release, by kind and name."""
    made = helm("template", "tap", str(CHART), "--namespace", "n", values=RELEASES[name])
    assert made.returncode == 0, made.stderr
    things = [thing for thing in yaml.safe_load_all(made.stdout) if thing]
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in things}


def objects():
    for path in MADE:
        for number, thing in enumerate(json.loads(path.read_text())):
            yield pytest.param(thing, id=f"{path.stem}-{number}-{thing['kind']}")
    for path in SHIPPED:
        for thing in yaml.safe_load_all(path.read_text()):
            yield pytest.param(thing, id=f"{path.stem}-{thing['kind']}-{thing['metadata']['name']}")


def shipped(kind):
    things = [thing for path in SHIPPED for thing in yaml.safe_load_all(path.read_text())]
    return [thing for thing in things if thing["kind"] == kind]


def test_there_are_manifests():
    assert len(MADE) >= 3 and len(SHIPPED) >= 4


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("thing", list(objects()))
def test_the_schema_knows_every_field(thing, version):
    kubernetes_validate.validate(thing, version, strict=True)


def test_a_field_that_no_schema_knows_is_refused():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [], "nonsense": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.stem)
def test_a_pod_names_only_what_is_made_with_it(path):
    things = json.loads(path.read_text())
    secrets = {thing["metadata"]["name"]: thing for thing in things if thing["kind"] == "Secret"}
    (pod,) = [thing for thing in things if thing["kind"] == "Pod"]
    spec = pod["spec"]
    for volume in spec["volumes"]:
        if "secret" in volume:
            keys = secrets[volume["secret"]["secretName"]]["data"]
            assert {item["key"] for item in volume["secret"]["items"]} <= set(keys)
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"] + spec.get("initContainers", []):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {}).get("secretKeyRef")
            assert source is None or source["key"] in secrets[source["name"]]["data"]
    for service in (thing for thing in things if thing["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def test_code_beside_a_sidecar_is_not_given_its_key():
    (path,) = (path for path in MADE if path.stem == "worker")
    (pod,) = (thing for thing in json.loads(path.read_text()) if thing["kind"] == "Pod")
    user, storage = pod["spec"]["containers"]
    assert "sidecar-key" in json.dumps(storage)
    assert "sidecar-key" not in json.dumps([user, pod["spec"]["volumes"], pod["spec"]["initContainers"]])


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.stem)
def test_no_value_of_a_secret_stands_in_a_pod(path):
    things = json.loads(path.read_text())
    pods = json.dumps([thing for thing in things if thing["kind"] != "Secret"])
    for secret in (thing for thing in things if thing["kind"] == "Secret"):
        for value in secret["data"].values():
            plain = base64.b64decode(value).decode()
            # Short ones stand everywhere by chance.
            assert len(plain) < 5 or plain.startswith("/") or plain not in pods


def test_the_server_may_do_what_the_launcher_asks_and_no_more():
    """Each verb and kind that the launcher's source names, and nothing that it does not."""
    asked = set()
    for path in (ROOT / "Sources/Backends/Kubernetes").glob("*.swift"):
        text = path.read_text()
        for verb, kind in re.findall(r"\b(get|list|create|update|patch|delete|follow|found)\(\s*\.(\w+)", text):
            verbs = {"follow": ["list", "watch"], "found": ["get"]}.get(verb, [verb])
            asked |= {(verb, kind + "s") for verb in verbs}
        asked |= {("delete", kind + "s") for kind in re.findall(r"remove\(\w+, \.(\w+)\)", text)}
        asked |= {("get", "pods/log") for _ in re.findall(r'part: "/log"', text)}
    (role,) = shipped("Role")
    given = {(verb, kind) for rule in role["rules"] for kind in rule["resources"] for verb in rule["verbs"]}
    assert given == asked
    assert all("*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"] for rule in role["rules"])


def test_the_parts_of_the_deployment_fit():
    (server,) = shipped("Deployment")
    labels = server["spec"]["template"]["metadata"]["labels"]
    assert server["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (budget,) = shipped("PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in server["spec"]["template"]["spec"]["containers"][0]["ports"]}
    for service in shipped("Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    accounts = {account["metadata"]["name"] for account in shipped("ServiceAccount")}
    assert server["spec"]["template"]["spec"]["serviceAccountName"] in accounts
    (binding,) = shipped("RoleBinding")
    assert {subject["name"] for subject in binding["subjects"]} <= accounts


def test_kustomize_puts_them_together():
    command = [str(TOOLS / "kubectl"), "kustomize", str(ROOT / "deploy/kubernetes")]
    made = list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert len(made) == sum(len(list(yaml.safe_load_all(path.read_text()))) for path in SHIPPED)
    assert {thing["metadata"].get("namespace", "spile") for thing in made} == {"spile"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", RELEASES)
def test_the_chart_makes_what_the_schema_knows(name, version):
    things = release(name)
    for thing in things.values():
        kubernetes_validate.validate(thing, version, strict=True)
    assert helm("lint", str(CHART), "--strict", values=RELEASES[name]).returncode == 0


@pytest.mark.parametrize("name", RELEASES)
def test_the_parts_of_a_release_fit(name):
    things = release(name)
    server = things["Deployment", "tap"]
    template = server["spec"]["template"]
    labels, spec = template["metadata"]["labels"], template["spec"]
    assert server["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (container,) = spec["containers"]
    ports = {port["name"] for port in container["ports"]}
    for service in ("tap", "tap-peer"):
        service = things["Service", service]["spec"]
        assert service["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["ports"]} <= ports
    assert ("ServiceAccount", spec["serviceAccountName"]) in things
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    claim = volumes["data"].get("persistentVolumeClaim", {}).get("claimName")
    assert claim in (None, "shared") or ("PersistentVolumeClaim", claim) in things
    # Flags are those that the server has.
    flags = {word.split("=")[0] for word in container["args"]}
    known = (ROOT / "Sources/spile/Arguments/FlagTable.swift").read_text()
    assert all(re.search(rf"[\" ]{flag[2:]}=", known) for flag in flags), flags
    account = next((word.split("=")[1] for word in container["args"] if "account" in word), None)
    assert account is None or ("ServiceAccount", account) in things
    # What ends a server fits into the time that it has.
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep + 10 + 15 < spec["terminationGracePeriodSeconds"]


def test_rights_are_those_of_the_plain_manifests_and_none_without_pods():
    (role,) = shipped("Role")
    assert release("plain")["Role", "tap"]["rules"] == role["rules"]
    assert not [key for key in release("processes") if key[0] in ("Role", "RoleBinding")]
    spec = release("processes")["Deployment", "tap"]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False


def test_one_server_is_replaced_and_several_are_rolled():
    one, many = release("plain")["Deployment", "tap"]["spec"], release("many")["Deployment", "tap"]["spec"]
    assert one["strategy"] == {"type": "Recreate"}
    assert many["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert many["template"]["spec"]["volumes"][0] == {"name": "data", "emptyDir": {}}
    (container,) = many["template"]["spec"]["containers"]
    names = {variable["name"] for variable in container["env"]}
    assert {"SPILE_CATALOG", "PGPASSWORD", "SPILE_STORE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= names
    assert release("many")["PodDisruptionBudget", "tap"]["spec"]["maxUnavailable"] == 1
    assert release("plain")["PodDisruptionBudget", "tap"]["spec"]["minAvailable"] == 1
    sharing = release("many-sharing")["Deployment", "tap"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--data=/data/$(POD_NAME)" in sharing and "--kubernetes-claim=shared:/data" in sharing


@pytest.mark.parametrize("values, word", [
    ({"replicas": 2}, "catalog.url and store.url"),
    (MANY | {"store": {"url": ""}}, "catalog.url and store.url"),
    ({"pipelines": {"sharesData": True}}, "ReadWriteMany"),
    ({"catalog": {"url": "postgres://db/x"}}, "pipelines.toolImage"),
    ({"pipelines": {"launcher": "balloon"}}, "kubernetes or process"),
])
def test_what_would_not_work_is_refused_with_words(values, word):
    made = helm("template", "tap", str(CHART), values=values)
    assert made.returncode != 0 and word in made.stderr
