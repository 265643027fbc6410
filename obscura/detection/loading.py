"""Load detectors as the settings say."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import cv2

from obscura.contract import ObjectClass
from obscura.detection.backends.compiled import default_folder
from obscura.detection.detector import Detector, open_detector
from obscura.detection.engines import EngineOptions
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest, verified_path
from obscura.settings import Settings

__all__ = ["check_weights", "compiled_folder", "load_all", "load_for", "load_in_background"]


def load_for(
    settings: Settings,
    class_name: ObjectClass,
    thread_count: int,
    beside: Iterable[Detector] = (),
    background: Executor | None = None,
) -> Detector:
    """Return a detector of ``class_name``; raise ModelError where that is impossible.

    Parameters
    ----------
    settings
        Folder of the weights and engine options.
    class_name
        The class to detect.
    thread_count
        CPU threads of one inference.
    beside
        Detectors that the same thread has loaded with these settings; a common proposal network is shared.
    background
        For a process that may end after one photo: this loads the networks while the process goes on, and
        nothing is warmed up or compiled for common input sizes.
    """
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name)
    cache = compiled_folder(settings)
    engine = EngineOptions(
        settings.engine,
        thread_count,
        settings.device,
        settings.precision,
        cache,
        has_common_sizes=background is None,
    )
    detector = open_detector(folder, card, engine, beside, background)
    # Otherwise OpenCV starts a thread pool of its own in every process, as large as the machine.
    cv2.setNumThreads(thread_count)
    if background is None:
        detector.warm_up()
    return detector


def compiled_folder(settings: Settings) -> Path | None:
    """Return the folder for compiled networks from the settings; None where it is switched off."""
    if settings.compiled_dir == "off":
        return None
    return default_folder() if settings.compiled_dir == "auto" else Path(settings.compiled_dir)


def load_all(
    settings: Settings,
    classes: Sequence[ObjectClass],
    thread_count: int,
    background: Executor | None = None,
) -> dict[ObjectClass, Detector]:
    """Return the detectors of ``classes`` for one thread; see `load_for`."""
    detectors: dict[ObjectClass, Detector] = {}
    for name in classes:
        detectors[name] = load_for(settings, name, thread_count, detectors.values(), background)
    return detectors


def load_in_background(settings: Settings, classes: Sequence[ObjectClass]) -> dict[ObjectClass, Detector]:
    """Return detectors for a process that may end after one photo, on as many threads as the settings say.

    One thread loads the networks in the order in which they are needed; best called before other imports.
    """
    background = ThreadPoolExecutor(1)
    detectors = load_all(settings, classes, settings.threads or len(os.sched_getaffinity(0)), background)
    background.shutdown(wait=False)
    return detectors


def check_weights(settings: Settings, class_name: ObjectClass) -> None:
    """Raise ModelError unless the weights of ``class_name`` exist and have the right checksum."""
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name)
    for weights in card.all_files.values():
        verified_path(folder, weights)
