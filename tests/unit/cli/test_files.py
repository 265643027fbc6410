"""No result takes the place of another one, or of an original."""

from pathlib import Path

import pytest

from obscura.cli.files import FoundPhoto, Targets, without_results
from obscura.errors import InvalidOptionError


def photos(*names: str) -> list[FoundPhoto]:
    """Return photos in one folder."""
    return [FoundPhoto(Path("in") / name, Path(name)) for name in names]


def test_files_that_differ_in_their_suffix_get_results_of_their_own() -> None:
    """Both formats are written as JPEG; one of two results would be lost."""
    friends = photos("friends.heic", "friends.avif")
    targets = Targets(Path("out"), friends)
    names = [targets.of(photo, ".jpg") for photo in friends]
    assert names == [Path("out/friends.heic.jpg"), Path("out/friends.avif.jpg")]


def test_a_file_that_keeps_its_format_keeps_its_name() -> None:
    """The other one gives way, whatever the case of its letters."""
    mixed = photos("IMG_1.jpg", "img_1.HEIC")
    targets = Targets(Path("out"), mixed)
    assert [targets.of(photo, ".jpg") for photo in mixed] == [
        Path("out/IMG_1.jpg"),
        Path("out/img_1.HEIC.jpg"),
    ]


def test_a_lone_file_takes_the_suffix_of_its_format() -> None:
    """Nobody else wants the name."""
    (photo,) = photos("a.heic")
    assert Targets(Path("out"), [photo]).of(photo, ".jpg") == Path("out/a.jpg")


def test_a_name_that_another_result_has_is_refused() -> None:
    """However odd the names are, nothing is overwritten."""
    odd = photos("a.heic", "a.avif", "a.heic.jpg")
    with pytest.raises(InvalidOptionError, match="the name of"):
        Targets(Path("out"), odd).of(odd[0], ".jpg")


def test_two_folders_with_one_name_are_refused_in_one_folder_and_not_beside() -> None:
    """Beside its original every result has a place."""
    two = [FoundPhoto(Path("x/a.jpg"), Path("a.jpg")), FoundPhoto(Path("y/a.jpg"), Path("a.jpg"))]
    with pytest.raises(InvalidOptionError, match="both become"):
        Targets(Path("out"), two)
    assert Targets(None, two).of(two[1], ".jpg") == Path("y/a_redacted.jpg")


def test_beside_the_original_it_is_named_so() -> None:
    """Never over the original; files that share a stem stay apart."""
    mixed = photos("a.heic", "a.jpg", "b.png")
    targets = Targets(None, mixed)
    names = [targets.of(mixed[0], ".jpg"), targets.of(mixed[1], ".jpg"), targets.of(mixed[2], ".png")]
    assert names == [Path("in/a.heic_redacted.jpg"), Path("in/a_redacted.jpg"), Path("in/b_redacted.png")]


def test_an_output_may_be_the_file_of_the_only_result(tmp_path: Path) -> None:
    """It has the suffix of what is written, or the command says which; a folder of that name stays one."""
    one = photos("a.jpeg")
    output = tmp_path / "b.JPG"
    targets = Targets(output, one)
    assert (targets.of(one[0], ".jpeg"), targets.folder) == (output, tmp_path)
    with pytest.raises(InvalidOptionError, match=r"written as \.png"):
        targets.of(one[0], ".png")
    with pytest.raises(InvalidOptionError, match="not of 2"):
        Targets(output, photos("a.jpg", "b.jpg"))
    with pytest.raises(InvalidOptionError, match="overwrite"):
        Targets(one[0].path, one).of(one[0], ".jpeg")
    output.mkdir()
    assert Targets(output, one).of(one[0], ".jpeg") == output / "a.jpeg"


def test_earlier_results_are_no_new_photos() -> None:
    """Unless somebody names one."""
    found = photos("a.jpg", "a_redacted.jpg", "a.jpg")
    assert [photo.path.name for photo in without_results(found, [])] == ["a.jpg"]
    assert len(without_results(found, [Path("in/a_redacted.jpg")])) == 2
