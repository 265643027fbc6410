"""The compiled coder, loaded by ctypes.

The C code checks the geometry that it is handed and every read of hostile data; see ``native/bits.h``.
"""

import ctypes
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from obscura.errors import NotSpliceableError, ProcessingFailedError
from obscura.imaging.formats import Buffer
from obscura.jpeg.build import library_path
from obscura.jpeg.codec import Clean, Job, Part, Tokens
from obscura.jpeg.structure import Frame, HuffmanTable

_PADDING: Final = 1024
_DAMAGED: Final = -1
_TRUNCATED: Final = -2
_NO_CODE: Final = -3


class _Huffman(ctypes.Structure):
    _fields_ = (("bits", ctypes.c_uint8 * 16), ("values", ctypes.c_uint8 * 256))


class _Component(ctypes.Structure):
    _fields_ = (
        ("values", ctypes.c_void_p),
        ("touched", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("stride", "rows", "h", "v", "dc_table", "ac_table")),
    )


class _Scan(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("n_components", "ss", "se", "ah", "al", "restart")),
        *((name, ctypes.c_int32) for name in ("mcus_x", "mcus_y", "is_progressive")),
        ("components", _Component * 4),
        ("dc", _Huffman * 4),
        ("ac", _Huffman * 4),
    )


class _Result(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


@cache
def _library() -> ctypes.CDLL:
    """Load the compiled coder once per process.

    Raises
    ------
    OSError
        If it is not there or cannot be loaded.
    """
    path = library_path()
    if not path.is_file():
        raise FileNotFoundError(path)
    library = ctypes.CDLL(str(path))
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
    arguments = {
        "obscura_unstuff": (ctypes.c_char_p, size, pointer, pointer, number),
        "obscura_survey": (pointer, pointer, pointer, pointer),
        "obscura_splice": (pointer, pointer, pointer, pointer, pointer),
        "obscura_decode": (pointer, pointer, pointer, pointer),
        "obscura_read": (pointer, pointer, pointer, pointer, pointer),
        "obscura_patch": (pointer, pointer, pointer, pointer, pointer),
        "obscura_tokens": (pointer, pointer, pointer),
        "obscura_encode": (pointer, ctypes.c_char_p, size, pointer),
        "obscura_free": (pointer,),
    }
    for name, types in arguments.items():
        function = getattr(library, name)
        function.argtypes = types
        function.restype = None if name == "obscura_free" else ctypes.c_int
    return library


def problem() -> str | None:
    """Return why the compiled coder cannot be used; None where it can."""
    try:
        _library()
    except FileNotFoundError:
        return "not compiled: run `python -m obscura.jpeg.build` where there is a C compiler"
    except (OSError, AttributeError) as error:
        return f"cannot be loaded: {error}"
    return None


class NativeCodec:
    """The coder in C. Holds no state and lets other threads run while it works."""

    name = "native"

    def require_feasible(self, frame: Frame, scans: int) -> None:
        """Refuse nothing: what passes the gate takes a few seconds at most."""

    def clean(self, job: Job, data: Buffer) -> Clean:
        """See `Codec.clean`."""
        bits = np.empty(len(data) + _PADDING, np.uint8)
        starts = np.empty(job.segments + 1, np.int64)
        status = _library().obscura_unstuff(
            bytes(data), len(data), bits.ctypes.data, starts.ctypes.data, job.segments
        )
        _require(status)
        return Clean(bits, starts)

    def dc_scan(self, job: Job, clean: Clean) -> NDArray[np.int64]:
        """See `Codec.survey`."""
        ends = np.empty(job.mcus.pixels, np.int64)
        scan = _scan(job, 1)
        _require(
            _library().obscura_survey(
                ctypes.byref(scan), clean.bits.ctypes.data, clean.starts.ctypes.data, ends.ctypes.data
            )
        )
        return ends

    def splice(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> bytes | None:
        """See `Codec.splice`."""
        scan, done = _scan(job, 1), _Result()
        status = _library().obscura_splice(
            ctypes.byref(scan),
            clean.bits.ctypes.data,
            clean.starts.ctypes.data,
            ends.ctypes.data,
            ctypes.byref(done),
        )
        return None if status == _NO_CODE else _taken(status, done)

    def decode(self, job: Job, clean: Clean) -> NDArray[np.int64]:
        """See `Codec.decode`."""
        scan, ends = _scan(job, 64), np.empty(job.mcus.pixels, np.int64)
        status = _library().obscura_decode(
            ctypes.byref(scan), clean.bits.ctypes.data, clean.starts.ctypes.data, ends.ctypes.data
        )
        _require(status)
        return ends

    def read(self, job: Job, clean: Clean, ends: NDArray[np.int64], wanted: NDArray[np.bool_]) -> None:
        """See `Codec.read`."""
        scan = _scan(job, 64)
        if wanted.size != job.mcus.pixels or not wanted.flags.c_contiguous:
            message = "an array of the wrong layout was handed to the JPEG coder"
            raise ProcessingFailedError(message)
        _require(
            _library().obscura_read(
                ctypes.byref(scan),
                clean.bits.ctypes.data,
                clean.starts.ctypes.data,
                ends.ctypes.data,
                wanted.ctypes.data,
            )
        )

    def patch(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> bytes | None:
        """See `Codec.patch`."""
        scan, done = _scan(job, 64), _Result()
        status = _library().obscura_patch(
            ctypes.byref(scan),
            clean.bits.ctypes.data,
            clean.starts.ctypes.data,
            ends.ctypes.data,
            ctypes.byref(done),
        )
        return None if status == _NO_CODE else _taken(status, done)

    def tokens(self, job: Job) -> Tokens:
        """See `Codec.tokens`."""
        scan, counts, done = _scan(job, 64), np.zeros((8, 256), np.uint32), _Result()
        status = _library().obscura_tokens(ctypes.byref(scan), counts.ctypes.data, ctypes.byref(done))
        return Tokens(counts, _taken(status, done))

    def encode(self, job: Job, tokens: Tokens) -> bytes:
        """See `Codec.encode`."""
        if not isinstance(tokens.items, bytes):
            message = "tokens of another JPEG coder"
            raise ProcessingFailedError(message)
        scan, done = _scan(job, 64), _Result()
        status = _library().obscura_encode(
            ctypes.byref(scan), tokens.items, len(tokens.items), ctypes.byref(done)
        )
        return _taken(status, done)


def _taken(status: int, done: _Result) -> bytes:
    """Return the bytes of a result, which is freed."""
    _require(status)
    try:
        return ctypes.string_at(done.data or 0, done.size)
    finally:
        _library().obscura_free(done.data)


def _require(status: int) -> None:
    """Raise what a status stands for."""
    if status in (_DAMAGED, _TRUNCATED, _NO_CODE):
        message = "a JPEG whose picture data are damaged cannot be changed in place"
        raise NotSpliceableError(message)
    if status != 0:
        message = f"the JPEG coder failed with status {status}"
        raise ProcessingFailedError(message)


def _scan(job: Job, coefficients: int) -> _Scan:
    """Return a job as C sees it; it points into the job's arrays, which must outlive it."""
    scan = job.scan
    seen = _Scan(
        n_components=len(job.parts),
        ss=scan.ss,
        se=scan.se,
        ah=scan.ah,
        al=scan.al,
        restart=scan.restart,
        mcus_x=job.mcus.width,
        mcus_y=job.mcus.height,
        is_progressive=job.is_progressive,
    )
    for index, part in enumerate(job.parts):
        seen.components[index] = _component(part, coefficients)
    for key, table in job.tables.items():
        (seen.ac if key.is_ac else seen.dc)[key.number] = _huffman(table)
    return seen


def _component(part: Part, coefficients: int) -> _Component:
    rows, columns = part.touched.shape
    arrays = (part.values, part.touched)
    if part.values.size != rows * columns * coefficients or not all(a.flags.c_contiguous for a in arrays):
        message = "an array of the wrong layout was handed to the JPEG coder"
        raise ProcessingFailedError(message)
    return _Component(
        part.values.ctypes.data,
        part.touched.ctypes.data,
        columns,
        rows,
        part.h,
        part.v,
        part.dc_table,
        part.ac_table,
    )


def _huffman(table: HuffmanTable) -> _Huffman:
    return _Huffman((ctypes.c_uint8 * 16)(*table.bits), (ctypes.c_uint8 * 256)(*table.values))
