"""What the soak run concludes from what it saw."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks.curves import curves
from benchmarks.soak import Answer, Seen, minutes, verdict


def seen(growth: float, status: int = 200) -> Seen:
    """Return ten minutes in which every minute takes ``growth`` times the one before."""
    found = Seen()
    for minute in range(10):
        for number in range(20):
            at_s = minute * 60 + number
            found.answers.append(Answer(at_s, "POST", 0.010 * growth**minute * (1 + number / 20), status))
        found.memory.append((minute * 60 + 1, "gateway 7", 80.0 * growth**minute))
    return found


def test_a_row_tells_a_minute() -> None:
    """Every minute has its own count, quantiles and memory."""
    rows = minutes(seen(1.0))
    assert [row["minute"] for row in rows] == list(range(1, 11))
    assert {row["POST"]["count"] for row in rows} == {20}
    assert rows[3]["POST"]["p50_ms"] == pytest.approx(14.8, abs=0.2)
    assert rows[3]["POST"]["p95_ms"] == pytest.approx(19.5, abs=0.2)
    assert rows[3]["rss_mb"] == {"gateway 7": 80.0}


def test_what_stays_flat_is_called_flat() -> None:
    """Latency and memory that do not change have grown by a factor of one."""
    run = seen(1.0)
    found = verdict(run, minutes(run))
    assert found["p95_growth"]["POST"] == 1.0
    assert found["rss_growth"] == {"gateway 7": 1.0}
    assert found["server_errors"] == 0


def test_what_grows_is_seen() -> None:
    """Ten percent a minute show as what they come to over the run."""
    run = seen(1.1)
    found = verdict(run, minutes(run))
    assert found["p95_growth"]["POST"] == pytest.approx(1.1**6, rel=0.01)
    assert found["rss_growth"]["gateway 7"] == pytest.approx(1.1**6, rel=0.01)


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (429, 0), (500, 200), (503, 200)])
def test_server_errors_are_counted(status: int, errors: int) -> None:
    """Whatever begins with a five counts, and nothing else."""
    run = seen(1.0, status)
    assert verdict(run, minutes(run))["server_errors"] == errors


def test_a_picture_holds_every_curve() -> None:
    """It is well-formed, and names go in as text."""
    picture = curves("a < b", "ms", "minutes", {"x & y": [(0, 1.0), (1, 3.0)], "flat": [(0, 2.0), (1, 2.0)]})
    texts = [node.text for node in ET.fromstring(picture).iter() if node.tag.endswith("text")]  # noqa: S314 - ours
    assert {"a < b", "x & y", "flat"} <= set(texts)
    with pytest.raises(ValueError, match="nothing to draw"):
        curves("empty", "ms", "minutes", {})
