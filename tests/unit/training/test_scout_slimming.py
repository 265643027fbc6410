"""A scout that is made quicker begins with what it knew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from training.scout_network import LAYOUT, untrained
from training.scout_slimming import DEEPER, LEFT_OUT, slim_network

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch", reason="make setup-ultralytics installs it")
pytest.importorskip("ultralytics", reason="make setup-ultralytics installs it")


@pytest.fixture
def scouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """Return an untrained scout, the quicker one made from it, and a picture that neither has seen."""
    for name, value in (("YOLO_CONFIG_DIR", str(tmp_path)), ("YOLO_OFFLINE", ""), ("YOLO_AUTOINSTALL", "")):
        monkeypatch.setenv(name, value)
    torch.manual_seed(5)
    scout = untrained(LAYOUT).eval()
    views = np.random.default_rng(5).integers(0, 256, (3, 2, 64, 96, 3), np.uint8)
    picture = torch.from_numpy(views[2]).permute(0, 3, 1, 2).float() / 255
    return scout, slim_network(scout, views[:2]), picture


def test_a_stage_is_gone_and_no_layer_has_an_exponential(scouts: tuple[Any, Any, Any]) -> None:
    """The head of the quicker one has the same outputs, and it takes any picture that the other takes."""
    scout, slim, picture = scouts
    assert len(slim.model) == len(scout.model) - 1
    assert not any(isinstance(layer, torch.nn.SiLU) for layer in slim.modules())
    assert slim.eval()(picture)[0].shape == scout(picture)[0].shape


def test_the_layer_behind_is_fitted(scouts: tuple[Any, Any, Any]) -> None:
    """It says nearly what it said with the stage before it: more than half of what varies."""
    scout, slim, picture = scouts
    with torch.no_grad():
        before = picture
        for layer in scout.model[: LEFT_OUT + 2]:
            before = layer(before)
        after = picture
        for layer in slim.model[: LEFT_OUT + 1]:
            after = layer(after)
    assert (before - after).var() < 0.5 * before.var()


def test_a_deeper_stage_begins_as_it_was(scouts: tuple[Any, Any, Any]) -> None:
    """The block that is new in it changes nothing yet."""
    scout, slim, _picture = scouts
    stage, deeper = scout.model[DEEPER], slim.model[DEEPER - 1]
    assert len(deeper.m) == len(stage.m) + 1
    for layer in stage.modules():
        if isinstance(layer, torch.nn.SiLU):
            layer.forward = torch.nn.functional.hardswish
    with torch.no_grad():
        seen = torch.rand(1, LAYOUT["backbone"][DEEPER - 1][3][0], 12, 8)
        assert torch.allclose(stage(seen), deeper(seen), atol=1e-5)
