"""What is handed on of a body: all of it, in order, in pieces that are worth a turn."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from gateway_service.http.middleware import PIECE_BYTES, BodyBounds, BodyLimit

SCOPE: Scope = {"type": "http", "path": "/blur", "headers": []}
MOST = 4 * PIECE_BYTES
GONE: Message = {"type": "http.disconnect"}


def body(pieces: Sequence[bytes]) -> list[Message]:
    """Return the messages of a body."""
    last = len(pieces) - 1
    return [
        {"type": "http.request", "body": piece, "more_body": number < last}
        for number, piece in enumerate(pieces)
    ]


def handed_on(messages: Sequence[Message]) -> list[Message]:
    """Return what an application behind the limit receives of messages, up to the end of the body."""
    arriving = iter(messages)
    got: list[Message] = []

    async def receive() -> Message:
        return next(arriving)

    async def send(_message: Message) -> None:
        pytest.fail("nothing is answered here")

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while not got or got[-1].get("more_body"):
            got.append(await receive())

    limit = BodyLimit(app, BodyBounds(MOST, 60.0, 60.0), {})
    asyncio.run(limit(SCOPE, receive, send))
    return got


@given(st.lists(st.sampled_from([0, 1, 100, 65536, PIECE_BYTES, PIECE_BYTES + 1]), min_size=1, max_size=9))
def test_no_byte_is_lost_or_moved(lengths: Sequence[int]) -> None:
    """However a body arrives, it is the same body, and every piece but the last is a large one."""
    pieces = [bytes([65 + number]) * length for number, length in enumerate(lengths)]
    whole = b"".join(pieces)
    if len(whole) > MOST:
        with pytest.raises(HTTPException) as refused:
            handed_on(body(pieces))
        assert refused.value.status_code == 413
        return
    got = handed_on(body(pieces))
    assert b"".join(message["body"] for message in got) == whole
    assert all(len(message["body"]) >= PIECE_BYTES for message in got[:-1])


def test_a_caller_who_hangs_up_in_the_middle_has_hung_up() -> None:
    """Pieces before that are no body that is whole."""
    got = handed_on([*body([b"a", b"b", b"c"])[:2], GONE])
    assert got[-1]["type"] == "http.disconnect"
