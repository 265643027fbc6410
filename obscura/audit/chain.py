"""A hash chain of audit records: each record contains the hash of its predecessor.

A line is a JSON object. ``n`` counts from 0 without gaps, ``prev`` is the ``hash`` of the previous line, and
``hash`` is the SHA-256 of the line without that field (HMAC-SHA256 if there is a key). The first line names
the chain.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from obscura.errors import AuditBrokenError

__all__ = ["BEGIN", "Head", "Record", "link", "parse", "verify"]

BEGIN: Final = "chain_begun"
NO_HASH: Final = "0" * 64
CHAIN_FIELDS: Final = frozenset({"n", "prev", "hash"})
Record = Mapping[str, str]
"""One audit record: fields by name."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: its name, the number of its last record, and that record's hash."""

    chain: str
    n: int
    hash: str

    def __str__(self) -> str:
        """Return ``CHAIN:N:HASH``, the form in which heads are stored outside the file."""
        return f"{self.chain}:{self.n}:{self.hash}"


def _hash(line: Mapping[str, object], key: bytes) -> str:
    text = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
    if key:
        return hmac.new(key, text, hashlib.sha256).hexdigest()
    return hashlib.sha256(text).hexdigest()


def link(record: Record, head: Head | None, key: bytes = b"") -> tuple[str, Head]:
    """Return ``record`` as the next line of a chain, and the chain's new head.

    Parameters
    ----------
    record
        The event; the first record (``head`` is None) must contain ``chain``.
    head
        The head of the chain so far, None for a new chain.
    key
        Key of the HMAC; empty for plain SHA-256.
    """
    line: dict[str, object] = {**record, "n": 0, "prev": NO_HASH}
    chain = record["chain"] if head is None else head.chain
    if head is not None:
        line |= {"n": head.n + 1, "prev": head.hash}
    digest = _hash(line, key)
    text = json.dumps({**line, "hash": digest}, sort_keys=True, separators=(",", ":"))
    return text + "\n", Head(chain, 0 if head is None else head.n + 1, digest)


def parse(text: str | bytes) -> dict[str, object]:
    """Return the fields of a line; raise AuditBrokenError if it is not an audit record."""
    try:
        line = json.loads(text)
    except ValueError as error:
        message = "a line is not JSON"
        raise AuditBrokenError(message) from error
    if not (isinstance(line, dict) and line.keys() >= CHAIN_FIELDS and isinstance(line["n"], int)):
        message = "a line is not a record"
        raise AuditBrokenError(message)
    return line


def verify(lines: Iterable[str | bytes], key: bytes = b"", *, anchor: Head | None = None) -> Head:
    """Verify a chain and return its head.

    Parameters
    ----------
    lines
        All lines of one file.
    key
        The key that the chain was written with.
    anchor
        A head stored earlier; the chain must contain it, so that truncation is detected.

    Raises
    ------
    AuditBrokenError
        If a record was changed, removed, inserted or moved, or the anchor is not in the chain.
    """
    head: Head | None = None
    is_anchored = anchor is None
    for number, text in enumerate(lines):
        head = _next(parse(text), head, number, key)
        is_anchored = is_anchored or head == anchor
    if head is None:
        message = "the audit log is empty"
        raise AuditBrokenError(message)
    if not is_anchored:
        message = f"the audit log does not hold the record {anchor}: it was cut off or replaced"
        raise AuditBrokenError(message)
    return head


def _next(line: dict[str, object], head: Head | None, number: int, key: bytes) -> Head:
    digest = line.pop("hash")
    expected = NO_HASH if head is None else head.hash
    chain = str(line.get("chain", "")) if head is None else head.chain
    in_place = (
        line["n"] == number and line["prev"] == expected and (head is not None or line.get("event") == BEGIN)
    )
    if not in_place or not hmac.compare_digest(str(digest), _hash(line, key)):
        message = f"record {number} of the audit log was changed, or a record before it is missing"
        raise AuditBrokenError(message)
    return Head(chain, number, str(digest))
