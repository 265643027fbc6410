"""The training recipe of each class: every number that is not ultralytics' default, with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.paths import ObjectClass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Arguments of ultralytics' trainer; see its configuration page for the meaning of each name."""

    # Fine-tuning: the starters have seen these photos already, a high rate would only forget.
    lr0: float = 5e-4
    lrf: float = 0.02
    warmup_epochs: float = 0.5
    warmup_bias_lr: float = 1e-4
    optimizer: str = "AdamW"
    cos_lr: bool = True
    batch: int = 16
    # A step after every batch: with the default of 64 a short run would take a quarter of the steps.
    nbs: int = 16
    # Small objects: photos shrink to a third, alone or four in a mosaic.
    scale: tuple[float, float] = (0.3, 1.5)
    mosaic: float = 0.85
    close_mosaic: int = 2
    degrees: float = 10.0
    translate: float = 0.15
    shear: float = 0.0
    perspective: float = 0.0
    hsv_h: float = 0.015
    hsv_s: float = 0.6
    hsv_v: float = 0.45
    box: float = 7.5
    dfl: float = 1.5
    cls: float = 0.5
    seed: int = 11

    def arguments(self) -> dict[str, Any]:
        """Return the recipe as keyword arguments."""
        return asdict(self)


RECIPES: dict[ObjectClass, Recipe] = {
    # The starter's boxes are loose: weigh the box losses higher; tilted plates by shear and perspective.
    "plate": Recipe(lr0=4e-4, box=10.0, dfl=2.0, shear=4.0, perspective=0.0003),
    # Faces are turned as ellipses (training.train), so that their boxes stay tight; `balanced` enlarges them.
    "face": Recipe(degrees=12.0, scale=(0.3, 1.7)),
}

# A last stage over all photos, negatives included, at rates where nothing is forgotten any more.
SETTLING_RATE = 6e-5

# A later round starts from shipped weights: nearly all of the first round's gain came below 2e-4.
REFINING_RATE = 1.5e-4


def refining(recipe: Recipe) -> Recipe:
    """Return the recipe of a later round, which starts from weights that are good already."""
    return replace(recipe, lr0=REFINING_RATE, lrf=0.03, warmup_epochs=0.2, close_mosaic=1)


def settling(recipe: Recipe) -> Recipe:
    """Return the recipe of a last stage: whole photos as they will come, at a low and falling rate."""
    return replace(
        recipe, lr0=SETTLING_RATE, lrf=0.05, warmup_epochs=0.1, mosaic=0.0, close_mosaic=0, scale=(0.5, 1.3)
    )
