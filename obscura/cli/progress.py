"""Progress, summary table and report of a run over many files."""

import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from obscura.cli.files import FoundPhoto
from obscura.cli.pool import Answer, Line
from obscura.contract import ObjectClass
from obscura.contract.spreadsheet_cells import plain_cell
from obscura.errors import InvalidOptionError
from obscura.redaction.policy import MASK

if TYPE_CHECKING:
    from obscura.cli.bars import Bars

FAILED, REVIEW, INTERRUPTED = 1, 3, 130
SUMMARY_FROM = 2
SHOWN_RESIDUAL = 3
REPORT_COLUMNS = ("path", "output", "verdict", "faces", "plates", "error_code", "error_message")


def note(text: str, colour: str | None = None, *, bold: bool = False) -> None:
    """Print a line on standard error."""
    typer.secho(text, err=True, fg=colour, bold=bold)


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
        self._total = total
        self._bars: Bars | None = None

    def __enter__(self) -> Self:
        if self._total > 1:
            self._show_bars()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        if self._report is not None:
            self._write_report(self._report)

    def _show_bars(self) -> None:
        """Show progress bars where there is a terminal; one photo needs none."""
        if self._bars is None and sys.stderr.isatty():
            from obscura.cli.bars import Bars

            self._bars = Bars(self._total, len(self._lines))

    def video(self, photo: FoundPhoto, stage: str, done: int, total: int) -> None:
        """Show how far a video is."""
        self._show_bars()
        if self._bars is not None:
            self._bars.video(photo.path, stage, done, total)

    def skip(self, line: Line) -> None:
        """Count a file that an earlier run has finished."""
        self.skipped += 1
        self._count(line)
        if self._bars is not None:
            self._bars.file(Path(line["path"]), "")

    def add(self, answer: Answer) -> Line:
        """Show the answer to one file and return its line."""
        line = dict(answer.line)
        error = _error(answer)
        if error is not None:
            line["error"] = error
        self._count(line)
        if self._bars is not None:
            seconds = max(time.monotonic() - self._began, 1e-6)
            fresh = len(self._lines) - self.skipped
            self._bars.file(answer.photo.path, f"{fresh / seconds:.1f}/s")
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
            note(f"{line['path']}: {line['error']['message']}", "red")
        elif "output" in line:
            is_open = line["report"].get("verdict") == "needs_review"
            review = f"  (look at it: needs_review: {residual_of(line['report'])})" if is_open else ""
            note(f"{line['path']} -> {line['output']}{review}")
        elif not self._is_quiet:
            found = ", ".join(f"{item['class']} {item['confidence']:.2f}" for item in line["detections"])
            sys.stdout.write(f"{line['path']}: {found or 'nothing'}\n")

    def exit_code(self, *, review_fails: bool = False) -> int:
        """Return 1 if a file failed, 3 if a person should look and ``review_fails`` asks for it, else 0."""
        return FAILED if self.failures else REVIEW if review_fails and self.reviews else 0

    def summary(self) -> None:
        """Print what was done, where it is more than a file or two."""
        if self._as_json or len(self._lines) < SUMMARY_FROM:
            return
        seconds = time.monotonic() - self._began
        rows: list[tuple[str, Any]] = [("files", len(self._lines))]
        rows += [("done by an earlier run", self.skipped)] if self.skipped else []
        rows += [(f"  {verdict}", number) for verdict, number in sorted(self._verdicts.items())]
        rows += [(f"{name}s hidden", number) for name, number in sorted(self._hidden.items())]
        rows += [("failed", self.failures)] if self.failures else []
        rows += [("seconds", f"{seconds:.1f}")]
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            note(f"{name:{width}} {value}")

    def _write_report(self, path: Path) -> None:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(self._lines, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            return
        with path.open("w", newline="", encoding="utf-8") as file:
            others = sorted(self._hidden.keys() - {*ObjectClass, MASK})
            columns = (*REPORT_COLUMNS, *(f"{name}s" for name in others))
            table = csv.DictWriter(file, columns, restval=0)
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
        "faces": 0,
        "plates": 0,
        **{f"{name}s": number for name, number in hidden.items() if name != MASK},
        "error_code": error.get("code", ""),
        "error_message": error.get("message", ""),
    }
