"""examples/http-poll against an HTTP API with ETags."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rig import BATCH


class API(ThreadingHTTPServer):
    """A list of items. Counts its answers by status."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        # Guards `items` and `answers`: the test adds, threads of the server answer.
        self.lock = threading.Lock()
        self.items = []
        self.answers = {200: 0, 304: 0}

    def handle_error(self, *_):
        """Cut connections are part of the test."""


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.lock:
            items = list(self.server.items)
            etag = f'"{len(items)}, {items[0]["id"] if items else ""}"'
            same = self.headers.get("If-None-Match") == etag
            self.server.answers[304 if same else 200] += 1
        body = b"" if same else json.dumps(items).encode()
        self.send_response(304 if same else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    api = API()
    thread = threading.Thread(target=api.serve_forever, daemon=True)
    thread.start()
    yield api
    api.shutdown()
    api.server_close()
    thread.join()


def test_nothing_lost_nothing_doubled(rig, api):
    relay = rig.relay(api.server_port)
    rig.create("http-poll", {
        "POLL_URL": f"http://127.0.0.1:{relay.port}/items", "POLL_INTERVAL": "0.05", "BATCH": BATCH,
    })

    def send(lane, number):
        with api.lock:
            api.items.append({"id": f"{lane}/ä{number}", "lane": lane, "number": number})

    def landed():
        return rig.objects(rig.files().get("/items.jsonl", b""))

    def read():
        items = landed()
        return {lane: [item["number"] for item in items if item["lane"] == lane] for lane in (0, 1)}

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
    assert landed() == api.items, "the order of the list differs"
    # A launch that has seen the list does not get it again.
    with api.lock:
        api.answers = {200: 0, 304: 0}
    rig.kill_spout()
    rig.until_landed(lambda: api.answers[304] > 2, "the spout asks again")
    assert api.answers[200] == 0
    # A gap is an error, not a jump.
    count = rig.commits()
    with api.lock:
        api.items = [{"id": "later", "lane": 0, "number": -1}]
    reason = lambda: rig.spile("logs", "--pipeline", rig.pipeline).stdout  # noqa: E731
    rig.until_landed(lambda: "is not in the list any more" in reason(), "the spout says that items are missing")
    assert rig.commits() == count
