"""JPEG files of every kind, made by several encoders, and a reader of coefficients that is not ours."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray
from PIL import Image
from skimage import data

Coefficients = NDArray[np.int16]
"""``int16[rows, columns, 64]``, blocks row by row, coefficients in natural order."""

WIDTH, HEIGHT = 117, 91
"""No multiple of any MCU."""


class Decoded(NamedTuple):
    """What the second library reads: coefficients and sampling factors ``(v, h)`` by component."""

    planes: list[Coefficients]
    sampling: list[tuple[int, int]]


@cache
def picture(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Return a part of the public-domain portrait of scikit-image, ``uint8[height, width, 3]``."""
    whole = np.asarray(data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(whole[60 : 60 + height, 160 : 160 + width])


def with_pillow(mode: str = "RGB", **settings: Any) -> bytes:
    """Encode the picture with Pillow."""
    sink = BytesIO()
    Image.fromarray(picture()).convert(mode).save(sink, "JPEG", **settings)
    return sink.getvalue()


def with_cv2(*settings: int) -> bytes:
    """Encode the picture with OpenCV."""
    done, encoded = cv2.imencode(".jpg", picture()[..., ::-1], settings)
    assert done
    return encoded.tobytes()


def with_simplejpeg(sampling: str) -> bytes:
    """Encode the picture with simplejpeg."""
    return bytes(simplejpeg.encode_jpeg(picture(), quality=88, colorsubsampling=sampling))


def with_cjpeg(*settings: str, scans: str = "") -> bytes:
    """Encode the picture with libjpeg-turbo's own program; skip where it is not installed."""
    program = shutil.which("cjpeg")
    if program is None:
        pytest.skip("cjpeg (libjpeg-turbo-progs) is not installed")
    source = BytesIO()
    Image.fromarray(picture()).save(source, "PPM")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as script:
        script.write(scans)
        script.flush()
        extra = ["-scans", script.name] if scans else []
        done = subprocess.run(
            [program, *settings, *extra], input=source.getvalue(), capture_output=True, check=True
        )
    return done.stdout


def with_jpeglib(*sampling: tuple[int, int], version: str = "turbo210", flags: Sequence[str] = ()) -> bytes:
    """Encode the picture with one of the libraries in jpeglib, by sampling factors ``(v, h)``."""
    jpeglib = pytest.importorskip("jpeglib", reason="jpeglib, the second writer, is not installed")
    with tempfile.TemporaryDirectory() as folder, jpeglib.version(version):
        path = Path(folder, "photo.jpg")
        image = jpeglib.from_spatial(picture())
        image.samp_factor = np.array(sampling or ((2, 2), (1, 1), (1, 1)))
        image.write_spatial(str(path), qt=85, flags=list(flags))
        return path.read_bytes()


def arithmetic(*, is_progressive: bool = False) -> bytes:
    """Encode the picture with arithmetic coding."""
    flags = ["+ARITH_CODE", *(["+PROGRESSIVE_MODE"] if is_progressive else [])]
    return with_jpeglib(flags=flags)


_SAMPLINGS = {"411": 0x411111, "420": 0x221111, "422": 0x211111, "440": 0x121111, "444": 0x111111}

KINDS: dict[str, Callable[[], bytes]] = {
    **{f"pillow {ss}": partial(with_pillow, subsampling=ss) for ss in ("4:4:4", "4:2:2", "4:2:0")},
    "pillow optimised": lambda: with_pillow(optimize=True, quality=55),
    "pillow quality 98": lambda: with_pillow(quality=98, subsampling=0),
    "pillow progressive": lambda: with_pillow(progressive=True, quality=90),
    "pillow progressive 4:4:4": lambda: with_pillow(progressive=True, subsampling=0),
    "pillow progressive with restarts": lambda: with_pillow(progressive=True, restart_marker_blocks=5),
    "pillow grey": lambda: with_pillow("L"),
    "pillow grey progressive": lambda: with_pillow("L", progressive=True),
    "pillow CMYK": lambda: with_pillow("CMYK"),
    "pillow CMYK progressive": lambda: with_pillow("CMYK", progressive=True),
    "pillow RGB": lambda: with_pillow(keep_rgb=True),
    "pillow restart blocks": lambda: with_pillow(restart_marker_blocks=3),
    "pillow restart rows": lambda: with_pillow(restart_marker_rows=1, optimize=True),
    "pillow one colour": lambda: with_pillow("1"),
    **{
        f"cv2 {name}": partial(with_cv2, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, code)
        for name, code in _SAMPLINGS.items()
    },
    "cv2 progressive 4:1:1": lambda: with_cv2(
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x411111, cv2.IMWRITE_JPEG_PROGRESSIVE, 1
    ),
    "cv2 restarts": lambda: with_cv2(cv2.IMWRITE_JPEG_RST_INTERVAL, 4, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    **{f"simplejpeg {name}": partial(with_simplejpeg, name) for name in ("440", "411", "420")},
    "jpeglib mixed sampling": lambda: with_jpeglib((2, 2), (2, 1), (1, 2)),
    "jpeglib odd mixed sampling": lambda: with_jpeglib((1, 2), (2, 1), (1, 1), flags=["+OPTIMIZE_CODING"]),
    "jpeglib fine chroma": lambda: with_jpeglib((1, 1), (2, 2), (2, 2)),
    "jpeglib three to one": lambda: with_jpeglib((2, 3), (1, 1), (1, 1)),
    "jpeglib four to one": lambda: with_jpeglib((4, 1), (1, 1), (1, 1)),
    "jpeglib 6b": lambda: with_jpeglib(version="6b"),
    "jpeglib mixed progressive": lambda: with_jpeglib(
        (2, 2), (2, 1), (1, 2), flags=["+PROGRESSIVE_MODE"], version="9d"
    ),
    "jpeglib mozjpeg": lambda: with_jpeglib(version="mozjpeg403"),
    "cjpeg 16-bit tables": lambda: with_cjpeg("-quality", "4"),
    "cjpeg one scan each": lambda: with_cjpeg("-optimize", scans="0;\n1;\n2;\n"),
    "cjpeg one scan each with restarts": lambda: with_cjpeg("-restart", "7B", scans="0 2;\n1;\n"),
    "cjpeg own progression": lambda: with_cjpeg(
        scans="0 1 2: 0-0, 0, 1;\n0: 1-63, 0, 2;\n1: 1-63, 0, 1;\n2: 1-63, 0, 0;\n"
        "0: 1-63, 2, 1;\n0 1 2: 0-0, 1, 0;\n0: 1-63, 1, 0;\n1: 1-63, 1, 0;\n"
    ),
    "cjpeg unfinished progression": lambda: with_cjpeg(scans="0 1 2: 0-0, 0, 1;\n0: 1-5, 0, 1;\n"),
}
"""One maker for each kind of file that is to be spliced."""


@cache
def made(kind: str) -> bytes:
    """Return the file of a kind."""
    return KINDS[kind]()


def decoded(jpeg: bytes) -> Decoded:
    """Read the coefficients of a file with jpeglib; skip where it is not installed."""
    jpeglib = pytest.importorskip("jpeglib", reason="jpeglib, the second reader, is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        path.write_bytes(jpeg)
        read = jpeglib.read_dct(str(path))
        read.load()
        planes = [read.Y, read.Cb, read.Cr, read.K]
    found = [plane.reshape(*plane.shape[:2], 64).copy() for plane in planes if plane is not None]
    return Decoded(found, [(int(v), int(h)) for v, h in read.samp_factor])


def mcu_size(sampling: list[tuple[int, int]]) -> tuple[int, int]:
    """Return height and width of an MCU in pixels."""
    if len(sampling) == 1:
        return 8, 8
    return 8 * max(v for v, _ in sampling), 8 * max(h for _, h in sampling)


def blocks_under(mcus: NDArray[np.bool_], read: Decoded) -> Iterator[tuple[Coefficients, NDArray[np.bool_]]]:
    """Yield the plane of each component with the map of its blocks that belong to the MCUs given."""
    sampling = [(1, 1)] if len(read.planes) == 1 else read.sampling
    for plane, (v, h) in zip(read.planes, sampling, strict=True):
        blocks = mcus.repeat(v, axis=0).repeat(h, axis=1)
        yield plane, blocks[: plane.shape[0], : plane.shape[1]]
