"""examples/nats against nats-server."""

import asyncio

import nats

from rig import BATCH, free_port


def test_nothing_lost_nothing_doubled(rig, need):
    port = free_port()
    folder = str(rig.folder / "jetstream")
    rig.broker([need("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder], port)
    relay = rig.relay(port)
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(nats.connect(f"nats://127.0.0.1:{port}"))
    stream = connection.jetstream()
    loop.run_until_complete(stream.add_stream(name="EVENTS", subjects=["events.*"]))
    rig.create("nats", {"NATS_URL": f"nats://127.0.0.1:{relay.port}", "NATS_STREAM": "EVENTS", "BATCH": BATCH})

    def send(lane, number):
        loop.run_until_complete(stream.publish(f"events.{lane}", str(number).encode() + b"\xff\n"))

    def lines():
        return [line for data in rig.files().values() for line in rig.objects(data)]

    def read():
        landed = {0: [], 1: []}
        for line in lines():
            number = line["data"].encode("utf-8", "surrogateescape").removesuffix(b"\xff\n")
            landed[int(line["subject"].removeprefix("events."))].append(int(number))
        return landed

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
    numbers = [line["number"] for line in lines()]
    assert numbers == list(range(1, len(numbers) + 1)), "the order of the stream differs"

    def acknowledged():
        info = loop.run_until_complete(stream.consumer_info("EVENTS", "spile-default-nats"))
        return info.ack_floor.stream_seq == len(numbers)

    rig.until_landed(acknowledged, "JetStream is told how far the spout is")
    loop.run_until_complete(connection.close())
    loop.close()
