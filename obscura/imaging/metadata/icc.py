"""ICC profiles of pictures: which are kept, and conversion of CMYK."""

from io import BytesIO
from typing import Final, cast

from PIL import Image, ImageCms

from obscura.imaging.metadata import icc_profiles

_SPACES: Final = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}


def usable(profile: bytes | None, mode: str) -> bytes | None:
    """Return a profile of ``mode`` (``RGB``, ``L`` or ``CMYK``), rewritten without its texts.

    None for any other profile and for data that is not a profile.
    """
    # Colour space: bytes 16..19 of the header; Pillow fails to read them where they are not ASCII.
    if profile is None or profile[16:20] != _SPACES.get(mode):
        return None
    clean = icc_profiles.neutral(profile)
    return clean if _parse(clean) is not None else None


def cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a CMYK picture in sRGB, by its own profile where possible, otherwise by Pillow's formula."""
    parsed = _parse(usable(profile, "CMYK"))
    if parsed is None:
        return image.convert("RGB")
    try:
        turned = ImageCms.profileToProfile(image, parsed, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        return image.convert("RGB")
    return cast("Image.Image", turned)


def _parse(profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    if not profile:
        return None
    try:
        return ImageCms.ImageCmsProfile(BytesIO(profile))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
