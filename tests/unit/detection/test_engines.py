"""The three engines, and the choice between them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from obscura.detection.backends import openvino
from obscura.detection.backends.onnx import OnnxSession, open_onnx_batched
from obscura.detection.backends.openvino import open_openvino
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice, EngineOptions, open_session, pick_engine
from obscura.detection.loading import load_detector
from obscura.detection.networks import Networks
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.errors import BackendUnavailableError, ModelError
from obscura.geometry import Box, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from obscura.detection.arrays import Floats, Pixels

MODULES = {EngineChoice.OPENVINO: "openvino", EngineChoice.ULTRALYTICS: "ultralytics"}


@pytest.fixture(scope="module", params=list(MODULES), ids=str)
def other_detector(
    request: pytest.FixtureRequest, exact_detector: Callable[[EngineChoice], Detector]
) -> Detector:
    """Return the face detector on another engine than onnxruntime; skip where that is not installed."""
    if find_spec(MODULES[request.param]) is None:
        pytest.skip(f"{MODULES[request.param]} is not installed here")
    return exact_detector(request.param)


def assert_same(detectors: tuple[Detector, Detector], pixels: Pixels) -> None:
    """Compare both networks' raw outputs in every slice and window, and their boxes."""
    runs = [detector.detect_with_cache(pixels) for detector in detectors]
    shared = runs[0].cache.keys() & runs[1].cache.keys()
    # A box that lies within a hair of the next window's place may get that one from the other engine.
    assert len(shared) > 0.5 * max(len(look.cache) for look in runs)
    for seen in shared:
        best, other = (float(look.cache[seen].output[4].max()) for look in runs)
        assert best == pytest.approx(other, abs=0.01)
    # Boxes at the very threshold may be on either side of it: what one reports surely, the other has too.
    options = DetectionOptions(min_confidence=0.3), DetectionOptions(min_confidence=0.25)
    sure, all_boxes = (
        [
            detector.detect_with_cache(pixels, option, look.cache).detections
            for detector, look in zip(detectors, runs, strict=True)
        ]
        for option in options
    )
    for mine, theirs in ((0, 1), (1, 0)):
        partners = all_boxes[theirs]
        for item in sure[mine]:
            partner = max(partners, key=lambda other: other.box.iou(item.box))
            assert np.abs(np.array(partner.box) - np.array(item.box)).max() < 1.0
            assert partner.confidence == pytest.approx(item.confidence, abs=0.05)


def test_engines_agree_on_the_portrait(
    face_detector: Detector, other_detector: Detector, portrait: Pixels
) -> None:
    """In f32 every engine gives the same boxes within a pixel, and there is a box to compare."""
    assert face_detector.detect(portrait)
    assert_same((face_detector, other_detector), portrait)


def test_engines_agree_on_real_photos(
    face_detector: Detector, other_detector: Detector, real_photos: list[Pixels]
) -> None:
    """The same holds on photos of streets and people."""
    for photo in real_photos:
        assert_same((face_detector, other_detector), photo)


def test_engines_take_what_nobody_may_write_to(other_detector: Detector, portrait: Pixels) -> None:
    """A read-only picture and a part that is not contiguous give the same output."""
    square = np.ascontiguousarray(np.pad(portrait, ((64, 64), (64, 64), (0, 0)), mode="edge"))
    expected = other_detector.detect(square)
    assert expected
    square.flags.writeable = False
    assert other_detector.detect(square) == expected
    wide = np.concatenate([square, square[::-1]], axis=1)
    assert other_detector.detect(wide[:, :640]) == expected


