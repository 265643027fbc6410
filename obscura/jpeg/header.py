"""A clean JPEG around scans: nothing but what the picture needs, and what the caller hands in.

Source: ITU-T T.81 annex B; JFIF 1.02; Adobe TN 5116 section 18; ICC.1:2022 B.4; CIPA DC-008 4.7.2.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from obscura.errors import NotSpliceableError
from obscura.imaging.containers.jpeg_png_webp_gif import APP0, APP1, APP2, APP14, EOI, SOI, SOS
from obscura.imaging.metadata import exif
from obscura.imaging.metadata.exif import Entry, ExifBlock
from obscura.jpeg.structure import DHT, DQT, DRI, Frame, HuffmanTable, QuantTable, Scan, Structure, TableKey

_ICC: Final = b"ICC_PROFILE\x00"
_LONGEST: Final = 65_533
_ICC_PART: Final = _LONGEST - len(_ICC) - 2
_ICC_PARTS: Final = 255
_UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class HeaderOptions:
    """What a spliced file carries beside its picture.

    Attributes
    ----------
    orientation
        EXIF orientation of the stored pixels, 1..8.
    icc
        A colour profile, or None.
    exif
        An EXIF block; its orientation is set to the one above. None for no other tag than that.
    """

    orientation: int = _UPRIGHT
    icc: bytes | None = None
    exif: bytes | None = None


@dataclass(frozen=True, slots=True)
class CodedScan:
    """A scan as it is to be written: its header and its entropy-coded data."""

    scan: Scan
    data: bytes


def write(structure: Structure, scans: Sequence[CodedScan], options: HeaderOptions) -> bytes:
    """Return a file of ``scans`` behind a fresh header.

    Raises
    ------
    NotSpliceableError
        If something handed in does not fit a JPEG.
    """
    frame = structure.frame
    parts = [_marker(SOI), *_application(structure, options)]
    quants = {
        component.selector: table
        for component, table in zip(reversed(frame.components), reversed(structure.quants), strict=True)
    }
    parts += [_quant_segment(number, table) for number, table in sorted(quants.items())]
    parts.append(_frame_segment(frame))
    restart, huffman = 0, dict[TableKey, HuffmanTable]()
    for coded in scans:
        scan = coded.scan
        changed = {number: table for number, table in scan.quants.items() if quants[number] != table}
        parts += [_quant_segment(number, table) for number, table in changed.items()]
        quants.update(changed)
        fresh = {key: table for key, table in scan.tables.items() if huffman.get(key) != table}
        parts += [_huffman_segment(fresh)] if fresh else []
        huffman.update(fresh)
        parts += [_segment(DRI, scan.restart.to_bytes(2))] if scan.restart != restart else []
        restart = scan.restart
        parts += [_scan_segment(frame, scan), coded.data]
    return b"".join([*parts, _marker(EOI)])


def _application(structure: Structure, options: HeaderOptions) -> Iterator[bytes]:
    """Yield the segments that say how colours and the orientation are meant."""
    if structure.jfif is not None:
        yield _segment(APP0, b"JFIF\x00" + structure.jfif + bytes(2))
    block = _exif_block(options)
    if block:
        yield _segment(APP1, block)
    profile = options.icc or b""
    count = -(-len(profile) // _ICC_PART)
    if count > _ICC_PARTS:
        message = "the colour profile is longer than a JPEG can carry"
        raise NotSpliceableError(message)
    for index in range(count):
        part = profile[index * _ICC_PART : (index + 1) * _ICC_PART]
        yield _segment(APP2, _ICC + bytes((index + 1, count)) + part)
    if structure.adobe is not None:
        yield _segment(APP14, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes((structure.adobe,)))


def _exif_block(options: HeaderOptions) -> bytes:
    """Return the EXIF block with the right orientation in it; empty where none is needed."""
    block = exif.parse(options.exif) if options.exif else None
    if block is None and options.orientation == _UPRIGHT:
        return b""
    block = block or ExifBlock("<", {}, {}, {})
    value = options.orientation.to_bytes(2, "little" if block.order == "<" else "big")
    return exif.build(replace(block, main={**block.main, exif.ORIENTATION: Entry(exif.SHORT, 1, value)}))


def _frame_segment(frame: Frame) -> bytes:
    head = bytes((8,)) + frame.size.height.to_bytes(2) + frame.size.width.to_bytes(2)
    stated = b"".join(bytes((c.identifier, c.sampling, c.selector)) for c in frame.components)
    return _segment(frame.marker, head + bytes((len(frame.components),)) + stated)


def _scan_segment(frame: Frame, scan: Scan) -> bytes:
    stated = b"".join(
        bytes((frame.components[part.place].identifier, part.dc_table << 4 | part.ac_table))
        for part in scan.components
    )
    band = bytes((scan.ss, scan.se, scan.ah << 4 | scan.al))
    return _segment(SOS, bytes((len(scan.components),)) + stated + band)


def _quant_segment(number: int, table: QuantTable) -> bytes:
    width = 1 + table.is_wide
    divisors = b"".join(value.to_bytes(width) for value in table.divisors)
    return _segment(DQT, bytes((table.is_wide << 4 | number,)) + divisors)


def _huffman_segment(tables: Mapping[TableKey, HuffmanTable]) -> bytes:
    parts = (bytes((key.is_ac << 4 | key.number,)) + bits + values for key, (bits, values) in tables.items())
    return _segment(DHT, b"".join(parts))


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > _LONGEST:
        message = "what is to be kept is longer than a JPEG segment"
        raise NotSpliceableError(message)
    return _marker(marker) + (len(body) + 2).to_bytes(2) + body


def _marker(marker: int) -> bytes:
    return bytes((0xFF, marker))
