#!/usr/bin/env python3
"""Writes every message of an MQTT topic into this spout's output repo: one file and one commit per message.

No message is lost, and none is stored twice:

* The session at the broker is persistent: while this program is away, the broker keeps what arrives (QoS 1).
* A message is acknowledged when `on_message` returns, and `pachctl put file` returns only once the commit is on disk.
  If this program dies in between, the broker sends the message again.
* The path of the file comes from the message's own id, so a message that comes again overwrites itself.

Any error ends the program, and the server starts it again. Nothing has to be saved here: the broker knows what was
acknowledged, and what was not comes again.

Needs paho-mqtt (Debian: python3-paho-mqtt) and `pachctl`, which the server puts on the path of every spout.
"""

import hashlib
import json
import os
import subprocess
import sys
from urllib.parse import quote

import paho.mqtt.client as mqtt

HOST = os.environ["MQTT_HOST"]
PORT = int(os.environ.get("MQTT_PORT", "1883"))
TOPIC = os.environ["MQTT_TOPIC"]

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


def on_connect(client, userdata, flags, reason, properties=None):
    if reason != 0:
        sys.exit(f"the broker at {HOST}:{PORT} refused the connection: {reason}")
    client.subscribe(TOPIC, qos=1)


def on_subscribe(client, userdata, message_id, granted, properties=None):
    print(f"subscribed to {TOPIC} at {HOST}:{PORT}", flush=True)


def on_message(client, userdata, message):
    target = f"{PIPELINE}@master:{path_of(message.topic, message.payload)}"
    subprocess.run(
        ["pachctl", "put", "file", target, "-f", "-", "--project", PROJECT], input=message.payload, check=True
    )


def main():
    # paho-mqtt 2 wants to be told which kind of callbacks it gets; 1.6 does not know the question.
    version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
    # The name of the session: the broker finds it again by this, and ends an older connection of the same name.
    client = mqtt.Client(*version, client_id=f"spile-{PROJECT}-{PIPELINE}", clean_session=False)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect(HOST, PORT, keepalive=60)
    client.loop_forever()


if __name__ == "__main__":
    main()
