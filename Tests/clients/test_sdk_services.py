"""A spout with a service: its port from outside, by the SDK."""

import http.client
import socket
import sys

import pytest
from pachyderm_sdk.api import pps

from sdk_tools import DOMAIN, INVALID, client, fails  # noqa: F401

# Serves one word on the port of its environment, for ever.
CODE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["WORD"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(os.environ["AT"])), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def spec(inside: int, outside: int, word="hello", kind=""):
    return dict(
        transform=pps.Transform(cmd=[sys.executable, "-c", CODE], env={"AT": str(inside), "WORD": word}),
        spout=pps.Spout(service=pps.Service(internal_port=inside, external_port=outside, type=kind)),
    )


def ask(port: int) -> str:
    """What the service says; asks again as long as nobody answers: the test's time limit ends it."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


def refused(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def name(client, fresh):
    pipeline = pps.Pipeline(name=fresh("served"))
    yield pipeline
    if client.pps.pipeline_exists(pipeline):
        client.pps.delete_pipeline(pipeline=pipeline, force=True)


@pytest.mark.parametrize("kind", ["", "ClusterIP"])
def test_it_answers_until_it_is_stopped(client, name, kind):
    inside, outside = free_port(), free_port()
    client.pps.create_pipeline(pipeline=name, **spec(inside, outside, kind=kind))
    assert ask(outside) == "hello"
    client.pps.create_pipeline(pipeline=name, update=True, **spec(inside, outside, word="again", kind=kind))
    while ask(outside) != "again":
        pass
    client.pps.stop_pipeline(pipeline=name)
    while not refused(outside):
        pass
    client.pps.start_pipeline(pipeline=name)
    assert ask(outside) == "again"
    client.pps.delete_pipeline(pipeline=name)
    while not refused(outside):
        pass


def test_the_details_tell_the_ports(client, name):
    inside, outside = free_port(), free_port()
    client.pps.create_pipeline(pipeline=name, **spec(inside, outside))
    service = client.pps.inspect_pipeline(pipeline=name, details=True).details.spout.service
    assert (service.internal_port, service.external_port, service.type) == (inside, outside, "NodePort")
    assert service.ip == "127.0.0.1"


def test_a_port_of_another_pipeline(client, name, fresh):
    inside, outside = free_port(), free_port()
    client.pps.create_pipeline(pipeline=name, **spec(inside, outside))
    other = pps.Pipeline(name=fresh("second"))
    fails(
        lambda: client.pps.create_pipeline(pipeline=other, **spec(free_port(), outside)), DOMAIN,
        f"external_port {outside} belongs to pipeline default/{name.name}")
    assert not client.pps.pipeline_exists(other)


def test_a_port_of_another_program(client, name):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        outside = taken.getsockname()[1]
        client.pps.create_pipeline(pipeline=name, **spec(free_port(), outside))
        while "is in use" not in client.pps.inspect_pipeline(pipeline=name).reason:
            pass


@pytest.mark.parametrize("inside, outside, text", [
    (0, 31000, "internal_port is 0"), (8000, 0, "external_port is 0"), (8000, 70000, "external_port is 70000"),
    (8000, 8000, "as internal_port and as external_port"),
])
def test_ports_that_cannot_be(client, name, inside, outside, text):
    fails(lambda: client.pps.create_pipeline(pipeline=name, **spec(inside, outside)), INVALID, text)
