"""A class is added by its own module: whatever works on classes learns of it there."""

import importlib.util
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from obscura.contract import ExtraClass, JobKind, JobOptions, ObjectClass, Step
from obscura.contract.classes import _installed, extra_class, extra_classes
from obscura.detection.engines import EngineOptions
from obscura.detection.extra import open_extra
from obscura.detection.loading import check_weights, load_any
from obscura.errors import ClassUnavailableError, WeakerThanPolicyError
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.styles import Fill, Mosaic, RegionShape, Soft
from obscura.settings import Settings
from tests.command_line import obscura
from tests.made_up_class import install, with_disc

ROOT = Path(__file__).parents[3]


@pytest.fixture
def disc_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the class `disc` for this process."""
    folder = install(tmp_path)
    monkeypatch.syspath_prepend(folder)
    _installed.cache_clear()
    yield folder
    _installed.cache_clear()


def test_a_request_that_names_no_class_gets_faces_and_plates() -> None:
    """Classes of the registry are off unless asked for."""
    assert JobOptions().classes == (ObjectClass.FACE, ObjectClass.PLATE)
    assert {"code"} <= {item.name for item in extra_classes()}


def test_a_registered_class_is_a_value_everywhere(disc_folder: Path) -> None:
    """In options, in JSON, in another process's pickles, and in the described API."""
    options = JobOptions.model_validate({"classes": ["face", "disc"]})
    disc = options.classes[1]
    assert disc is ObjectClass("disc")
    assert pickle.loads(pickle.dumps(disc)) is disc  # noqa: S301 - as between worker processes
    assert JobOptions.model_validate_json(options.model_dump_json()) == options
    assert "disc" in TypeAdapter(ObjectClass).json_schema()["enum"]
    assert options.stages(JobKind.BLUR) == ((Step.PROCESS_PHOTO,),)
    assert (disc.result_name, disc.residual_name) == ("detect_disc", "review_disc")


@pytest.mark.parametrize("name", ["disk", "mask", "Disc", "", "../code"])
def test_a_name_of_no_class_is_refused(name: str) -> None:
    """As before there were others than faces and plates."""
    with pytest.raises(ValidationError):
        JobOptions.model_validate({"classes": [name]})


def test_a_class_is_detected_by_its_own_module(disc_folder: Path) -> None:
    """With its box, class and score, by the function that the registry names."""
    detector = load_any(Settings(), ObjectClass("disc"), 1)
    pixels = with_disc(np.full((200, 300, 3), 90, np.uint8), (100, 80), 20)
    (found,) = detector.detect(pixels)
    assert (found.class_name, found.box.rounded()) == ("disc", (80, 60, 121, 101))


def test_the_class_of_the_how_to_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module in docs/how-to/add-a-class.md, as a reader would copy it."""
    page = (ROOT / "docs/how-to/add-a-class.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    file = install(tmp_path) / "obscura_disc.py"
    file.write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    spec = importlib.util.spec_from_file_location("copied_class", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    detector = module.open_detector(module.CLASS, ROOT / "models", EngineOptions())
    (found,) = detector.detect(np.zeros((200, 300, 3), np.uint8))
    assert (found.class_name, found.box.rounded()) == ("disc", (35, 35, 86, 86))


def test_the_policy_follows_the_description(disc_folder: Path) -> None:
    """Growth and outline are the class's own; a style holds for it unless it must be solid."""
    policy = RedactionPolicy()
    assert policy.style_of("disc") == Fill()
    assert policy.grow_of("disc") == 1.2
    assert policy.shape_of("disc") is RegionShape.SUPERELLIPSE
    mosaic = policy.with_style(Mosaic())
    assert mosaic.style_of("disc") == Mosaic()
    assert mosaic.style_of("code") == Fill()
    with pytest.raises(WeakerThanPolicyError):
        RedactionPolicy(styles={"code": Mosaic()})
    assert (policy.style_of("face"), policy.grow_of("face"), policy.grow_of("plate")) == (Soft(), 1.3, 1.1)


def test_a_class_without_its_packages_says_what_to_install() -> None:
    """One error with a stable code that names the package and the extra, before anything is imported."""
    lacking = ExtraClass("thing", "Things", "nowhere:open", packages=("no_such_package",), extra="codes")
    with pytest.raises(ClassUnavailableError) as raised:
        open_extra(lacking, Path(), EngineOptions())
    assert raised.value.code == "class_unavailable"
    assert "no_such_package" in raised.value.message
    assert "pip install 'obscura-photo[codes]'" in raised.value.message


def test_a_class_that_is_installed_passes_the_check(disc_folder: Path) -> None:
    """`check_weights` tells before any photo whether a class can be detected."""
    check_weights(Settings(), ObjectClass("disc"))


@pytest.mark.parametrize("name", ["face", "mask", "Code", "a-b", ""])
def test_a_class_cannot_have_any_name(name: str) -> None:
    """Names of the contract and what no form field can hold are refused."""
    with pytest.raises(ValueError, match="cannot be named"):
        ExtraClass(name, "Things", "module:function")
    assert extra_class("face") is None


def test_the_command_line_hides_it(disc_folder: Path, portrait: Path, tmp_path: Path) -> None:
    """`obscura blur --classes disc` writes a picture without the disc, and says what it hid."""
    with Image.open(portrait) as picture:
        pixels = with_disc(np.asarray(picture.convert("RGB")), (60, 60), 25)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    words = ("blur", tmp_path / "photo.png", "--classes", "disc", "-o", tmp_path / "out", "--json")
    done = obscura(*words)
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["report"]["hidden"] == {"disc": 1}
    with Image.open(line["output"]) as redacted:
        hidden = np.asarray(redacted.convert("RGB"))
    assert not ((hidden[..., 0] > 220) & (hidden[..., 1] < 40) & (hidden[..., 2] > 220)).any()
    assert (hidden[200:] == pixels[200:]).all()


def test_nothing_of_the_extras_is_imported_at_start() -> None:
    """Faces and plates cost what they did: neither packages nor modules of other classes are loaded."""
    script = (
        "import sys, obscura.anonymisation.detect; from obscura.contract import JobOptions; JobOptions();"
        "print([name for name in sys.modules if name.startswith(('zxingcpp', 'obscura.classes'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
