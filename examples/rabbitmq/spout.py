#!/usr/bin/env python3
"""Appends the messages of RabbitMQ queues to files: one JSON line and one commit per message.

A queue has no positions: the broker alone knows what was acknowledged, and sends the rest again. So the key of a commit
is the id that the publisher gave the message: one that comes again finds its commit, changes nothing, and is
acknowledged now. Any error ends the program: the server starts it again.
"""

import hashlib
import json
import os
import sys
import time
from urllib.parse import quote

import pika

from spile_spout import Output

URL = os.environ["RABBITMQ_URL"]
QUEUES = os.environ["RABBITMQ_QUEUES"].split(",")
# How many messages the broker sends ahead. All of them come again after a kill: the server has to know as many keys,
# and knows the last 1,000.
PREFETCH = int(os.environ.get("PREFETCH", "100"))


def path_of(queue: str, properties: pika.BasicProperties) -> str:
    """The day is the publisher's, so a message has one path only."""
    stamp = properties.timestamp
    day = "undated" if stamp is None else time.strftime("%Y-%m-%d", time.gmtime(stamp))
    return f"/{quote(queue, safe='')}/{day}.jsonl"


def main():
    output = Output()
    channel = pika.BlockingConnection(pika.URLParameters(URL)).channel()
    channel.basic_qos(prefetch_count=PREFETCH)

    def take(queue, delivery, properties, body):
        name = properties.message_id
        if not name:
            sys.exit(f"a message of {queue} has no message_id: its publisher has to set one")
        # Bytes that are not UTF-8 become lone surrogates, which `encode("utf-8", "surrogateescape")` turns back.
        line = json.dumps({"id": name, "body": body.decode("utf-8", "surrogateescape")}).encode() + b"\n"
        # Hashed, as a key is printable ASCII and an id need not be. Ids are unique in their queue.
        key = hashlib.sha256(f"{queue}\0{name}".encode()).hexdigest()
        output.write({path_of(queue, properties): [line]}, {"queue": queue, "message": name}, key)
        channel.basic_ack(delivery.delivery_tag)

    for queue in QUEUES:
        # Exclusive: what a connection that is not quite dead holds back must not be overtaken.
        channel.basic_consume(
            queue, lambda _, delivery, properties, body, queue=queue: take(queue, delivery, properties, body),
            exclusive=True,
        )
    channel.start_consuming()
    sys.exit("a queue is gone, or the broker ended the reading")


if __name__ == "__main__":
    main()
