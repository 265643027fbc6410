"""Compiled networks on disk, and networks that are loaded when they are needed."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from obscura.cli.in_process import Finder
from obscura.contract import JobOptions, ObjectClass
from obscura.detection.backends.background import BackgroundSession
from obscura.detection.backends.base import Session
from obscura.detection.backends.compiled import MAX_FILES, CompiledNetworks, default_folder
from obscura.detection.backends.openvino import open_openvino
from obscura.detection.loading import compiled_folder, load_in_background
from obscura.detection.weights import default_models_dir
from obscura.errors import BackendUnavailableError, ModelCorruptError
from obscura.settings import Settings
from tests.photos import PORTRAIT, encoded
from tests.unit.detection.test_detector import WhiteSquares, photo_with

if TYPE_CHECKING:
    from pathlib import Path

    from obscura.detection.arrays import Floats, Pixels

NETWORK = default_models_dir() / "scout-yolov8.onnx"


def test_what_was_stored_is_there_for_the_same_weights_and_key_only(tmp_path: Path) -> None:
    """Another key, or other weights, find nothing."""
    CompiledNetworks(tmp_path, "a").store("key", b"network")
    assert CompiledNetworks(tmp_path, "a").load("key") == b"network"
    assert CompiledNetworks(tmp_path, "a").load("key")
    assert CompiledNetworks(tmp_path, "a").load("other") is None
    assert CompiledNetworks(tmp_path, "b").load("key") is None


@pytest.mark.parametrize("damage", [b"", b"abc", b"\0\0\0\0network"])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: bytes) -> None:
    """What is cut short or changed is not handed to an engine."""
    networks = CompiledNetworks(tmp_path, "a")
    networks.store("key", b"network")
    (file,) = networks.folder.glob("*.blob")
    file.write_bytes(damage)
    assert networks.load("key") is None


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    """An engine runs what it loads."""
    networks = CompiledNetworks(tmp_path, "a")
    networks.store("key", b"network")
    networks.folder.chmod(0o777)
    assert networks.load("key") is None
    assert networks.load("key") is None


def test_a_folder_that_cannot_be_made_costs_nothing(tmp_path: Path) -> None:
    """Where a file is in the way nothing is kept, and nothing fails."""
    (tmp_path / "file").write_bytes(b"")
    networks = CompiledNetworks(tmp_path / "file", "a")
    networks.store("key", b"network")
    assert networks.load("key") is None


def test_many_writers_leave_one_whole_file(tmp_path: Path) -> None:
    """Processes that start together store the same network; readers see all of it or nothing."""
    blob = os.urandom(300_000)

    def work(_number: int) -> bool:
        networks = CompiledNetworks(tmp_path, "a")
        networks.store("key", blob)
        return networks.load("key") == blob

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))
    assert len(list(CompiledNetworks(tmp_path, "a").folder.iterdir())) == 1


def test_the_folder_does_not_grow_for_ever(tmp_path: Path) -> None:
    """The oldest networks go."""
    networks = CompiledNetworks(tmp_path, "a")
    for number in range(MAX_FILES + 5):
        networks.store(str(number), b"network")
    assert len(list(networks.folder.glob("*.blob"))) == MAX_FILES
    assert networks.load(str(MAX_FILES + 4))


def test_the_folder_is_the_users_and_can_be_switched_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """XDG's variable is heeded, a folder may be named, and `off` is off."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "obscura"
    assert compiled_folder(Settings(compiled_dir="auto")) == tmp_path / "obscura"
    assert compiled_folder(Settings(compiled_dir=str(tmp_path / "other"))) == tmp_path / "other"
    assert compiled_folder(Settings(compiled_dir="off")) is None


def test_a_stored_network_answers_as_the_compiled_one(tmp_path: Path, portrait: Pixels) -> None:
    """The second start reads what the first one left; what cannot be read is compiled again."""
    pytest.importorskip("openvino")
    networks = CompiledNetworks(tmp_path, "weights")

    def answer() -> Floats:
        session = open_openvino(NETWORK, 1, exact=False, compiled=networks)
        output = session.run([portrait])
        session.close()
        return output

    first = answer()
    (file,) = networks.folder.iterdir()
    written = file.stat().st_mtime_ns
    assert np.array_equal(answer(), first)
    assert file.stat().st_mtime_ns == written
    # Whole by its checksum, and yet no network: what another build of the engine would leave.
    file.write_bytes(zlib.crc32(b"foreign").to_bytes(4, "big") + b"foreign")
    assert np.array_equal(answer(), first)
    assert file.stat().st_size > len(b"foreign") + 4


def test_a_network_is_loaded_in_the_background_once() -> None:
    """What is asked of it waits; closed, it refuses."""
    loading = Future[Session]()
    session = BackgroundSession(loading.result)
    Timer(0.05, loading.set_result, [WhiteSquares()]).start()
    assert (session.name, session.device, session.batch_size) == ("white", "cpu", 1)
    assert session.run([photo_with((64, 64))]).ndim == 3
    session.close()
    with pytest.raises(BackendUnavailableError, match="closed"):
        session.run([photo_with((64, 64))])


def test_a_network_that_cannot_be_loaded_is_told_by_its_first_run() -> None:
    """The error of the thread is raised where somebody hears it."""
    loading = Future[Session]()
    loading.set_exception(ModelCorruptError("damaged"))
    session = BackgroundSession(loading.result)
    with pytest.raises(ModelCorruptError, match="damaged"):
        session.run([photo_with((64, 64))])
    session.close()


def test_the_command_line_compiles_nothing_for_single_sizes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One file for each network is all that it loads or leaves behind, whatever sizes photos have."""
    pytest.importorskip("openvino")
    monkeypatch.setenv("OBSCURA_COMPILED_DIR", str(tmp_path))
    detectors = load_in_background(Settings(), tuple(ObjectClass))
    finder = Finder(Settings(), detectors, JobOptions())
    (face, _) = finder.find(PORTRAIT.read_bytes()).parts
    assert len(face.detections) == 1
    finder.find(encoded(Image.new("RGB", (320, 240), (90, 100, 90))))
    for detector in detectors.values():
        assert detector.engine.startswith("openvino")
    # Proposals, faces, plates.
    assert len(list(tmp_path.glob("*/*.blob"))) == 3


def test_damaged_weights_are_told_before_the_first_photo(tmp_path: Path) -> None:
    """Loading later is no reason to find out later."""
    source = default_models_dir()
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "plate-yolov8n.onnx").write_bytes(b"damaged")
    (tmp_path / "plate-yolov8n.pt").write_bytes(b"damaged")
    with pytest.raises(ModelCorruptError, match="plate-yolov8n"):
        load_in_background(Settings(models_dir=tmp_path), tuple(ObjectClass))
