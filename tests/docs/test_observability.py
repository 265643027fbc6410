"""docs/reference/observability.md says what /metrics shows.

``python -m tests.docs.test_observability`` writes its table of metrics anew.
"""

from pathlib import Path

from obscura.observability.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/observability.md"
BEGIN, END = "<!-- metrics: begin -->\n", "\n<!-- metrics: end -->"


def metrics_table() -> str:
    """Return the table of metrics as the page should show it."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in CATALOGUE.values():
        labels = ", ".join(metric.labels)
        rows.append(f"| `{metric.shown_name}` | {metric.kind} | {labels} | {metric.text} |")
    return "\n".join(rows)


def test_every_metric_stands_in_the_table() -> None:
    """Name, kind, labels and meaning are those of the code."""
    assert PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0] == metrics_table()


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + BEGIN + metrics_table() + END + rest.split(END)[1], "utf-8")
