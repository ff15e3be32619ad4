"""Several servers on one catalog and one store, each with stations of its own on the way to both."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import threading

from hosts import HUB, Host
from postgres import Postgres
from processes import TimeIsUp, processes, until
from proxy import Loop, Mode, Station
from s3_server import S3
from spile_server import SPILE, Server

HERE = os.path.dirname(os.path.abspath(__file__))
# What spouts run.
COUNTING = os.path.join(HERE, "spout.py")
FAR = os.path.join(HERE, "far_spout.py")
RESTART_SECONDS = 60
CALL_SECONDS = 60
# Of a log, in a message.
LOG_BYTES = 2000


@dataclasses.dataclass
class Member:
    """One server, and its ways to the database and to the store."""

    number: int
    server: Server
    to_catalog: Station | None
    to_store: Station | None
    is_wanted: bool = False
    """Whether it is to run. Guarded by the lock, as are starts and ends: a keeper looks from another thread."""

    lock: threading.RLock = dataclasses.field(default_factory=threading.RLock)

    @property
    def name(self) -> str:
        return f"server {self.number}"

    @property
    def address(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    @property
    def is_up(self) -> bool:
        return self.server.process is not None and self.server.process.poll() is None

    @property
    def stations(self) -> list[Station]:
        return [station for station in [self.to_catalog, self.to_store] if station]

    def pause(self) -> None:
        self.server.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.server.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        with self.lock:
            self.is_wanted = False
            self.server.kill()

    def stop(self) -> None:
        """An orderly end; anything else is an error. One that has ended by itself is left as it is."""
        with self.lock:
            self.is_wanted = False
            if not self.is_up:
                return
            status = self.server.stop()
        if status != 0:
            raise RuntimeError(f"{self.name} was told to stop and ended with status {status}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, and where that is."""
        return f"{self.server.log}: {self.server.log_text()[-LOG_BYTES:].strip()}"

    def start(self) -> None:
        """Starts it as whatever watches over it would: again and again until it is ready.

        A server that cannot reach its database when it starts says so and ends.
        """

        self.start_error: RuntimeError | None = None

        def started() -> bool:
            try:
                self.server.start()
            except RuntimeError as error:
                self.start_error = error
                return False
            return True

        with self.lock:
            try:
                until(started, RESTART_SECONDS, f"{self.name} is up")
            except TimeIsUp as error:
                raise RuntimeError(f"{error}: {str(self.start_error)[-LOG_BYTES:]}") from None
            self.is_wanted = True


class Company:
    """All of it, in a folder of its own. `store` is "s3", or "local" for one server alone.

    `direct` leaves the stations out: they cost time where it is measured. With `hosts` each server is on one of them,
    and database and store are at their hub; there are no stations then, their links do what is to be done.
    """

    def __init__(
        self, folder: str, count: int, store: str = "s3", options: tuple[str, ...] = (), direct: bool = False,
        hosts: list[Host] | None = None,
    ):
        if store == "local" and count > 1:
            raise ValueError("several servers need a store that they share: CLUSTER_STORE=s3")
        self.folder = folder
        self.hosts = hosts
        self.direct = direct or hosts is not None
        here = HUB if hosts else "127.0.0.1"
        # What is undone in the end, newest first.
        self.undo = contextlib.ExitStack()
        self.undo.callback(self._end_spouts)
        try:
            self.loop = Loop()
            self.undo.callback(self.loop.close)
            self.postgres = Postgres(f"{folder}/postgres.log", here)
            self.undo.callback(self.postgres.stop)
            self.postgres.start()
            self.postgres.create_database()
            self.s3 = S3(f"{folder}/s3.log", here) if store == "s3" else None
            if self.s3:
                self.undo.callback(self.s3.stop)
            self.members = [self._member(number, options) for number in range(count)]
            for member in self.members:
                member.start()
                self.undo.callback(self._end, member)
        except BaseException:
            self.undo.close()
            raise

    def _member(self, number: int, options: tuple[str, ...]) -> Member:
        to_catalog = None if self.direct else self._station(self.postgres.port)
        to_store = self._station(self.s3.port) if self.s3 and not self.direct else None
        words = ["--catalog", self.postgres.url(to_catalog and to_catalog.port), *options]
        environment = {}
        if self.s3:
            words += ["--store", self.s3.url("cluster")]
            environment = self.s3.environment(to_store and to_store.port)
        place = (self.hosts[number].address, self.hosts[number].prefix) if self.hosts else ("127.0.0.1", ())
        files = (f"{self.folder}/data{number}", f"{self.folder}/server{number}.log")
        server = Server(*files, tuple(words), environment, *place)
        return Member(number, server, to_catalog, to_store)

    def _station(self, port: int) -> Station:
        station = Station(self.loop, port)
        self.undo.callback(station.close)
        return station

    @staticmethod
    def _end(member: Member) -> None:
        """What a test that failed has left: its servers may be paused or gone."""
        if member.is_up:
            member.go_on()
            member.kill()

    def _end_spouts(self) -> None:
        """Code whose server was killed and not started again."""
        for pid in [pid for program in [COUNTING, FAR] for pid in processes(program, self.folder)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def addresses(self) -> list[str]:
        return [member.address for member in self.members]

    def calm(self) -> None:
        """Ends whatever the stations do."""
        for member in self.members:
            for station in member.stations:
                station.set(Mode.PASS)

    def stop(self) -> None:
        """An orderly end of all servers; one that ends with an error is an error."""
        for member in self.members:
            if not member.is_up:
                raise RuntimeError(f"{member.name} ended by itself: {member.last_words()}")
            member.stop()

    def close(self) -> None:
        self.undo.close()

    def spile(
        self, member: Member, *arguments: str, given: str | None = None, seconds: float = CALL_SECONDS,
    ) -> subprocess.CompletedProcess:
        """A client command of `spile`, to one of the servers."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PACH")}
        environment |= {"PACHD_ADDRESS": f"grpc://{member.address}", "PACH_CONFIG": f"{self.folder}/config.json"}
        return subprocess.run(
            [SPILE, *arguments], input=given, env=environment, capture_output=True, text=True, timeout=seconds,
            check=False,
        )
