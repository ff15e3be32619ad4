#!/usr/bin/env python3
"""Appends the messages of a Kafka topic to files: one JSON line per message, files per partition.

Every commit holds the next offset of each partition in its metadata, and a launch reads on from there. So nothing is
lost and nothing doubled wherever this program, the server or the connection ends. Any error ends the program: the
server starts it again.

The partitions are assigned here, all of them: a group's rebalancing would move them between programs that do not know
each other's positions. The group's offsets are committed all the same, after the commit is durable, for those who watch
the lag.
"""

import json
import os
import sys
from urllib.parse import quote

from confluent_kafka import Consumer, KafkaException, TopicPartition

from spile_spout import Output

HOST = os.environ["HOST"]
PORT = int(os.environ.get("PORT", "9092"))
TOPIC = os.environ["TOPIC"]
# Messages in a commit, at most; and how long the first one waits for others, in seconds.
BATCH = int(os.environ.get("BATCH", "1000"))
LINGER = 0.2
# Offsets in a file.
IN_FILE = 100_000


def path_of(partition: int, offset: int) -> str:
    return f"/{quote(TOPIC, safe='')}/{partition}/{offset // IN_FILE:010d}.jsonl"


def text(data: bytes | None) -> str | None:
    """Bytes that are not UTF-8 become lone surrogates, which `encode("utf-8", "surrogateescape")` turns back."""
    return None if data is None else data.decode("utf-8", "surrogateescape")


def line_of(message) -> bytes:
    fields = {"offset": message.offset(), "time": message.timestamp()[1], "key": text(message.key())}
    return json.dumps(fields | {"value": text(message.value())}).encode() + b"\n"


def read(consumer: Consumer) -> list:
    """At least one message, and those that wait with it."""
    messages = consumer.consume(1, timeout=-1)
    messages += consumer.consume(BATCH - 1, timeout=LINGER) if BATCH > 1 else []
    for message in messages:
        if message.error():
            raise KafkaException(message.error())
    return messages


def main():
    output = Output()
    consumer = Consumer({
        "bootstrap.servers": f"{HOST}:{PORT}",
        "group.id": f"spile-{os.environ['PPS_PROJECT_NAME']}-{os.environ['PPS_PIPELINE_NAME']}",
        "enable.auto.commit": False,
        # The position is gone from the broker, by its retention: an error, not a silent jump to another one.
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
    })
    partitions = consumer.list_topics(TOPIC, timeout=30).topics[TOPIC].partitions
    if not partitions:
        sys.exit(f"there is no topic {TOPIC} at {HOST}:{PORT}")
    following = {}
    for partition in partitions:
        known = output.position.get(f"{TOPIC}/{partition}")
        following[partition] = int(known) if known else consumer.get_watermark_offsets(
            TopicPartition(TOPIC, partition), timeout=30)[0]
    consumer.assign([TopicPartition(TOPIC, partition, offset) for partition, offset in following.items()])
    while True:
        files: dict[str, list[bytes]] = {}
        for message in read(consumer):
            path = path_of(message.partition(), message.offset())
            files.setdefault(path, []).append(line_of(message))
            following[message.partition()] = message.offset() + 1
        position = {f"{TOPIC}/{partition}": offset for partition, offset in following.items()}
        # Offsets only grow, so the sum of them names the batch, however many partitions there are.
        output.write(files, position, key=str(sum(following.values())))
        ends = [TopicPartition(TOPIC, partition, offset) for partition, offset in following.items()]
        consumer.commit(offsets=ends, asynchronous=False)


if __name__ == "__main__":
    main()
