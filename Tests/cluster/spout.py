"""A spout that counts: a line with the next number for each commit, which also says the position behind it.

It tries again what a server could not do, with a key; any other error ends it, and the next launch reads the position.
"""

import json
import os
import sys
import threading

import grpc
from pachyderm_sdk.api import pfs

from calls import AGAIN, Calls

PAUSE = 0.2
# So long one line is tried: a launch whose server is gone for good must not stay.
TRIES = 300


def main() -> None:
    address = f"{os.environ['PACHD_SERVICE_HOST']}:{os.environ['PACHD_SERVICE_PORT']}"
    calls = Calls(address, 10, os.environ["PACH_PYTHON_AUTH_TOKEN"])
    branch = pfs.Commit.from_uri(os.environ["PPS_PIPELINE_NAME"] + "@master")
    with open(os.environ["SPILE_RESUME_FILE"], encoding="utf-8") as file:
        number = int(json.load(file)["metadata"].get("next", 0))
    pause = threading.Event()
    while True:
        write(calls, branch, number, pause)
        number += 1
        pause.wait(PAUSE)


def write(calls: Calls, branch: pfs.Commit, number: int, pause: threading.Event) -> None:
    headers = {"commit_metadata": f"next={number + 1}", "idempotency_key": str(number)}
    for _ in range(TRIES):
        try:
            calls.put(branch, "/log", b"%d\n" % number, **headers)
            return
        except grpc.RpcError as error:
            print(f"{number}: {error.code().name}: {error.details()}", flush=True)
            if error.code() not in AGAIN:
                sys.exit(1)
        pause.wait(PAUSE)
    sys.exit(f"line {number} was not taken")


if __name__ == "__main__":
    main()
