"""An HTTP/1.1 protocol with limits: size and time of the head, unread bodies.

uvicorn limits neither the time nor the size of a request's head, and it keeps reading a body after the
response has been sent.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["BoundedHttp"]

MAX_HEAD_BYTES = 32 * 1024
HEAD_PIECE_BYTES = 1024
HEADER_MARKS = 3
"""Colon, carriage return and line feed of a header."""
HEAD_S = 15.0
# After an early refusal the rest of the body is read and discarded, so that a client that sends first and
# reads later gets the response instead of a reset connection.
LINGER_S = 30.0
MAX_LINGER_BYTES = 64 * 1024 * 1024


class _TooLongError(Exception):
    """A request's head is longer than `MAX_HEAD_BYTES`."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with time and size limits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed to uvicorn
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = True
        # Counted twice: raw bytes on arrival, and URL and headers once they are parsed.
        self._raw_bytes = 0
        self._head_bytes = 0
        self._dropped_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the time limit of the first head."""
        super().connection_made(transport)
        self._close_after(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        self._close_after(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start the time limit of a head."""
        super().on_message_begin()
        self._in_head = True
        self._raw_bytes = self._head_bytes = self._dropped_bytes = 0
        self._close_after(HEAD_S)

    def on_url(self, url: bytes) -> None:
        """Count the URL."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, with colon and line end."""
        self._count(len(name) + len(value) + HEADER_MARKS)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Cancel the time limit; `BodyLimit` limits the body."""
        self._in_head = False
        self._close_after(None)
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse data, and refuse a head that is too long.

        A head is parsed in small pieces, so that bytes outside of headers, such as spaces, count as well.
        """
        start = 0
        while self._in_head and start < len(data) and not self.transport.is_closing():
            piece = data[start : start + HEAD_PIECE_BYTES]
            start += len(piece)
            super().data_received(piece)
            if self._in_head:
                self._raw_bytes += len(piece)
                if self._is_too_long() and not self.transport.is_closing():
                    self.send_400_response("")
        if start < len(data) and not self.transport.is_closing():
            super().data_received(data[start:])

    def send_400_response(self, msg: str) -> None:
        """Answer 431 to a head that is too long, 400 to one that cannot be parsed."""
        if not self._is_too_long():
            super().send_400_response(msg)
            return
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of a body, or discard it where the response is complete."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._dropped_bytes += len(body)
            if self._dropped_bytes > MAX_LINGER_BYTES:
                self.transport.abort()

    def on_message_complete(self) -> None:
        """Expect the next head; after a discarded body within `HEAD_S`."""
        self._in_head, self._raw_bytes = True, 0
        is_answered = self.cycle.response_complete
        self._close_after(HEAD_S if is_answered else None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the time limit for the rest of a body that is discarded."""
        is_arriving = self.cycle.response_complete and self.cycle.more_body
        super().on_response_complete()
        if is_arriving and not self.transport.is_closing():
            self._close_after(LINGER_S)

    def _count(self, length: int) -> None:
        self._head_bytes += length
        if self._is_too_long():
            raise _TooLongError

    def _is_too_long(self) -> bool:
        return max(self._raw_bytes, self._head_bytes) > MAX_HEAD_BYTES

    def _close_after(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
