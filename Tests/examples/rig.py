"""A server, one example as its spout, and what disturbs them. Every process is ended by its process id."""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections import Counter

import grpc
import yaml
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

from containers import OPTIONS, PYTHON, image_with
from processes import answers, free_port, processes, until
from spile_server import ROOT, SPILE, Server

ROUNDS = int(os.environ.get("EXAMPLE_ROUNDS", "3"))
# What runs the spouts: each test runs once with each.
LAUNCHERS = os.environ.get("EXAMPLE_LAUNCHERS", "process,container").split(",")
SEED = int(os.environ.get("EXAMPLE_SEED", "1"))
# Messages of a round, and how many of them an example puts into one commit: several commits a round.
MESSAGES = 40
BATCH = "7"
# A spout that was killed comes back within some seconds; a broker needs some to start.
SECONDS = 60


class Relay:
    """A station between the spout and its source, which can cut all connections.

    `names_itself` is the address by which the source tells its clients to come back, host and port as Kafka writes
    them: the relay puts its own port in the place of that one.
    """

    def __init__(self, port: int, names_itself: str = ""):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.told, self.instead = (
            names_itself.encode() + number.to_bytes(4, "big") if names_itself else b"" for number in [port, self.port]
        )
        # Bytes from a source that names itself.
        self.carried = 0
        # Guards `sockets` and `carried`: the relay's threads change them, the test cuts and looks.
        self.lock = threading.Lock()
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            with self.lock:
                self.sockets += [near, far]
            threading.Thread(target=self._carry, args=(near, far, b""), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, self.told), daemon=True).start()

    def _carry(self, source, target, told):
        held = b""
        try:
            while data := source.recv(1 << 16):
                data = held + data
                if told:
                    data = data.replace(told, self.instead)
                    with self.lock:
                        self.carried += len(data)
                # What may be the beginning of the address waits for its rest.
                keep = next((size for size in range(len(told) - 1, 0, -1) if data.endswith(told[:size])), 0)
                data, held = data[: len(data) - keep], data[len(data) - keep :]
                target.sendall(data)
        except OSError:
            pass
        for one in [source, target]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            sockets, self.sockets = self.sockets, []
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def close(self):
        self.listener.close()
        self.cut()


class Broker:
    """A program of the source. Ready once its port answers."""

    def __init__(self, command: list[str], port: int, log: str, ready=None, ending=signal.SIGTERM, **more):
        self.ending = ending
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, **more
            )
        self.log = log

        def is_ready() -> bool:
            assert self.process.poll() is None, f"{command[0]} ended: {self.log_text()}"
            return ready() if ready else answers(port)

        try:
            until(is_ready, SECONDS, f"{command[0]} is ready")
        except BaseException:
            self.stop()
            raise

    def log_text(self) -> str:
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.ending)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


