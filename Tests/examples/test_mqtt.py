"""examples/mqtt and examples/mqtt-sdk against mosquitto."""

import json
import os

import paho.mqtt.client as mqtt
import pytest

from rig import BATCH, SECONDS, free_port

# Sessions, and what waits in them, without a limit. As root, mosquitto would change to a user who may not write here.
CONFIGURATION = """
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
persistence true
persistence_location {folder}/
"""


@pytest.fixture
def publisher(rig, need):
    """A client of a broker of its own, whose port is `publisher.port`."""
    port = free_port()
    path = rig.folder / "mosquitto.conf"
    text = CONFIGURATION.format(port=port, folder=rig.folder)
    path.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    rig.broker([need("mosquitto"), "-c", str(path)], port)
    publisher = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    yield publisher
    publisher.disconnect()
    publisher.loop_stop()


@pytest.mark.parametrize("example", ["mqtt", "mqtt-sdk"])
def test_nothing_lost_nothing_doubled(rig, publisher, example):
    relay = rig.relay(publisher.port)
    variables = {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(relay.port), "MQTT_TOPIC": "lanes/#"}
    rig.create(example, variables | ({"BATCH": BATCH} if example == "mqtt-sdk" else {}))
    # The broker keeps messages for a session that it knows; there is none before the first subscription.
    subscribed = lambda: "subscribed to" in rig.spile("logs", "--pipeline", rig.pipeline).stdout  # noqa: E731
    rig.until_landed(subscribed, "the spout has subscribed")

    def payload(number) -> bytes:
        return json.dumps({"seq": number, "text": "ä" * number}).encode()

    def send(lane, number):
        told = publisher.publish(f"lanes/{lane}", payload(number), qos=1)
        told.wait_for_publish(SECONDS)
        assert told.is_published()

    def read():
        landed = {0: [], 1: []}
        for path, data in rig.files().items():
            lane, name = path.removeprefix("/lanes/").split("/")
            number = int(name.removesuffix(".json"))
            # One that came twice has overwritten itself.
            assert data == payload(number)
            landed[int(lane)].append(number)
        return landed

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
