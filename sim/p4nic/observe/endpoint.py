"""The counters over HTTP, for Prometheus and for curl: GET /metrics of `p4nic serve --metrics HOST:PORT`.

In: a Switch, an address. Out: `metrics.render` as text. Called by the command line; a thread of its own,
which takes the switch's lock while it reads the counters.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import final

from p4nic.errors import InputError
from p4nic.observe.metrics import render
from p4nic.target.switch import Switch

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@final
class MetricsEndpoint:
    """Serves from construction to `close`. InputError if `address` (HOST:PORT, port 0 for any free one) is
    none or cannot be bound.
    """

    def __init__(self, switch: Switch, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65_535:
            raise InputError(f"--metrics {address} is not HOST:PORT, for example 127.0.0.1:9100")
        try:
            self._server = ThreadingHTTPServer((host, int(port)), _handler(switch))
        except OSError as error:
            raise InputError(f"the metrics cannot listen on {address}: {error.strerror}") from None
        self.address = f"{host}:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(switch: Switch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404, "the counters are at /metrics")
                return
            with switch.lock:  # one moment for all counters
                text = render(switch).encode()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """A line per scrape helps nobody."""

    return Handler
