#!/usr/bin/env python3
"""Appends the messages of a NATS JetStream stream to files: one JSON line per message.

Every commit holds the number of the next message in its metadata. A launch makes its consumer anew, to begin there. So
nothing is lost and nothing doubled wherever this program, the server or the connection ends. Any error ends the
program: the server starts it again.
"""

import asyncio
import json
import os
import sys
from urllib.parse import quote

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from spile_spout import Output

URL = os.environ["NATS_URL"]
STREAM = os.environ["NATS_STREAM"]
# Messages in a commit, at most.
BATCH = int(os.environ.get("BATCH", "500"))
CONSUMER = f"spile-{os.environ['PPS_PROJECT_NAME']}-{os.environ['PPS_PIPELINE_NAME']}"
# Messages in a file.
IN_FILE = 100_000


def path_of(number: int) -> str:
    return f"/{quote(STREAM, safe='')}/{number // IN_FILE:010d}.jsonl"


def line_of(number: int, message) -> bytes:
    # Bytes that are not UTF-8 become lone surrogates, which `encode("utf-8", "surrogateescape")` turns back.
    data = message.data.decode("utf-8", "surrogateescape")
    return json.dumps({"number": number, "subject": message.subject, "data": data}).encode() + b"\n"


async def subscribe(stream, following: int):
    try:
        await stream.delete_consumer(STREAM, CONSUMER)
    except NotFoundError:
        pass
    await stream.add_consumer(STREAM, ConsumerConfig(
        durable_name=CONSUMER, deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=following,
        ack_policy=AckPolicy.EXPLICIT, ack_wait=60, max_ack_pending=2 * BATCH,
    ))
    return await stream.pull_subscribe_bind(CONSUMER, STREAM)


async def main():
    output = Output()
    following = int(output.position.get("next", "1"))
    # Without reconnecting: what was on its way when a connection broke would come again later, behind younger messages.
    connection = await nats.connect(URL, allow_reconnect=False)
    subscription = await subscribe(connection.jetstream(), following)
    delivered = 0
    while True:
        try:
            messages = await subscription.fetch(BATCH, timeout=1)
        except nats.errors.TimeoutError:
            if not connection.is_connected:
                sys.exit(f"lost the connection to {URL}")
            continue
        files: dict[str, list[bytes]] = {}
        first = messages[0].metadata.sequence.stream
        for message in messages:
            delivered += 1
            if message.metadata.sequence.consumer != delivered:
                sys.exit("a message came again or did not arrive: reading anew from the position")
            number = message.metadata.sequence.stream
            files.setdefault(path_of(number), []).append(line_of(number, message))
            following = number + 1
        output.write(files, {"next": following}, key=f"{first}-{following}")
        for message in messages:
            await message.ack()


if __name__ == "__main__":
    asyncio.run(main())
