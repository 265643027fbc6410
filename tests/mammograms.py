"""Mammograms that tests make: a phantom breast with simulated calcifications, DICOM files of any pixels."""

import io
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

MG_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"


@dataclass(frozen=True)
class Phantom:
    """A synthetic mammogram.

    Attributes
    ----------
    grey
        ``float64[height, width]``, 0..1, brighter is denser.
    centres
        ``(x, y)`` of each simulated calcification, in pixels.
    pixel_mm
        Side of a pixel.
    """

    grey: NDArray[np.float64]
    centres: tuple[tuple[float, float], ...]
    pixel_mm: float

    def eight(self) -> NDArray[np.uint8]:
        """Return the picture in 8 bits."""
        return np.rint(self.grey * 255).astype(np.uint8)

    def deep(self, bits: int) -> NDArray[np.uint16]:
        """Return the picture in ``bits`` bits."""
        return np.asarray(np.rint(self.grey * (2**bits - 1)), np.uint16)

    def found(self, part: dict[str, Any], tolerance_mm: float = 1.2) -> tuple[int, int]:
        """Return how many calcifications have a mark on them, and how many marks have no calcification."""
        marks = np.array([(mark["x"] + mark["w"] / 2, mark["y"] + mark["h"] / 2) for mark in part["marks"]])
        if not len(marks):
            return 0, 0
        distance = np.hypot(*(np.array(self.centres)[:, None] - marks[None]).transpose(2, 0, 1))
        near = distance * self.pixel_mm <= tolerance_mm
        return int(near.any(axis=1).sum()), int((~near.any(axis=0)).sum())


def phantom(
    width_mm: float = 120,
    height_mm: float = 160,
    pixel_mm: float = 0.1,
    *,
    seed: int = 1,
    label: bool = False,
) -> Phantom:
    """Return a breast at the left edge: coarse and fine tissue, noise, and 10 calcifications of 0.4-0.9 mm.

    ``label`` adds what films have outside the breast: a bright marker with letters, and a bright edge.
    """
    random = np.random.default_rng(seed)
    height, width = round(height_mm / pixel_mm), round(width_mm / pixel_mm)
    rows, columns = np.mgrid[:height, :width] * pixel_mm
    # 0 at the skin, 1 far behind it.
    shape = 1 - np.hypot(columns / (0.85 * width_mm), (rows - height_mm / 2) / (0.46 * height_mm))
    # Thinner towards the skin, without a ridge where that begins.
    inside = 1 - np.exp(-np.clip(shape, 0, None) / 0.06)
    tissue = sum(
        weight * _texture(random, (height, width), scale / pixel_mm)
        for scale, weight in ((12, 0.09), (4, 0.05), (1.5, 0.02))
    )
    grey = inside * (0.45 + 0.12 * inside + tissue)
    centres: list[tuple[float, float]] = []
    while len(centres) < 10:
        x, y = random.uniform(0.1, 0.7) * width_mm, random.uniform(0.25, 0.75) * height_mm
        depth = 1 - np.hypot(x / (0.85 * width_mm), (y - height_mm / 2) / (0.46 * height_mm))
        if depth < 0.2 or any(np.hypot(x - a, y - b) < 6 for a, b in centres):
            continue
        centres.append((x, y))
        diameter, contrast = random.uniform(0.4, 0.9) / pixel_mm, random.uniform(0.06, 0.13)
        add_spot(grey, (x / pixel_mm, y / pixel_mm), diameter, contrast)
    grey += random.normal(0, 0.006, grey.shape)
    if label:
        cv2.rectangle(grey, (int(width * 0.8), 40), (int(width * 0.97), 160), 0.95, -1)
        cv2.putText(grey, "R CC", (int(width * 0.8) + 10, 120), cv2.FONT_HERSHEY_SIMPLEX, 2, 0.1, 5)
        grey[:, -6:] = 1.0
        grey[:6] = 1.0
    points = tuple((x / pixel_mm, y / pixel_mm) for x, y in centres)
    return Phantom(np.clip(grey, 0.0, 1.0), points, pixel_mm)


