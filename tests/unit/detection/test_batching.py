"""Pictures of several callers in one run."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from obscura.detection.batching import BatchingSession
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice, EngineOptions, Precision, open_session
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.detection.arrays import Floats, Pixels


class Slow:
    """A network that tells pictures apart by their first byte, and notes the sizes of its batches."""

    name = "slow"
    device = "gpu"
    batch_size = 8

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.runs = threading.Event()
        self.is_closed = False

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return the first byte of each picture, once allowed to."""
        self.runs.set()
        assert self.may_run.wait(60)
        assert len({picture.shape for picture in batch}) == 1
        self.batches.append((len(batch), *batch[0].shape[:2]))
        if any(picture[0, 0, 0] == 255 for picture in batch):
            message = "a picture that it cannot bear"
            raise RuntimeError(message)
        return np.array([[[float(picture[0, 0, 0])]] for picture in batch], np.float32)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


def picture(number: int, side: int = 32) -> Pixels:
    """Return a picture that says its number."""
    return np.full((side, side, 3), number, np.uint8)


def test_everyone_gets_their_own_answer() -> None:
    """Whatever runs together, each caller hears of its own pictures; batches are no larger than allowed."""
    network = Slow()
    session = BatchingSession(network, budget_s=0.3)

    def ask(number: int) -> list[float]:
        pictures = [picture(number, 32 + 32 * (number % 2))] * (1 + number % 3)
        return [float(value) for value in session.run(pictures).ravel()]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(100)))
    assert answers == [[float(number)] * (1 + number % 3) for number in range(100)]
    assert max(size for size, *_ in network.batches) > 3
    assert all(size <= 8 for size, *_ in network.batches)
    session.close()
    assert network.is_closed


def test_what_comes_while_a_batch_runs_runs_together() -> None:
    """A busy network makes batches large by itself: eight that waited are one run."""
    network = Slow()
    session = BatchingSession(network, budget_s=0.0)
    network.may_run.clear()
    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(session.run, [picture(1)])]
        assert network.runs.wait(60)
        answers += [pool.submit(session.run, [picture(number)]) for number in range(2, 10)]
        while len(session._waiting) < 8:
            time.sleep(0.01)
        network.may_run.set()
        assert [float(answer.result(60).ravel()[0]) for answer in answers] == list(range(1, 10))
    assert [size for size, *_ in network.batches] == [1, 8]
    session.close()


def test_an_error_reaches_those_who_asked_and_nobody_else() -> None:
    """The thread goes on; the next caller is served."""
    session = BatchingSession(Slow(), budget_s=0.0)
    with pytest.raises(RuntimeError, match="cannot bear"):
        session.run([picture(255)])
    assert float(session.run([picture(7)]).ravel()[0]) == 7.0
    session.close()
    with pytest.raises(BackendUnavailableError):
        session.run([picture(7)])


@pytest.mark.parametrize("choice", [EngineChoice.ONNX, EngineChoice.OPENVINO])
def test_real_networks_see_the_same_in_a_batch(choice: EngineChoice, portrait: Pixels) -> None:
    """Boxes of a photo are the same whether it runs alone or with others, on an engine that runs batches."""
    folder = default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), "face")
    plain = open_session(folder, card, EngineOptions(choice, 2, "cpu", Precision.F32))
    session = BatchingSession(plain, most=4, budget_s=0.5)
    detector = Detector(card, session)
    photos = [portrait, portrait[:, ::-1].copy(), portrait[::-1].copy(), portrait]
    alone = [Detector(card, plain).detect(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, photos))
    assert alone[0]
    for one, other in zip(alone, together, strict=True):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert np.abs(np.array(first.box) - np.array(second.box)).max() < 0.5
            assert first.confidence == pytest.approx(second.confidence, abs=1e-3)
    session.close()
