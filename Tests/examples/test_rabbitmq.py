"""examples/rabbitmq against rabbitmq-server."""

import os

import pika

from rig import BATCH, free_port


def start(rig, need) -> int:
    """A node of its own with a name server of its own, all on loopback; returns its port."""
    names, port, distribution = free_port(), free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")}
    environment |= {"ERL_EPMD_PORT": str(names), "ERL_EPMD_ADDRESS": "127.0.0.1", "HOME": str(rig.folder)}
    rig.broker([need("epmd"), "-port", str(names)], names, env=environment)
    folder = str(rig.folder / "rabbitmq")
    environment |= {
        "RABBITMQ_NODENAME": f"example{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": folder,
        "RABBITMQ_LOG_BASE": folder,
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/plugins",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": folder + "/none",
        "ERL_CRASH_DUMP": folder + "/crash",
        # The script becomes the program, in place of watching over it: so it has the process id that is ended.
        "RABBITMQ_ALLOW_INPUT": "true",
        # One scheduler: it does little here, and starts beside other tests.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -noinput",
    }
    rig.broker([need("rabbitmq-server")], port, env=environment)
    return port


def test_nothing_lost_nothing_doubled(rig, need):
    port = start(rig, need)
    relay = rig.relay(port)
    queues = ["orders", "returns"]
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, heartbeat=0))
    channel = connection.channel()
    channel.confirm_delivery()
    for queue in queues:
        channel.queue_declare(queue, durable=True)
    rig.create("rabbitmq", {
        "RABBITMQ_URL": f"amqp://guest:guest@127.0.0.1:{relay.port}/%2F", "RABBITMQ_QUEUES": ",".join(queues),
        "PREFETCH": BATCH,
    })

    def send(lane, number):
        properties = pika.BasicProperties(message_id=f"n° {number}", delivery_mode=2, timestamp=86400)
        channel.basic_publish("", queues[lane], str(number).encode() + b"\xff\n", properties)

    def read():
        landed = {0: [], 1: []}
        for path, data in rig.files().items():
            queue, day = path.split("/")[1:]
            assert day == "1970-01-02.jsonl"
            for line in rig.objects(data):
                number = line["body"].encode("utf-8", "surrogateescape").removesuffix(b"\xff\n").decode()
                assert line["id"] == f"n° {number}"
                landed[queues.index(queue)].append(int(number))
        return landed

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
    landed = read()
    assert rig.commits() == sum(map(len, landed.values())), "a commit is not one message"
    # A message that its publisher sends once more is not written once more.
    following = len(landed[0])
    send(0, 0)
    send(0, following)
    rig.until_landed(lambda: read()[0][-1] == following, "the message behind the one that came again")
    assert read()[0] == list(range(following + 1))

    # Nothing was left without its acknowledgement: without a reader the broker would have such a message ready again.
    assert rig.spile("stop", "pipeline", rig.pipeline).returncode == 0

    def counts():
        states = [channel.queue_declare(queue, passive=True).method for queue in queues]
        return sum(state.consumer_count for state in states), sum(state.message_count for state in states)

    rig.until_landed(lambda: counts()[0] == 0, "the spout is gone")
    assert counts() == (0, 0)
    connection.close()
