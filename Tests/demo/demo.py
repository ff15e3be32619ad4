"""The demo: a broker, a publisher of this machine's telemetry, the server, and spouts from examples/ in between.

Started by Scripts/demo.sh, which says what the environment variables mean.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from ledger import Ledger
from processes import DemoError, Helper, Stopped, TimeIsUp, answers, free_port, is_free, processes, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPILE = os.path.abspath(os.environ.get("SPILE_BIN") or os.path.join(ROOT, "bin/spile"))
FOLDER = os.path.abspath(os.environ.get("DEMO_FOLDER") or os.path.join(ROOT, ".demo"))
SECONDS = float(os.environ.get("DEMO_SECONDS") or 0)
RATE = float(os.environ.get("DEMO_RATE") or 10)
KILL = bool(os.environ.get("DEMO_KILL"))

TOPIC = "telemetry/this-host"
# How long to wait for something to start or stop, and for another message to arrive, before giving up.
START_SECONDS = 60
STOP_SECONDS = 30
DRAIN_SECONDS = 30


def has_modules(python: str, *modules: str) -> bool:
    command = [python, "-c", "import " + ", ".join(modules)]
    return os.access(python, os.X_OK) and subprocess.run(command, capture_output=True).returncode == 0


@dataclass
class Spout:
    """One of the examples."""

    name: str
    folder: str
    python: str

    @property
    def program(self) -> str:
        return os.path.join(ROOT, self.folder, "spout.py")

    @property
    def session(self) -> str:
        """The name under which the broker knows it."""
        return f"spile-default-{self.name}"

    def spec(self, broker_port: int) -> str:
        """The example's own spec, with the three places filled in that its comment tells a user to fill in."""
        with open(os.path.join(ROOT, self.folder, "spout.yaml"), encoding="utf-8") as file:
            text = file.read()
        for before, after in [
            ("[python3, /app/spout.py]", f"[{json.dumps(self.python)}, {json.dumps(self.program)}]"),
            ("MQTT_HOST: localhost", "MQTT_HOST: 127.0.0.1"),
            ('MQTT_PORT: "1883"', f'MQTT_PORT: "{broker_port}"'),
        ]:
            assert text.count(before) == 1, f"{self.folder}/spout.yaml no longer holds {before}"
            text = text.replace(before, after)
        return text


def find_spouts() -> list[Spout]:
    debian, venv = "/usr/bin/python3", os.path.join(ROOT, ".venv-sdk/bin/python")
    spouts = []
    plain = next((python for python in [debian, venv, sys.executable] if has_modules(python, "paho.mqtt.client")), None)
    if plain is None:
        raise DemoError("no Python here has paho-mqtt; on Debian: apt-get install python3-paho-mqtt")
    spouts.append(Spout("mqtt", "examples/mqtt", plain))
    if has_modules(venv, "pachyderm_sdk", "paho.mqtt.client"):
        spouts.append(Spout("mqtt-sdk", "examples/mqtt-sdk", venv))
    return spouts


