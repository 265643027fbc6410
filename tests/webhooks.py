"""A receiver of webhooks: a real HTTP server that answers as it is told and remembers what it got."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.system import wait_until

MAX_S = 60
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the convention


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the event."""
        return self.headers["webhook-id"]


class _Server(ThreadingHTTPServer):
    """Takes as many connections at once as a deliverer makes."""

    daemon_threads = True
    request_queue_size = 128


@dataclass
class Receiver:
    """Answers each path with its ``answers`` in turn, the last one for ever; 204 where there are none.

    An answer is a status; 0 is none at all until ``let_go``.
    """

    answers: dict[str, list[int]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        receiver, self.go_on = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._next(Received(self.path, headers, body))
                if status == 0:
                    receiver.go_on.wait(MAX_S)
                    self.close_connection = True
                    return
                self.send_response(status)
                if status in {301, 302, 307, 308}:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _next(self, request: Received) -> int:
        with self._lock:
            self.received.append(request)
            answers = self.answers.get(request.path, [204])
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def at(self, path: str) -> list[Received]:
        """Return what came to ``path``."""
        with self._lock:
            return [item for item in self.received if item.path == path]

    def wait_for(self, path: str, count: int = 1) -> list[Received]:
        """Return what came to ``path`` once that is ``count`` requests."""
        wait_until(lambda: len(self.at(path)) >= count)
        return self.at(path)
