"""An HTTP/1.1 protocol with limits: size and time of the head, unread bodies.

uvicorn bounds neither the time nor the size of a request's head, and it reads on for as long as a client
sends after the answer has been given.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["BoundedHttp"]

MAX_HEAD_BYTES = 32 * 1024
HEAD_PIECE_BYTES = 1024
HEADER_MARKS = len(b":\r\n")
HEAD_S = 15.0
# After an early refusal the rest of the body is read and dropped, so that a client that sends first and reads
# then gets to see its answer instead of a broken connection.
LINGER_S = 30.0
MAX_LINGER_BYTES = 64 * 1024 * 1024


class _TooLongError(Exception):
    """A request's head is longer than allowed."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with deadlines and sizes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own affair
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = True
        # Counted twice: as they arrive, and by name and value once they can be told apart.
        self._raw_bytes = 0
        self._head_bytes = 0
        self._dropped_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for a request, not for ever."""
        super().connection_made(transport)
        self._close_after(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._close_after(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Give the head its time."""
        super().on_message_begin()
        self._in_head = True
        self._raw_bytes = self._head_bytes = self._dropped_bytes = 0
        self._close_after(HEAD_S)

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, with its colon and the end of its line."""
        self._count(len(name) + len(value) + HEADER_MARKS)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head's time: bodies have deadlines of their own."""
        self._in_head = False
        self._close_after(None)
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse, and end a connection whose head does not end.

        A head is parsed in small pieces, so that no more of it is taken than is allowed, spaces that belong
        to no header included.
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
        """Refuse a head that cannot be parsed, or is too long."""
        if not self._is_too_long():
            super().send_400_response(msg)
            return
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Hand a piece of a body on, or drop it where the answer has been given."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._dropped_bytes += len(body)
            if self._dropped_bytes > MAX_LINGER_BYTES:
                self.transport.abort()

    def on_message_complete(self) -> None:
        """End the time of a body; where it was dropped, the next request has to begin soon."""
        self._in_head, self._raw_bytes = True, 0
        is_answered = self.cycle.response_complete
        self._close_after(HEAD_S if is_answered else None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give the rest of a body that nobody reads a last while."""
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
