"""Fine-tune one class's detector from its starter, on a CPU or a GPU.

Run ``python -m training.train --class plate --device cpu --time-limit 45``; after a kill run the same
line with ``--resume``. Checkpoints and ``results.csv`` go to ``build/training/runs/<class>``; what they
are worth is measured by :mod:`training.evaluate`, not by the trainer's own figures.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.damage import turned_boxes
from training.paths import OBJECT_CLASSES, RUNS, ObjectClass, pack_folder, starter_weights
from training.prepare import BORROWED, read_corrections, write_data_file
from training.recipes import RECIPES, Recipe, refining, settling
from training.runtime import prepare_runtime
from training.windows import SPLIT as WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES_PER_HOUR = 60
# An object smaller than this after shrinking is no label any more: four pixels teach no shape.
SMALLEST_LEARNT_PIXELS = 4
# Prefixes of the packs' file names, see their SOURCES.md.
SMALL_OBJECT_SOURCES: dict[ObjectClass, tuple[str, ...]] = {
    "plate": ("tk_", "kag_"),
    "face": ("helmet_", "eden_", "sht"),
}
REST_STEP = 4
NOVEL_REPEATS = 3


def trainer_class() -> type[Any]:
    """Return ultralytics' detection trainer with our pixel damage in its pipeline."""
    detect = import_module("ultralytics.models.yolo.detect")
    augment = import_module("training.augment")
    coverings = import_module("training.coverings")
    decoys = import_module("training.decoys")
    glass = import_module("training.glass")

    class Trainer(detect.DetectionTrainer):  # type: ignore[misc,name-defined]
        def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:  # noqa: ANN401
            dataset = super().build_dataset(img_path, mode, batch)
            if mode == "train":
                object_class = dataset.data["names"][0]
                is_face = object_class == "face"
                build = dataset.build_transforms
                drawn = [decoys.Decoys(decoys.DECOYS[object_class])]
                if is_face:
                    covered = coverings.FaceCoverings(coverings.CoveringChances())
                    drawn = [covered, *drawn, glass.WindowGlass(glass.GlassChances())]
                extra = [*drawn, augment.PhotographicDamage(augment.DamageChances())]

                def with_damage(hyp: Any) -> Any:  # noqa: ANN401
                    transforms = build(hyp)
                    for added in extra:  # before the last one, which formats tensors
                        transforms.insert(len(transforms.transforms) - 1, added)
                    _mend_geometry(transforms, is_round=is_face)
                    return transforms

                # Kept on the dataset because closing the mosaic builds the pipeline anew.
                dataset.build_transforms = with_damage
                dataset.transforms = with_damage(self.args)
            return dataset

    return Trainer


def forward_in_bfloat16(trainer: Any) -> None:  # noqa: ANN401 - ultralytics is untyped
    """Run the network in bfloat16 and the loss in float32 on a CPU, where ultralytics offers float32 only.

    With AVX512-bf16 a step takes 0.43 s instead of 1.4 s (8 photos of 640 px, 2 threads).
    """
    if trainer.device.type != "cpu":
        return
    torch = import_module("torch")
    model = trainer.model.to(memory_format=torch.channels_last)

    def loss(batch: dict[str, Any], preds: Any = None) -> Any:  # noqa: ANN401
        if preds is None:
            with torch.autocast("cpu", torch.bfloat16):
                preds = model.forward(batch["img"].to(memory_format=torch.channels_last))
            preds = _in_float32(preds)
        if getattr(model, "criterion", None) is None:
            model.criterion = model.init_criterion()
        return model.criterion(preds, batch)

    # On the instance: the class must stay ultralytics' own, or checkpoints would need this module to load.
    model.loss = loss


def refining_photos(object_class: ObjectClass) -> str:
    """Write a list of the photos that a later round learns most from; return its name in the pack.

    Those whose labels were corrected, those of sources with small objects, and every fourth of the rest, so
    that nothing is forgotten: a round over these takes half the time of one over all. Borrowed photos with an
    object come three times: they show what the class's own pack does not.
    """
    pack = pack_folder(object_class)
    borrowed = read_corrections(object_class, BORROWED[object_class])
    corrected = {*read_corrections(object_class, "train"), *borrowed}
    chosen: list[Path] = []
    rest: list[Path] = []
    for photo in sorted((pack / "images" / "train").iterdir()):
        wanted = photo.stem in corrected or photo.name.startswith(SMALL_OBJECT_SOURCES[object_class])
        (chosen if wanted else rest).append(photo)
    novel = [photo for photo in chosen if any(c.action == "add" for c in borrowed.get(photo.stem, []))]
    chosen += rest[::REST_STEP] + novel * (NOVEL_REPEATS - 1)
    (pack / "refine.txt").write_text("".join(f"{photo}\n" for photo in chosen), encoding="utf-8")
    return "refine.txt"


