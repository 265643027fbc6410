"""Metrics of several detectors side by side, as a table for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.evaluation.summary import Rules, Summary

ABSENT = "-"


def side_by_side(summaries: Sequence[Summary], rules: Rules, title: str) -> Table:
    """Return a table with a column per detector and a row per metric.

    Recall is shown as ``at 0.1 / at 1`` false box per photo.

    Parameters
    ----------
    summaries
        One per detector, all of the same photos; at least one.
    rules
        Evaluation options.
    title
        Written above.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for summary in summaries:
        table.add_column(summary.name, justify="right")
    for name, *cells in _rows(summaries, rules):
        table.add_row(name, *cells)
    return table


def _rows(summaries: Sequence[Summary], rules: Rules) -> list[list[str]]:
    reports = [summary.report for summary in summaries]
    usual = [summary.usual for summary in summaries]
    figures = [summary.as_dict()["at_false_per_photo"] for summary in summaries]
    sizes = [
        [
            f"  {rules.bins.side} {size.name} px ({size.labels})",
            *(
                _pair(report.bins[index].recall_few_false, report.bins[index].recall_more_false)
                for report in reports
            ),
        ]
        for index, size in enumerate(reports[0].bins)
    ]
    return [
        [f"AP at IoU {rules.min_iou:g}", *(_share(report.average_precision) for report in reports)],
        [
            "recall at 0.1 / 1 false box per photo",
            *(_pair(report.recall_few_false, report.recall_more_false) for report in reports),
        ],
        *sizes,
        ["threshold for that", *(_thresholds(figure) for figure in figures)],
        ["at its default threshold", *(f"{point.threshold:.3g}" for point in usual)],
        ["  recall", *(_share(point.recall) for point in usual)],
        ["  precision", *(_share(point.precision) for point in usual)],
        ["  false boxes per photo", *(f"{point.false_per_photo:.2f}" for point in usual)],
        ["  labelled pixels hidden", *(_share(point.covered) for point in usual)],
        ["processor ms per photo", *(f"{summary.cpu_ms:.0f}" for summary in summaries)],
    ]


def _thresholds(figure: dict[str, dict[str, float | None]]) -> str:
    values = (rate["threshold"] for rate in figure.values())
    return " / ".join(ABSENT if value is None else f"{value:.3g}" for value in values)


def _pair(few: float, more: float) -> str:
    return ABSENT if math.isnan(few) else f"{_share(few)} / {_share(more)}"


def _share(value: float) -> str:
    return ABSENT if math.isnan(value) else f"{value:.3f}"
