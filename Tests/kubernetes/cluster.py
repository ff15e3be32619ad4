#!/usr/bin/env python3
"""A cluster of one node for the tests: an API server in this process, and pods that podman runs.

The API server knows pods, secrets, services, events and leases, with versions, conflicts, watches, 410 Gone and
deletion with grace; what is made has to pass the published schemas of Kubernetes, unknown fields included. The node
does what a kubelet does: finds the image, lays out volumes, runs init containers, then the one container, keeps its
log, ends it by SIGTERM and SIGKILL. Its volume claims are folders of this machine; its network is the machine's own.

    cluster.py [--claim NAME=FOLDER]...

Prints one line of JSON, {"server", "token"}, and ends when its input does, with all its pods: it never outlives whoever
started it. Runs in .venv-kubernetes (Scripts/python-env.sh kubernetes).
"""

import argparse
import base64
import collections
import datetime
import http.server
import itertools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import kubernetes_validate

KINDS = {
    "pods": ("v1", "Pod"), "secrets": ("v1", "Secret"), "services": ("v1", "Service"), "events": ("v1", "Event"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
}
SCHEMA = kubernetes_validate.latest_version()
# A node remembers so many changes; who asks for older ones is told that they are gone.
REMEMBERED = 1000
PATH = re.compile(
    r"/apis?/(?P<group>[^/]+(?:/v1)?)/namespaces/(?P<ns>[^/]+)/(?P<kind>\w+)(?:/(?P<name>[^/]+))?(?P<part>/log)?"
)
# Names of what a container writes before its program runs, and what Kubernetes calls the fault.
START_FAULTS = re.compile(r"executable file .* not found|no such file or directory|permission denied", re.I)


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Refusal(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    def status(self):
        return {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": self.reason,
            "message": self.message, "code": self.code,
        }


def merged(old, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def matches(thing, query):
    for term in filter(None, query.get("labelSelector", "").split(",")):
        name, value = term.split("=")
        if thing["metadata"].get("labels", {}).get(name) != value:
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, value = term.split("=")
        if path not in ("metadata.name", "involvedObject.uid", "type"):
            raise Refusal(400, "BadRequest", f"field label not supported: {path}")
        found = thing
        for name in path.split("."):
            found = found.get(name, {})
        if found != value:
            return False
    return True


class Store:
    """All objects. Whoever changes or reads them holds `changed`, which tells of each change."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 100
        self.objects = {}
        self.history = collections.deque(maxlen=REMEMBERED)
        self.forgotten = 0
        self.addresses = itertools.count(1)

    def put(self, key, thing, kind):
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = thing
        self.tell(key, kind, thing)
        return thing

    def tell(self, key, kind, thing):
        if len(self.history) == REMEMBERED:
            self.forgotten = self.history[0][0]
        # Watchers see what was, not what will be.
        self.history.append((self.version, key, kind, json.loads(json.dumps(thing))))
        self.changed.notify_all()

    def drop(self, key):
        thing = self.objects.pop(key, None)
        if thing is None:
            return
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.tell(key, "DELETED", thing)
        uid = thing["metadata"]["uid"]
        for other, owned in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in owned["metadata"].get("ownerReferences", [])):
                self.drop(other)

    def find(self, key):
        if key not in self.objects:
            raise Refusal(404, "NotFound", f'{key[1]} "{key[2]}" not found')
        return self.objects[key]


class Log:
    """What a container prints, each line behind its time; it goes on until `is_over`."""

    def __init__(self):
        self.changed = threading.Condition()
        self.lines = []
        self.is_over = False

    def add(self, lines):
        with self.changed:
            self.lines += [now().encode() + b" " + line + b"\n" for line in lines]
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.is_over = True
            self.changed.notify_all()


def podman(*arguments, check=True):
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, check=check)


class Pod:
    """One pod on the node: a thread that leads it from its making to its end."""

    def __init__(self, cluster, key, thing):
        self.cluster, self.key, self.spec = cluster, key, thing["spec"]
        self.metadata = thing["metadata"]
        self.name = f"spile-cluster-{os.getpid()}-{secrets.token_hex(4)}"
        self.folder = tempfile.mkdtemp(prefix="spile-pod-")
        os.chmod(self.folder, 0o755)
        self.log = Log()
        self.is_wanted = True
        self.has_container = False
        self.beside = []
        self.mounts = {}
        self.lock = threading.Lock()
        self.is_gone = threading.Event()
        threading.Thread(target=self.live, daemon=True).start()

    # What the API server is told.

    def say(self, **status):
        with self.cluster.store.changed:
            thing = self.cluster.store.objects.get(self.key)
            if thing is not None and thing["metadata"]["uid"] == self.metadata["uid"]:
                thing["status"] = {**thing.get("status", {}), **status}
                self.cluster.store.put(self.key, thing, "MODIFIED")

    def say_user(self, phase, **state):
        self.say(phase=phase, containerStatuses=[{"name": "user", "restartCount": 0, "state": state}])

    def wait_for_ever(self):
        self.is_gone.wait()

    # Its life.

    def live(self):
        try:
            self.play()
        except Exception as error:  # pylint: disable=broad-except
            print(f"cluster: {self.key}: {error!r}", file=sys.stderr, flush=True)
            self.say_user("Failed", terminated={"exitCode": 128, "reason": "StartError", "message": str(error)})
        finally:
            self.log.end()

    def play(self):
        if missing := self.spec.get("nodeSelector"):
            self.say(conditions=[{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": f"0/1 nodes are available: 1 node(s) didn't match {sorted(missing)}",
            }])
            return self.wait_for_ever()
        (user,) = (container for container in self.spec["containers"] if container["name"] == "user")
        beside = [container for container in self.spec["containers"] if container is not user]
        for container in self.spec.get("initContainers", []) + self.spec["containers"]:
            if podman("image", "exists", container["image"], check=False).returncode:
                self.cluster.warn(self, f'Failed to pull image "{container["image"]}": no such image here')
                self.say_user("Pending", waiting={
                    "reason": "ErrImagePull", "message": f'pull access denied for {container["image"]}',
                })
                return self.wait_for_ever()
        self.mounts = self.volumes()
        for container in self.spec.get("initContainers", []):
            made = podman("run", "--rm", *self.options(container), container["image"], *container["command"][1:],
                          check=False)
            if made.returncode:
                self.say(phase="Failed", initContainerStatuses=[{"name": container["name"], "state": {
                    "terminated": {"exitCode": made.returncode, "message": made.stderr[-500:]}}}])
                return None
        return self.run(user, beside)

    def run(self, user, beside):
        """The program, in a container whose first process is another where it says `shareProcessNamespace`."""
        command = [word.replace("$$", "$") for word in user["command"]]
        init = ["--init"] if self.spec.get("shareProcessNamespace") else []
        with self.lock:
            if not self.is_wanted:
                return
            podman("create", "--name", self.name, *init, *self.options(user, command[0]), user["image"], *command[1:])
            self.has_container = True
            for container in beside:
                self.beside.append(f"{self.name}-{container['name']}")
                podman("run", "--detach", "--name", self.beside[-1], *self.options(container), container["image"],
                       *container["command"][1:])
        process = subprocess.Popen(
            ["podman", "start", "--attach", self.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)
        begun = threading.Thread(target=self.tell_running, daemon=True)
        begun.start()
        errors = threading.Thread(target=self.keep, args=(process.stderr,))
        errors.start()
        self.keep(process.stdout)
        errors.join()
        process.wait()
        self.log.end()
        begun.join()
        self.tell_end()

    def keep(self, stream):
        """Into the log, in which a line of either stream is whole."""
        rest = b""
        while piece := stream.read1(1 << 16):
            *lines, rest = (rest + piece).split(b"\n")
            self.log.add(lines)
        if rest:
            self.log.add([rest])

    def tell_running(self):
        # Its events do not say it: the first is of the container's first process, which may not have begun the program.
        while not self.log.is_over:
            if self.state() == "running":
                return self.say_user("Running", running={"startedAt": now()})
            time.sleep(0.02)
        return None

    def state(self):
        return podman("inspect", "--format", "{{.State.Status}}", self.name, check=False).stdout.strip()

    def tell_end(self):
        state = json.loads(podman("inspect", "--format", "{{json .State}}", self.name).stdout)
        code = state["ExitCode"]
        # On machines of an older kind podman does not hear of it, but its monitor leaves a file where it began.
        is_starved = os.path.exists(os.path.join(self.folder, "oom"))
        reason = "OOMKilled" if state["OOMKilled"] or is_starved else "Error" if code else "Completed"
        ended = {"exitCode": code, "reason": reason}
        if fault := self.start_fault() or START_FAULTS.search(state.get("Error", "")) and state["Error"]:
            ended = {"exitCode": 128, "reason": "StartError", "message": fault}
        self.say_user("Failed" if code else "Succeeded", terminated=ended)

    def start_fault(self):
        """What the container's first process says where it cannot run the program."""
        with self.log.changed:
            first = self.log.lines[0].decode(errors="replace") if self.log.lines else ""
        return first.split(": ", 1)[1].strip() if "ERROR (catatonit" in first else ""

    # Its end.

    def end(self, grace):
        """SIGTERM, SIGKILL after `grace` seconds; returns when nothing is left. Several may ask at a time."""
        with self.lock:
            self.is_wanted = False
            has_container = self.has_container
        if has_container:
            podman("stop", "--ignore", "--time", str(grace), self.name, *self.beside, check=False)
            with self.log.changed:
                self.log.changed.wait_for(lambda: self.log.is_over, 10)

    def clean(self):
        self.is_gone.set()
        if self.has_container:
            podman("rm", "--force", "--ignore", "--time", "0", self.name, *self.beside, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    # What podman has to know.

    def secret(self, name):
        with self.cluster.store.changed:
            return self.cluster.store.find((self.key[0], "secrets", name)).get("data", {})

    def volumes(self):
        """Where each volume lies on this machine."""
        places = {}
        for volume in self.spec.get("volumes", []):
            place = places[volume["name"]] = os.path.join(self.folder, volume["name"])
            if claim := volume.get("persistentVolumeClaim"):
                places[volume["name"]] = self.cluster.claims[claim["claimName"]]
                continue
            os.mkdir(place)
            os.chmod(place, 0o777)
            source = volume.get("secret")
            if source is None:
                assert "emptyDir" in volume, volume
                continue
            data = self.secret(source["secretName"])
            items = source.get("items") or [{"key": key, "path": key} for key in data]
            for item in items:
                path = os.path.join(place, item["path"])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(base64.b64decode(data[item["key"]]))
                os.chmod(path, item.get("mode", source.get("defaultMode", 0o644)))
        return places

    def options(self, container, entrypoint=None):
        words = ["--pull=never", "--network=host", "--log-driver=none"]
        words.append(f"--entrypoint={entrypoint or container['command'][0]}")
        for mount in container.get("volumeMounts", []):
            place = self.mounts[mount["name"]]
            if part := mount.get("subPath"):
                place = os.path.join(place, part)
                os.makedirs(place, exist_ok=True)
            words.append(f"--volume={place}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}")
        fields = {
            "metadata.namespace": self.key[0], "metadata.name": self.key[2], "status.podIP": "127.0.0.1",
        }
        # Values may hold line ends, which no file of variables can: by this process's own environment.
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            if reference := source.get("secretKeyRef"):
                value = base64.b64decode(self.secret(reference["name"])[reference["key"]]).decode()
            else:
                value = fields[source["fieldRef"]["fieldPath"]] if source else variable["value"]
            words.append(f"--env={variable['name']}={value}")
        if folder := container.get("workingDir"):
            words.append(f"--workdir={folder}")
        context = {**self.spec.get("securityContext", {}), **container.get("securityContext", {})}
        if "runAsUser" in context:
            words.append(f"--user={context['runAsUser']}:{context['runAsGroup']}")
        if context.get("readOnlyRootFilesystem"):
            words += ["--read-only", "--read-only-tmpfs=false"]
        for capability in context.get("capabilities", {}).get("drop", []):
            words.append(f"--cap-drop={capability}")
        if context.get("allowPrivilegeEscalation") is False:
            words.append("--security-opt=no-new-privileges")
        if memory := container.get("resources", {}).get("limits", {}).get("memory"):
            words.append(f"--memory={bytes_of(memory)}")
        return words


def bytes_of(quantity):
    number, suffix = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()
    scales = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return int(float(number) * scales[suffix])


class Cluster:
    def __init__(self, claims):
        self.claims = claims
        self.token = secrets.token_hex(16)
        self.store = Store()
        self.pods = {}
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                cluster.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def kubeconfig(self, namespace):
        """What leads a program here."""
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": self.token}}],
        })

    def close(self):
        for pod in list(self.pods.values()):
            pod.end(0)
            pod.clean()
        self.server.shutdown()

    def crash(self, namespace, name, container):
        """Kills a container that stands beside a pod's program."""
        pod = self.pods[(namespace, "pods", name)]
        podman("kill", f"{pod.name}-{container}")

    def things(self, kind, namespace):
        """All objects of a kind, by their names."""
        with self.store.changed:
            return {key[2]: thing for key, thing in self.store.objects.items() if key[:2] == (namespace, kind)}

    def warn(self, pod, message):
        with self.store.changed:
            key = (pod.key[0], "events", f"{pod.key[2]}.{secrets.token_hex(4)}")
            self.store.put(key, {
                "apiVersion": "v1", "kind": "Event", "type": "Warning", "message": message, "lastTimestamp": now(),
                "metadata": {"name": key[2], "namespace": key[0], "uid": secrets.token_hex(8)},
                "involvedObject": {"kind": "Pod", "name": pod.key[2], "uid": pod.metadata["uid"]},
            }, "ADDED")

    # Answers.

    def handle(self, call):
        length = int(call.headers.get("Content-Length") or 0)
        body = json.loads(call.rfile.read(length) or b"null")
        try:
            if call.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refusal(401, "Unauthorized", "Unauthorized")
            self.answer(call, body)
        except Refusal as refusal:
            self.send(call, refusal.code, refusal.status())
        except kubernetes_validate.ValidationError as error:
            self.send(call, 422, Refusal(422, "Invalid", str(error)[:1000]).status())
        except (BrokenPipeError, ConnectionResetError):
            call.close_connection = True

    def send(self, call, code, thing):
        data = json.dumps(thing).encode()
        call.send_response(code)
        call.send_header("Content-Type", "application/json")
        call.send_header("Content-Length", str(len(data)))
        call.end_headers()
        call.wfile.write(data)

    def stream(self, call, pieces):
        call.send_response(200)
        call.send_header("Transfer-Encoding", "chunked")
        call.end_headers()
        for piece in pieces:
            if piece:
                call.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                call.wfile.flush()
        call.wfile.write(b"0\r\n\r\n")

    def answer(self, call, body):
        url = urllib.parse.urlsplit(call.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = PATH.fullmatch(url.path)
        if not parts or KINDS.get(parts["kind"], [""])[0] != parts["group"]:
            raise Refusal(404, "NotFound", f"the server could not find the requested resource {url.path}")
        namespace, kind, name = parts["ns"], parts["kind"], parts["name"]
        key = (namespace, kind, name)
        if parts["part"]:
            return self.stream(call, self.log(key, query))
        if call.command == "GET" and query.get("watch"):
            return self.stream(call, self.watch(key, query))
        with self.store.changed:
            if call.command == "GET":
                result = self.store.find(key) if name else self.list(key, query)
            elif call.command == "POST":
                result = self.create(namespace, kind, body)
            elif call.command == "PUT":
                result = self.update(key, body)
            elif call.command == "PATCH":
                if call.headers["Content-Type"] != "application/merge-patch+json":
                    raise Refusal(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
                result = self.patch(key, body)
            else:
                result = self.delete(key, body or {})
        return self.send(call, 200, result)

    def list(self, key, query):
        items = [thing for other, thing in sorted(self.store.objects.items()) if other[:2] == key[:2] and
                 matches(thing, query)]
        return {"kind": "List", "metadata": {"resourceVersion": str(self.store.version)}, "items": items}

    def watch(self, key, query):
        seen, end = int(query["resourceVersion"]), time.monotonic() + float(query["timeoutSeconds"])
        while time.monotonic() < end:
            with self.store.changed:
                if seen < self.store.forgotten:
                    gone = Refusal(410, "Expired", f"too old resource version: {seen}").status()
                    yield json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n"
                    return
                news = [change for change in self.store.history if change[0] > seen]
                if not news:
                    self.store.changed.wait(1)
                    continue
            seen = news[-1][0]
            for _, other, kind, thing in news:
                if other[:2] == key[:2] and matches(thing, query):
                    yield json.dumps({"type": kind, "object": thing}).encode() + b"\n"

    def log(self, key, query):
        with self.store.changed:
            self.store.find(key)
            pod = self.pods[key]
        if query.get("container") != "user" or query.get("timestamps") != "true":
            raise Refusal(400, "BadRequest", "the tests ask for the times of container user")
        if not pod.has_container:
            raise Refusal(400, "BadRequest", 'container "user" is waiting to start: ContainerCreating')
        return self.lines(pod.log, query)

    def lines(self, log, query):
        number, since = 0, query.get("sinceTime", "")[:19].encode()
        while True:
            with log.changed:
                if number == len(log.lines):
                    if log.is_over or query.get("follow") != "true":
                        return
                    log.changed.wait(1)
                    continue
                news = log.lines[number:]
            number += len(news)
            yield b"".join(line for line in news if line[:19] >= since)

    def check(self, kind, thing, old=None):
        wanted = KINDS[kind]
        if (thing.get("apiVersion"), thing.get("kind")) != wanted:
            raise Refusal(400, "BadRequest", f"no kind is registered for what was sent to {kind}")
        kubernetes_validate.validate(thing, SCHEMA, strict=True)
        if kind == "services":
            self.check_ports(thing, old)

    def check_ports(self, service, old):
        """Also beside one of its name, where it does not take its place: ports come before names."""
        taken = {port.get("nodePort") for key, thing in self.store.objects.items() if key[1] == "services"
                 and thing is not old for port in thing.get("spec", {}).get("ports", [])}
        for node in filter(None, (port.get("nodePort") for port in service.get("spec", {}).get("ports", []))):
            if not 30000 <= node <= 32767:
                raise Refusal(422, "Invalid", f"spec.ports[0].nodePort: Invalid value: {node}: provided port is not "
                              "in the valid range. The range of valid ports is 30000-32767")
            if node in taken:
                raise Refusal(422, "Invalid", f"spec.ports[0].nodePort: Invalid value: {node}: provided port is "
                              "already allocated")

    def create(self, namespace, kind, thing):
        self.check(kind, thing)
        key = (namespace, kind, thing["metadata"]["name"])
        if key in self.store.objects:
            raise Refusal(409, "AlreadyExists", f'{kind} "{key[2]}" already exists')
        thing["metadata"].update(namespace=namespace, uid=secrets.token_hex(8), creationTimestamp=now())
        if kind == "pods":
            thing["status"] = {"phase": "Pending"}
        if kind == "services":
            thing["spec"].setdefault("clusterIP", f"10.96.0.{next(self.store.addresses)}")
        self.store.put(key, thing, "ADDED")
        if kind == "pods":
            self.pods[key] = Pod(self, key, thing)
        return thing

    def update(self, key, thing):
        old = self.store.find(key)
        self.check(key[1], thing, old)
        if thing["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Refusal(409, "Conflict", "the object has been modified; please apply your changes to the latest")
        return self.store.put(key, thing, "MODIFIED")

    def patch(self, key, patch):
        old = self.store.find(key)
        thing = merged(old, patch)
        self.check(key[1], {name: value for name, value in thing.items() if name != "status"}, old)
        if old.get("immutable") and thing.get("data") != old.get("data"):
            raise Refusal(422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set")
        return self.store.put(key, thing, "MODIFIED")

    def delete(self, key, options):
        thing = self.store.find(key)
        uid = options.get("preconditions", {}).get("uid")
        if uid not in (None, thing["metadata"]["uid"]):
            raise Refusal(409, "Conflict", f"Precondition failed: UID in precondition: {uid}")
        pod = self.pods.get(key) if key[1] == "pods" else None
        grace = options.get("gracePeriodSeconds")
        if pod is None or grace == 0:
            self.store.drop(key)
            if pod is not None:
                threading.Thread(target=self.finish, args=(pod, key, 0), daemon=True).start()
            return thing
        if grace is None:
            grace = thing["spec"].get("terminationGracePeriodSeconds", 30)
        thing["metadata"].setdefault("deletionTimestamp", now())
        thing["metadata"]["deletionGracePeriodSeconds"] = grace
        self.store.put(key, thing, "MODIFIED")
        threading.Thread(target=self.finish, args=(pod, key, grace), daemon=True).start()
        return thing

    def finish(self, pod, key, grace):
        pod.end(grace)
        # The end is told before the object goes: its state comes by the pod's own thread.
        deadline = time.monotonic() + 10
        while pod.has_container and time.monotonic() < deadline:
            with self.store.changed:
                thing = self.store.objects.get(key)
                if thing is None or thing["metadata"]["uid"] != pod.metadata["uid"]:
                    break
                if thing["status"].get("phase") in ("Succeeded", "Failed"):
                    break
                self.store.changed.wait(0.5)
        with self.store.changed:
            thing = self.store.objects.get(key)
            if thing is not None and thing["metadata"]["uid"] == pod.metadata["uid"]:
                self.store.drop(key)
            if self.pods.get(key) is pod:
                del self.pods[key]
        pod.clean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--claim", action="append", default=[])
    claims = dict(text.split("=", 1) for text in parser.parse_args().claim)
    cluster = Cluster(claims)
    print(json.dumps({"server": cluster.url, "token": cluster.token}), flush=True)
    sys.stdin.buffer.read()
    cluster.close()


if __name__ == "__main__":
    main()
