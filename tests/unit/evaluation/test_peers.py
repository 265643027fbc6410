"""Peers behind the interface of a detector."""

from importlib.util import find_spec

import numpy as np
import pytest

from obscura.errors import BackendUnavailableError, InvalidOptionError
from obscura.evaluation import pairwise_iou
from obscura.evaluation import peers as module
from obscura.evaluation.peers import open_peer
from tests import photos


def test_haar_finds_the_portrait() -> None:
    """OpenCV's cascade finds a frontal face; a lower score shows no fewer boxes."""
    peer = open_peer("haar", "face")
    pixels = np.asarray(photos.portrait())
    boxes, scores = peer.detect(pixels, peer.default_score)
    assert boxes.shape == (len(scores), 4)
    assert pairwise_iou(boxes, np.array([photos.FACE], dtype=np.float64)).max() > 0.4
    assert scores.min() >= peer.default_score
    assert len(peer.detect(pixels, 0.01)[0]) >= len(boxes)


def test_haar_finds_nothing_on_nothing() -> None:
    """Without objects the arrays are empty and have their shape."""
    boxes, scores = open_peer("haar", "plate").detect(np.zeros((64, 96, 3), dtype=np.uint8), 0.01)
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))


@pytest.mark.skipif(find_spec("deface") is None, reason="the peer package deface is not installed")
def test_deface_finds_the_portrait(capfd: pytest.CaptureFixture[str]) -> None:
    """CenterFace finds the face; what its package prints does not get into standard output."""
    peer = open_peer("deface", "face")
    boxes, scores = peer.detect(np.asarray(photos.portrait()), peer.default_score)
    assert pairwise_iou(boxes, np.array([photos.FACE], dtype=np.float64))[scores.argmax()].max() > 0.5
    assert not capfd.readouterr().out
    empty = peer.detect(np.zeros((64, 96, 3), dtype=np.uint8), peer.default_score)
    assert (empty[0].shape, empty[1].shape) == ((0, 4), (0,))


def test_an_absent_peer_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package the error names the command."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(BackendUnavailableError, match="pip install --no-deps deface"):
        open_peer("deface", "face")


def test_a_peer_refuses_what_it_cannot_find() -> None:
    """A class that a peer does not know is an error and not an empty result."""
    with pytest.raises(InvalidOptionError, match="deface finds faces, no plates"):
        open_peer("deface", "plate")
    with pytest.raises(InvalidOptionError, match="no cascade for lesions"):
        open_peer("haar", "lesion")
