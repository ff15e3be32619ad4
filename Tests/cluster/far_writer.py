"""The work of a launch on another host: far_writer.py NAME ORDER LOG ADDRESS...

It counts on from the order's position: a line with its name for each commit, with the position behind it and a key, at
whichever server answers. The log has a line of JSON for each write: {"number", "outcome"}; a refusal ends it.
"""

import json
import random
import sys
import threading

import grpc
from pachyderm_sdk.api import pfs

from calls import Fleet

PAUSE = 0.1
SECONDS = 3.0
PATIENCE = 300.0


def main(name: str, order_path: str, log_path: str, addresses: list[str]) -> None:
    with open(order_path, encoding="ascii") as file:
        order = json.load(file)
    fleet = Fleet(addresses, 0, SECONDS, PATIENCE, random.Random(name), order["token"])
    branch = pfs.Commit.from_uri(f"{order['repo']}@master")
    number, pause = order["position"], threading.Event()
    with open(log_path, "w", encoding="ascii", buffering=1) as log:
        outcome = "begun"
        while outcome in ("begun", "done"):
            outcome = write(fleet, branch, name, number)
            log.write(json.dumps({"number": number, "outcome": outcome}) + "\n")
            number += 1
            pause.wait(PAUSE)


def write(fleet: Fleet, branch: pfs.Commit, name: str, number: int) -> str:
    """`done`, or the code and the text of the refusal."""
    headers = {"commit_metadata": f"next={number + 1}", "idempotency_key": str(number)}
    try:
        fleet.go(lambda calls: calls.put(branch, "/log", f"{number} {name}\n".encode(), **headers))
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    return "done"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