@pytest.fixture
def prepared_sizes(monkeypatch: pytest.MonkeyPatch) -> list[Size | None]:
    """Return what OpenVINO is prepared for from now on, None for every size."""
    sizes: list[Size | None] = []
    prepare = openvino._Network.prepared

    def noting(network: openvino._Network, size: Size | None) -> object:
        sizes.append(size)
        return prepare(network, size)

    monkeypatch.setattr(openvino._Network, "prepared", noting)
    return sizes


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed here")
def test_networks_are_prepared_for_their_windows_and_scouts_for_usual_photos(
    prepared_sizes: list[Size | None],
) -> None:
    """Each once, when such an input comes first; for a size that is out of the ordinary nothing is made."""
    detector = load_detector(default_models_dir(), "face", EngineChoice.OPENVINO)
    detector.warm_up()
    del prepared_sizes[:]
    networks = detector.networks
    for session, size in ((networks.full, Size(192, 192)), (networks.proposal, Size(640, 480))):
        assert session is not None
        for side in (size.width, size.width, 224):
            session.run([np.zeros((size.height, side, 3), np.uint8)])
    assert prepared_sizes == [Size(192, 192), Size(640, 480)]


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed here")
def test_a_size_that_comes_often_is_prepared_for(portrait: Pixels, prepared_sizes: list[Size | None]) -> None:
    """Its inputs get the same answers, whatever came before; all others those of a network for every size."""
    path = default_models_dir() / "face-yolov8n.onnx"
    often = np.asarray(cv2.resize(portrait, (192, 160)), dtype=np.uint8)
    other = np.ascontiguousarray(often[:, :128])
    plain = open_openvino(path, 1, exact=True)
    prepared = open_openvino(path, 1, exact=True, often=[Size(192, 160)])
    first = prepared.run([often])
    assert first[0, 4].max() == pytest.approx(plain.run([often])[0, 4].max(), abs=1e-3)
    for batch in ([other], [often, often]):
        assert np.array_equal(prepared.run(batch), plain.run(batch))
    assert np.array_equal(prepared.run([often]), first)
    assert prepared_sizes == [None, None, Size(192, 160)]
    prepared.close()
    with pytest.raises(BackendUnavailableError, match="closed"):
        prepared.run([often])


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="ultralytics is not installed here")
def test_a_network_published_as_onnx_only_runs_on_the_cpu_beside_torch() -> None:
    """An auxiliary network has no torch weights; everything else runs where it was asked to."""
    proposal = card_for_class(load_manifest(default_models_dir() / "manifest.toml"), "face").proposal
    assert proposal is not None
    auxiliary = replace(proposal, files={"onnx": proposal.files["onnx"]})
    session = open_session(default_models_dir(), auxiliary, EngineOptions(EngineChoice.ULTRALYTICS))
    assert session.device == "cpu"
    assert len(session.run([np.zeros((64, 96, 3), np.uint8)])) == 1


def test_the_default_precision_finds_the_face(face_detector: Detector, portrait: Pixels) -> None:
    """What a user gets without choosing finds the same face, give or take a little."""
    detector = load_detector(default_models_dir(), "face", EngineChoice.AUTO, threads=1, device="cpu")
    detector.warm_up()
    exact = face_detector.detect(portrait)[0].box
    assert Box(*detector.detect(portrait)[0].box).iou(exact) > 0.9


@pytest.mark.parametrize("choice", list(EngineChoice)[1:], ids=str)
@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core: there is nothing to be bound to")
def test_no_engine_binds_its_threads_to_a_core(choice: EngineChoice) -> None:
    """Workers side by side use all cores: an engine that chose one would choose the same in each of them."""
    if find_spec(MODULES.get(choice, "onnxruntime")) is None:
        pytest.skip(f"{choice} is not installed here")
    detector = load_detector(default_models_dir(), "face", choice, threads=1, device="cpu")
    allowed, bound, ended = os.sched_getaffinity(0), set[frozenset[int]](), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for thread in Path("/proc/self/task").iterdir():
                with suppress(ProcessLookupError):
                    bound.add(frozenset(os.sched_getaffinity(int(thread.name))))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        for _ in range(4):
            detector.warm_up()
        ended.set()
        watching.result()
    assert bound == {frozenset(allowed)}


