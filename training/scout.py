"""Train the proposal network ("scout"): a small network for all classes, distilled from the shipped ones.

Run ``python -m training.scout --minutes 70``. Checkpoints go to ``build/training/runs/scout``;
``training.export --scout`` ships one. How it learns: :mod:`training.distil`.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from training.distil import Student, Views, distil, lessons, training_photos
from training.paths import MODELS, OBJECT_CLASSES, RUNS, model_name
from training.runtime import load_model, prepare_runtime
from training.scout_network import scout_network
from training.scout_slimming import slim_network

RATE = 1.5e-3
FITTED = 6
"""Batches of views on which a quicker scout is fitted to the one that it comes from."""


def main() -> None:
    """Train the proposal network."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--weights", type=Path, help="a scout to go on from")
    parser.add_argument("--slim", type=Path, help="a scout of the first kind to make quicker")
    parser.add_argument("--rate", type=float, default=RATE, help="the highest learning rate")
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--threads", type=int, default=1, help="of the training; one more is the teachers'")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    prepare_runtime()
    torch = import_module("torch")
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    if options.weights:
        network = load_model(options.weights)
    elif options.slim:
        views = Views(training_photos(OBJECT_CLASSES), options.seed)
        network = slim_network(load_model(options.slim), [views.batch() for _ in range(FITTED)])
    else:
        network = scout_network(load_model(MODELS / f"{model_name('face')}.pt"))
    student = Student(network, options.rate)
    last = distil(student, lessons(OBJECT_CLASSES, options.seed), options.minutes, RUNS / "scout")
    sys.stdout.write(f"{last}\n")


if __name__ == "__main__":
    main()
