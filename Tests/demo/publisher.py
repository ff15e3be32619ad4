"""Publishes this machine's telemetry to an MQTT broker until it gets SIGTERM.

Usage: publisher.py HOST PORT TOPIC RATE FOLDER

Every message has a number, the next one after the last in FOLDER (see ledger.py). SIGTERM ends it in order: nothing
new is sent, and it exits 0 once the broker has confirmed all that was.
"""

import json
import signal
import sys
import threading

import paho.mqtt.client as mqtt

from ledger import Ledger
from telemetry import sample

# The broker gets this long to confirm a message.
CONFIRM_SECONDS = 30


class Publisher:
    """Sends one message at a time and waits for its confirmation: the ledger then has an exact order."""

    def __init__(self, client: mqtt.Client, topic: str, ledger: Ledger):
        self.client = client
        self.topic = topic
        self.ledger = ledger

    def send(self, number: int, message: bytes) -> None:
        """Numbers start at 1, so the number of a message is also how many are confirmed with it."""
        receipt = self.client.publish(self.topic, message, qos=1)
        receipt.wait_for_publish(CONFIRM_SECONDS)
        if not receipt.is_published():
            sys.exit(f"the broker did not confirm message {number} within {CONFIRM_SECONDS} seconds")
        self.ledger.confirm(number)

    def run(self, rate: float, stop: threading.Event) -> None:
        self.ledger.cut_torn_line()
        messages = self.ledger.messages()
        for number in range(self.ledger.confirmed() + 1, len(messages) + 1):
            self.send(number, messages[number - 1])
        number = len(messages)
        while not stop.wait(1 / rate):
            number += 1
            message = json.dumps(sample(number), separators=(",", ":")).encode()
            self.ledger.add(message)
            self.send(number, message)


def main() -> None:
    host, port, topic, rate, folder = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
    client = mqtt.Client(*version)
    client.connect(host, int(port))
    client.loop_start()
    Publisher(client, topic, Ledger(folder)).run(float(rate), stop)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
