"""examples/kafka against librdkafka's mock cluster, which speaks the real protocol over TCP."""

from confluent_kafka import Consumer, Producer, TopicPartition

from rig import BATCH

TOPIC = "orders"


def test_nothing_lost_nothing_doubled(rig):
    # The cluster lives in this client, and ends with it.
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "linger.ms": 0})
    broker = next(iter(producer.list_topics(timeout=30).brokers.values()))
    failures = []

    def send(lane, number):
        value = str(number).encode() + b"\xff\n"
        producer.produce(TOPIC, value, partition=lane, on_delivery=lambda error, _: error and failures.append(error))
        assert producer.flush(30) == 0 and not failures, failures

    relay = rig.relay(broker.port, names_itself=broker.host)
    # A topic is made by its first message.
    producer.list_topics(TOPIC, timeout=30)
    rig.create("kafka", {"HOST": broker.host, "PORT": str(relay.port), "TOPIC": TOPIC, "BATCH": BATCH})

    def read():
        landed = {0: [], 1: []}
        for path, data in rig.files().items():
            topic, partition = path.split("/")[1:3]
            assert topic == TOPIC
            for line in rig.objects(data):
                number = int(line["value"].encode("utf-8", "surrogateescape").removesuffix(b"\xff\n"))
                assert line["offset"] == number
                landed[int(partition)].append(number)
        return landed

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
    landed = read()
    # Sent one by one, each message is a batch, whose header alone has 61 bytes: they came through the relay.
    assert relay.carried > 61 * sum(map(len, landed.values()))
    reader = Consumer({"bootstrap.servers": f"{broker.host}:{broker.port}", "group.id": "spile-default-kafka"})

    def acknowledged():
        told = reader.committed([TopicPartition(TOPIC, lane) for lane in landed], timeout=30)
        return [one.offset for one in told] == [len(landed[lane]) for lane in landed]

    rig.until_landed(acknowledged, "Kafka is told how far the spout is")
    reader.close()
