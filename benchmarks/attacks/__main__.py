"""Run the attacks: ``python -m benchmarks.attacks [--json FILE] [--sweep]``.

The faces come from ``faces.tar`` in the folder ``data`` of ``OBSCURA_SHARED``; without it only the plates are
attacked, and the answer says so.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.attacks.faces import FACE_SIDE, OTHER_SCENE, SAME_SCENE, Face, portraits
from benchmarks.attacks.invert import invert
from benchmarks.attacks.methods import FACE_METHODS, WHAT_IFS, Hide
from benchmarks.attacks.plates import DIGITS, PLATE_METHODS, digit_accuracy
from benchmarks.attacks.reidentify import identify

SCENES: Final = {"the same scene": SAME_SCENE, "another scene and light": OTHER_SCENE}
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Numbers of plates, people and redactions to attack."""

    plates: int
    people: int
    others: int
    inverted: int
    seed: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attacks and print their results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=main.__doc__)
    parser.add_argument("--plates", type=int, default=1000, help="plates of the digit attack")
    parser.add_argument("--people", type=int, default=200, help="people in the gallery")
    parser.add_argument("--others", type=int, default=60, help="people the attacker trains on")
    parser.add_argument("--inverted", type=int, default=20, help="faces of the inversion")
    parser.add_argument("--seed", type=int, default=20, help="seed of everything that is drawn")
    parser.add_argument("--sweep", action="store_true", help="attack other strengths of the mosaic too")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args(arguments)
    plan = Plan(given.plates, given.people, given.others, given.inverted, given.seed)
    results: dict[str, Any] = {"plan": asdict(plan), "digits": _digits(plan)}
    faces = _faces(plan)
    if faces:
        results |= _on_faces(faces, plan, is_sweep=given.sweep)
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


def _faces(plan: Plan) -> list[Face]:
    """Return as many faces as the plan needs, in random order; none where there is no material."""
    pack = Path(os.environ.get("OBSCURA_SHARED", "../shared")) / "data" / "faces.tar"
    if not pack.is_file():
        _say("\nno faces.tar under OBSCURA_SHARED: faces are not attacked")
        return []
    faces = list(portraits(pack))
    order = np.random.default_rng(plan.seed).permutation(len(faces))
    return [faces[number] for number in order[: plan.people + plan.others]]


def _digits(plan: Plan) -> list[Row]:
    rng = np.random.default_rng(plan.seed)
    rows = [
        {"method": name, "digits read": digit_accuracy(method, plan.plates, rng), "chance": 1 / DIGITS}
        for name, method in PLATE_METHODS.items()
    ]
    _table(f"Digits of {plan.plates} plates, every text tried", rows)
    return rows


def _on_faces(faces: Sequence[Face], plan: Plan, *, is_sweep: bool) -> Row:
    results: Row = {}
    for scene in SCENES:
        results[scene] = _identified(faces, plan, scene, FACE_METHODS)
    rng = np.random.default_rng(plan.seed)
    found = [asdict(item) for item in invert(faces[: plan.inverted], rng)]
    _table(f"Inversion: PSNR in dB against the face, {len(faces[: plan.inverted])} faces", found)
    results["inversion"] = found
    if is_sweep:
        for scene in SCENES:
            results[f"sweep, {scene}"] = _identified(faces, plan, scene, WHAT_IFS)
    return results


def _identified(faces: Sequence[Face], plan: Plan, scene: str, methods: Mapping[str, Hide]) -> list[Row]:
    people, others = faces[: plan.people], faces[plan.people :]
    rng = np.random.default_rng(plan.seed)
    found = identify(people, others, methods, rng, SCENES[scene])
    rows = [
        {
            "method": name,
            "first": item.top1,
            "chance": item.chance,
            "in first 5": item.rank5,
            "chance of 5": item.chance_rank5,
            "attacker": item.attacker,
        }
        for name, item in found.items()
    ]
    _table(f"Whose face, {len(people)} people, faces of {FACE_SIDE} px, re-taken in {scene}", rows)
    return rows


def _table(title: str, rows: Sequence[Row]) -> None:
    """Print rows of one kind."""
    names = list(rows[0])
    texts = [names, *([_text(row[name], name) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in texts) for column in range(len(names))]
    _say(f"\n{title}")
    for line in texts:
        _say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object, name: str) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if name == "psnr" else f"{value:.1%}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
