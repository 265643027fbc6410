"""The audit log as an append-only file."""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from obscura.audit.chain import BEGIN, Head, Record, link, parse
from obscura.errors import AuditBrokenError, StorageUnavailableError

__all__ = ["AuditFile", "read_head"]

TAIL_BYTES: Final = 1 << 20
"""Bytes at the end of the file in which records are searched that a crash would let be written twice."""


def read_head(path: Path) -> Head | None:
    """Return the head of the chain in ``path`` without verifying it, None if there is no file or no line."""
    try:
        with path.open("rb") as file:
            return _end(file)[0]
    except FileNotFoundError:
        return None


class AuditFile:
    """Appends records to the audit log at ``path``; safe for several processes of one machine."""

    def __init__(self, path: Path, key: bytes = b"") -> None:
        self._path = path
        self._key = key

    def append(self, records: Sequence[Record], follows: str = "") -> Head:
        """Append the records whose ``id`` is not in the file yet; return the new head once they are on disk.

        A new chain stores ``follows``, the head of the previous chain, in its first line.

        Raises
        ------
        StorageUnavailableError
            If they cannot be written; then none of them is.
        AuditBrokenError
            If the last line of the file is not a record.
        """
        try:
            with self._locked() as file:
                head, lines = _end(file)
                written = _ids_since(min((_order(record["id"]) for record in records), default=()), lines)
                if head is None:
                    begin = {"event": BEGIN, "chain": secrets.token_hex(8), "follows": follows, "at": _now()}
                    head = self._write(file, [begin], None)
                return self._write(file, [record for record in records if record["id"] not in written], head)
        except OSError as error:
            message = f"the audit log cannot be written ({error.strerror})"
            raise StorageUnavailableError(message) from error

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _write(self, file: BinaryIO, records: Sequence[Record], head: Head | None) -> Head:
        end = file.seek(0, os.SEEK_END)
        texts: list[str] = []
        for record in records:
            text, head = link(record, head, self._key)
            texts.append(text)
        try:
            file.write("".join(texts).encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            # An incomplete line would break the chain.
            os.ftruncate(file.fileno(), end)
            raise
        if head is None:
            message = "nothing was written to the audit log"
            raise AuditBrokenError(message)
        return head


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _end(file: BinaryIO) -> tuple[Head | None, Sequence[bytes]]:
    """Return the head and the lines of the last `TAIL_BYTES`; remove an incomplete last line."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read()
    complete, _, torn = tail.rpartition(b"\n")
    if torn and file.writable():
        # A crash during a write: its records are still in the job store.
        os.ftruncate(file.fileno(), size - len(torn))
    if not complete:
        return None, ()
    lines = complete.split(b"\n")
    if size > TAIL_BYTES:
        del lines[0]
    last = parse(lines[-1])
    return Head(_chain(file), int(str(last["n"])), str(last["hash"])), lines


def _ids_since(first: tuple[int, ...], lines: Sequence[bytes]) -> frozenset[str]:
    """Return the ids of the last lines, back to the first one that is older than ``first``.

    The ids of stream entries increase, so duplicates can only be behind all older records.
    """
    ids: set[str] = set()
    for line in reversed(lines):
        name = str(parse(line).get("id", ""))
        if name and _order(name) < first:
            break
        ids.add(name)
    return frozenset(ids)


def _order(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("-"))


def _chain(file: BinaryIO) -> str:
    file.seek(0)
    return str(parse(file.readline()).get("chain", ""))
