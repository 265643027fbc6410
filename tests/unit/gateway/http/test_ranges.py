"""Parts of a picture that lies in a bucket."""

import pytest

from gateway_service.http.ranges import ranged


@pytest.mark.parametrize(
    ("wanted", "status", "body", "where"),
    [
        ("", 200, b"0123456789", None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=3-1", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
        ("bytes=" + "9" * 5000 + "-", 200, b"0123456789", None),
    ],
)
def test_one_part_or_the_whole(wanted: str, status: int, body: bytes, where: str | None) -> None:
    """What RFC 9110 says, and the whole for everything else."""
    answer = ranged(b"0123456789", wanted, {"etag": '"x"'}, "image/jpeg")
    assert (answer.status_code, bytes(answer.body)) == (status, body)
    assert answer.headers.get("content-range") == where
    assert (answer.headers["etag"], answer.headers["accept-ranges"]) == ('"x"', "bytes")
