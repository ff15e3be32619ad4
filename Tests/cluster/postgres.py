"""A PostgreSQL server of the tests' own on a free port, in a folder of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from processes import free_port, until

PROGRAMS = "/usr/lib/postgresql"
SECONDS = 60
DATABASE = "spile"
USER = "tests"


class Postgres:
    """It syncs what it commits, so that it may be killed at any moment."""

    def __init__(self, log: str, host: str = "127.0.0.1"):
        self.log = log
        self.host = host
        self.port = free_port()
        self.prefix = as_postgres()
        self.process: subprocess.Popen | None = None
        # Not below the test's folder, into which the user `postgres` could not get.
        self.folder = folder = tempfile.mkdtemp(prefix="spile-postgres-")
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", f"{folder}/data", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-U", USER)
        with open(f"{folder}/data/pg_hba.conf", "a", encoding="ascii") as file:
            file.write("host all all 0.0.0.0/0 trust\n")

    def url(self, port: int | None = None) -> str:
        """The address of the database as `--catalog` takes it, behind a station on another port if one is named."""
        return f"postgres://{USER}@{self.host}:{port or self.port}/{DATABASE}"

    def start(self) -> "Postgres":
        command = [
            *self.prefix, program("postgres"), "-D", f"{self.folder}/data", "-k", self.folder, "-p", str(self.port),
            "-c", f"listen_addresses={self.host}", "-c", "max_connections=300",
        ]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        until(self._is_ready, SECONDS, f"PostgreSQL is ready ({self.log})")
        return self

    def create_database(self) -> None:
        where = ["-h", self.folder, "-p", str(self.port), "-U", USER]
        self._run("createdb", *where, "-E", "UTF8", "-T", "template0", DATABASE)

    def kill(self) -> None:
        """Ends at once, without putting anything in order: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """An end for good, which does not wait for clients; its folder is removed."""
        self._end(signal.SIGINT)
        shutil.rmtree(self.folder)

    def _end(self, sign: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(sign)
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"PostgreSQL did not end on {sign.name}; see {self.log}") from None

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with status {self.process.returncode}; see {self.log}")
        command = [*self.prefix, program("pg_isready"), "-q", "-h", self.folder, "-p", str(self.port), "-U", USER]
        return subprocess.run(command, check=False, cwd=self.folder).returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self.prefix, program(name), *arguments], capture_output=True, text=True, cwd=self.folder, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{name} ended with status {done.returncode}: {done.stdout}{done.stderr}")


def program(name: str) -> str:
    """The program of the newest PostgreSQL that is installed."""
    versions = [int(entry) for entry in os.listdir(PROGRAMS) if entry.isdigit()] if os.path.isdir(PROGRAMS) else []
    if not versions:
        raise RuntimeError(f"there is no PostgreSQL below {PROGRAMS}: run Scripts/setup.sh test")
    return f"{PROGRAMS}/{max(versions)}/bin/{name}"


def as_postgres() -> list[str]:
    """What runs a command as the user that PostgreSQL, which refuses root, was installed with."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
