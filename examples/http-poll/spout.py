#!/usr/bin/env python3
"""Polls an HTTP API and appends what is new to a file: one JSON line per item.

The API answers with a list of items, oldest first, each with an `id`; and with an ETag, by which the next question
costs next to nothing while the list is the same. Every commit holds the id of its last item and the ETag in its metadata, and
reading goes on behind them. So nothing is lost and nothing doubled wherever this program, the server or the connection
ends. Any error ends the program: the server starts it again.
"""

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request

from spile_spout import Output

URL = os.environ["POLL_URL"]
# Seconds between two questions.
INTERVAL = float(os.environ.get("POLL_INTERVAL", "60"))
# Items in a commit, at most.
BATCH = int(os.environ.get("BATCH", "500"))


def ask(etag: str) -> tuple[list | None, str]:
    """The list and its ETag; no list if it is still the one of this ETag."""
    request = urllib.request.Request(URL, headers={"If-None-Match": etag} if etag else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer), answer.headers.get("ETag", "")
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return None, etag
        raise


def news(items: list, last: str | None) -> list:
    """What is behind the position."""
    if last is None:
        return items
    ids = [str(item["id"]) for item in items]
    if last not in ids:
        sys.exit(f"item {last} is not in the list any more: items behind it may have gone with it; poll more often")
    return items[ids.index(last) + 1:]


def main():
    output = Output()
    last, etag = output.position.get("last"), output.position.get("etag", "")
    while True:
        items, seen = ask(etag)
        fresh = news(items, last) if items is not None else []
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start:start + BATCH]
            last = str(batch[-1]["id"])
            # The ETag stands for the whole list: only the commit that ends it may say that it is known.
            whole = start + BATCH >= len(fresh)
            lines = [json.dumps(item).encode() + b"\n" for item in batch]
            # Hashed, as a key is printable ASCII and an id need not be.
            key = hashlib.sha256(last.encode()).hexdigest()
            output.write({"/items.jsonl": lines}, {"last": last, "etag": seen if whole else ""}, key)
        etag = seen
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main()
