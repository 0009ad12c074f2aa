"""A small web server on the loopback, for tools that fetch."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """What is served, and what was asked for."""

    address: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_web() -> Iterator[Web]:
    """Serves /greeting and /list.json, and /far, which leads to another host."""
    pages = {
        "/greeting": ("text/plain; charset=utf-8", "Grüße".encode()),
        "/list.json": ("application/json", json.dumps({"numbers": [1, 2, 3]}).encode()),
    }

    class Handler(BaseHTTPRequestHandler):
        """Answers one request."""

        def do_GET(self) -> None:
            """Gives a page, a redirect or 404."""
            web.asked.append(f"{self.command} {self.path}")
            if self.path == "/far":
                self.send_response(302)
                self.send_header("Location", "http://192.0.2.1/elsewhere")
                kind, body = "text/plain", b"elsewhere"
            elif self.path in pages:
                self.send_response(200)
                kind, body = pages[self.path]
            else:
                self.send_response(404)
                kind, body = "text/plain", b"no such page"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