class Rig:
    def __init__(self, folder, launcher: str):
        self.folder = folder
        self.in_containers = launcher == "container"
        self.random = random.Random(SEED)
        options = ("--launcher", launcher, *(OPTIONS if self.in_containers else ()))
        self.server = Server(str(folder / "data"), str(folder / "server.log"), options).start()
        # What is undone when the test is over, newest first.
        self.undo = contextlib.ExitStack()

    def close(self):
        if self.server.process.poll() is None:
            # A test that failed may have left it stopped.
            self.server.process.send_signal(signal.SIGCONT)
            self.server.stop()
        self.undo.close()

    def broker(self, command, port, **more) -> Broker:
        broker = Broker(command, port, str(self.folder / "broker.log"), **more)
        self.undo.callback(broker.stop)
        return broker

    def relay(self, port: int, names_itself: str = "") -> Relay:
        relay = Relay(port, names_itself)
        self.undo.callback(relay.close)
        return relay

    # The example

    def create(self, example: str, environment: dict[str, str], change=None) -> None:
        """Creates the pipeline as a user would: program and module into one folder, the spec's variables filled in."""
        app = self.folder / "app"
        app.mkdir()
        source = os.path.join(ROOT, "examples", example)
        shutil.copy(os.path.join(source, "spout.py"), app)
        shutil.copy(os.path.join(ROOT, "examples/spile_spout.py"), app)
        spec = self.spec(source)
        assert spec["transform"]["cmd"] == ["python3", "/app/spout.py"]
        assert environment.keys() <= spec["transform"]["env"].keys(), "the spec does not name all variables"
        if self.in_containers:
            self.program = "/app/spout.py"
            spec["transform"]["image"] = self.undo.enter_context(image_with(PYTHON, str(app)))
        else:
            self.program = str(app / "spout.py")
            spec["transform"]["cmd"] = [sys.executable, self.program]
        spec["transform"]["env"] |= environment
        if change:
            change(spec)
        self.pipeline = spec["pipeline"]["name"]
        done = self.spile("create", "pipeline", "-f", "-", given=json.dumps(spec))
        assert done.returncode == 0, done.stderr

    @staticmethod
    def spec(folder: str) -> dict:
        """The example's own: `pipeline.json` or `spout.yaml`."""
        [path] = [path for name in ["pipeline.json", "spout.yaml"] if os.path.exists(path := os.path.join(folder, name))]
        with open(path, encoding="utf-8") as file:
            return yaml.safe_load(file)

    def spile(self, *arguments, given=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PACH")}
        environment |= {"PACHD_ADDRESS": self.server.address, "PACH_CONFIG": str(self.folder / "config.json")}
        return subprocess.run(
            [SPILE, *arguments], input=given, env=environment, capture_output=True, text=True, timeout=60
        )

    # What disturbs it

    def kill_spout(self):
        """SIGKILL to the program, if it runs at this moment."""
        for pid in self.spouts():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def spouts(self) -> list[int]:
        """The program's process; in a container not the init program before it."""
        found = []
        for pid in processes(self.program, f"PEER_PORT={self.server.port}"):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"python" in os.path.basename(file.read().split(b"\0")[0]):
                        found.append(pid)
            except OSError:
                pass
        return found

    def kill_server(self):
        self.server.kill()
        self.server.start()

    def kill_within_commit(self, send):
        """SIGKILL to both, with the spout's write sent and not carried out: nothing of it may count as read.

        `send()` gives the source something new. The server is stopped before: it does not get to read the write.
        """
        self.server.process.send_signal(signal.SIGSTOP)
        send()
        until(lambda: self.unread_bytes() > 0, SECONDS, "the spout writes")
        self.kill_spout()
        until(lambda: not self.spouts(), SECONDS, "the spout is gone")
        self.kill_server()

    def unread_bytes(self) -> int:
        """What the server's connections have received and the server has not read."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        connected = "01"
        return sum(
            int(row[4].split(":")[1], 16) for row in rows
            if row[3] == connected and int(row[1].split(":")[1], 16) == self.server.port
        )

    def stop_and_start(self):
        """An orderly end. It also clears the count of failures: the pause after each gets longer, up to a minute."""
        for command in ["stop", "start"]:
            done = self.spile(command, "pipeline", self.pipeline)
            assert done.returncode == 0, done.stderr

    # What landed

    def branch(self) -> pfs.Commit:
        return pfs.Commit.from_uri(f"{self.pipeline}@master")

    def commits(self) -> int:
        """Commits of the program; empty ones, which stop and start make, do not count."""
        client = Client(host=self.server.host, port=self.server.port)
        infos = client.pfs.list_commit(repo=self.branch().repo, to=self.branch())
        return sum(1 for info in infos if info.metadata)

    def files(self) -> dict[str, bytes]:
        """All files of the head, in the order of their paths."""
        client = Client(host=self.server.host, port=self.server.port)
        try:
            messages = client.pfs.get_file_tar(file=pfs.File(commit=self.branch(), path="/"))
            content = io.BytesIO(b"".join(message.value for message in messages))
        except grpc.RpcError as error:
            # Before the first commit there is nothing.
            assert "not found" in error.details() or "no head" in error.details(), error.details()
            return {}
        with tarfile.open(fileobj=content) as tar:
            found = {"/" + one.name.strip("/"): tar.extractfile(one).read() for one in tar if one.isfile()}
        return dict(sorted(found.items()))

    @staticmethod
    def objects(data: bytes) -> list[dict]:
        return [json.loads(line) for line in data.splitlines()]

    def until_landed(self, condition, what: str):
        try:
            until(condition, SECONDS, what)
        except BaseException:
            print(self.spile("inspect", "pipeline", self.pipeline).stdout)
            print(self.spile("logs", "--pipeline", self.pipeline).stdout[-4000:])
            print(self.server.log_text()[-2000:])
            raise

    # The test

    def prove(self, send, read, disturb: list, rounds: int = ROUNDS):
        """Rounds of messages with a disturbance in the middle of each; then sent and landed are compared.

        `send(lane, number)` returns when the source has the message; `read()` gives what landed, as {lane: [numbers]}
        in order of arrival. Lanes (partitions, queues) are 0 and 1; numbers count up in each.
        """
        sent = {0: [], 1: []}

        def send_some(count):
            for _ in range(count):
                lane = self.random.randrange(2)
                number = len(sent[lane])
                send(lane, number)
                sent[lane].append(number)

        def total() -> int:
            return sum(map(len, read().values()))

        seen = 0
        for number in range(rounds):
            action = disturb[number % len(disturb)]
            if number and number % 3 == 0:
                self.stop_and_start()
            before = self.random.randint(1, MESSAGES)
            send_some(before)
            # In the middle of the reading, not before: some of this round has landed, and more is on its way.
            wanted = self.random.randint(0, before - 1)
            self.until_landed(lambda: total() > seen + wanted, f"message {seen + wanted + 1} has landed")
            send_some(MESSAGES - before)
            action()
            seen += MESSAGES
            print(f"round {number + 1}: {action.__name__} with {total()} of {seen} landed", file=sys.stderr)
        # What a launch would double, or bring late, comes before what is sent after it.
        self.until_landed(lambda: total() >= seen, "everything has landed")

        def send_one_each():
            for lane in sent:
                send(lane, len(sent[lane]))
                sent[lane].append(len(sent[lane]))

        self.kill_within_commit(send_one_each)
        self.until_landed(lambda: total() >= seen + len(sent), "what was killed on its way has landed")
        self.kill_spout()
        send_one_each()
        self.until_landed(lambda: all(read().get(lane, [None])[-1] == sent[lane][-1] for lane in sent), "the last ones")
        landed = read()
        for lane in sent:
            surplus = Counter(landed[lane]) - Counter(sent[lane])
            assert not surplus and not Counter(sent[lane]) - Counter(landed[lane]), f"doubled: {surplus}"
            assert landed[lane] == sent[lane], "the order differs"
