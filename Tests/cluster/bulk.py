"""A process that writes large files to one server: bulk.py ADDRESS NUMBER FILES FLIGHT BYTES.

It prints `ready`, begins when a line comes in, and prints JSON at the end: {"began", "ended"} by the monotonic clock.
"""

import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from pachyderm_sdk.api import pfs

from calls import Calls

REPO = "bulk"
SECONDS = 600
# No chunk is as short as this, so that each has a stamp in it and none is known.
STAMP_EVERY = 1 << 16


class Source:
    """Files that cannot be compressed, and of which no part is the same as a part of another."""

    def __init__(self, number: int, size: int):
        self.base = random.Random(number).randbytes(size)
        self.number = number

    def file(self, index: int) -> bytes:
        data = bytearray(self.base)
        stamps = random.Random(f"{self.number} {index}")
        for place in range(0, len(data) - 16, STAMP_EVERY):
            data[place : place + 16] = stamps.randbytes(16)
        return bytes(data)


def main(address: str, number: int, files: int, flight: int, size: int) -> None:
    source = Source(number, size)
    clients = [Calls(address, SECONDS) for _ in range(flight)]
    for calls in clients:
        grpc.channel_ready_future(calls.channel).result(60)

    def put(slot: int) -> None:
        """Every so-many-th file, one after the other, on a branch of its own."""
        branch = pfs.Commit.from_uri(f"{REPO}@w{number}-{slot}")
        for index in range(slot, files, flight):
            clients[slot].put(branch, f"/{index}", source.file(index))

    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    with ThreadPoolExecutor(flight) as pool:
        for _ in pool.map(put, range(flight)):
            pass
    ended = time.monotonic()
    for calls in clients:
        calls.close()
    print(json.dumps({"began": began, "ended": ended}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