def _texture(random: np.random.Generator, shape: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    """Return smooth noise of deviation 1, made small and enlarged."""
    step = max(1, int(sigma / 4))
    small = random.normal(size=(shape[0] // step + 2, shape[1] // step + 2))
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / step), np.float64)
    large = cv2.resize(soft / soft.std(), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float64)


def add_spot(
    grey: NDArray[np.float64], centre: tuple[float, float], diameter: float, contrast: float
) -> None:
    """Add a round spot of ``diameter`` pixels to a picture, in place."""
    reach = int(diameter * 3) + 2
    x, y = round(centre[0]), round(centre[1])
    rows, columns = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    distance = np.hypot(columns - centre[0], rows - centre[1]) / (diameter / 2)
    grey[y - reach : y + reach + 1, x - reach : x + reach + 1] += contrast * np.exp(-(distance**2) * 0.7)


def add_ring(
    grey: NDArray[np.float64], centre: tuple[int, int], diameter: float, contrast: float, rim: float = 4
) -> None:
    """Add a hollow calcification, ``diameter`` and ``rim`` in pixels, to a picture, in place."""
    (x, y), reach = centre, int(diameter)
    rows, columns = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    beside = np.abs(np.hypot(columns - x, rows - y) - (diameter - rim) / 2)
    grey[y - reach : y + reach + 1, x - reach : x + reach + 1] += contrast * np.clip(
        rim / 2 - beside + 0.5, 0, 1
    )


def add_skin(made: Phantom, *, seed: int) -> NDArray[np.float64]:
    """Return the picture of a phantom with a bright line of skin, and twelve strands that run into it."""
    random = np.random.default_rng(seed)
    height, width = made.grey.shape
    side, middle = 0.85 * width, height / 2
    rows, columns = np.mgrid[:height, :width]
    inside = (np.hypot(columns / side, (rows - middle) / (0.46 * height)) < 1).astype(np.uint8)
    # The chest wall is no skin.
    inside = cv2.copyMakeBorder(inside, 0, 0, 1, 0, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[:, 1:] * made.pixel_mm
    grey = made.grey + 0.08 * ((depth > 0) & (depth < 1.5))
    reach, thick = round(9 / made.pixel_mm), round(0.4 / made.pixel_mm)
    strands = np.zeros(made.grey.shape, np.float32)
    for _ in range(12):
        y, slope = random.uniform(0.2, 0.8) * height, random.uniform(-0.4, 0.4)
        x = side * float(np.sqrt(1 - ((y - middle) / (0.46 * height)) ** 2))
        cv2.line(strands, (int(x), int(y)), (int(x) - reach, int(y + reach * slope)), 1.0, thick)
    return np.asarray(np.clip(grey + 0.06 * cv2.GaussianBlur(strands, (0, 0), 1.5), 0.0, 1.0), np.float64)


def png(pixels: NDArray[Any]) -> bytes:
    """Return an 8 or 16-bit PNG."""
    return _encoded(pixels, "PNG")


def tiff(pixels: NDArray[Any]) -> bytes:
    """Return an 8 or 16-bit TIFF."""
    return _encoded(pixels, "TIFF")


def jpeg(pixels: NDArray[Any]) -> bytes:
    """Return a JPEG of quality 90."""
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "JPEG", quality=90)
    return sink.getvalue()


def _encoded(pixels: NDArray[Any], kind: str) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, kind)
    return sink.getvalue()


def dataset(pixels: NDArray[Any], bits: int, **attributes: object) -> FileDataset:
    """Return a DICOM mammogram of these stored values; ``attributes`` add to it or replace."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(MG_FOR_PRESENTATION)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("made.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = meta.MediaStorageSOPClassUID
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.Modality = "MG"
    made.PatientName, made.PatientID = "Nobody^Anon", "0"
    made.PatientBirthDate = made.PatientSex = made.StudyDate = made.StudyTime = ""
    made.StudyID = made.AccessionNumber = made.ReferringPhysicianName = ""
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = pixels.dtype.itemsize * 8
    made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits - 1, 0
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OB" if made.BitsAllocated == 8 else "OW"
    with warnings.catch_warnings():
        # Tests write what scanners do: not always what the standard wants.
        warnings.simplefilter("ignore")
        for name, value in attributes.items():
            setattr(made, name, value)
    return made


def written(made: FileDataset) -> bytes:
    """Return the file of a data set."""
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(sink, made, enforce_file_format=True)
    return sink.getvalue()


def dicom(pixels: NDArray[Any], bits: int, **attributes: object) -> bytes:
    """Return a DICOM file of these stored values."""
    return written(dataset(pixels, bits, **attributes))


def deflated_bomb(megabytes: int) -> bytes:
    """Return a deflated DICOM file whose pixel data are so many MiB of zeros: 1 kB for each."""
    small = dataset(np.zeros((8, 8), np.uint16), 12)
    small.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = written(small)
    # The first element of the file meta information says how long the rest of it is.
    start = 144 + int.from_bytes(data[140:144], "little")
    body = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    pixels = body.rindex(b"\xe0\x7f\x10\x00OW")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = body[: pixels + 8] + (megabytes << 20).to_bytes(4, "little")
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # Behind a full flush nothing refers to what came before: one piece can be repeated.
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return data[:start] + packed + piece * megabytes + packer.flush()
