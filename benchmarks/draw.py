"""Draw results as bars: ``python -m benchmarks.draw RESULTS.json PICTURE.svg``.

The file holds a title, a unit and bars: ``{"title": "...", "unit": "ms", "bars": [["name", 12.3], ...]}``.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

WIDTH: Final = 760
LABEL: Final = 290
ROW: Final = 26
HEAD: Final = 44


def bars(title: str, unit: str, rows: Sequence[tuple[str, float]]) -> str:
    """Return an SVG picture with a horizontal bar per row."""
    longest = max(value for _, value in rows) or 1.0
    room = WIDTH - LABEL - 90
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEAD + ROW * len(rows) + 10}">',
        "<style>text {font: 13px sans-serif}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="26" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for index, (name, value) in enumerate(rows):
        top = HEAD + ROW * index
        length = max(1.0, room * value / longest)
        lines += [
            f'<text x="{LABEL - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{top + 3}" width="{length:.1f}" height="{ROW - 8}" fill="#3b6ea5"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{top + 16}">{value:g} {escape(unit)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw one picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draw", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    chosen = parser.parse_args(arguments)
    given = json.loads(chosen.results.read_text(encoding="utf-8"))
    rows = [(str(name), float(value)) for name, value in given["bars"]]
    chosen.picture.write_text(bars(given["title"], given["unit"], rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
