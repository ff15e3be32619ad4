#!/usr/bin/env python3
"""An HTTP endpoint: appends the body of every POST to a file, one JSON line and one commit per request.

It answers 200 once the commit is durable. A caller that got no answer sends the request again with the same
Idempotency-Key: the key is that of the commit, so nothing is written twice, and the answer is 200 now.
"""

import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

import grpc

from spile_spout import Output

PORT = int(os.environ["WEBHOOK_PORT"])
# What callers have to send as `Authorization: Bearer …`.
TOKEN = os.environ["WEBHOOK_TOKEN"]
# Bytes of a body, at most. It is held in memory.
LIMIT = 8 << 20


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A caller that stops in the middle of its request holds a thread no longer than this, in seconds.
    timeout = 30
    output: Output

    def do_POST(self):
        # The rest of a refused request is not read: the connection ends behind the answer.
        self.close_connection = True
        given = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {TOKEN}".encode()):
            return self.answer(401, "wrong token")
        key = self.headers.get("Idempotency-Key", "")
        if not 1 <= len(key) <= 256 or not key.isascii() or not key.isprintable():
            return self.answer(400, "Idempotency-Key: 1 to 256 printable ASCII characters, another one for each event")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self.answer(411, "Content-Length is missing")
        if int(length) > LIMIT:
            return self.answer(413, f"more than {LIMIT} bytes")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            # The caller is gone in the middle of it.
            return None
        self.close_connection = False
        return self.take(key, body)

    def take(self, key: str, body: bytes):
        path = quote(urlsplit(self.path).path.strip("/"), safe="") or "root"
        # Bytes that are not UTF-8 become lone surrogates, which `encode("utf-8", "surrogateescape")` turns back.
        line = json.dumps({"key": key, "body": body.decode("utf-8", "surrogateescape")}).encode() + b"\n"
        try:
            self.output.write({f"/{path}.jsonl": [line]}, {"request": key}, key)
        except grpc.RpcError as error:
            # It may have been written or not: the caller asks again, and the next launch answers.
            self.close_connection = True
            self.answer(503, "not written, or not known to be: try again with the same key")
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        return self.answer(200, "written")

    def answer(self, status: int, text: str):
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Handler.output = Output()
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
