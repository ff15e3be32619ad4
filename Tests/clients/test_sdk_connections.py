"""Connections of honest clients live on: many PINGs, many calls that are cancelled, in the clear and with TLS."""

import socket
import ssl
import struct
import subprocess

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4


class RawConnection:
    """HTTP/2 by hand, so that what is sent is what the test says."""

    def __init__(self, sock):
        self.socket = sock
        self.bytes = b""
        self.stream = -1
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(SETTINGS))

    @staticmethod
    def frame(kind, flags=0, stream=0, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next frame: type, flags, stream, payload."""
        while len(self.bytes) < 9 or len(self.bytes) < 9 + int.from_bytes(self.bytes[:3], "big"):
            more = self.socket.recv(1 << 16)
            assert more, "the server closed the connection"
            self.bytes += more
        length = int.from_bytes(self.bytes[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.bytes[3:9])
        payload, self.bytes = self.bytes[9 : 9 + length], self.bytes[9 + length :]
        assert kind != GOAWAY, f"GOAWAY: {payload}"
        return kind, flags, stream, payload

    def call(self, path):
        """The frames of a call with an empty message; its headers are literals, none is compressed."""
        self.stream += 2
        headers = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
                   ("te", "trailers"), ("content-type", "application/grpc")]
        block = b"".join(
            b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in headers)
        return self.frame(HEADERS, END_HEADERS, self.stream, block) + self.frame(DATA, END_STREAM, self.stream, bytes(5))


@pytest.fixture(params=["plain", "tls"])
def raw(request, server_with, tmp_path):
    if request.param == "plain":
        server = server_with()
        connection = socket.create_connection((server.host, server.port))
    else:
        names = [str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
        server = server_with("--tls-cert", names[0], "--tls-key", names[1])
        context = ssl.create_default_context(cafile=names[0])
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        connection = context.wrap_socket(socket.create_connection((server.host, server.port)))
    connection.settimeout(30)
    yield RawConnection(connection)
    connection.close()


def test_thousands_of_pings_among_calls_are_all_answered(raw):
    # As a client does that measures the way while it calls; and within a burst that comes at once.
    wanted = [struct.pack(">Q", number) for number in range(5000)]
    answered, ended = [], 0
    for start in range(0, len(wanted), 100):
        pings = [raw.frame(PING, payload=payload) for payload in wanted[start : start + 100]]
        raw.send(b"".join(pings[:50]) + raw.call("/versionpb_v2.API/GetVersion") + b"".join(pings[50:]))
        ended -= 1
        while ended < 0 or len(answered) < start + 100:
            kind, flags, stream, payload = raw.read()
            if kind == PING:
                assert (flags, stream) == (ACK, 0)
                answered.append(payload)
            ended += kind == HEADERS and flags & END_STREAM
    raw.send(b"".join(raw.frame(PING, payload=payload) for payload in wanted))
    while len(answered) < 2 * len(wanted):
        kind, _, _, payload = raw.read()
        if kind == PING:
            answered.append(payload)
    assert answered == wanted + wanted


def test_a_malformed_ping_ends_the_connection(raw):
    raw.send(raw.frame(PING, payload=b"1234567"))
    with pytest.raises(AssertionError, match="GOAWAY|closed"):
        while True:
            raw.read()


@pytest.fixture
def written(server_with):
    """A server of its own with one commit: a client, a bare channel, which nothing of the SDK stands in, the repo."""
    server = server_with()
    client = Client(host=server.host, port=server.port)
    repo = pfs.Repo.from_uri("data")
    client.pfs.create_repo(repo=repo)
    with client.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
        commit.put_file_from_bytes(path="/a", data=b"1")
    with grpc.insecure_channel(f"{server.host}:{server.port}") as channel:
        yield client, channel, repo


def subscription(channel, repo):
    call = channel.unary_stream(
        "/pfs_v2.API/SubscribeCommit", request_serializer=bytes, response_deserializer=pfs.CommitInfo.FromString)
    return call(pfs.SubscribeCommitRequest(repo=repo, branch="master", state=pfs.CommitState.FINISHED))


@pytest.mark.parametrize("count, wait", [(400, True), (400, False), (1150, True)])
def test_cancelled_calls_do_not_disturb_another_one(written, count, wait):
    """More than the library takes, and than run at a time: a call that went on in the server would count there."""
    client, channel, repo = written
    bystander = subscription(channel, repo)
    first = next(bystander)
    for _ in range(count):
        call = subscription(channel, repo)
        if wait:
            next(call)
        call.cancel()
    # It is on the same connection, and would have ended with it.
    with client.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
        commit.put_file_from_bytes(path="/b", data=b"2")
    second = next(bystander)
    assert second.commit.id == commit.id != first.commit.id
    bystander.cancel()
