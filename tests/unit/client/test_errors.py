"""The client raises its own errors for everything, and its results are short to look at."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from obscura.client import AsyncObscura, Found, Hidden, Obscura, Outcome
from obscura.contract import DetectedObject, ImageInfo
from obscura.errors import AnswerUnreadableError, InvalidOptionError, RemoteError, ServerUnreachableError
from tests.photos import PORTRAIT


@contextmanager
def server(body: bytes, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Run a server that answers everything with ``body`` and status 200; give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_DELETE = do_POST  # noqa: N815 - the names of the base class
        log_message: ClassVar[Any] = lambda *_: None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>not found</html>",
        b"[]",
        b"{}",
        b'{"status": "SUCCESS"}',
        b'{"status": "SUCCESS", "result": "?", "detections": [{"class": "tree"}]}',
        b'{"status": "SUCCESS", "result": "AAA"}',
    ],
)
def test_an_answer_of_something_else_is_one_clear_error(body: bytes) -> None:
    """No error of a parser comes through, blocking or not."""
    with server(body) as url:
        with Obscura(url, patience_s=5) as client, pytest.raises(AnswerUnreadableError, match="Obscura"):
            client.blur(PORTRAIT)
        with pytest.raises(AnswerUnreadableError):
            asyncio.run(_detect(url))


async def _detect(url: str) -> Found:
    async with AsyncObscura(url, patience_s=5) as client:
        return await client.detect(PORTRAIT)


def test_a_body_that_cannot_be_decoded_is_an_error_of_ours() -> None:
    """The HTTP library has errors beside those of the connection."""
    with (
        server(b"no gzip", {"content-encoding": "gzip"}) as url,
        Obscura(url, patience_s=5) as client,
        pytest.raises(ServerUnreachableError, match="cannot be read"),
    ):
        client.blur(PORTRAIT)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "not a url"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    """Before the first photo, with an example."""
    for kind in (Obscura, AsyncObscura):
        with pytest.raises(InvalidOptionError, match="it looks like http"):
            kind(url)


def test_a_key_that_no_header_takes_is_told_at_once() -> None:
    """A line break in a key file is easily made."""
    with pytest.raises(InvalidOptionError, match="API key"):
        Obscura(key="obs_x\n")


def test_a_client_shows_its_address_and_nothing_secret() -> None:
    """Neither the key nor a password in the address."""
    with Obscura("http://me:password@localhost:9", key="obscura_id_secret") as client:
        assert "localhost:9" in repr(client)
        assert "secret" not in repr(client).replace("[secure]", "")
        assert "password" not in repr(client)


def test_unknown_options_fail_with_the_nearest_name() -> None:
    """Before anything is sent: there is no server here."""
    with Obscura("http://127.0.0.1:9") as client:
        wrong: Any = {"stile": "mosaic"}
        with pytest.raises(InvalidOptionError, match="stile is not an option; did you mean style"):
            client.blur(PORTRAIT, **wrong)
        with pytest.raises(InvalidOptionError, match="did you mean style"):
            list(client.blur_many([PORTRAIT], **wrong))
        with pytest.raises(InvalidOptionError, match="style is not an option"):
            client.detect(PORTRAIT, **{**wrong, "style": "solid"})
        with pytest.raises(InvalidOptionError, match="did you mean style"):
            client.blur_video("a.mp4", "b.mp4", **wrong)


def test_wrong_arguments_are_errors_of_ours() -> None:
    """A photo that is none, boxes that are none."""
    anything: Any = 3
    with Obscura("http://127.0.0.1:9") as client:
        with pytest.raises(InvalidOptionError, match="bytes or a path"):
            client.blur(anything)
        with pytest.raises(InvalidOptionError, match="boxes"):
            client.redact(PORTRAIT, [anything])


def test_all_errors_have_one_base() -> None:
    """One except clause is enough."""
    assert issubclass(AnswerUnreadableError, RemoteError)


def test_results_are_short_to_look_at() -> None:
    """A picture of megabytes does not fill a notebook."""
    face = DetectedObject.model_validate({"class": "face", "confidence": 0.9, "xyxy": [0, 0, 1, 1]})
    hidden = Hidden("id", bytes(39_123), (face,), {"verdict": "clean"}, None)
    assert repr(hidden) == "Hidden(task_id='id', picture=<39,123 bytes>, verdict='clean', found='1 face')"
    outcome = Outcome(bytes(5000), hidden, None)
    assert repr(outcome) == f"Outcome(photo=<5,000 bytes>, hidden={hidden!r}, error=None)"
    found = Found("id", (), ImageInfo(width=10, height=20), ())
    assert repr(found) == "Found(task_id='id', image=10x20, found='nothing')"
    assert "Path" in repr(Outcome(Path("a.jpg"), None, None))
