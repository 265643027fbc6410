"""The capacity model."""

import pytest

from benchmarks.capacity import HEADROOM, Costs, cores_bound, need


def test_needs_grow_with_the_rate() -> None:
    """Twice the photos never need less of anything, and what is proportional is."""
    one, two = need(100.0, Costs()), need(200.0, Costs())
    assert two.worker_cores >= one.worker_cores * 2 - 1
    assert two.storage_gib == pytest.approx(2 * one.storage_gib, rel=0.01)
    assert two.broker_memory_gib == pytest.approx(2 * one.broker_memory_gib, rel=0.02)


@pytest.mark.parametrize("rate", [1.0, 104.0, 2315.0])
def test_the_cores_named_do_the_rate(rate: float) -> None:
    """The cores of the workers, used to the headroom, do at least the rate, and one less would not."""
    costs = Costs()
    needed = need(rate, costs).worker_cores
    assert needed * HEADROOM * 1000 / costs.worker_ms >= rate
    assert (needed - 1) * HEADROOM * 1000 / costs.worker_ms < rate


def test_the_first_wall_is_the_broker() -> None:
    """Where one Valkey is not enough the model says how many systems are."""
    assert "none yet" in need(104.0, Costs()).first_wall
    assert "independent systems" in need(5000.0, Costs()).first_wall


def test_the_bound_adds_up_all_roles() -> None:
    """Cores that do everything do fewer photos than the same cores as workers alone."""
    costs = Costs(worker_ms=400, gateway_ms=90, broker_ms=10)
    assert cores_bound(2, costs) == pytest.approx(4.0)
