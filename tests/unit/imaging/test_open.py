"""Decoding and encoding: every mode, every orientation, and nothing that should not come along."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, JpegImagePlugin

from obscura.contract import OutputFormat
from obscura.errors import ObscuraError, PhotoError, TruncatedPhotoError, UndecodablePhotoError
from obscura.imaging.encode import EncodeOptions, encode, on_white
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.metadata import icc_profiles, policy
from obscura.imaging.open import REDUCED_WARNING, decode
from obscura.imaging.pixels import to_bytes
from tests.unit.imaging.samples import MARKED, MARKER, chunk, exif_block, portrait, save
from tests.unit.imaging.test_validation import corpus

SMALL = Image.fromarray(portrait()).resize((96, 64))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def near(left: np.ndarray, right: np.ndarray, levels: float = 3.0) -> bool:
    """Return whether two pictures differ by few levels on average."""
    return left.shape == right.shape and float(np.abs(left.astype(float) - right).mean()) <= levels


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255])
def test_pixels_are_upright_whatever_the_orientation(name: str, orientation: int) -> None:
    """A picture stored turned comes out as a person sees it; impossible orientations turn nothing."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposition that stores it turned.
    stored = SMALL.transpose(Image.Transpose(undo[orientation])) if orientation in undo else SMALL
    exif = Image.Exif()
    exif[274] = orientation
    settings = {"quality": 95} if name in {"JPEG", "WEBP"} else {}
    photo = decode(save(stored, name, exif=exif, **settings))
    assert near(photo.pixels, np.asarray(SMALL), 6.0)
    assert photo.orientation == (orientation if orientation in undo else 1)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("L", "JPEG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("I;16", "PNG"),
        ("I;16", "TIFF"),
        ("I", "TIFF"),
        ("F", "TIFF"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "TIFF"),
        ("LAB", "TIFF"),
        ("RGB", "BMP"),
    ],
)
def test_every_mode_comes_out_as_the_picture_it_is(mode: str, name: str) -> None:
    """The picture is recognisable in 8-bit RGB whatever it is stored as, and it can be encoded again."""
    if mode == "LAB":
        turn = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        image = ImageCms.applyTransform(SMALL, turn)
        assert image is not None
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(SMALL.convert("L")).astype(np.uint16) * 257)
    else:
        image = SMALL.convert("L").convert(mode) if mode in {"I", "F"} else SMALL.convert(mode)
    photo = decode(save(image, name))
    grey = mode in {"1", "L", "LA", "I;16", "I", "F"}
    expected = np.asarray((SMALL.convert("1") if mode == "1" else SMALL.convert("L")).convert("RGB"))
    assert photo.pixels.dtype == np.uint8
    assert near(photo.pixels, expected if grey else np.asarray(SMALL), 14.0)
    assert photo.is_grey is grey
    assert near(decode(encode(photo).data).pixels, photo.pixels, 6.0)


def test_deep_samples_keep_their_scale() -> None:
    """16 bits are scaled by 257; floats in 0..1 are stretched; what is not a number becomes 0."""
    assert to_bytes(np.array([[0, 257, 65_535]], np.uint16)).tolist() == [[0, 1, 255]]
    assert to_bytes(np.array([[0.0, 0.5, 1.0, np.nan]])).tolist() == [[0, 128, 255, 0]]
    assert to_bytes(np.array([[-10, 0, 10]], np.int32)).tolist() == [[0, 128, 255]]
    assert to_bytes(np.zeros((1, 2), np.float32)).tolist() == [[0, 0]]


def test_a_deep_picture_says_that_it_was_reduced() -> None:
    """Losing bits is told."""
    wide = Image.fromarray(np.full((8, 8), 40_000, np.int32))
    assert decode(save(wide, "TIFF")).warnings == (REDUCED_WARNING,)
    deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    assert decode(save(deep, "PNG")).warnings == ()
    assert not decode(save(SMALL, "PNG")).warnings


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_files_raise(name: str, share: float) -> None:
    """A file cut short is an error, never a half picture."""
    data = save(SMALL, name)
    with pytest.raises((TruncatedPhotoError, UndecodablePhotoError)):
        decode(data[: int(len(data) * share)])


def test_a_png_with_a_wrong_checksum_raises() -> None:
    """Damage that PNG itself can tell is told."""
    data = bytearray(save(SMALL, "PNG"))
    data[data.index(b"IDAT") + 20] ^= 0xFF
    with pytest.raises(UndecodablePhotoError):
        decode(bytes(data))


def test_a_decoder_that_fails_in_any_way_raises_an_error_of_ours() -> None:
    """A PNG whose data are no pixels gets through the gate and fails as undecodable."""
    head = save(SMALL, "PNG")[:33]
    with pytest.raises(PhotoError):
        decode(head + chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b""))