@pytest.mark.parametrize("choice", list(MODULES), ids=str)
def test_an_absent_engine_says_how_to_install_it(
    choice: EngineChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chosen engine that is not installed is BackendUnavailableError with the command that helps."""
    monkeypatch.setattr("obscura.detection.engines.find_spec", lambda _: None)
    with pytest.raises(BackendUnavailableError, match=r"install.*obscura-photo\["):
        pick_engine(EngineOptions(choice))


def test_automatic_choice_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenVINO onnxruntime is taken; without any engine the error says how to get one."""
    monkeypatch.setattr("obscura.detection.engines.find_spec", lambda name: name == "onnxruntime" or None)
    assert pick_engine(EngineOptions()) is EngineChoice.ONNX
    monkeypatch.setattr("obscura.detection.engines.find_spec", lambda _: None)
    with pytest.raises(BackendUnavailableError, match="pip install"):
        pick_engine(EngineOptions())


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """Weights with the right checksum that the engine cannot read are a ModelError that names them."""
    (tmp_path / "x.onnx").write_bytes(b"nonsense")
    (tmp_path / "manifest.toml").write_text(
        '[x]\nclass="face"\nversion="1"\nlicence="none"\ninput_size=640\nmin_confidence=0.2\nmax_overlap=0.5\n'
        f'[x.files.onnx]\npath="x.onnx"\nsha256="{sha256(b"nonsense").hexdigest()}"\n',
        encoding="utf-8",
    )
    with pytest.raises(ModelError, match=r"x\.onnx"):
        load_detector(tmp_path, "face", EngineChoice.ONNX)


def test_importing_detection_loads_no_engine() -> None:
    """Engines are loaded after the fork, by the process that uses them; telemetry of OpenVINO never."""
    code = (
        "import sys, obscura.detection.loading as d, obscura.detection.weights as m\n"
        "loaded = {'onnxruntime', 'openvino', 'torch', 'ultralytics'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "d.load_detector(m.default_models_dir(), 'face', d.EngineChoice.AUTO, threads=1, device='cpu')\n"
        "assert not any(n.startswith('openvino_telemetry') and sys.modules[n] for n in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed here")
@pytest.mark.parametrize("half", [False, True], ids=["f32", "f16"])
def test_batches_of_bytes_agree_with_openvino(
    half: bool,  # noqa: FBT001 - a parameter of the test
    exact_detector: Callable[[EngineChoice], Detector],
    portrait: Pixels,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What runs on GPUs finds the same in several faces, its windows in batches."""
    faces = np.ascontiguousarray(np.tile(portrait[::2, ::2], (1, 3, 1)))
    card = card_for_class(load_manifest(default_models_dir() / "manifest.toml"), "face")
    path = default_models_dir() / card.files["onnx"].path
    batches: list[int] = []
    run = OnnxSession.run

    def counted(session: OnnxSession, batch: Sequence[Pixels]) -> Floats:
        batches.append(len(batch))
        return run(session, batch)

    monkeypatch.setattr(OnnxSession, "run", counted)
    batched = Detector(Networks(card, open_onnx_batched(path, 2, ["CPUExecutionProvider"], half=half)))
    assert_same((batched, exact_detector(EngineChoice.OPENVINO)), faces)
    assert max(batches) > 1


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One asked for: the network runs on the CPU, and a warning says so. With one, onnxruntime is chosen."""
    options = EngineOptions(device="cuda")
    card = card_for_class(load_manifest(default_models_dir() / "manifest.toml"), "face")
    monkeypatch.setattr("obscura.detection.engines.has_gpu", lambda: False)
    with capture_logs() as lines:
        session = open_session(default_models_dir(), card, options)
    assert session.device == "cpu"
    assert [(line["event"], line["asked"], line["runs_on"]) for line in lines] == [("no_gpu", "cuda", "cpu")]
    monkeypatch.setattr("obscura.detection.engines.has_gpu", lambda: True)
    assert pick_engine(options) is pick_engine(EngineOptions()) is EngineChoice.ONNX
    assert pick_engine(EngineOptions(device="cpu")) is not EngineChoice.ONNX or find_spec("openvino") is None


QUIET = """
import json, os, pathlib, stat
from obscura.detection.backends.ultralytics import keep_ultralytics_quiet
keep_ultralytics_quiet()
folder = pathlib.Path(os.environ["YOLO_CONFIG_DIR"])
assert stat.S_IMODE(folder.stat().st_mode) == 0o700
assert os.environ["YOLO_OFFLINE"] == "true" and os.environ["YOLO_AUTOINSTALL"] == "false"
file = folder / "Ultralytics" / "settings.json"
assert json.loads(file.read_text())["sync"] is False
"""


def test_ultralytics_finds_settings_that_keep_it_quiet() -> None:
    """A private folder with settings.json is there before it is imported, and gone with its process."""
    code = QUIET + "print(folder)\n"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not Path(done.stdout.strip()).exists()


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="make setup-ultralytics installs it")
def test_ultralytics_takes_those_settings() -> None:
    """It is silent from its first moment on: its own settings are those of the file, which it has kept."""
    code = QUIET + (
        "import ultralytics\n"
        "assert ultralytics.settings['sync'] is False\n"
        "assert pathlib.Path(ultralytics.settings.file) == file\n"
        "from ultralytics.utils.events import events\n"
        "assert not events.enabled\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
