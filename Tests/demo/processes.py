"""Helper processes of the demo: each is started in a session of its own, watched, and ended by its process id."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable


class DemoError(Exception):
    """Something that ends the demo, in words for the person who runs it."""


class TimeIsUp(DemoError):
    """What was waited for did not happen."""


class Stopped(DemoError):
    """The person who runs the demo wants it to end at once."""


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits for a condition that nobody reports, by looking again and again; raises when the time is up."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeIsUp(f"{what}: not within {seconds:g} seconds")
        pause.wait(0.05)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def processes(word: str, variable_part: str) -> list[int]:
    """Ids of the processes with this word on their command line and this text somewhere in their environment."""
    result = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if word.encode() not in words:
                continue
            with open(f"/proc/{entry}/environ", "rb") as file:
                if variable_part.encode() in file.read():
                    result.append(int(entry))
        except OSError:
            # It has ended meanwhile, or is not ours to look at.
            continue
    return result


class Helper:
    """A helper process. What it prints goes to a log file, and to `on_line` if there is one."""

    def __init__(self, name: str, command: list[str], log: str, env: dict[str, str] | None = None,
                 on_line: Callable[[str], None] | None = None):
        self.name = name
        self.log = log
        self.on_line = on_line
        try:
            # A session of its own: Ctrl-C at the terminal reaches the demo alone, which then ends its helpers in order.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise DemoError(f"cannot start the {name}, {command[0]}: {error.strerror}") from None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        with open(self.log, "ab") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                if self.on_line:
                    self.on_line(line.decode(errors="replace").rstrip("\n"))

    @property
    def pid(self) -> int:
        return self.process.pid

    def must_run(self) -> None:
        status = self.process.poll()
        if status is not None:
            self.reader.join(1)
            with open(self.log, encoding="utf-8", errors="replace") as log:
                last = log.read().splitlines()[-5:]
            lines = [f"the {self.name} ended with status {status}; the last lines of {self.log}:", *last]
            raise DemoError("\n  ".join(lines))

    def stop(self, seconds: float) -> str | None:
        """SIGTERM, and SIGKILL when the time is up. Returns what was wrong, if anything was."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"the {self.name} did not end within {seconds:g} seconds and was killed"
        self.reader.join(1)
        return f"the {self.name} ended with status {status}, see {self.log}" if status else None
