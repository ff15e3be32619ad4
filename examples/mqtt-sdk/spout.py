#!/usr/bin/env python3
"""Writes every message of an MQTT topic into this spout's output repo: one file per message, one commit per batch.

The same promise as ../mqtt, with `pachyderm-sdk` in place of `pachctl`: no message is lost, none is stored twice.

* A batch is one ModifyFile call, so it becomes one commit, whole or not at all. The call returns once it is on disk;
  only then are its messages acknowledged, one by one (paho-mqtt's manual acknowledgements).
* One thread does everything in turn: read what waits, write it, acknowledge it. The connection cannot be renewed
  between the last two, so an acknowledgement never names a message of another connection.
* A lost connection ends the program, and the server starts it again.
"""

import hashlib
import json
import os
import sys
from urllib.parse import quote

import paho.mqtt.client as mqtt
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

HOST = os.environ["MQTT_HOST"]
PORT = int(os.environ.get("MQTT_PORT", "1883"))
TOPIC = os.environ["MQTT_TOPIC"]
# Messages in a commit, at most. The broker has its own limit of messages sent and not yet acknowledged
# (mosquitto: max_inflight_messages, 20 unless set), and a batch never gets larger than that.
BATCH = int(os.environ.get("BATCH", "100"))
# How long a message waits for others to come along, in seconds.
LINGER = 0.05

# Set by the server for every spout.
PROJECT = os.environ["PPS_PROJECT_NAME"]
PIPELINE = os.environ["PPS_PIPELINE_NAME"]


def path_of(topic: str, payload: bytes) -> str:
    """/<topic>/<seq>.json, where seq is the number that the publisher gave the message.

    A message without one is named after its content: that too gives the same path each time it is delivered.
    """
    try:
        number = json.loads(payload)["seq"]
    except (ValueError, KeyError, TypeError, RecursionError):
        number = None
    is_number = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    name = f"{number:012d}.json" if is_number else hashlib.sha256(payload).hexdigest()
    return "/" + "/".join([*map(path_element, topic.split("/")), name])


def path_element(level: str) -> str:
    """A topic may hold what a path may not: such characters are written as %XX, and an empty level as %."""
    return {"": "%", ".": "%2E", "..": "%2E%2E"}.get(level, quote(level, safe=""))


def write(pachyderm: Client, branch: pfs.Branch, messages: list) -> None:
    """Makes one commit that holds every message of the batch."""

    def requests():
        yield pfs.ModifyFileRequest(set_commit=pfs.Commit(branch=branch, repo=branch.repo))
        for message in messages:
            path = path_of(message.topic, message.payload)
            yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=message.payload))

    pachyderm.pfs.modify_file(requests())


def main():
    pachyderm = Client.new_in_cluster()
    branch = pfs.Branch.from_uri(f"{PROJECT}/{PIPELINE}@master")
    waiting = []

    def on_connect(client, userdata, flags, reason, properties):
        if reason != 0:
            sys.exit(f"the broker at {HOST}:{PORT} refused the connection: {reason}")
        client.subscribe(TOPIC, qos=1)

    broker = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        # The name of the session: the broker finds it again by this, and ends an older connection of the same name.
        client_id=f"spile-{PROJECT}-{PIPELINE}",
        clean_session=False,
        manual_ack=True,
    )
    broker.on_connect = on_connect
    broker.on_subscribe = lambda *_: print(f"subscribed to {TOPIC} at {HOST}:{PORT}", flush=True)
    broker.on_message = lambda client, userdata, message: waiting.append(message)
    broker.connect(HOST, PORT, keepalive=60)

    def read(seconds: float) -> bool:
        """Serves the connection once; tells whether a message came."""
        before = len(waiting)
        status = broker.loop(timeout=seconds)
        if status != mqtt.MQTT_ERR_SUCCESS:
            sys.exit(f"lost the broker at {HOST}:{PORT}: {mqtt.error_string(status)}")
        return len(waiting) > before

    while True:
        # Not every packet is a message: go on until there is one.
        while not waiting:
            read(1)
        while len(waiting) < BATCH and read(LINGER):
            pass
        write(pachyderm, branch, waiting)
        for message in waiting:
            broker.ack(message.mid, message.qos)
        waiting.clear()


if __name__ == "__main__":
    main()
