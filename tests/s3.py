"""A real S3 server (OpenStack Swift's), where the machine has one, and servers that fail in known ways."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import httpx
import obstore
from obstore.store import S3Store
from pydantic import SecretStr

from obscura.settings import Settings, StorageChoice
from tests.system import free_port

KEY, SECRET, BUCKET = "test:tester", "testing", "photos"


def environment(endpoint: str) -> dict[str, str]:
    """Return the variables that make a system keep its photos at ``endpoint``."""
    return {
        "OBSCURA_STORAGE": "s3",
        "OBSCURA_S3_ENDPOINT": endpoint,
        "OBSCURA_S3_BUCKET": BUCKET,
        "OBSCURA_S3_ACCESS_KEY_ID": KEY,
        "OBSCURA_S3_SECRET_ACCESS_KEY": SECRET,
    }


def settings_for(endpoint: str, secret: str = SECRET, bucket: str = BUCKET) -> Settings:
    """Return the same as settings, with a short time limit."""
    return Settings(
        storage=StorageChoice.S3,
        s3_endpoint=endpoint,
        s3_bucket=bucket,
        s3_access_key_id=SecretStr(KEY),
        s3_secret_access_key=SecretStr(secret),
        s3_timeout_s=2,
    )


class S3Server:
    """Swift's S3 API on a port of its own, with an empty bucket."""

    def __init__(self, script: Path, swift: Path, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        subprocess.run(
            ["bash", str(script), str(swift), str(folder), str(port)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
        made = httpx.put(obstore.sign(self._store(), "PUT", "", timedelta(minutes=5)))
        made.raise_for_status()

    def paths(self) -> list[str]:
        """Return the keys of all objects."""
        return [item["path"] for page in obstore.list(self._store()) for item in page]

    def stop(self) -> None:
        """End its processes."""
        for pid in (self.folder / "pids").read_text().split():
            os.kill(int(pid), signal.SIGTERM)

    def _store(self) -> S3Store:
        return S3Store(
            BUCKET,
            endpoint=self.url,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )


class _Failing(BaseHTTPRequestHandler):
    """Answers every request with the status of its server, after reading the body."""

    status: ClassVar[int] = 500

    def _fail(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_PUT = do_HEAD = do_DELETE = _fail  # noqa: N815 - the names that http.server calls

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def failing_server(status: int) -> Iterator[str]:
    """Serve nothing but ``status``; yield the address."""
    handler = type("Handler", (_Failing,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
