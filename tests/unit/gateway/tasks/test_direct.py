"""What an Accept header says about pictures."""

import pytest

from gateway_service.tasks.direct import picture_wish
from obscura.contract import JobOptions, OutputFormat


@pytest.mark.parametrize(
    ("accept", "output"),
    [
        ("image/jpeg", OutputFormat.JPEG),
        ("image/*", OutputFormat.SAME),
        ("IMAGE/PNG", OutputFormat.PNG),
        ("image/webp;q=0.9, image/png;q=0.5", OutputFormat.WEBP),
        ("application/json;q=0.5, image/*", OutputFormat.SAME),
        ("*/*, image/jpeg", OutputFormat.JPEG),
    ],
)
def test_an_image_type_asks_for_the_picture(accept: str, output: OutputFormat) -> None:
    """The most preferred image type decides the format."""
    wish = picture_wish(accept)
    assert wish is not None
    assert wish.output is output


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "text/html, */*",
        "application/json, image/*;q=0.5",
        "image/jpeg;q=0",
        "image/jpeg;q=x",
    ],
)
def test_everything_else_asks_for_json(accept: str) -> None:
    """Clients that name no image type, or prefer JSON, get the task."""
    assert picture_wish(accept) is None


def test_an_output_that_is_asked_for_stays() -> None:
    """The form field decides over the header."""
    wish = picture_wish("image/jpeg")
    assert wish is not None
    assert wish.applied_to(JobOptions(output=OutputFormat.PNG)).output is OutputFormat.PNG
    assert wish.applied_to(JobOptions()).output is OutputFormat.JPEG
