"""What may be asked of a style, and what is refused because it would be left out in silence."""

import pytest

from gateway_service.tasks.submission import hold_to_policy
from obscura.anonymisation.build_request import request_of
from obscura.contract import JobOptions, RedactionStyle
from obscura.errors import InvalidOptionError
from obscura.redaction.styles import Fill, Mosaic, RegionShape, Soft, Solid
from obscura.settings import Settings


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"style": "mosaic", "color": "#ffffff"}, "color"),
        ({"color": "#ffffff"}, "color"),
        ({"style": "soft", "cells": 3}, "cells"),
        ({"style": "solid", "cells": 3}, "cells"),
        ({"style": "blur", "cells": 3}, "cells"),
    ],
)
def test_what_a_style_cannot_do_is_refused(options: dict[str, object], word: str) -> None:
    """The error names the option."""
    with pytest.raises(InvalidOptionError, match=word):
        hold_to_policy(JobOptions.model_validate(options), Settings())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audio": "beep"}, "beep and audio=beep go together"),
        ({"beep": "1-2"}, "beep and audio=beep go together"),
        ({"audio": "beep", "beep": "3-1"}, "a span ends after it starts, 3-1 does not"),
        ({"audio": "beep", "beep": "1-1"}, "a span ends after it starts"),
        ({"audio": "beep", "beep": "-1-2"}, "spans are START-END in seconds"),
        ({"audio": "beep", "beep": "1,2"}, "spans are START-END in seconds"),
        ({"audio": "beep", "beep": "nan-2"}, "finite number"),
        ({"audio": "beep", "beep": "0-1000001"}, "less than or equal to 1000000"),
        ({"audio": "beep", "beep": ",".join(["1-2"] * 201)}, "at most 200 items"),
    ],
)
def test_wrong_times_of_a_tone_are_refused(options: dict[str, str], message: str) -> None:
    """The error names the option and the limit."""
    beep = options.pop("beep", "")
    with pytest.raises(InvalidOptionError, match=message):
        hold_to_policy(JobOptions.model_validate(options).model_copy(update={"beep": beep or ()}), Settings())


@pytest.mark.parametrize("style", RedactionStyle)
@pytest.mark.parametrize("shape", [None, "box", "ellipse"])
def test_every_style_takes_every_outline_and_soft_edges(style: RedactionStyle, shape: str | None) -> None:
    """Outline, growth and soft edge are for all styles."""
    options = JobOptions.model_validate({"style": style, "shape": shape, "grow": 1.5, "feather": 0.1})
    hold_to_policy(options, Settings())
    policy = request_of(options, Settings()).policy
    assert policy.shape == (None if shape is None else RegionShape(shape))
    assert policy.shape_of("face") in RegionShape


def test_options_become_styles() -> None:
    """Without options the default is soft; cells alone ask for a mosaic; a colour is for all classes."""

    def styles(**options: object) -> tuple[object, object]:
        policy = request_of(JobOptions.model_validate(options), Settings()).policy
        return policy.style_of("face"), policy.style_of("plate")

    assert styles() == styles(style="soft") == (Soft(), Fill())
    assert styles(cells=2) == (Mosaic(2), Fill())
    assert styles(style="solid", color="#0a0B0c") == (Solid((10, 11, 12)), Solid((10, 11, 12)))
