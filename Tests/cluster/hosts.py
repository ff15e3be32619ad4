"""Hosts that are network namespaces, each with a link to the hub: the namespace that the test itself runs in.

All addresses are of 10.99.0.0/16. Nothing of this machine's own network changes: `make_hub` sees to it that the test is
in a namespace of its own. Everything is gone when the processes that hold it are.
"""

import dataclasses
import json
import os
import subprocess
import sys

from link import Quality

HERE = os.path.dirname(os.path.abspath(__file__))
HUB = "10.99.0.1"


def missing() -> str:
    """Why there can be no hosts here; nothing if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return ""


def make_hub() -> None:
    """Makes a hub of the namespace that this process is in."""
    with open("/proc/self/net/route", encoding="ascii") as file:
        routes = file.readlines()[1:]
    # A new namespace leads nowhere.
    if routes:
        raise RuntimeError("not in a network namespace of its own: run it by Scripts/cluster.sh network")
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "replace", f"{HUB}/32", "dev", "lo")
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
        file.write("1")


class Host:
    def __init__(self, number: int):
        self.number = number
        self.address = f"10.99.{number}.2"
        # What holds the namespace: it ends with its input.
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.link: subprocess.Popen | None = None
        try:
            self._expect(self.holder, "ready")
            self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def prefix(self) -> tuple[str, ...]:
        """The command that runs another one on this host."""
        return ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--")

    def set(self, quality: Quality) -> None:
        self.link.stdin.write(json.dumps(dataclasses.asdict(quality)) + "\n")
        self.link.stdin.flush()
        self._expect(self.link, "done")

    def close(self) -> None:
        for process in [self.link, self.holder]:
            if process:
                process.kill()
                process.communicate()

    def _connect(self) -> None:
        near, far = f"to-{self.number}", "uplink"
        self.link = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "link.py"), near, far, str(self.holder.pid)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        self._expect(self.link, "ready")
        hub = f"10.99.{self.number}.1"
        run("ip", "address", "add", hub, "peer", self.address, "dev", near)
        run("ip", "link", "set", near, "up")
        run(*self.prefix, "ip", "link", "set", "lo", "up")
        run(*self.prefix, "ip", "address", "add", self.address, "peer", hub, "dev", far)
        run(*self.prefix, "ip", "link", "set", far, "up")
        run(*self.prefix, "ip", "route", "add", "default", "via", hub)

    @staticmethod
    def _expect(process: subprocess.Popen, word: str) -> None:
        line = process.stdout.readline()
        if line != word + "\n":
            raise RuntimeError(f"{process.args} said {line!r} instead of {word!r}")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
