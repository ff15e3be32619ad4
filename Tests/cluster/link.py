"""A link between two network namespaces, which loses, delays and cuts: link.py NEAR FAR PID.

It makes an interface NEAR in its own namespace and FAR in that of the process, and carries packets between them. It
prints `ready`, takes a line of JSON ({"loss", "delay", "jitter", "cut"}) at a time, and answers `done`. It ends with
its input.

The packets go through this program, because the kernels of test machines often come without a queue that does it.
"""

import asyncio
import ctypes
import dataclasses
import fcntl
import json
import os
import random
import struct
import sys

TUNSETIFF = 0x400454CA
TUN_WITHOUT_HEADER = 0x1001
CLONE_NEWNET = 0x40000000
LONGEST = 1 << 16


@dataclasses.dataclass(frozen=True)
class Quality:
    loss: float = 0.0
    """Of all packets, 0 to 1, each way."""

    delay: float = 0.0
    """Seconds, each way."""

    jitter: float = 0.0
    """Seconds by which it is more or less. Packets stay in order."""

    cut: bool = False


class Way:
    """One direction."""

    def __init__(self, link: "Link", source: int, target: int):
        self.link = link
        self.source = source
        self.target = target
        self.last_due = 0.0

    def read(self) -> None:
        packet = os.read(self.source, LONGEST)
        quality, loop = self.link.quality, asyncio.get_running_loop()
        if quality.cut or random.random() < quality.loss:
            return
        late = quality.delay + random.uniform(-quality.jitter, quality.jitter)
        self.last_due = max(self.last_due, loop.time() + max(0.0, late))
        loop.call_at(self.last_due, self.write, packet)

    def write(self, packet: bytes) -> None:
        # What was on its way when the link was cut is lost.
        if self.link.quality.cut:
            return
        try:
            os.write(self.target, packet)
        except OSError:
            # The interface is down or its queue is full: networks lose packets.
            pass


class Link:
    def __init__(self, near: int, far: int):
        self.quality = Quality()
        self.ends = (near, far)

    async def carry(self) -> None:
        loop = asyncio.get_running_loop()
        near, far = self.ends
        for way in [Way(self, near, far), Way(self, far, near)]:
            loop.add_reader(way.source, way.read)
        print("ready", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            self.quality = Quality(**json.loads(line))
            print("done", flush=True)


def interface(name: str) -> int:
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), TUN_WITHOUT_HEADER))
    return file


def enter(pid: int) -> None:
    """Goes to the namespace of another process. What was opened before stays where it was."""
    with open(f"/proc/{pid}/ns/net", "rb") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace of process {pid}")


def main(near_name: str, far_name: str, pid: int) -> None:
    near = interface(near_name)
    enter(pid)
    asyncio.run(Link(near, interface(far_name)).carry())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