def test_jpeg_is_coded_again_as_it_was() -> None:
    """Quantisation tables, sampling and progression of the source are used again."""
    for quality, subsampling, progressive in ((35, 2, False), (88, 1, True), (97, 0, False)):
        source = save(SMALL, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
        result = encode(decode(source))
        with Image.open(BytesIO(source)) as before, Image.open(BytesIO(result.data)) as after:
            assert isinstance(before, JpegImagePlugin.JpegImageFile)
            assert isinstance(after, JpegImagePlugin.JpegImageFile)
            assert after.quantization == before.quantization
            assert JpegImagePlugin.get_sampling(after) == subsampling
            assert bool(after.info.get("progressive")) is progressive
        assert result.media_type == "image/jpeg"
        assert result.extension == ".jpg"


@pytest.mark.parametrize("source", [PhotoFormat.PNG, PhotoFormat.WEBP, PhotoFormat.TIFF])
def test_lossless_stays_lossless(source: PhotoFormat) -> None:
    """What was stored without loss comes out with the same pixels and in the same format."""
    settings = {"lossless": True} if source is PhotoFormat.WEBP else {}
    result = encode(decode(save(SMALL, source.name, **settings)))
    assert result.format is source
    assert np.array_equal(decode(result.data).pixels, np.asarray(SMALL))


def test_alpha_is_kept_where_the_format_can_and_white_where_not() -> None:
    """PNG and WebP keep transparency; JPEG shows the picture on white."""
    rgba = SMALL.convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(SMALL.size))
    photo = decode(save(rgba, "PNG"))
    assert photo.alpha is not None
    for output in (OutputFormat.SAME, OutputFormat.PNG, OutputFormat.WEBP):
        again = decode(encode(photo, EncodeOptions(output)).data)
        assert again.alpha is not None
        assert np.array_equal(again.alpha, photo.alpha)
    flat = decode(encode(photo, EncodeOptions(OutputFormat.JPEG)).data)
    assert flat.alpha is None
    assert near(flat.pixels, on_white(photo))


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_colours_under_nothing_are_there_to_be_searched(name: str) -> None:
    """What is stored under alpha 0 is in the pixels that detectors get: no face hides there."""
    hidden = SMALL.convert("RGBA")
    hidden.putalpha(0)
    photo = decode(save(hidden, name))
    assert photo.alpha is not None
    assert photo.alpha.max() == 0
    assert np.array_equal(photo.pixels, np.asarray(SMALL))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_colour_profile_stays_where_it_is_one(name: str) -> None:
    """A profile that parses is kept; one that does not is dropped."""
    kept = encode(decode(save(SMALL, name, icc_profile=SRGB)))
    assert Image.open(BytesIO(kept.data)).info["icc_profile"] == icc_profiles.neutral(SRGB)
    assert policy.found(kept.data) == ("icc",)
    dropped = encode(decode(save(SMALL, name, icc_profile=b"no profile " + MARKER)))
    assert policy.found(dropped.data) == ()
    assert MARKER not in dropped.data


@pytest.mark.parametrize("space", [b"CMYK", b"GRAY", b"R\xb5B ", b"\x00\x00\x00\x00"])
def test_a_profile_of_another_colour_space_is_dropped(space: bytes) -> None:
    """What the profile says of itself must fit the pixels, even where it says nonsense."""
    assert decode(save(SMALL, "JPEG", icc_profile=SRGB[:16] + space + SRGB[20:])).icc is None


def test_a_grey_picture_does_not_keep_a_colour_profile() -> None:
    """A profile for colours does not fit grey pixels."""
    assert decode(save(SMALL.convert("L"), "PNG", icc_profile=SRGB)).icc is None


@pytest.mark.parametrize("name", sorted(MARKED))
@pytest.mark.parametrize("output", list(OutputFormat))
def test_no_marker_survives_encoding(name: str, output: OutputFormat) -> None:
    """Texts planted in every place that can hold one are in no output, and neither is any metadata."""
    source = MARKED[name]()
    assert MARKER in source
    result = encode(decode(source), EncodeOptions(output))
    assert MARKER not in result.data
    assert policy.found(result.data) == ()
    with Image.open(BytesIO(result.data)) as image:
        assert not {"exif", "xmp", "comment", "photoshop", "icc_profile", "mp"} & set(image.info)


def test_the_kinds_of_metadata_found_are_named() -> None:
    """The report's names are those of what was planted."""
    assert set(policy.found(MARKED["jpeg"]())) == {
        "app_data",
        "comment",
        "exif",
        "exif_thumbnail",
        "gps",
        "icc",
        "iptc",
        "maker_note",
        "mpf",
        "trailer",
        "xmp",
    }
    assert {"png_text", "xmp", "exif", "icc", "private_chunk", "trailer"} <= set(
        policy.found(MARKED["png"]())
    )
    assert {"exif", "xmp", "icc", "trailer"} <= set(policy.found(MARKED["webp"]()))
    assert {"tiff_text", "xmp", "iptc", "private_tags"} <= set(policy.found(MARKED["tiff"]()))
    assert policy.found(save(SMALL, "PNG")) == ()
    assert "gps" in policy.found(save(SMALL, "JPEG", exif=exif_block()))


@pytest.mark.filterwarnings("ignore")
def test_the_shared_corpus_decodes_as_its_manifest_says(shared: Path) -> None:
    """Whatever must decode does, whatever must not does not, and nothing but errors of ours is raised."""
    wrong = []
    for row, data in corpus(shared):
        try:
            accepted = bool(decode(data))
        except ObscuraError:
            accepted = False
        if row["expect"] == "415" and row["magic"] in {"heif", "avif"}:
            continue  # The manifest is of a time before these were read; see test_boxes.
        must_pass = row["expect"].startswith("2xx") and not any(
            code in row["expect"] for code in ("4xx", "415")
        )
        must_fail = row["expect"] in {"4xx", "415"}
        if (must_pass and not accepted) or (must_fail and accepted):
            wrong.append((row["file"], row["expect"]))
    assert wrong == []
