"""When a photo counts."""

from datetime import date, datetime, time

import pytest

from photo_verification_service.window import Window

DAYS = (date(2024, 2, 28), date(2024, 3, 1))
MORNING = Window(*DAYS, time(6), time(9))
NIGHT = Window(*DAYS, time(22), time(2))
WHOLE_DAY = Window(*DAYS, time(0), time(23, 59, 59))


@pytest.mark.parametrize(
    ("window", "moment", "is_open"),
    [
        (MORNING, "2024-02-28T05:59:59.999999", False),
        (MORNING, "2024-02-28T06:00:00", True),
        (MORNING, "2024-02-29T09:00:00.999999", True),
        (MORNING, "2024-02-29T09:00:01", False),
        (MORNING, "2024-03-01T09:00:00", True),
        (MORNING, "2024-02-27T07:00:00", False),
        (MORNING, "2024-03-02T07:00:00", False),
        (NIGHT, "2024-02-28T01:00:00", False),
        (NIGHT, "2024-02-28T21:59:59", False),
        (NIGHT, "2024-02-28T22:00:00", True),
        (NIGHT, "2024-02-29T02:00:00.5", True),
        (NIGHT, "2024-02-29T02:00:01", False),
        (NIGHT, "2024-02-29T12:00:00", False),
        (NIGHT, "2024-03-01T23:59:59", True),
        (NIGHT, "2024-03-02T01:59:59", True),
        (NIGHT, "2024-03-02T22:00:00", False),
        (WHOLE_DAY, "2024-02-28T00:00:00", True),
        (WHOLE_DAY, "2024-03-01T23:59:59.999999", True),
        (WHOLE_DAY, "2024-03-02T00:00:00", False),
    ],
)
def test_both_ends_count_and_nights_belong_to_their_evening(
    window: Window, moment: str, *, is_open: bool
) -> None:
    """Days and hours are inclusive to the second; what begins in the evening ends on the next morning."""
    assert window.is_open(datetime.fromisoformat(moment)) is is_open
