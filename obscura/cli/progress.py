"""Progress, summary table and report of a run over many files."""

import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from obscura.cli.files import FoundPhoto
from obscura.cli.pool import Answer, Line
from obscura.contract.spreadsheet_cells import plain_cell
from obscura.errors import InvalidOptionError

notes = Console(stderr=True)
SUMMARY_FROM = 2
SHOWN_RESIDUAL = 3
REPORT_COLUMNS = ("path", "output", "verdict", "faces", "plates", "error_code", "error_message")


def _error(answer: Answer) -> dict[str, str] | None:
    if answer.error is None:
        return None
    code = getattr(answer.error, "remote_code", answer.error.code)
    return {"code": code, "message": answer.error.message}


class Show:
    """Takes each answer as it comes; ``failures`` and ``reviews`` count what a script wants to know."""

    def __init__(
        self, total: int, *, as_json: bool, is_quiet: bool = False, report: Path | None = None
    ) -> None:
        if report is not None and report.suffix.lower() not in {".csv", ".json"}:
            message = "--report takes a name that ends in .csv or .json"
            raise InvalidOptionError(message)
        self.failures = 0
        self.reviews = 0
        self.skipped = 0
        self._hidden: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._lines: list[Line] = []
        self._as_json = as_json
        self._is_quiet = is_quiet
        self._report = report
        self._began = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=notes,
            disable=not notes.is_terminal,
        )
        self._all = self._bars.add_task("files", total=total, rate="")
        self._videos: dict[Path, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        if self._report is not None:
            self._write_report(self._report)

    def video(self, photo: FoundPhoto, stage: str, done: int, total: int) -> None:
        """Show how far a video is."""
        if photo.path not in self._videos:
            self._videos[photo.path] = self._bars.add_task("", rate="")
        name = f"{photo.path.name}: {stage}"
        self._bars.update(self._videos[photo.path], description=name, completed=done, total=max(total, done))

    def skip(self, line: Line) -> None:
        """Count a file that an earlier run has finished."""
        self.skipped += 1
        self._count(line)
        self._bars.advance(self._all)

    def add(self, answer: Answer) -> Line:
        """Show the answer to one file and return its line."""
        line = dict(answer.line)
        error = _error(answer)
        if error is not None:
            line["error"] = error
        self._count(line)
        if answer.photo.path in self._videos:
            self._bars.remove_task(self._videos.pop(answer.photo.path))
        seconds = max(time.monotonic() - self._began, 1e-6)
        fresh = len(self._lines) - self.skipped
        self._bars.update(self._all, advance=1, rate=f"{fresh / seconds:.1f}/s")
        self._print(line)
        return line

    def _count(self, line: Line) -> None:
        self._lines.append(line)
        if "error" in line:
            self.failures += 1
            return
        report = line.get("report", {})
        verdict = report.get("verdict", "clean")
        self._verdicts[verdict] += 1
        self.reviews += verdict == "needs_review"
        self._hidden.update(report.get("hidden") or report.get("tracks") or {})

    def _print(self, line: Line) -> None:
        if self._as_json:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        elif "error" in line:
            text = f"{line['path']}: {line['error']['message']}"
            notes.print(text, style="red", markup=False, highlight=False)
        elif "output" in line:
            is_open = line["report"].get("verdict") == "needs_review"
            review = f"  (look at it: needs_review: {residual_of(line['report'])})" if is_open else ""
            text = f"{line['path']} -> {line['output']}{review}"
            notes.print(text, markup=False, highlight=False, soft_wrap=True)
        elif not self._is_quiet:
            found = ", ".join(f"{item['class']} {item['confidence']:.2f}" for item in line["detections"])
            sys.stdout.write(f"{line['path']}: {found or 'nothing'}\n")

    def summary(self) -> None:
        """Print what was done, where it is more than a file or two."""
        if self._as_json or len(self._lines) < SUMMARY_FROM:
            return
        seconds = time.monotonic() - self._began
        table = Table(show_header=False, box=None, pad_edge=False)
        rows: list[tuple[str, Any]] = [("files", len(self._lines))]
        rows += [("done by an earlier run", self.skipped)] if self.skipped else []
        rows += [(f"  {verdict}", number) for verdict, number in sorted(self._verdicts.items())]
        rows += [(f"{name}s hidden", number) for name, number in sorted(self._hidden.items())]
        rows += [("failed", self.failures)] if self.failures else []
        rows += [("seconds", f"{seconds:.1f}")]
        for name, value in rows:
            table.add_row(name, str(value))
        notes.print(table)

    def _write_report(self, path: Path) -> None:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(self._lines, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            return
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, REPORT_COLUMNS)
            table.writeheader()
            table.writerows(_row(line) for line in self._lines)


def residual_of(report: Mapping[str, Any]) -> str:
    """Return what the residual check of a picture found, for people: class, score and box, surest first."""
    found = report.get("residual", report.get("suspects", ()))
    texts = [
        f"{item['class']} {item['confidence']:.2f} at {','.join(str(round(edge)) for edge in item['xyxy'])}"
        for item in found
    ]
    more = len(texts) - SHOWN_RESIDUAL
    return "; ".join(texts[:SHOWN_RESIDUAL]) + (f"; {more} more" if more > 0 else "")


def _row(line: Line) -> dict[str, Any]:
    report, error = line.get("report", {}), line.get("error", {})
    hidden = report.get("hidden") or report.get("tracks") or {}
    safe: dict[str, Any] = {name: plain_cell(str(line[name])) for name in ("path", "output") if name in line}
    return {
        **safe,
        "verdict": "" if error else report.get("verdict", ""),
        "faces": hidden.get("face", 0),
        "plates": hidden.get("plate", 0),
        "error_code": error.get("code", ""),
        "error_message": error.get("message", ""),
    }
