"""What :mod:`training.finetune` trains each class on: weights of sources, how scenes are made, loss gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.scenes import SceneChances

if TYPE_CHECKING:
    from training.paths import ObjectClass

SOURCE_WEIGHTS: dict[ObjectClass, dict[str, float]] = {
    # Squashed and very soft sources count less; the crowds of few photos stay few.
    "face": {
        "wm_": 0.5,
        "ece342_": 0.5,
        "thes416_": 0.3,
        "helmet_": 1.2,
        "lspet_": 0.8,
        "shtA_": 2.0,
        "shtB_": 1.5,
        "karan_": 1.3,
    },
    # Grey halos in thst_; olpr_ is close-ups with one label a photo; vnmoto_ is one parking ground. ade_ is
    # held out: streets from afar, a source that no weights see.
    "plate": {
        "ade_": 0.0,
        "thst_": 0.4,
        "oi2_": 1.5,
        "voc_": 1.3,
        "olpr_": 0.7,
        "vnmoto_": 0.5,
        "bd_": 0.5,
    },
}
CHANCES: dict[ObjectClass, SceneChances] = {
    "face": SceneChances(),
    # The longer side of a plate is its width: far ones have 10 to 40 pixels.
    "plate": SceneChances(
        small=(10.0, 40.0), usual=(32.0, 120.0), large=(100.0, 400.0), turned=0.0, quarters=0.22, tilt=7.0
    ),
}
GAINS: dict[ObjectClass, dict[str, float]] = {
    "face": {"box": 7.5, "cls": 0.5, "dfl": 1.5},
    # Loose boxes are what the shipped weights are worst at.
    "plate": {"box": 12.0, "cls": 0.5, "dfl": 2.5},
}
