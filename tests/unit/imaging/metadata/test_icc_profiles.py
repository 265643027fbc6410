"""ICC profiles: the colours stay, the texts go."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.contract import OutputFormat
from obscura.errors import ObscuraError
from obscura.geometry import Box
from obscura.imaging.headers import sniff
from obscura.imaging.metadata import embedded, icc_profiles
from obscura.imaging.open import PROFILE_WARNING
from tests.unit.imaging.samples import MARKER, portrait
from tests.unit.imaging.test_validation import corpus

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURE = Image.fromarray(portrait()).resize((64, 64))


def tags_of(profile: bytes) -> dict[bytes, bytes]:
    """Return the tags of a profile with their data."""
    count = struct.unpack_from(">I", profile, 128)[0]
    rows = (struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(count))
    return {name: profile[at : at + length] for name, at, length in rows}


def built(profile: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return ``profile`` with other tags."""
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return struct.pack(">I", at + len(body)) + profile[4:128] + table + body


def marked(text: bytes) -> bytes:
    """Return a valid profile that is not sRGB, with ``text`` in every place that can hold some."""
    wide = struct.pack(">i", round(0.7 * 65536))
    tags = tags_of(SRGB)
    red = bytearray(tags[b"rXYZ"])
    red[8:12] = wide
    tags[b"rXYZ"] = bytes(red) + text
    tags[b"rTRC"] = tags[b"gTRC"] = tags[b"bTRC"] = b"curv" + bytes(4) + struct.pack(">IH", 1, 563) + text
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(80)
    tags[b"cprt"] = b"text" + bytes(4) + text + b"\x00"
    for name in (b"dmnd", b"dmdd", b"meta", b"prVt", b"vued"):
        tags[name] = b"text" + bytes(4) + text + b"\x00"
    profile = built(SRGB, tags)
    return profile[:4] + text[:4] + profile[8:80] + text[:20].ljust(20) + profile[100:]