def train(options: argparse.Namespace) -> Path:
    """Train as asked and return the run's folder."""
    object_class: ObjectClass = options.object_class
    name, recipe = options.name or object_class, RECIPES[object_class]
    run = RUNS / name
    if not options.resume:
        shutil.rmtree(run, ignore_errors=True)
    overrides: dict[str, Any] = {
        **_stage(recipe, options).arguments(),
        "model": str(options.weights or starter_weights(object_class)),
        "data": str(_data(options)),
        "imgsz": options.imgsz,
        "epochs": options.epochs,
        "time": options.time_limit / MINUTES_PER_HOUR if options.time_limit else None,
        "device": options.device,
        "project": str(RUNS),
        "name": name,
        "exist_ok": True,
        "save_period": 1,
        # Its figures are in float32 and not the product's: training.evaluate measures the checkpoints.
        "val": False,
        "cache": "ram",
        # Any other half precision makes ultralytics fetch a model of its own to try it out first.
        "freeze": options.freeze,
        "amp": False if options.device == "cpu" else "bf16",
        "plots": False,
    }
    if options.resume:
        overrides["resume"] = overrides["model"] = str(run / "weights" / "last.pt")
    trainer = trainer_class()(overrides=overrides)
    on_start: Callable[[Any], None] = forward_in_bfloat16
    trainer.add_callback("on_train_start", on_start)
    trainer.train()
    return run


def _data(options: argparse.Namespace) -> Path:
    """Write and return the ``data.yaml`` of what is trained on."""
    photos = [refining_photos(options.object_class) if options.refine else "images/train"]
    if options.windows:
        photos.append(f"images/{WINDOWS}")
    return write_data_file(options.object_class, "run.yaml", photos)


def _stage(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    if options.settle:
        recipe = settling(recipe)
    elif options.refine:
        recipe = refining(recipe)
    return replace(recipe, lr0=options.rate) if options.rate else recipe


def _mend_geometry(transforms: Any, *, is_round: bool) -> None:  # noqa: ANN401
    """Drop labels that have become specks, and keep the boxes of turned round things tight."""
    for transform in transforms.transforms:
        if hasattr(transform, "box_candidates"):
            transform.box_candidates = partial(transform.box_candidates, wh_thr=SMALLEST_LEARNT_PIXELS)
            if is_round:
                transform.apply_bboxes = _around_ellipses
        elif hasattr(transform, "transforms") and isinstance(transform.transforms, list):
            _mend_geometry(transform, is_round=is_round)


def _around_ellipses(boxes: Any, matrix: Any) -> Any:  # noqa: ANN401 - ultralytics is untyped
    """Stand in for ``RandomPerspective.apply_bboxes``, which puts a box around a turned box's corners."""
    return turned_boxes(boxes, matrix[:2], is_round=True).astype(boxes.dtype)


def _in_float32(predictions: dict[str, Any]) -> dict[str, Any]:
    return {
        key: [part.float() for part in value] if isinstance(value, list) else value.float()
        for key, value in predictions.items()
    }


def main() -> None:
    """Fine-tune one class's detector."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--device", default="cpu", help="cpu or a CUDA device such as 0")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument(
        "--time-limit", type=float, help="minutes; the epochs and the schedule then follow it"
    )
    parser.add_argument(
        "--freeze", type=int, default=0, help="first layers that stay as they are: a faster step"
    )
    parser.add_argument("--rate", type=float, help="first learning rate, in place of the recipe's")
    parser.add_argument("--weights", type=Path, help="start from; the starter when left out")
    parser.add_argument("--name", help="of the run's folder; the class when left out")
    parser.add_argument("--refine", action="store_true", help="a later round: low rate, from --weights")
    parser.add_argument("--settle", action="store_true", help="a last stage over all photos, without mosaics")
    parser.add_argument(
        "--windows", action="store_true", help="with the sheets of training.windows, made before"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    options = parser.parse_args()
    prepare_runtime()
    train(options)


if __name__ == "__main__":
    main()
