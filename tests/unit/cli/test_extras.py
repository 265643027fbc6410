"""A missing extra is one clear line that names it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from obscura.cli.extras import hint
from tests import mammograms

ROOT = Path(__file__).parents[3]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
# Runs the command line where a package is not installed.
WITHOUT = """
import sys
missing = set(sys.argv[1].split(","))

class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing)
sys.argv = ["obscura", *sys.argv[2:]]
from obscura.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("packages", "command", "extra"),
    [
        ("redis", "keys list", "server"),
        ("celery", "serve", "server"),
        ("sqlalchemy", "serve", "verification"),
        ("pydicom", "lesions {dicom}", "dicom"),
        ("av", "blur {video} -o {folder}", "video"),
        ("zxingcpp", "blur {portrait} --classes code -o {folder}", "codes"),
    ],
)
def test_a_missing_extra_is_named(
    packages: str, command: str, extra: str, portrait: Path, tmp_path: Path
) -> None:
    """The command ends with one line that says what to install, and without a traceback."""
    (tmp_path / "x.mp4").write_bytes(bytes.fromhex("00000018667479706d703432") + bytes(64))
    (tmp_path / "x.dcm").write_bytes(mammograms.dicom(np.zeros((64, 48), np.uint16), 12))
    places = {"video": tmp_path / "x.mp4", "dicom": tmp_path / "x.dcm", "folder": tmp_path / "out"}
    words = command.format(portrait=portrait, **places).split()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, packages, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"obscura-photo[{extra}]" in re.sub(r"\s+", " ", done.stderr)


def test_every_extra_that_is_hinted_at_exists() -> None:
    """The names in the hints are extras of the distribution."""
    for package in (
        "redis",
        "av",
        "pydicom",
        "sqlalchemy",
        "pillow_heif",
        "openvino",
        "cryptography",
        "torch",
    ):
        line = hint(ModuleNotFoundError(name=package))
        assert line is not None
        assert re.findall(r"\[(\w+)\]", line)[0] in EXTRAS


def test_an_unknown_module_is_no_missing_extra() -> None:
    """A programming error keeps its traceback."""
    assert hint(ModuleNotFoundError(name="obscura.nothing")) is None
