"""Later packs: unpacked as splits that the other tools read."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import paths
from training.evaluate import ignored_regions, labelled_photos
from training.more_packs import MORE, PEOPLE, packs, unpack
from training.predict import read_photo


def write_pack(folder: Path, name: str) -> None:
    """Write a tar of one photo with two labels, of which one is a duplicate, and one region to ignore."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 100, 50)).save(picture, "AVIF", quality=90)
    label = b"0 0.5 0.5 0.25 0.5\n0 0.5 0.5 0.25 0.5\n"
    parts = {
        f"{name}/SOURCES.md": b"# sources",
        f"{name}/images/train/a.avif" if name.endswith("2") else f"{name}/images/a.avif": picture.getvalue(),
        f"{name}/labels/train/a.txt" if name.endswith("2") else f"{name}/labels/a.txt": label,
        f"{name}/ignore/a.txt": b"0 0.1 0.1 0.1 0.1\n",
    }
    with tarfile.open(folder / f"{name}.tar", "w") as archive:
        for path, data in parts.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a shared folder with packs, and let what is built go into the test's folder."""
    data = tmp_path / "shared" / "data"
    data.mkdir(parents=True)
    for name in ("faces2", "people_faces"):
        write_pack(data, name)
    monkeypatch.setenv("OBSCURA_SHARED", str(tmp_path / "shared"))
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    return tmp_path


@pytest.mark.usefixtures("shared")
def test_packs_become_splits() -> None:
    """Photos are readable by OpenCV, labels are cleaned, regions that do not count are known."""
    assert [unpack("face", pack) for pack in packs("face")] == [1, 1]
    for split in (MORE, PEOPLE):
        ((photo, labels),) = labelled_photos("face", split)
        pixels = read_photo(photo)
        assert pixels.shape == (48, 64, 3)
        assert np.abs(pixels.reshape(-1, 3).mean(axis=0) - (200, 100, 50)).max() < 6
        np.testing.assert_allclose(labels, [[0.5, 0.5, 0.25, 0.5]], atol=1e-6)
    np.testing.assert_allclose(ignored_regions("face", PEOPLE)["a"], [[0.1, 0.1, 0.1, 0.1]])
