"""An object store that fails as those do: it stands before a real one that speaks S3, and tests say how it fails.

Moods: `fail` (503 to everything), `hang` (no answer), `cut` (keeps the first half of what is put), `change` (keeps
other bytes), `misname` (keeps what is put, and answers with another checksum). Empty: it passes everything on.
"""

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSED = ("authorization", "content-type", "range", "x-amz-")


class MoodyStore(ThreadingHTTPServer):
    """Listens on a port of loopback until `close`; `mood` may be changed at any time."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        self.behind, self.mood, self.refused = behind, "", 0
        self.awake = threading.Event()
        super().__init__(("127.0.0.1", 0), _Talk)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        """End it, and whoever waits for an answer."""
        self.awake.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are what is tested."""


class _Talk(BaseHTTPRequestHandler):
    server: MoodyStore
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Pass a request on, or do what the mood is."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        mood = self.server.mood
        if mood:
            self.server.refused += 1
        if mood == "hang":
            self.server.awake.wait()
            self.close_connection = True
            return
        if mood == "fail":
            self._answer(503, {"content-length": "0"}, b"")
            return
        if self.command == "PUT":
            body = {"cut": body[: len(body) // 2], "change": body[:-1] + b"?"}.get(mood, body)
        status, headers, answer = self._ask(body)
        if mood == "misname" and self.command == "PUT" and "partNumber" not in self.path:
            headers["ETag"] = '"0123456789abcdef0123456789abcdef"'
        self._answer(status, headers, answer)

    do_PUT = do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        line = HTTPConnection("127.0.0.1", self.server.behind)
        sent = {name: value for name, value in self.headers.items() if name.lower().startswith(PASSED)}
        try:
            line.request(self.command, self.path, body, sent | {"content-length": str(len(body))})
            answer = line.getresponse()
            given = dict(answer.getheaders())
            return (
                answer.status,
                {name: text for name, text in given.items() if name.lower() != "connection"},
                answer.read(),
            )
        finally:
            line.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        headers.pop("Transfer-Encoding", None)
        for name, value in headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
