"""Draw results as curves over time, as SVG without a plotting package."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

WIDTH: Final = 860
HEIGHT: Final = 360
LEFT: Final = 70
RIGHT: Final = 230
TOP: Final = 50
BOTTOM: Final = 46
TICKS: Final = 5
COLOURS: Final = ("#3b6ea5", "#c0504d", "#6a9a3b", "#7d5aa6", "#d08a2e", "#2f9c95", "#8c6d5a", "#555555")


def _step(highest: float) -> float:
    """Return a round distance between lines of a grid, about ``TICKS`` of them up to ``highest``."""
    power = 1.0
    while power * 10 <= highest / TICKS:
        power *= 10
    while power > highest / TICKS:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= highest / TICKS)


def curves(title: str, unit: str, over: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return an SVG picture of curves; each has points of where it is along ``over`` and its value.

    Raises
    ------
    ValueError
        If there is no point at all.
    """
    points = [point for curve in series.values() for point in curve]
    if not points:
        message = "there is nothing to draw"
        raise ValueError(message)
    longest = max(x for x, _ in points) or 1.0
    highest = max(y for _, y in points) or 1.0
    step = _step(highest)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> str:
        return f"{LEFT + width * x / longest:.1f},{TOP + height * (1 - y / (highest * 1.05)):.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">',
        "<style>text {font: 12px sans-serif}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="26" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT + width / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(over)}</text>',
    ]
    for number in range(int(highest * 1.05 / step) + 1):
        left, right = place(0, number * step), place(longest, number * step)
        label = f"{round(number * step, 6):g} {escape(unit)}"
        lines += [
            f'<polyline points="{left} {right}" stroke="#dddddd" fill="none"/>',
            f'<text x="{LEFT - 6}" y="{float(left.split(",")[1]) + 4:.1f}" text-anchor="end">{label}</text>',
        ]
    across = max(1.0, _step(longest))
    for number in range(int(longest / across) + 1):
        x, y = place(number * across, 0).split(",")
        lines.append(f'<text x="{x}" y="{float(y) + 18:.1f}" text-anchor="middle">{number * across:g}</text>')
    for index, (name, curve) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        dash = ' stroke-dasharray="5 3"' if index >= len(COLOURS) else ""
        path = " ".join(place(x, y) for x, y in curve)
        row = TOP + 8 + 18 * index
        lines += [
            f'<polyline points="{path}" stroke="{colour}" stroke-width="2" fill="none"{dash}/>',
            f'<rect x="{WIDTH - RIGHT + 14}" y="{row - 9}" width="14" height="10" fill="{colour}"/>',
            f'<text x="{WIDTH - RIGHT + 34}" y="{row}">{escape(name)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
