"""The audit log: whoever changes it is found out."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obscura.audit import AuditFile, Head, read_head, verify
from obscura.errors import AuditBrokenError, StorageUnavailableError

KEY = b"secret"


def record(number: int) -> dict[str, str]:
    """Return a record of the kind that the ledger leaves."""
    return {
        "id": f"{number}-0",
        "at": "2026-01-01T00:00:00.000+00:00",
        "event": "done",
        "job": f"job-{number}",
    }


def log_of(path: Path, number: int = 9, key: bytes = b"") -> list[bytes]:
    """Write a log in three batches and return its lines."""
    log = AuditFile(path, key)
    for start in range(0, number, 3):
        log.append([record(item) for item in range(start, min(start + 3, number))])
    return path.read_bytes().splitlines(keepends=True)


def test_what_was_written_holds_together(tmp_path: Path) -> None:
    """Every record is there in order behind the one that begins the chain; the head is the last."""
    lines = log_of(tmp_path / "log")
    assert [json.loads(line).get("job") for line in lines] == [None, *(f"job-{n}" for n in range(9))]
    head = verify(lines)
    assert head == read_head(tmp_path / "log")
    assert head.n == 9


Tampering = Callable[[Sequence[bytes], int], list[bytes]]
TAMPERINGS: dict[str, Tampering] = {
    "changed": lambda lines, at: [
        line.replace(b"done", b"lost") if number == at else line for number, line in enumerate(lines)
    ],
    "removed": lambda lines, at: [line for number, line in enumerate(lines) if number != at],
    "doubled": lambda lines, at: [*lines[: at + 1], *lines[at:]],
    "swapped": lambda lines, at: [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]],
    "emptied": lambda _lines, _at: [],
    "beginning cut off": lambda lines, at: list(lines[at:]),
    "not JSON": lambda lines, at: [*lines[:at], b"x\n", *lines[at:]],
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=list(TAMPERINGS))
@pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "keyed"])
def test_tampering_is_found(tmp_path: Path, tampering: Tampering, key: bytes) -> None:
    """A record changed, removed, doubled or moved breaks the chain."""
    lines = log_of(tmp_path / "log", key=key)
    verify(lines, key)
    with pytest.raises(AuditBrokenError):
        verify(tampering(lines, 4), key)


def test_a_cut_off_end_is_found_against_a_noted_head(tmp_path: Path) -> None:
    """A shortened log holds together: only a head noted earlier tells, and a log that grew still has it."""
    lines = log_of(tmp_path / "log")
    early, late = verify(lines[:5]), verify(lines)
    assert verify(lines, anchor=early) == late
    with pytest.raises(AuditBrokenError, match="cut off"):
        verify(lines[:5], anchor=late)
    with pytest.raises(AuditBrokenError, match="cut off"):
        verify(log_of(tmp_path / "other"), anchor=late)


def test_without_the_key_a_chain_cannot_be_made_anew(tmp_path: Path) -> None:
    """A log that somebody writes again from changed records, without the key, does not verify."""
    forged = log_of(tmp_path / "forged", key=b"guess")
    for key in (KEY, b""):
        with pytest.raises(AuditBrokenError):
            verify(forged, key)


@given(st.binary(max_size=200), st.integers(0, 9))
def test_arbitrary_bytes_are_never_a_record(garbage: bytes, at: int) -> None:
    """Whatever stands in place of a line: an error of ours and no other."""
    with pytest.raises(AuditBrokenError):
        verify([*[b"{}"] * at, garbage])


def test_a_torn_line_is_mended(tmp_path: Path) -> None:
    """A crash in the middle of a write leaves half a line; the next write takes it away and goes on."""
    path = tmp_path / "log"
    log_of(path)
    with path.open("ab") as file:
        file.write(b'{"event": "do')
    AuditFile(path).append([record(9)])
    assert verify(path.read_bytes().splitlines()).n == 10


def test_a_record_that_comes_again_is_written_once(tmp_path: Path) -> None:
    """A gateway that died between writing and saying so hands the same records in again."""
    log = AuditFile(tmp_path / "log")
    log.append([record(1), record(2)])
    head = log.append([record(1), record(2), record(3)])
    assert head.n == 3
    log.append([record(9), record(10), record(11)])
    assert log.append([record(3), record(10), record(12)]).n == 7


def test_several_writers_share_one_chain(tmp_path: Path) -> None:
    """Eight gateways of one machine that write at once leave one unbroken chain."""
    path = tmp_path / "log"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: AuditFile(path).append([record(number)]), range(40)))
    assert verify(path.read_bytes().splitlines()).n == 40


def test_a_new_file_names_the_chain_before(tmp_path: Path) -> None:
    """Whoever moves a log away finds its head at the beginning of the next one."""
    old = AuditFile(tmp_path / "old").append([record(1)])
    AuditFile(tmp_path / "new").append([record(2)], follows=str(old))
    assert json.loads((tmp_path / "new").read_text().splitlines()[0])["follows"] == str(old)


def test_a_full_disk_writes_nothing(tmp_path: Path) -> None:
    """Where a log cannot be written it stays as it was, and the error is clear."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailableError):
        AuditFile(tmp_path / "file" / "log").append([record(1)])


def test_a_long_log_is_continued(tmp_path: Path) -> None:
    """Only the end of a log is read to add to it, however long it is."""
    path = tmp_path / "log"
    AuditFile(path).append([record(number) for number in range(6000)])
    head = AuditFile(path).append([record(6000)])
    assert path.stat().st_size > 1 << 20
    assert verify(path.read_bytes().splitlines()) == head
    assert isinstance(head, Head)
