"""What may stand in the EXIF tags that are kept: cameras, dates and numbers, and no text of anybody."""

import pytest
from PIL import Image

from obscura.contract import MetadataPolicy
from obscura.imaging.metadata import exif
from obscura.imaging.metadata.camera_names import is_camera_name
from obscura.imaging.metadata.exif import ASCII, Entry, ExifBlock
from obscura.imaging.metadata.exif_values import EXIF_RULES, GPS_RULES, MAIN_RULES
from obscura.imaging.metadata.policy import kept_exif

NAMES = [
    "Canon", "NIKON CORPORATION", "Apple", "samsung", "SONY", "FUJIFILM", "Panasonic",
    "OLYMPUS IMAGING CORP.", "Google", "HUAWEI", "Xiaomi", "LEICA CAMERA AG", "RICOH IMAGING COMPANY, LTD.",
    "OM Digital Solutions", "Canon EOS 5D Mark IV", "Canon PowerShot SX280 HS", "NIKON D850", "NIKON Z 6_2",
    "iPhone 14 Pro", "SM-G991B", "Pixel 7 Pro", "ILCE-7RM4", "DSC-RX100M7", "DMC-FZ200", "E-M10MarkII",
    "X-T4", "HERO11 Black", "FC3170", "Redmi Note 8 Pro", "ONEPLUS A6013", "CPH2145", "LEICA Q2",
    "COOLPIX P900", "PENTAX K-3 Mark III", "EF24-105mm f/4L IS USM", "RF100-500mm F4.5-7.1 L IS USM",
    "AF-S DX NIKKOR 18-140mm f/3.5-5.6G ED VR", "iPhone 14 Pro back triple camera 6.86mm f/1.78",
    "FE 24-70mm F2.8 GM II", "XF18-55mmF2.8-4 R LM OIS", "OLYMPUS M.14-42mm F3.5-5.6 II R",
    "150-600mm F5-6.3 DG OS HSM | Contemporary 015", "LUMIX G VARIO 12-60/F3.5-5.6",
    "24-70mm F2.8 DG DN | Art 019",
]  # fmt: skip
TEXTS = [
    "", " ", "John Smith", "Photo: Anna Meier", "Mark Black", "Max", "Anna1985", "Main Street 12",
    "0171-2345678", "+49 171 2345678", "Canon of John Smith", "Canon john@example.com",
    "SECRET-MARKER-7f3a", "taken at home", "Canon\nhome", "https://example.com/a1", "52.5200,13.4050 12.3",
    "Müller", "Canon " * 11, "1" * 13, "Nikon 12 34", "\u0661\u0662",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_cameras_and_lenses_are_known(name: str) -> None:
    """What makers write stays."""
    assert is_camera_name(name)


@pytest.mark.parametrize("text", TEXTS)
def test_other_texts_are_no_cameras(text: str) -> None:
    """A name, an address, a number, a note: one unknown word drops all of it."""
    assert not is_camera_name(text)


@pytest.mark.parametrize("policy", [MetadataPolicy.KEEP_SAFE, MetadataPolicy.COARSE_GPS])
def test_no_tag_that_is_kept_takes_free_text(policy: MetadataPolicy) -> None:
    """A text in any tag that may be kept, also in those of numbers, is in no output."""
    secret = Entry(ASCII, 12, b"John Smith 7\x00"[:12])
    block = ExifBlock(
        "<",
        dict.fromkeys(MAIN_RULES, secret),
        dict.fromkeys(EXIF_RULES, secret),
        dict.fromkeys(GPS_RULES, secret),
    )
    assert b"Smith" in exif.build(block)
    assert b"Smith" not in kept_exif(block, policy)


def test_nothing_stands_behind_the_end_of_a_text() -> None:
    """A text ends at its first zero; what a writer hides behind it goes."""
    hidden = b"Canon\x00John Smith\x00"
    fresh = kept_exif(ExifBlock("<", {271: Entry(ASCII, len(hidden), hidden)}), MetadataPolicy.KEEP_SAFE)
    assert b"John" not in fresh
    read = Image.Exif()
    read.load(fresh)
    assert read[271] == "Canon"
