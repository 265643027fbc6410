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
