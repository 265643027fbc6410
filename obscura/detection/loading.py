"""Load detectors: of a model card, or as the settings say."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import cv2

from obscura.contract import ObjectClass, extra_class
from obscura.detection.backends.background import BackgroundSession
from obscura.detection.backends.base import Session
from obscura.detection.backends.compiled import default_folder
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice, EngineOptions, checked_opener
from obscura.detection.extra import ObjectDetector, open_extra, require_packages
from obscura.detection.networks import Networks
from obscura.detection.weights import (
    ModelCard,
    NetworkCard,
    card_for_class,
    default_models_dir,
    load_manifest,
    verified_path,
)
from obscura.settings import Settings

__all__ = [
    "check_weights",
    "compiled_folder",
    "load_all",
    "load_any",
    "load_detector",
    "load_for",
    "load_in_background",
    "open_detector",
]


def load_detector(
    models_dir: Path, class_name: str, choice: EngineChoice, threads: int = 1, device: str = "auto"
) -> Detector:
    """Return a detector of ``class_name`` from the weights in ``models_dir``.

    For another precision than the engine's own, use `open_detector`.

    Raises
    ------
    ModelError
        If manifest or weights are missing or damaged, or no engine can run them.
    """
    card = card_for_class(load_manifest(models_dir / "manifest.toml"), class_name)
    return open_detector(models_dir, card, EngineOptions(choice, threads, device))


def open_detector(
    models_dir: Path,
    card: ModelCard,
    options: EngineOptions,
    beside: Iterable[Detector] = (),
    background: Executor | None = None,
) -> Detector:
    """Return a detector of the model on a card.

    Parameters
    ----------
    models_dir
        The folder of the weights.
    card
        The model.
    options
        How to run it.
    beside
        Detectors of the same thread with the same options, whose proposal network is shared where it is the
        same.
    background
        Loads the networks while the caller goes on; a full detector that few photos need is loaded by its
        first run. The weights are checked now.

    Raises
    ------
    ModelError
        See `load_detector`.
    """

    def opened(network: ModelCard | NetworkCard, *, is_needed: bool = True) -> Session:
        opener = checked_opener(models_dir, network, options)
        if background is None:
            return opener()
        return BackgroundSession(background.submit(opener).result if is_needed else cache(opener))

    proposal_session = auxiliary_session = None
    if card.proposal is not None:
        for other in beside:
            if other.card.proposal is not None and other.card.proposal.files == card.proposal.files:
                proposal_session = other.networks.proposal
        proposal_session = proposal_session or opened(card.proposal)
    if card.auxiliary is not None:
        auxiliary_session = opened(card.auxiliary, is_needed=card.auxiliary.stands_in)
    # Beside a proposal network and an auxiliary one that stands in, the full detector runs on few photos.
    is_needed = proposal_session is None or card.auxiliary is None or not card.auxiliary.stands_in
    return Detector(Networks(card, opened(card, is_needed=is_needed), proposal_session, auxiliary_session))


def load_for(
    settings: Settings,
    class_name: ObjectClass,
    thread_count: int,
    beside: Iterable[ObjectDetector] = (),
    background: Executor | None = None,
) -> Detector:
    """Return a detector of faces or plates; raise ModelError where that is impossible.

    Parameters
    ----------
    settings
        Folder of the weights and engine options.
    class_name
        The class to detect: one of the manifest of the weights.
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
    engine = _engine(settings, thread_count, has_common_sizes=background is None)
    same = [other for other in beside if isinstance(other, Detector)]
    detector = open_detector(folder, card, engine, same, background)
    # Otherwise OpenCV starts a thread pool of its own in every process, as large as the machine.
    cv2.setNumThreads(thread_count)
    if background is None:
        detector.warm_up()
    return detector


def _engine(settings: Settings, thread_count: int, *, has_common_sizes: bool) -> EngineOptions:
    return EngineOptions(
        settings.engine,
        thread_count,
        settings.device,
        settings.precision,
        compiled_folder(settings),
        has_common_sizes=has_common_sizes,
    )


def load_any(
    settings: Settings,
    class_name: ObjectClass,
    thread_count: int,
    beside: Iterable[ObjectDetector] = (),
    background: Executor | None = None,
) -> ObjectDetector:
    """Return a detector of any class; see `load_for`. Nothing of an extra class is imported before this."""
    extra = extra_class(class_name.value)
    if extra is None:
        return load_for(settings, class_name, thread_count, beside, background)
    folder = settings.models_dir or default_models_dir()
    return open_extra(extra, folder, _engine(settings, thread_count, has_common_sizes=False))


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
) -> dict[ObjectClass, ObjectDetector]:
    """Return the detectors of ``classes`` for one thread; see `load_any`."""
    detectors: dict[ObjectClass, ObjectDetector] = {}
    for name in classes:
        detectors[name] = load_any(settings, name, thread_count, detectors.values(), background)
    return detectors


def load_in_background(
    settings: Settings, classes: Sequence[ObjectClass]
) -> dict[ObjectClass, ObjectDetector]:
    """Return detectors for a process that may end after one photo, on as many threads as the settings say.

    One thread loads the networks in the order in which they are needed; best called before other imports.
    """
    background = ThreadPoolExecutor(1)
    detectors = load_all(settings, classes, settings.threads or len(os.sched_getaffinity(0)), background)
    background.shutdown(wait=False)
    return detectors


def check_weights(settings: Settings, class_name: ObjectClass) -> None:
    """Raise ModelError unless what detects ``class_name`` is installed and its weights are right."""
    extra = extra_class(class_name.value)
    if extra is not None:
        require_packages(extra)
        return
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name)
    for weights in card.all_files.values():
        verified_path(folder, weights)
