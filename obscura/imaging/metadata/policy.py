"""The metadata policy: what is kept, and what a file contains.

``strip`` keeps nothing. ``keep_safe`` keeps time, camera, lens, exposure and GPS position, each only where
its value has the format of its tag (see `exif_values`), and writes them into a new block. ``coarse_gps``
keeps the same, with the position rounded to 0.01 degree (1.1 km at most) and without altitude. The colours of
a profile (see `icc_profiles`) and the panorama metadata (see `gpano`) are kept under every policy.

Source: CIPA DC-008 (Exif 2.32).
"""

from collections.abc import Iterator, Mapping
from struct import pack
from typing import Final

from obscura.contract import MetadataPolicy
from obscura.imaging.formats import Buffer, PhotoFormat
from obscura.imaging.headers import sniff
from obscura.imaging.metadata import embedded, exif, gpano
from obscura.imaging.metadata.exif import ASCII, RATIONAL, SHORT, Entry, ExifBlock
from obscura.imaging.metadata.exif_values import EXIF_RULES, GPS_RULES, MAIN_RULES, allowed

_GPS_VERSION: Final = 0
_LATITUDE: Final = 2
_LONGITUDE: Final = 4
_ANGLE_PARTS: Final = 3
_STEPS_PER_DEGREE: Final = 100


def kept_exif(block: ExifBlock | None, policy: MetadataPolicy) -> bytes:
    """Return the new EXIF block (with its prefix) that ``policy`` allows in the output; empty for none.

    Its orientation is 1, because the pixels are stored upright.
    """
    if block is None or policy is MetadataPolicy.STRIP:
        return b""
    gps = allowed(block.gps, GPS_RULES)
    if policy is MetadataPolicy.COARSE_GPS:
        gps = _coarse(gps, block.order)
    main = allowed(block.main, MAIN_RULES)
    main[exif.ORIENTATION] = Entry(SHORT, 1, pack(block.order + "H", 1))
    return exif.build(ExifBlock(block.order, main, allowed(block.exif, EXIF_RULES), gps))


def _coarse(gps: Mapping[int, Entry], order: str) -> dict[int, Entry]:
    """Return latitude and longitude rounded to 0.01 degree; nothing where either cannot be read."""
    coarse: dict[int, Entry] = {}
    for tag in (_LATITUDE, _LONGITUDE):
        parts = exif.rationals(gps.get(tag), order)
        reference = gps.get(tag - 1)
        if len(parts) != _ANGLE_PARTS or reference is None or reference.kind != ASCII:
            return {}
        degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
        whole, rest = divmod(round(degrees * _STEPS_PER_DEGREE), _STEPS_PER_DEGREE)
        if whole > 360:  # noqa: PLR2004 - no angle at all
            return {}
        raw = pack(order + "6I", whole, 1, rest * 60, _STEPS_PER_DEGREE, 0, 1)
        coarse[tag] = Entry(RATIONAL, _ANGLE_PARTS, raw)
        coarse[tag - 1] = Entry(ASCII, 2, reference.raw[:1] + b"\x00")
    if _GPS_VERSION in gps:
        coarse[_GPS_VERSION] = gps[_GPS_VERSION]
    return coarse


def found(data: Buffer, photo_format: PhotoFormat | None = None) -> tuple[str, ...]:
    """Return the sorted names of the kinds of metadata in a file.

    Among them: ``exif``, ``exif_thumbnail``, ``gps``, ``maker_note``, ``xmp``, ``iptc``, ``icc``, ``pano``
    (an XMP packet with panorama metadata only), ``comment``, ``mpf``, ``jfif_thumbnail``, ``app_data``,
    ``png_text``, ``time``, ``private_chunk``, ``tiff_text``, ``private_tags``, ``trailer``.

    Raises
    ------
    UndecodablePhotoError
        If the structure of the file contradicts its format.
    """
    photo_format = photo_format or sniff(data)
    if photo_format is None:
        return ()
    return tuple(sorted(set(_names(data, photo_format))))


def _names(data: Buffer, photo_format: PhotoFormat) -> Iterator[str]:
    for item in embedded.items(data, photo_format):
        yield "pano" if item.kind == "xmp" and gpano.is_own(item.body) else item.kind
        block = exif.parse(item.body) if item.kind == "exif" else None
        if block is not None:
            yield from _exif_names(block)


def _exif_names(block: ExifBlock) -> Iterator[str]:
    """Yield the names of the sensitive parts of an EXIF block."""
    if block.has_thumbnail:
        yield "exif_thumbnail"
    if block.gps:
        yield "gps"
    if exif.MAKER_NOTE in block.exif:
        yield "maker_note"