class Demo:
    def __init__(self):
        self.helpers: list[Helper] = []
        self.publisher: Helper | None = None
        self.spouts: list[Spout] = []
        self.stop_asked = threading.Event()
        self.stop_at_once = threading.Event()
        # What the broker says of itself; filled by the thread that reads its log.
        self.subscribed: set[str] = set()
        self.subscription = threading.Condition()
        # Commits of this run by repo; filled by the threads that read `subscribe commit`.
        self.commits: dict[str, int] = {}
        self.heads: dict[str, str] = {}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PACH")}
        self.environment["PACH_CONFIG"] = self.path("pachctl.json")
        self.environment |= {"NO_COLOR": "1", "PAGER": "cat"}

    def path(self, *parts: str) -> str:
        return os.path.join(FOLDER, *parts)

    def on_signal(self, *_) -> None:
        if self.stop_asked.is_set():
            self.stop_at_once.set()
        else:
            print("\nstopping    the count comes first; Ctrl-C again skips it")
        self.stop_asked.set()

    # Commands

    def pachctl(self, *arguments: str, given: str | None = None, seconds: float = 60) -> str:
        done = subprocess.run(
            [SPILE, *arguments], env=self.environment, input=given, capture_output=True, text=True, timeout=seconds,
            start_new_session=True,
        )
        if done.returncode:
            raise DemoError(f"pachctl {' '.join(arguments)}: status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        try:
            self.pachctl(*arguments)
        except DemoError:
            return False
        return True

    # Start

    def take_folder(self) -> None:
        """One demo at a time in a folder."""
        os.makedirs(FOLDER, exist_ok=True)
        self.lock = open(self.path("lock"), "a", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(f"another demo is running in {FOLDER}") from None

    def choose_ports(self) -> None:
        """The same ports as last time if they are free, so that the specs stay the same."""
        try:
            with open(self.path("ports.json"), encoding="ascii") as file:
                ports = json.load(file)
        except (FileNotFoundError, ValueError):
            ports = {}
        for name in ["broker", "server"]:
            if name not in ports or not is_free(ports[name]):
                ports[name] = free_port()
        with open(self.path("ports.json"), "w", encoding="ascii") as file:
            json.dump(ports, file)
        self.broker_port, self.server_port = ports["broker"], ports["server"]
        self.environment["PACHD_ADDRESS"] = f"grpc://127.0.0.1:{self.server_port}"

    def helper(self, name: str, command: list[str], **more) -> Helper:
        helper = Helper(name, command, self.path(f"{name}.log"), **more)
        self.helpers.append(helper)
        return helper

    def start_broker(self) -> None:
        os.makedirs(self.path("broker"), exist_ok=True)
        lines = [
            f"listener {self.broker_port} 127.0.0.1",
            "allow_anonymous true",
            # As root, mosquitto would change to a user of its own, who may not write here.
            "user root" if os.geteuid() == 0 else "",
            # Sessions and what waits in them survive a restart of the broker.
            "persistence true",
            f"persistence_location {self.path('broker')}/",
            # A spout that is away for long must not lose messages to a limit of the queue.
            "max_queued_messages 0",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "log_type subscribe",
            "connection_messages true",
        ]
        configuration = self.path("broker", "mosquitto.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write("\n".join(line for line in lines if line) + "\n")
        path = os.environ.get("PATH", "") + ":/usr/sbin"
        broker = self.helper(
            "broker", ["mosquitto", "-c", configuration], env={**os.environ, "PATH": path}, on_line=self.on_broker_line
        )
        self.wait_for(broker, lambda: answers(self.broker_port), "the broker answers")
        print(f"broker      mosquitto on 127.0.0.1:{self.broker_port}, topic {TOPIC}")

    def on_broker_line(self, line: str) -> None:
        """`1700000000: SESSION QOS FILTER`: somebody subscribed."""
        words = line.split()
        if len(words) == 4 and words[2].isdigit():
            with self.subscription:
                self.subscribed.add(words[1])
                self.subscription.notify_all()

    def start_server(self) -> None:
        ready = threading.Event()
        command = [SPILE, "server", "--data", self.path("data"), "--listen", f"127.0.0.1:{self.server_port}", "--http", "off"]
        server = self.helper(
            "server", command, env=self.environment, on_line=lambda line: "is ready" in line and ready.set()
        )
        self.wait_for(server, ready.is_set, "the server is ready")
        self.server = server
        print(f"server      {os.path.relpath(SPILE, ROOT)} on 127.0.0.1:{self.server_port}, data in {self.path('data')}")

    def wait_for(self, helper: Helper, condition, what: str) -> None:
        def holds() -> bool:
            if condition():
                return True
            helper.must_run()
            if self.stop_at_once.is_set():
                raise Stopped("stopped before everything had started")
            return False

        until(holds, START_SECONDS, what)

    def start_spout(self, spout: Spout, published: int) -> None:
        """Creates the pipeline, or updates it if its spec is another than last time, and waits for its subscription.

        A message that is published before a session exists at the broker is not for that session: `first` says which
        message is the first one to be expected in the repo.
        """
        spec, spec_path = spout.spec(self.broker_port), self.path(f"{spout.name}.yaml")
        try:
            with open(spec_path, encoding="utf-8") as file:
                same = file.read() == spec
        except FileNotFoundError:
            same = False
        exists = self.succeeds("inspect", "pipeline", spout.name)
        if not (exists and same):
            self.pachctl("update" if exists else "create", "pipeline", "-f", "-", given=spec)
            with open(spec_path, "w", encoding="utf-8") as file:
                file.write(spec)
        if not os.path.exists(self.first_path(spout)):
            with open(self.first_path(spout), "w", encoding="ascii") as file:
                file.write(str(published + 1))
        with self.subscription:
            if not self.subscription.wait_for(lambda: spout.session in self.subscribed, START_SECONDS):
                logs = self.pachctl("logs", "--pipeline", spout.name)
                raise DemoError(f"the spout {spout.name} did not subscribe; its logs say:\n{logs}")
        print(f"spout       {spout.name}: {spout.folder}/spout.yaml, subscribed")

    def first_path(self, spout: Spout) -> str:
        return self.path(f"{spout.name}.first")

    def first(self, spout: Spout) -> int:
        with open(self.first_path(spout), encoding="ascii") as file:
            return int(file.read())

    def start_publisher(self) -> None:
        python = next(python for python in ["/usr/bin/python3", self.spouts[0].python]
                      if has_modules(python, "paho.mqtt.client"))
        program = os.path.join(ROOT, "Tests/demo/publisher.py")
        self.publisher = self.helper(
            "publisher", [python, program, "127.0.0.1", str(self.broker_port), TOPIC, str(RATE), FOLDER]
        )
        print(f"publisher   this machine's load, memory, disks and network, {RATE:g} messages a second")

    # Watch

    def watch_commits(self, spout: Spout) -> None:
        """Counts commits as they come, from one endless call."""
        self.commits[spout.name] = 0
        process = subprocess.Popen(
            [SPILE, "subscribe", "commit", f"{spout.name}@master", "--new", "--raw"], env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,
        )
        self.watchers.append(process)

        def read() -> None:
            decoder, text = json.JSONDecoder(), ""
            for line in process.stdout:
                text += line
                try:
                    info, end = decoder.raw_decode(text)
                except ValueError:
                    continue
                text = text[end:].lstrip()
                self.commits[spout.name] += 1
                self.heads[spout.name] = info["commit"]["id"]

        threading.Thread(target=read, daemon=True).start()

    def newest_message(self, repo: str, head: str) -> str:
        """The last file of a commit, in short; empty if a newer commit is in the way."""
        try:
            # Lines such as: +  1.2KiB  mqtt@4f…:/telemetry/this-host/000000000041.json
            rows = self.pachctl("diff", "file", f"{repo}@{head}", "--name-only").split("\n")
            path = next(word for row in reversed(rows) for word in [row[row.find("/telemetry"):].strip()]
                        if word.endswith(".json"))
            message = json.loads(self.pachctl("get", "file", f"{repo}@{head}:{path}"))
        except (DemoError, StopIteration, ValueError):
            return ""
        used = 1 - message["memory"]["available"] / message["memory"]["total"]
        return f"message {message['seq']}: load {message['load'][0]:.2f}, memory {used:.0%} used"

    def watch(self, seconds: float) -> None:
        """One line per repo and second, until the time is up or somebody asks to stop."""
        print()
        print(f"{'time':8}  {'repo':9} {'commits':>7}  {'newest commit':32}  what it holds")
        started = time.monotonic()
        killed = not KILL
        while not self.stop_asked.wait(1):
            passed = time.monotonic() - started
            for helper in self.helpers:
                helper.must_run()
            for spout in self.spouts:
                if head := self.heads.get(spout.name):
                    count, text = self.commits[spout.name], self.newest_message(spout.name, head)
                    print(f"{time.strftime('%H:%M:%S')}  {spout.name:9} {count:7}  {head}  {text}")
            if not killed and passed > seconds / 2:
                killed = True
                self.kill_spouts()
            if seconds and passed >= seconds:
                break
        print()

    def spout_pids(self) -> dict[int, str]:
        """The running programs of this demo's spouts, by process id: their environment names its data folder."""
        return {
            pid: spout.name for spout in self.spouts for pid in processes(spout.program, self.path("data") + "/")
        }

    def kill_spouts(self) -> None:
        for pid, name in self.spout_pids().items():
            print(f"{time.strftime('%H:%M:%S')}  {name:9} killed with SIGKILL (process {pid})")
            os.kill(pid, signal.SIGKILL)

    # Prove

    def drain(self, last: int) -> None:
        """Waits until the last message is in every repo. A session gets its messages in order, so the rest is too.

        Gives up on a repo once nothing has been written to it for a while.
        """
        for spout in self.spouts:
            if last < self.first(spout):
                continue
            print(f"waiting     for message {last} in {spout.name}")
            target = f"{spout.name}@master:{path_of(last)}"

            def arrived() -> bool:
                self.server.must_run()
                if self.stop_at_once.is_set():
                    raise Stopped("stopped at once: the count was not checked")
                return self.succeeds("inspect", "file", target)

            while True:
                commits = self.commits[spout.name]
                try:
                    until(arrived, DRAIN_SECONDS, "the last message arrives")
                except TimeIsUp:
                    if self.commits[spout.name] > commits:
                        continue
                    print(f"            nothing has come for {DRAIN_SECONDS} seconds")
                break

    def check(self, spout: Spout, messages: list[bytes]) -> bool:
        """Compares the whole repo with what was published: the same files, and the same bytes in each."""
        first = self.first(spout)
        expected = {path_of(number): messages[number - 1] for number in range(first, len(messages) + 1)}
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            if expected:
                target = os.path.join(folder, "files")
                self.pachctl("get", "file", "-r", f"{spout.name}@master:/", "-o", target, seconds=600)
                found = read_tree(target)
            else:
                found = {}
        missing = sorted(set(expected) - set(found))
        unknown = sorted(set(found) - set(expected))
        differing = sorted(path for path in set(expected) & set(found) if expected[path] != found[path])
        for what, paths in [("missing", missing), ("not published", unknown), ("different", differing)]:
            if paths:
                more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
                print(f"            {what}: {', '.join(paths[:3])}{more}")
        right = not (missing or unknown or differing)
        verdict = "all there, each once, byte for byte" if right else "WRONG"
        print(f"{spout.name:11} {len(expected)} messages expected, {len(found)} files found: {verdict}")
        return right

    def finish(self, published_before: int) -> bool:
        """Stops the publisher, lets the rest arrive, and compares."""
        if trouble := self.publisher.stop(STOP_SECONDS):
            raise DemoError(trouble)
        self.helpers.remove(self.publisher)
        ledger = Ledger(FOLDER)
        messages = ledger.messages()
        if ledger.confirmed() != len(messages):
            raise DemoError(f"{len(messages)} messages sent, {ledger.confirmed()} confirmed by the broker")
        print(f"published   {len(messages) - published_before} messages in this run, {len(messages)} in all, "
              "every one confirmed by the broker")
        self.drain(len(messages))
        return all([self.check(spout, messages) for spout in self.spouts])

    # Stop

    def stop(self) -> list[str]:
        """Ends every helper, last started first. Returns what went wrong on the way."""
        troubles = []
        for watcher in self.watchers:
            watcher.terminate()
            watcher.wait()
        for helper in reversed(self.helpers):
            if trouble := helper.stop(STOP_SECONDS):
                troubles.append(trouble)
        for pid, name in self.spout_pids().items():
            troubles.append(f"the spout {name} was still running (process {pid}) after the server had ended")
            os.kill(pid, signal.SIGKILL)
        return troubles

    def run(self) -> bool:
        self.watchers: list[subprocess.Popen] = []
        signal.signal(signal.SIGINT, self.on_signal)
        signal.signal(signal.SIGTERM, self.on_signal)
        right = False
        try:
            self.take_folder()
            self.spouts = find_spouts()
            self.choose_ports()
            self.start_broker()
            self.start_server()
            published = len(Ledger(FOLDER).messages())
            for spout in self.spouts:
                self.start_spout(spout, published)
                self.watch_commits(spout)
            self.start_publisher()
            print(f"\nlook around export PACHD_ADDRESS={self.environment['PACHD_ADDRESS']}")
            print("            bin/pachctl list commit mqtt@master; bin/pachctl list file mqtt@master:/telemetry")
            self.watch(SECONDS)
            right = self.finish(published)
        except DemoError as error:
            print(f"demo: {error}", file=sys.stderr)
        finally:
            troubles = self.stop()
        for trouble in troubles:
            print(f"demo: {trouble}", file=sys.stderr)
        right = right and not troubles
        if right:
            print(f"stopped     nothing is left running; a further run continues on {FOLDER}")
        return right


def path_of(number: int) -> str:
    """Where the spouts put a message (path_of in examples/*/spout.py)."""
    return f"/{TOPIC}/{number:012d}.json"


def read_tree(folder: str) -> dict[str, bytes]:
    """Every file below a folder, by its path from there."""
    result = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                result["/" + os.path.relpath(path, folder)] = file.read()
    return result


if __name__ == "__main__":
    sys.exit(0 if Demo().run() else 1)
