"""A small web for the tests of URLs: on this machine alone, with pages that a test chooses. Standard library only."""

import http.server
import ssl
import subprocess
import threading


class Web:
    """Serves `pages` (path to bytes, or to a status) and remembers what was asked for."""

    def __init__(self, pages: dict, context: ssl.SSLContext | None = None):
        self.pages = pages
        self.requests: list[str] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                web.requests.append(self.path)
                page = web.pages.get(self.path.split("?")[0], 404)
                if isinstance(page, str):
                    self.send_response(302)
                    self.send_header("Location", page)
                    body = b""
                elif isinstance(page, int):
                    self.send_response(page)
                    body = b"an error's own page"
                else:
                    self.send_response(200)
                    body = page
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if context else "http"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}{path}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def certificate(folder):
    """Makes a certificate for this machine that nobody has signed, and a context that serves with it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
