"""The time window of a challenge: days and daily hours in wall-clock time."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """Days from ``start_date`` to ``end_date`` and hours from ``start_time`` to ``end_time``, both inclusive.

    ``start_time`` after ``end_time`` means that the hours run over midnight. The hours after midnight belong
    to the day before, so those of the last day end on the morning after it.

    >>> night = Window(date(2024, 5, 1), date(2024, 5, 2), time(22), time(2))
    >>> [night.is_open(datetime(2024, 5, day, 1)) for day in (1, 2, 3, 4)]
    [False, True, True, False]
    """

    start_date: date
    end_date: date
    start_time: time
    end_time: time

    def is_open(self, now: datetime) -> bool:
        """Whether the challenge is open at ``now``, wall-clock time of its zone, to the second."""
        clock, day = now.time().replace(microsecond=0), now.date()
        if self.start_time <= self.end_time:
            return self._has(day) and self.start_time <= clock <= self.end_time
        return (clock >= self.start_time and self._has(day)) or (
            clock <= self.end_time and self._has(day - timedelta(days=1))
        )

    def _has(self, day: date) -> bool:
        return self.start_date <= day <= self.end_date
