#!/usr/bin/env python3
"""Appends the entries of Redis streams to files: one JSON line per entry, one file per stream and hour.

Every commit holds the id of the last entry of each stream in its metadata, and reading goes on behind it. So nothing is
lost and nothing doubled wherever this program, the server or the connection ends. Any error ends the program: the
server starts it again.

XREAD leaves no trace in Redis. XREADGROUP would: entries that were handed out, but lost on the way, are not handed out
again by `>`. The group is here to tell others how far this spout is (XINFO GROUPS), after the commit is durable.
"""

import json
import os
import time
from urllib.parse import quote

import redis

from spile_spout import Output

HOST = os.environ["REDIS_HOST"]
PORT = int(os.environ.get("REDIS_PORT", "6379"))
STREAMS = os.environ["REDIS_STREAMS"].split(",")
# Entries of each stream in a commit, at most.
BATCH = int(os.environ.get("BATCH", "500"))
GROUP = f"spile-{os.environ['PPS_PROJECT_NAME']}-{os.environ['PPS_PIPELINE_NAME']}"
# How long one call waits for entries, in milliseconds.
WAIT = 5000


def text(data: bytes) -> str:
    """Bytes that are not UTF-8 become lone surrogates, which `encode("utf-8", "surrogateescape")` turns back."""
    return data.decode("utf-8", "surrogateescape")


def path_of(stream: str, entry: str) -> str:
    """The hour is that of the entry's id, so an entry has one path only."""
    hour = time.strftime("%Y-%m-%dT%H", time.gmtime(int(entry.split("-")[0]) / 1000))
    return f"/{quote(stream, safe='')}/{hour}.jsonl"


def line_of(entry: str, fields: dict[bytes, bytes]) -> bytes:
    values = {text(name): text(value) for name, value in fields.items()}
    return json.dumps({"id": entry, "fields": values}).encode() + b"\n"


def make_groups(broker: redis.Redis, last: dict[str, str]) -> None:
    for stream in STREAMS:
        try:
            broker.xgroup_create(stream, GROUP, id=last[stream], mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def main():
    output = Output()
    last = {stream: output.position.get(stream, "0-0") for stream in STREAMS}
    broker = redis.Redis(HOST, PORT, socket_timeout=WAIT / 1000 + 10)
    make_groups(broker, last)
    while True:
        files: dict[str, list[bytes]] = {}
        read = broker.xread(last, count=BATCH, block=WAIT)
        for name, entries in read:
            stream = text(name)
            for entry, fields in entries:
                number = text(entry)
                files.setdefault(path_of(stream, number), []).append(line_of(number, fields))
                last[stream] = number
        if not files:
            continue
        # The position behind a batch names it: no other batch ends there.
        output.write(files, last, key=" ".join(last[stream] for stream in STREAMS))
        for name, _ in read:
            broker.xgroup_setid(text(name), GROUP, last[text(name)])


if __name__ == "__main__":
    main()
