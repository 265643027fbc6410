"""Stream all results of a batch as one zip archive."""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from gateway_service.batches.batch import Batch, BatchFile, BatchStatus, records_of, status
from gateway_service.http.dependencies import Gateway
from gateway_service.http.uploads import FALLBACK_NAME
from gateway_service.results.downloads import EXTENSIONS
from gateway_service.results.serialisers import report_of
from obscura.contract import ObjectClass
from obscura.contract.spreadsheet_cells import plain_cell
from obscura.errors import BatchNotFinishedError, NoPictureError, ObscuraError
from obscura.jobs import JobRecord
from obscura.redaction.policy import MASK
from obscura.storage import MissingObjectError

__all__ = ["archive"]

COLUMNS = ("index", "name", "output", "status", "verdict", "faces", "plates", "error_code", "error_message")
# The earliest date that a zip can store, so that the archive does not tell when a photo was processed.
ZIPPED_AT = (1980, 1, 1, 0, 0, 0)


class _Pipe(io.RawIOBase):
    """A write-only file whose content is taken in pieces, so that no archive is in memory as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


async def archive(gateway: Gateway, batch: Batch) -> AsyncIterator[bytes]:
    """Return the pieces of a zip with all finished pictures, and the report as JSON and CSV.

    Raises
    ------
    BatchNotFinishedError
        If a photo is still being processed.
    """
    state = await status(gateway, batch)
    if not state.finished:
        message = f"{state.total - state.done - state.failed} photos are still in work"
        raise BatchNotFinishedError(message)
    records = await records_of(gateway, batch)
    return _pieces(gateway, state, records)


async def _pieces(
    gateway: Gateway, state: BatchStatus, records: Sequence[JobRecord | None]
) -> AsyncIterator[bytes]:
    pipe = _Pipe()
    report: list[dict[str, Any]] = []
    with zipfile.ZipFile(cast("BinaryIO", pipe), "w", zipfile.ZIP_STORED) as bundle:
        for file, record in zip(state.files, records, strict=True):
            line = file.model_dump(mode="json", exclude_none=True)
            try:
                line["output"], data = await _picture(gateway, file, record)
                bundle.writestr(zipfile.ZipInfo(line["output"], ZIPPED_AT), data)
                line["report"] = None if record is None else report_of(record)
            except ObscuraError as error:
                line.setdefault("error", {"code": error.code, "message": error.message})
            report.append(line)
            yield pipe.take()
        bundle.writestr(
            zipfile.ZipInfo("report.json", ZIPPED_AT), json.dumps(report, ensure_ascii=False, indent=1)
        )
        bundle.writestr(zipfile.ZipInfo("report.csv", ZIPPED_AT), _table(report))
        yield pipe.take()
    yield pipe.take()


async def _picture(gateway: Gateway, file: BatchFile, record: JobRecord | None) -> tuple[str, bytes]:
    if record is None or record.picture is None or record.media_type is None:
        message = "there is no picture"
        raise NoPictureError(message)
    stem = PurePosixPath(file.name or FALLBACK_NAME).stem
    # The number distinguishes photos of one name and keeps their order.
    name = f"{file.index:04d}_{stem}.{EXTENSIONS.get(record.media_type, 'bin')}"
    try:
        return name, await asyncio.to_thread(gateway.storage.get, record.picture)
    except MissingObjectError as error:
        message = "the result was erased meanwhile"
        raise NoPictureError(message) from error


def _table(report: Iterable[dict[str, Any]]) -> str:
    text, lines = io.StringIO(), list(report)
    hidden_classes = {name for line in lines for name in (line.get("report") or {}).get("hidden", {})}
    others = sorted(hidden_classes - {*ObjectClass, MASK})
    table = csv.DictWriter(text, (*COLUMNS, *(f"{name}s" for name in others)), restval=0)
    table.writeheader()
    for line in lines:
        hidden = (line.get("report") or {}).get("hidden", {})
        error = line.get("error", {})
        record = {column: line.get(column, "") for column in COLUMNS[:5]}
        record["name"] = plain_cell(line.get("name", ""))
        record |= {"faces": 0, "plates": 0}
        record |= {f"{name}s": number for name, number in hidden.items() if name != MASK}
        table.writerow(
            record | {"error_code": error.get("code", ""), "error_message": error.get("message", "")}
        )
    return text.getvalue()
