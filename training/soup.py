"""Average the weights of several checkpoints of one lineage.

A fine-tune gains on what it was trained for and forgets a little of the rest; the average with its
ancestor, or of neighbouring epochs, often beats both and costs nothing at run time (Wortsman et al.,
"Model soups", ICML 2022). Whether it does is measured, see :mod:`training.evaluate`.

Run ``python -m training.soup --output mixed.pt last.pt:0.6 starter.pt:0.4``.
"""

from __future__ import annotations

import argparse
import datetime as dt
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.runtime import load_model, prepare_runtime

if TYPE_CHECKING:
    from torch import nn


def mixed(ingredients: list[tuple[Path, float]]) -> nn.Module:
    """Return the weighted average of checkpoints, as a float32 network.

    Batch norms' running statistics are averaged as well: close checkpoints of one lineage allow it.

    Parameters
    ----------
    ingredients
        Checkpoints and their shares; the shares are scaled to a sum of 1.

    Raises
    ------
    ValueError
        The checkpoints are not of one architecture.
    """
    total = sum(share for _, share in ingredients)
    network = load_model(ingredients[0][0])
    summed: dict[str, Any] = {}
    for file, share in ingredients:
        state = load_model(file).state_dict()
        if summed and {name: value.shape for name, value in state.items()} != {
            name: value.shape for name, value in summed.items()
        }:
            message = f"{file} has another architecture than {ingredients[0][0]}"
            raise ValueError(message)
        for name, value in state.items():
            part = value.double() * (share / total)
            summed[name] = summed[name] + part if name in summed else part
    network.load_state_dict(
        {name: value.to(network.state_dict()[name].dtype) for name, value in summed.items()}
    )
    return network


def parse_ingredient(text: str) -> tuple[Path, float]:
    """Return the file and share of ``FILE:SHARE``; the share is 1 when left out."""
    file, _, share = text.rpartition(":")
    return (Path(file), float(share)) if file else (Path(share), 1.0)


def main() -> None:
    """Write the average of the checkpoints named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("ingredients", nargs="+", type=parse_ingredient, metavar="FILE:SHARE")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    prepare_runtime()
    network: Any = mixed(options.ingredients)
    checkpoint = {
        "epoch": -1,
        "model": network.half(),
        "ema": None,
        "optimizer": None,
        "train_args": {"task": "detect"},
        "version": import_module("ultralytics").__version__,
        "license": "AGPL-3.0",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }
    import_module("torch").save(checkpoint, options.output)


if __name__ == "__main__":
    main()
