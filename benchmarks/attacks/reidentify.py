"""Face re-identification from redacted photos (parrot attack).

The attacker has one photo of every person, hides it in the same style, and takes the nearest. He tries every
kind of feature, and a metric that he trained on redacted re-takes of other people; what counts is the best of
all these, so that a style gets no credit for a feature that does not suit it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.faces import SAME_SCENE, Face, Strength, before, retake
from benchmarks.attacks.features import KINDS, Vectors, measure
from benchmarks.attacks.methods import Hide

RANK: Final = 5
TRAIN_TAKES: Final = 4
SHRINKAGE: Final = 0.1
TRAINED_ON: Final = KINDS[:3]


@dataclass(frozen=True)
class Identification:
    """How often the right person came first, and among the first `RANK`; shares 0..1, best attacker."""

    top1: float
    rank5: float
    attacker: str
    people: int

    @property
    def chance(self) -> float:
        """Share of right answers by guessing."""
        return 1 / self.people

    @property
    def chance_rank5(self) -> float:
        """Share of right answers by guessing `RANK` times."""
        return RANK / self.people


Measured = dict[str, list[dict[str, Vectors]]]


def identify(
    people: Sequence[Face],
    others: Sequence[Face],
    methods: Mapping[str, Hide],
    rng: np.random.Generator,
    strength: Strength = SAME_SCENE,
) -> dict[str, Identification]:
    """Attack every redaction method with the same re-takes.

    Parameters
    ----------
    people
        Whom to find: one photo each, of which a gallery and a probe are taken.
    others
        Whom the attacker trains on; nobody of ``people``.
    methods
        The ways of hiding, by name.
    rng
        Makes the re-takes.
    strength
        How different they are.
    """
    gallery = _measured(people, methods, rng, strength)
    probes = _measured(people, methods, rng, strength)
    takes = [_measured(others, methods, rng, strength) for _ in range(TRAIN_TAKES if others else 0)]
    return {name: _best(gallery[name], probes[name], [take[name] for take in takes]) for name in methods}


def _measured(
    faces: Sequence[Face], methods: Mapping[str, Hide], rng: np.random.Generator, strength: Strength
) -> Measured:
    """Return the features of one re-take of every face under every redaction method."""
    measured: Measured = {name: [] for name in methods}
    for number, face in enumerate(faces):
        # Anybody else's surroundings.
        other = (number + int(rng.integers(1, len(faces)))) % len(faces)
        taken = before(face, faces[other]) if strength.has_other_scene else face
        again = retake(taken, rng, strength)
        for name, hide in methods.items():
            measured[name].append(measure(hide(again.pixels, again.box), again.box))
    return measured


def _best(
    gallery: list[dict[str, Vectors]],
    probes: list[dict[str, Vectors]],
    takes: list[list[dict[str, Vectors]]],
) -> Identification:
    results = [_ranked(_matrix(gallery, kind), _matrix(probes, kind), kind) for kind in KINDS]
    for kind in TRAINED_ON if takes else ():
        metric = _metric(np.stack([_matrix(take, kind) for take in takes]))
        known, asked = _matrix(gallery, kind) @ metric, _matrix(probes, kind) @ metric
        results.append(_ranked(known, asked, f"{kind}, trained"))
    return max(results, key=lambda result: (result.top1, result.rank5))


def _matrix(measured: list[dict[str, Vectors]], kind: str) -> NDArray[np.float64]:
    return np.stack([vectors[kind] for vectors in measured]).astype(np.float64)


def _metric(takes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the whitening transform of differences between re-takes of one person.

    ``takes`` is ``float64[takes, people, features]``. Directions in which people differ much and takes little
    get the most weight.
    """
    within = (takes - takes.mean(axis=0)).reshape(-1, takes.shape[-1])
    spread = within.T @ within / len(within)
    spread += np.eye(len(spread)) * (SHRINKAGE * np.trace(spread) / len(spread) + 1e-9)
    values, vectors = np.linalg.eigh(spread)
    return np.asarray(vectors / np.sqrt(values), np.float64)


def _ranked(known: NDArray[np.float64], asked: NDArray[np.float64], attacker: str) -> Identification:
    """Return how often the nearest of ``known`` is the right person; ties count against the attacker."""
    squares = (asked**2).sum(axis=1)[:, None] + (known**2).sum(axis=1)[None]
    distances = squares - 2 * asked @ known.T
    own = np.diag(distances)[:, None]
    nearer = (distances <= own + 1e-9).sum(axis=1) - 1
    return Identification(float((nearer < 1).mean()), float((nearer < RANK).mean()), attacker, len(known))
