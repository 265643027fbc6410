"""Reads the structure of a JPEG file, and refuses what cannot be changed in place. Standard library only.

Source: ITU-T T.81 annex B (syntax), A.1.1 and A.2 (dimensions, interleaving), G.1.1 (progression).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from obscura.errors import NotSpliceableError, TruncatedPhotoError, UndecodablePhotoError
from obscura.geometry import Size
from obscura.imaging.containers.jpeg_png_webp_gif import (
    APP0,
    APP14,
    EOI,
    FRAME_MARKERS,
    SOI,
    SOS,
    Segment,
    jpeg_segments,
)
from obscura.imaging.formats import Buffer
from obscura.jpeg.structure import (
    BLOCK_SIDE,
    COEFFICIENTS,
    DHT,
    DNL,
    DQT,
    DRI,
    PROGRESSIVE,
    Component,
    Frame,
    HuffmanTable,
    QuantTable,
    Scan,
    ScanComponent,
    Structure,
    TableKey,
)

_SPLICEABLE: Final = frozenset({0xC0, 0xC1, PROGRESSIVE})
_JFIF: Final = b"JFIF\x00"
_ADOBE: Final = b"Adobe"
_JFIF_LENGTH: Final = 14
_ADOBE_LENGTH: Final = 12
_COLOURS: Final = 3
_MAX_SAMPLING: Final = 4
_MAX_COMPONENTS: Final = 4
_MAX_TABLES: Final = 4
_MAX_SYMBOLS: Final = 256
_MAX_WIDTH: Final = 2
_MAX_SHIFT: Final = 13
_MAX_SCANS: Final = 1000


@dataclass(slots=True)
class _State:
    """What the segments read so far have set."""

    data: Buffer
    frame: Frame | None = None
    scans: list[Scan] = field(default_factory=list)
    huffman: dict[TableKey, HuffmanTable] = field(default_factory=dict)
    quants: dict[int, QuantTable] = field(default_factory=dict)
    restart: int = 0
    jfif: bytes | None = None
    adobe: int | None = None
    ended: bool = False
    known: dict[tuple[int, int], int] = field(default_factory=dict)


def read(data: Buffer) -> Structure:
    """Read the structure of a JPEG file.

    Raises
    ------
    NotSpliceableError
        If it is of a kind that is not changed in place, or holds something that no encoder writes.
    TruncatedPhotoError
        If it ends before its picture does.
    UndecodablePhotoError
        If it is no JPEG, or damaged.
    """
    if bytes(data[:2]) != b"\xff\xd8":
        message = "not a JPEG file"
        raise UndecodablePhotoError(message)
    state = _State(data)
    try:
        for segment in jpeg_segments(data):
            _read_segment(state, segment)
    except IndexError as error:
        message = "a JPEG segment is shorter than what it holds"
        raise UndecodablePhotoError(message) from error
    if not state.ended:
        message = "the file ends before its picture does"
        raise TruncatedPhotoError(message)
    return _finished(state)


def _read_segment(state: _State, segment: Segment) -> None:
    body = bytes(state.data[segment.body : segment.end]) if segment.marker != SOS else b""
    if segment.marker in FRAME_MARKERS:
        _read_frame(state, segment.marker, body)
    elif segment.marker == SOS:
        _read_scan(state, segment)
    elif segment.marker == DHT:
        _read_huffman(state, body)
    elif segment.marker == DQT:
        _read_quants(state, body)
    elif segment.marker == DRI:
        state.restart = body[0] << 8 | body[1]
    elif segment.marker in (SOI, DNL):
        _refuse("a JPEG with a second picture inside the first, or a height that is stated late")
    elif segment.marker in (APP0, APP14) and not state.scans:
        _read_application(state, body)
    state.ended = segment.marker == EOI


def _read_application(state: _State, body: bytes) -> None:
    """Keep what decoders take colours from."""
    if body.startswith(_JFIF) and len(body) >= _JFIF_LENGTH:
        state.jfif = body[5:12]
    elif body.startswith(_ADOBE) and len(body) >= _ADOBE_LENGTH:
        state.adobe = body[11]


def _read_frame(state: _State, marker: int, body: bytes) -> None:
    """Read a frame header: T.81 B.2.2."""
    if marker not in _SPLICEABLE:
        _refuse("an arithmetic-coded, lossless or hierarchical JPEG")
    if state.frame is not None:
        _refuse("a JPEG with two frames")
    if body[0] != BLOCK_SIDE:
        _refuse(f"a JPEG of {body[0]} bits per sample")
    height, width, count = body[1] << 8 | body[2], body[3] << 8 | body[4], body[5]
    if not (height and width and 1 <= count <= _MAX_COMPONENTS) or len(body) < 6 + 3 * count:
        _refuse("a JPEG with an unusual frame header")
    stated = [(body[6 + 3 * i], body[7 + 3 * i], body[8 + 3 * i]) for i in range(count)]
    factors = [(1, 1)] if count == 1 else [(sampling >> 4, sampling & 15) for _, sampling, _ in stated]
    if not all(1 <= factor <= _MAX_SAMPLING for pair in factors for factor in pair):
        _refuse("a JPEG with impossible sampling factors")
    if len({identifier for identifier, _, _ in stated}) != count:
        _refuse("a JPEG with two components of one name")
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    components = [
        Component(
            identifier,
            sampling,
            selector,
            h,
            v,
            columns=_ceil(_ceil(width * h, h_max), BLOCK_SIDE),
            rows=_ceil(_ceil(height * v, v_max), BLOCK_SIDE),
        )
        for (identifier, sampling, selector), (h, v) in zip(stated, factors, strict=True)
    ]
    mcu = Size(BLOCK_SIDE * h_max, BLOCK_SIDE * v_max)
    mcus = Size(_ceil(width, mcu.width), _ceil(height, mcu.height))
    state.frame = Frame(marker, Size(width, height), tuple(components), mcu, mcus)
    if state.frame.blocks > BLOCK_SIDE * len(state.data):
        # Each block takes a bit at least: nothing of that size is allocated for a few bytes.
        message = "the file is too short for a picture of its size"
        raise TruncatedPhotoError(message)


def _read_huffman(state: _State, body: bytes) -> None:
    """Read Huffman tables: T.81 B.2.4.2."""
    at = 0
    while at < len(body):
        kind, number = body[at] >> 4, body[at] & 15
        bits = body[at + 1 : at + 17]
        end = at + 17 + sum(bits)
        if kind > 1 or number >= _MAX_TABLES or end > len(body) or sum(bits) > _MAX_SYMBOLS:
            message = "a damaged Huffman table"
            raise UndecodablePhotoError(message)
        state.huffman[TableKey(kind == 1, number)] = HuffmanTable(bits, body[at + 17 : end])
        at = end


def _read_quants(state: _State, body: bytes) -> None:
    """Read quantisation tables: T.81 B.2.4.1."""
    at = 0
    while at < len(body):
        width, number = 1 + (body[at] >> 4), body[at] & 15
        end = at + 1 + COEFFICIENTS * width
        if width > _MAX_WIDTH or number >= _MAX_TABLES or end > len(body):
            message = "a damaged quantisation table"
            raise UndecodablePhotoError(message)
        divisors = tuple(int.from_bytes(body[i : i + width]) for i in range(at + 1, end, width))
        if divisors[0] == 0:
            _refuse("a JPEG with a quantisation step of 0")
        state.quants[number] = QuantTable(divisors, width > 1)
        at = end


def _read_scan(state: _State, segment: Segment) -> None:
    """Read a scan header: T.81 B.2.3."""
    frame, data = state.frame, state.data
    length = int.from_bytes(data[segment.start + 2 : segment.start + 4])
    body = bytes(data[segment.body : segment.start + 2 + length])
    if frame is None or len(state.scans) >= _MAX_SCANS or len(body) != 4 + 2 * body[0]:
        _refuse("a JPEG with an unusual scan header")
    names = [component.identifier for component in frame.components]
    stated = [(body[1 + 2 * i], body[2 + 2 * i]) for i in range(body[0])]
    if not stated or not {name for name, _ in stated} <= set(names) or len(dict(stated)) != len(stated):
        _refuse("a JPEG with a scan of unknown components")
    band = (0, COEFFICIENTS - 1, 0, 0)
    if frame.is_progressive:
        band = (body[-3], body[-2], body[-1] >> 4, body[-1] & 15)
    # A number of a table that the scan does not use says nothing, and may be anything.
    needs_dc, needs_ac = band[0] == 0 and band[2] == 0, band[1] > 0
    parts = tuple(
        ScanComponent(names.index(name), (tables >> 4) * needs_dc, (tables & 15) * needs_ac)
        for name, tables in stated
    )
    if frame.is_progressive:
        _check_progression(state, parts, band)
    else:
        _check_once(state, parts)
    quants = {frame.components[part.place].selector: part.place for part in parts}
    if not set(quants) <= set(state.quants):
        _refuse("a JPEG with a scan whose quantisation table is missing")
    state.scans.append(
        Scan(
            parts,
            *band,
            restart=state.restart,
            tables=_tables_used(state, parts, band),
            quants={number: state.quants[number] for number in quants},
            start=segment.start + 2 + length,
            end=segment.end,
        )
    )


def _check_once(state: _State, parts: tuple[ScanComponent, ...]) -> None:
    """Refuse a sequential frame with two scans of one component: T.81 B.2.3."""
    fresh = {(part.place, 0): 0 for part in parts}
    if fresh.keys() & state.known.keys():
        _refuse("a JPEG with two scans of one component")
    state.known.update(fresh)


def _check_progression(
    state: _State, parts: tuple[ScanComponent, ...], band: tuple[int, int, int, int]
) -> None:
    """Refuse scans that do not follow one from the other: T.81 G.1.1.1."""
    ss, se, ah, al = band
    is_band = ss == se == 0 or (len(parts) == 1 and 0 < ss <= se < COEFFICIENTS)
    if not is_band or max(ah, al) > _MAX_SHIFT or (ah and ah != al + 1):
        _refuse("a progressive JPEG with an unusual scan header")
    for part in parts:
        for k in range(ss, se + 1):
            before = state.known.get((part.place, k), 0 if ah == 0 else -1)
            if before != ah or (ah == 0 and (part.place, k) in state.known):
                _refuse("a progressive JPEG whose scans do not follow one from the other")
            state.known[part.place, k] = al


def _tables_used(
    state: _State, parts: tuple[ScanComponent, ...], band: tuple[int, int, int, int]
) -> Mapping[TableKey, HuffmanTable]:
    """Return the Huffman tables that a scan uses."""
    ss, se, ah, _ = band
    keys = {TableKey(is_ac=False, number=part.dc_table) for part in parts if ss == 0 and ah == 0}
    keys |= {TableKey(is_ac=True, number=part.ac_table) for part in parts if se > 0}
    if not keys <= set(state.huffman):
        _refuse("a JPEG with a scan whose Huffman table is missing")
    return {key: state.huffman[key] for key in sorted(keys)}


def _finished(state: _State) -> Structure:
    frame = state.frame
    if frame is None or not state.scans:
        message = "a JPEG without a picture in it"
        raise UndecodablePhotoError(message)
    if len(frame.components) > _COLOURS and state.adobe is None:
        _refuse("a JPEG of four inks that does not say how they are stored")
    quants: dict[int, QuantTable] = {}
    for scan in state.scans:
        for part in scan.components:
            quants.setdefault(part.place, scan.quants[frame.components[part.place].selector])
    missing = set(range(len(frame.components))) - set(quants)
    if missing or (frame.is_progressive and {(i, 0) for i in quants} - set(state.known)):
        _refuse("a JPEG without all of its components")
    ordered = tuple(quants[index] for index in range(len(frame.components)))
    return Structure(frame, tuple(state.scans), ordered, state.jfif, state.adobe)


def _ceil(value: int, step: int) -> int:
    return -(-value // step)


def _refuse(reason: str) -> NoReturn:
    message = f"{reason} cannot be changed in place"
    raise NotSpliceableError(message)