def through(profile: bytes) -> np.ndarray:
    """Return the test picture as a monitor shows it that knows ``profile``."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(PICTURE, source, ImageCms.createProfile("sRGB"))
    assert shown is not None
    return np.asarray(shown).astype(int)


@pytest.mark.parametrize("text", [MARKER, MARKER.decode().encode("utf-16-le")])
def test_texts_go_and_colours_stay(text: bytes) -> None:
    """A marker in any text, header field or slack is gone; colours are within one level."""
    profile = marked(text)
    assert np.abs(through(profile) - np.asarray(PICTURE)).max() > 5
    clean = icc_profiles.neutral(profile)
    assert clean is not None
    assert text not in clean
    assert text[:4] not in clean
    assert np.abs(through(clean) - through(profile)).max() <= 1
    assert icc_profiles.neutral(clean) == clean


def test_what_is_no_profile_gives_none() -> None:
    """Anything that is no profile, or one without colours, gives none."""
    for body in (b"", MARKER, bytes(400), SRGB[:131], built(SRGB, {})):
        assert icc_profiles.neutral(body) is None


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8), cut=st.integers(0, 400)
)
def test_damaged_profiles_raise_nothing(edits: list[tuple[int, int]], cut: int) -> None:
    """Whatever the bytes, there is a profile or none, and never an error."""
    data = bytearray(marked(MARKER))
    for place, value in edits:
        data[place % len(data)] = value
    clean = icc_profiles.neutral(bytes(data[: len(data) - cut]))
    assert clean is None or MARKER not in clean


@pytest.mark.filterwarnings("ignore")
def test_the_profiles_of_the_shared_corpus_keep_their_colours(shared: Path) -> None:
    """Real profiles of every kind of camera and monitor show the same colours afterwards."""
    seen: set[bytes] = set()
    for _, data in corpus(shared):
        found = sniff(data)
        try:
            profile = embedded.read_metadata(data, found).profile if found else None
        except ObscuraError:
            continue
        if profile is None or profile[16:20] != b"RGB " or profile in seen:
            continue
        seen.add(profile)
        try:
            before = through(profile)
        except (ImageCms.PyCMSError, OSError):
            continue
        clean = icc_profiles.neutral(profile)
        assert clean is not None
        assert np.abs(through(clean) - before).max() <= 1
    assert len(seen) >= 5


def table_profile(text: bytes, kind: bytes = b"mAB ", name: bytes = b"A2B0") -> bytes:
    """Return a profile of version 4 whose colours stand in a table with ``text`` between all of its parts."""
    gamma = b"para" + bytes(8) + struct.pack(">i", 2 << 16)
    linear = b"curv" + bytes(4) + struct.pack(">I", 0)
    corners = [(r * 3 // 4, g // 2, b) for r in (0, 65535) for g in (0, 65535) for b in (0, 65535)]
    grid = bytes((2, 2, 2)).ljust(16, b"\x00") + bytes((2, 0, 0, 0))
    grid += struct.pack(">24H", *(value // 2 for corner in corners for value in corner))
    matrix = struct.pack(">12i", *(65536 if index in (0, 4, 8) else 0 for index in range(12)))
    parts, offsets = b"", []
    for part in (3 * linear, matrix, 3 * gamma, grid, 3 * gamma):
        parts += text.ljust(20, b"_")[:20]
        offsets.append(32 + len(parts))
        parts += part
    data = kind + text[:4] + bytes((3, 3)) + text[:2] + struct.pack(">5I", *offsets) + parts + text
    head = bytearray(SRGB)
    head[8] = 4
    head[12:16] = b"scnr"
    return built(bytes(head), {name: data, b"wtpt": tags_of(SRGB)[b"wtpt"]})


@pytest.mark.parametrize(("kind", "name"), [(b"mAB ", b"A2B0"), (b"mBA ", b"B2A0")])
def test_tables_of_modern_profiles(kind: bytes, name: bytes) -> None:
    """Nothing between the parts of a table is kept, the colours are the same, and once is enough."""
    profile = table_profile(MARKER, kind, name)
    clean = icc_profiles.neutral(profile)
    assert clean is not None
    assert name in tags_of(clean)
    assert MARKER[:4] not in clean
    assert icc_profiles.neutral(clean) == clean
    if kind == b"mAB ":
        assert np.abs(through(profile) - np.asarray(PICTURE)).max() > 5
        assert np.array_equal(through(clean), through(profile))


@pytest.mark.parametrize("cut", [9, 31, 40, 90, 150])
def test_a_table_cut_short_is_no_table(cut: int) -> None:
    """A table that ends inside a part is dropped, whatever it promises."""
    data = tags_of(table_profile(MARKER))[b"A2B0"][:cut]
    clean = icc_profiles.neutral(built(SRGB, {**tags_of(SRGB), b"A2B0": data}))
    assert clean is None or b"A2B0" not in tags_of(clean)


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_a_damaged_profile_is_dropped_with_a_warning(name: str) -> None:
    """The report says that colours may look otherwise, for a spliced picture as well."""
    source = io.BytesIO()
    PICTURE.save(source, name, icc_profile=MARKER * 20)
    result = redact_photo(source.getvalue(), [])
    assert result.report.warnings == (PROFILE_WARNING,)
    assert MARKER not in result.data
    assert "icc" in result.report.metadata_removed


def test_a_cmyk_picture_keeps_its_profile() -> None:
    """Spliced, CMYK stays CMYK, and so the profile still fits; what is encoded again becomes sRGB."""
    head = bytearray(table_profile(b""))
    head[16:20] = b"CMYK"
    tags = tags_of(table_profile(b""))
    inks = (
        b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    )
    inks += bytes(range(256)) * 4 + bytes(value for value in range(48)) + bytes(range(256)) * 3
    tags[b"A2B0"] = inks
    head[20:24] = b"Lab "
    profile = built(bytes(head), tags)
    source = io.BytesIO()
    PICTURE.convert("CMYK").save(source, "JPEG", icc_profile=profile)
    kept = redact_photo(source.getvalue(), [Target("face", Box(10, 10, 30, 30))])
    assert kept.report.lossless is not None
    with Image.open(io.BytesIO(kept.data)) as image:
        assert (image.mode, image.info["icc_profile"]) == ("CMYK", icc_profiles.neutral(profile))
    again = redact_photo(source.getvalue(), [], RedactionRequest(output=OutputFormat.PNG))
    assert "icc" not in again.report.metadata_kept
