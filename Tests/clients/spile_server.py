"""A server of its own for the client tests: started on a free port with an empty data folder, ended by process id.

Standard library only: the tests of both Python clients share it, and they live in different environments.
"""

import os
import queue
import re
import signal
import subprocess
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The binary under test. SPILE_BIN names another one, such as a debug build.
SPILE = os.path.abspath(os.environ.get("SPILE_BIN") or os.path.join(ROOT, "bin/spile"))

START_SECONDS = 60
STOP_SECONDS = 60


class Server:
    """`spile server`. `data` outlives a stop, so that a test can start it again on the same folder."""

    def __init__(
        self, data: str, log: str, options: tuple = (), environment: dict | None = None, host: str = "127.0.0.1",
        prefix: tuple = (),
    ):
        """`prefix` is a command that runs the server's, such as one that enters a network namespace."""
        self.prefix = prefix
        self.options = options
        self.environment = environment or {}
        self.data = data
        self.log = log
        self.process: subprocess.Popen | None = None
        self.host = host
        self.port = 0
        self.http = f"{self.host}:0"
        self.http_port = 0

    @property
    def address(self) -> str:
        return f"grpc://{self.host}:{self.port}"

    def start(self) -> "Server":
        # Of whoever runs the tests it has neither the contexts nor the keys, nor what tells a server something.
        theirs = ("PACH", "AWS_", "SPILE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        environment.update(self.environment)
        # Always the same port: what a spout was told of the server still holds after a restart.
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [
                    *self.prefix, SPILE, "server", "--data", self.data, "--listen", f"{self.host}:{self.port}",
                    "--http", self.http, *self.options,
                ],
                env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, lines), daemon=True).start()
        try:
            line = lines.get(timeout=START_SECONDS)
        except queue.Empty:
            line = None
        ready = re.search(r"ready on \S+:(\d+)", line or "")
        if not ready:
            self.kill()
            raise RuntimeError(f"the server did not start; it printed {line!r}, and its log says:\n{self.log_text()}")
        self.port = int(ready[1])
        http = re.search(r"plain HTTP on port (\d+)", line)
        self.http_port = int(http[1]) if http else 0
        return self

    @staticmethod
    def _read(stream, lines: queue.Queue) -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    def stop(self) -> int:
        """SIGTERM; returns the status that the server ended with."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the server did not stop within {STOP_SECONDS} seconds") from None

    def kill(self) -> None:
        """SIGKILL: nothing gets a chance to be put in order."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def log_text(self) -> str:
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()
