"""Open the detector of a model card."""

from collections.abc import Iterable
from concurrent.futures import Executor
from functools import cache
from pathlib import Path

from obscura.detection.backends.background import BackgroundSession
from obscura.detection.backends.base import Session
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice, EngineOptions, checked_opener
from obscura.detection.networks import Networks
from obscura.detection.weights import ModelCard, NetworkCard, card_for_class, load_manifest

__all__ = ["load_detector", "open_detector"]


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
        auxiliary_session = opened(card.auxiliary)
    # With both beside it the full detector runs on few photos.
    is_needed = proposal_session is None or auxiliary_session is None
    return Detector(Networks(card, opened(card, is_needed=is_needed), proposal_session, auxiliary_session))
