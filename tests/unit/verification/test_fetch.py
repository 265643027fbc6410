"""Standard photos by URL: from where, and from where not."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway_service.compat.verification.fetch import FetchFailedError, fetch, sources_of
from obscura.errors import InvalidOptionError
from obscura.settings import Settings


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve one picture, a redirect in a circle, and a slow drip, from this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path == "/circle" else 200)
            if self.path == "/circle":
                self.send_header("location", "/circle")
            self.end_headers()
            self.wfile.write(f"{self.path} of {self.headers['host']}".encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def fetched(url: str, listed: str, limit: int = 1000) -> bytes:
    """Return what is fetched where ``listed`` is the setting."""
    return asyncio.run(fetch(url, sources_of(Settings(verification_url_hosts=listed)), limit))


def test_a_listed_address_is_fetched_from(port: int) -> None:
    """An address that is written down is meant, private or not; the host's name is the URL's."""
    url = f"http://127.0.0.1:{port}/a.jpg"
    assert fetched(url, f"127.0.0.1:{port}") == f"/a.jpg of 127.0.0.1:{port}".encode()


def test_a_listed_name_may_lead_to_listed_networks(port: int) -> None:
    """The name alone is not enough for a private address; the network beside it is."""
    url = f"http://localhost:{port}/a.jpg"
    listed = f"localhost:{port}, 127.0.0.0/8, ::1/128"
    with pytest.raises(FetchFailedError, match="private"):
        fetched(url, f"localhost:{port}")
    if socket.getaddrinfo("localhost", port)[0][0] is socket.AF_INET6:
        pytest.skip("localhost leads to ::1 first, where nobody listens")
    assert fetched(url, listed) == f"/a.jpg of localhost:{port}".encode()


@pytest.mark.parametrize(
    ("path", "listed", "limit"),
    [
        ("/a.jpg", "", 1000),
        ("/a.jpg", "127.0.0.1", 1000),
        ("/a.jpg", "127.0.0.0/8", 1000),
        ("/a.jpg", "other.example:{port}", 1000),
        ("/circle", "127.0.0.1:{port}", 1000),
        ("/a.jpg", "127.0.0.1:{port}", 3),
    ],
)
def test_anything_else_is_not_fetched(port: int, path: str, listed: str, limit: int) -> None:
    """No list, another port, a network without a host, a circle, too much."""
    with pytest.raises(FetchFailedError):
        fetched(f"http://127.0.0.1:{port}{path}", listed.format(port=port), limit)


def test_a_list_that_cannot_be_read_is_said() -> None:
    """By the name of its setting."""
    with pytest.raises(InvalidOptionError, match="OBSCURA_VERIFICATION_URL_HOSTS"):
        sources_of(Settings(verification_url_hosts="10.0.0/99"))
