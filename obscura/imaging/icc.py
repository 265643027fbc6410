"""ICC profiles: kept only where they can be read and fit the pixels."""

from io import BytesIO
from typing import Final, cast

from PIL import Image, ImageCms

_SPACES: Final = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}


def usable(profile: bytes | None, mode: str) -> bytes | None:
    """Return ``profile`` where it parses and describes pixels of ``mode`` (``RGB``, ``L``, ``CMYK``).

    Anything else, such as a text that calls itself a profile, is dropped: None.
    """
    # Bytes 16..19 of the header; Pillow's own reading of them fails on what is no ASCII.
    if profile is None or profile[16:20] != _SPACES.get(mode) or _parse(profile) is None:
        return None
    return profile


def cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a CMYK picture in sRGB, by its own profile where that works and by plain arithmetic else."""
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
