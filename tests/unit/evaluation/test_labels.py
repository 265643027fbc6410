"""Label files in YOLO's format."""

from pathlib import Path

import numpy as np
import pytest

from obscura.errors import InvalidRequestError
from obscura.evaluation.labels import corners, label_photos, read_labels
from obscura.geometry import Size


def written(folder: Path, text: str, name: str = "a.txt") -> Path:
    """Write a label file and return it."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_lines_become_boxes(tmp_path: Path) -> None:
    """Empty lines, a byte order mark and any class number are read past; the order is the file's."""
    file = written(tmp_path, "\ufeff0 0.5 0.5 0.2 0.4\n\n  3 0.1 0.2 0.1 0.2  \n")
    assert read_labels(file).tolist() == [[0.5, 0.5, 0.2, 0.4], [0.1, 0.2, 0.1, 0.2]]
    assert read_labels(written(tmp_path, "")).shape == (0, 4)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0 0.5 0.5 0.2", "found 4"),
        ("0 0.5 0.5 0.2 0.2 0.9", "found 6"),
        ("0 0.5 0.5 0.2 wide", "wide"),
        ("face 0.5 0.5 0.2 0.2", "face"),
        ("0.5 0.5 0.5 0.2 0.2", "whole number"),
        ("-1 0.5 0.5 0.2 0.2", "whole number"),
        ("0 320 240 64 64", "shares of the photo"),
        ("0 0.5 0.5 0 0.2", "above 0"),
        ("0 nan 0.5 0.1 0.2", "shares of the photo"),
    ],
)
def test_an_unreadable_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    """The message says which file, which line, and what is wrong with it."""
    file = written(tmp_path, f"0 0.5 0.5 0.1 0.1\n\n{line}\n")
    with pytest.raises(InvalidRequestError, match=complaint) as caught:
        read_labels(file)
    assert f"{file}, line 3: " in caught.value.message


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 end in the same error."""
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(InvalidRequestError, match=r"a\.txt: cannot be read as text"):
        read_labels(tmp_path / "a.txt")


def test_shares_become_pixels_inside_the_photo() -> None:
    """Centre and sides become corners; what hangs over the edge is cut off."""
    shares = np.array([[0.5, 0.5, 0.2, 0.4], [0.0, 1.0, 0.2, 0.2]])
    expected = [[40.0, 15.0, 60.0, 35.0], [0.0, 45.0, 10.0, 50.0]]
    assert corners(shares, Size(100, 50)) == pytest.approx(np.array(expected))


def test_labels_lie_as_their_photos_do(tmp_path: Path) -> None:
    """Subfolders are followed; what lacks its counterpart is listed, on both sides."""
    written(tmp_path / "labels", "0 0.5 0.5 0.1 0.1", "street/1.txt")
    written(tmp_path / "labels", "0 0.5 0.5 0.1 0.1", "2.txt")
    written(tmp_path / "labels", "face", "classes.txt")
    written(tmp_path / "ignored", "0 0.2 0.2 0.1 0.1\n0 0.3 0.2 0.1 0.1", "3.txt")
    photos = [(tmp_path / name, Path(name)) for name in ("street/1.jpg", "3.png")]
    found = label_photos(photos, tmp_path / "labels", tmp_path / "ignored")
    assert [len(photo.labels) for photo in found.photos] == [1, 0]
    assert [len(photo.ignored) for photo in found.photos] == [0, 2]
    assert found.without_file == (tmp_path / "3.png",)
    assert found.without_photo == (tmp_path / "labels" / "2.txt",)


def test_a_folder_that_fits_no_photo_is_the_wrong_one(tmp_path: Path) -> None:
    """Not one label file for any photo would give figures without meaning."""
    (tmp_path / "labels").mkdir()
    with pytest.raises(InvalidRequestError, match="none of the 1 photos has a label file"):
        label_photos([(tmp_path / "1.jpg", Path("1.jpg"))], tmp_path / "labels", None)
