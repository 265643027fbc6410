"""Spans of time in a video."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = ["MAX_SPANS", "Spans"]

MAX_SPANS: Final = 200
MAX_SECONDS: Final = 1_000_000
_ENDS: Final = 2
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


def _spans(value: object) -> object:
    """Read ``1.5-3,10-12``; raise ValueError for what are no spans."""
    if not isinstance(value, str):
        return value
    pairs = [item.split("-") for item in value.split(",")]
    if not all(len(pair) == _ENDS for pair in pairs):
        message = "spans are START-END in seconds, separated by commas, such as 1.5-3,10-12"
        raise ValueError(message)
    return pairs


def _require_order(spans: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    for start, end in spans:
        if end <= start:
            message = f"a span ends after it starts, {start:g}-{end:g} does not"
            raise ValueError(message)
    return spans


Spans = Annotated[
    tuple[tuple[Seconds, Seconds], ...],
    Field(max_length=MAX_SPANS),
    BeforeValidator(_spans),
    AfterValidator(_require_order),
]
"""Times of a video, from start to end in seconds; read from text as well."""
