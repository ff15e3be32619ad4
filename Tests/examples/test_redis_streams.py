"""examples/redis-streams against redis-server."""

import redis

from rig import BATCH, free_port


def test_nothing_lost_nothing_doubled(rig, need):
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(rig.folder), "--appendonly", "yes"]
    rig.broker([need("redis-server"), *options, "--appendfsync", "always", "--save", ""], port)
    relay = rig.relay(port)
    streams = ["orders", "returns"]
    rig.create("redis-streams", {
        "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(relay.port), "REDIS_STREAMS": ",".join(streams), "BATCH": BATCH,
    })
    broker = redis.Redis(port=port)

    def send(lane, number):
        broker.xadd(streams[lane], {"number": number, b"raw": b"\xff\n"})

    def read():
        landed = {0: [], 1: []}
        for path, data in rig.files().items():
            for line in rig.objects(data):
                assert line["fields"]["raw"].encode("utf-8", "surrogateescape") == b"\xff\n"
                landed[streams.index(path.split("/")[1])].append(int(line["fields"]["number"]))
        return landed

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
    for stream in streams:
        last = broker.xrevrange(stream, count=1)[0][0]
        told = lambda: broker.xinfo_groups(stream)[0]["last-delivered-id"] == last  # noqa: E731
        rig.until_landed(told, "Redis is told how far the spout is")
