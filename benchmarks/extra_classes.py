"""Recall and false boxes of the classes `code`, `text` and `person`.

Codes and texts are drawn onto photos of the packs: turned by up to 35 degrees, small, blurred, as JPEG.
One counts as hidden where the regions that would be painted cover 80 % of it. Boxes are also counted on the
photos as they are; for codes these are false, for text they include the photos' own. Persons are held against
the faces that people labelled: one is hidden where the regions cover its face.

Run ``python -m benchmarks.extra_classes code|text|person --data PACKS [--photos N] [--quality fast]`` with
the folder into which the packs were unpacked.
"""

import argparse
import random
import string
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from obscura.anonymisation.residual_check import hidden_share
from obscura.contract import ObjectClass, Quality
from obscura.detection.detections import DetectionOptions
from obscura.detection.extra import ObjectDetector
from obscura.detection.loading import load_any
from obscura.geometry import Box, Size
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.regions import grown
from obscura.settings import Settings

HIDDEN = 0.8
KINDS = ("QRCode", "DataMatrix", "Aztec", "PDF417", "EAN13", "Code128")
SIDES = {"code": (60, 100, 180, 280), "text": (10, 14, 20, 32)}
"""Long side of a code, height of the letters of a text, in pixels."""

FACE_SIDES = (16, 48)
TURNS, BLURS = (0, 12, 35), (0.0, 0.8, 1.5)
Picture = NDArray[np.uint8]


class Drawn(NamedTuple):
    """A photo with something on it: where, and what it is by property."""

    pixels: Picture
    place: Box
    properties: dict[str, object]


def symbol(kind: str, side: int, rng: random.Random) -> tuple[Picture, Box, dict[str, object]]:
    """Return a code or a line of text on white, where it is in it, and its property."""
    if kind == "text":
        words = "".join(rng.choice(string.ascii_letters) for _ in range(rng.randrange(6, 14)))
        font = ImageFont.load_default(side * 6)
        left, top, right, bottom = font.getbbox(words)
        margin = side * 2
        paper = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), 255)
        ImageDraw.Draw(paper).text((margin - left, margin - top), words, fill=0, font=font)
        return np.asarray(paper), Box(margin, margin, paper.width - margin, paper.height - margin), {}
    import zxingcpp  # noqa: PLC0415 - texts need it not

    name = rng.choice(KINDS)
    content = "".join(rng.choice(string.digits) for _ in range(12))
    code = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, name))
    drawn = np.asarray(zxingcpp.write_barcode_to_image(code, scale=8, add_quiet_zones=False))
    padded = np.pad(drawn, margin := max(16, drawn.shape[0] // 12), constant_values=255)
    return padded, Box(margin, margin, padded.shape[1] - margin, padded.shape[0] - margin), {"kind": name}


def drawn_on(photo: Picture, kind: str, rng: random.Random) -> Drawn | None:
    """Return a photo with one code or text on it; None where it has no room."""
    side, turn, blur = rng.choice(SIDES[kind]), rng.choice(TURNS), rng.choice(BLURS)
    paper, inner, properties = symbol(kind, side, rng)
    height, width = paper.shape
    scale = 1 / 6 if kind == "text" else side / max(height, width)
    place = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale), np.float64)
    ends = _through(place, Box(0, 0, width, height))
    if ends.width + 4 >= photo.shape[1] or ends.height + 4 >= photo.shape[0]:
        return None
    place[0, 2] += rng.uniform(2, photo.shape[1] - ends.width - 2) - ends.x1
    place[1, 2] += rng.uniform(2, photo.shape[0] - ends.height - 2) - ends.y1
    size, fine = (photo.shape[1], photo.shape[0]), 3
    layers = [
        cv2.resize(
            cv2.warpAffine(layer, place * fine, (size[0] * fine, size[1] * fine)),
            size,
            interpolation=cv2.INTER_AREA,
        )
        for layer in (paper, np.full_like(paper, 255))
    ]
    share = layers[1][..., None] / 255
    mixed = photo * (1 - share) + (40 + layers[0][..., None] * 0.75) * share
    if blur:
        mixed = np.asarray(cv2.GaussianBlur(mixed, (0, 0), blur))
    _, stored = cv2.imencode(
        ".jpg", mixed[..., ::-1].clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    pixels = np.ascontiguousarray(np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))[..., ::-1])
    return Drawn(
        np.asarray(pixels, np.uint8),
        _through(place, inner),
        {"side": side, "turn": turn, "blur": blur, **properties},
    )


def _through(place: NDArray[np.float64], box: Box) -> Box:
    ends = (
        np.array([(box.x1, box.y1, 1), (box.x2, box.y1, 1), (box.x2, box.y2, 1), (box.x1, box.y2, 1)])
        @ place.T
    )
    return Box(*map(float, ends.min(axis=0)), *map(float, ends.max(axis=0)))


def regions(detector: ObjectDetector, pixels: Picture, options: DetectionOptions) -> list[Box]:
    """Return what would be painted."""
    policy, size = RedactionPolicy(), Size(pixels.shape[1], pixels.shape[0])
    name = detector.card.class_name
    return [grown(item.box, policy.grow_of(name)).clip(size) for item in detector.detect(pixels, options)]


def faces(photo: Path, size: Size) -> Iterator[Box]:
    """Yield the labelled faces of a photo."""
    for line in (photo.parents[1] / "labels" / f"{photo.stem}.txt").read_text("utf-8").splitlines():
        x, y, width, height = map(float, line.split()[1:5])
        yield Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2).scale(*size)


def face_size(face: Box) -> str:
    """Return the row of a face in the table."""
    return next(
        (f"under {side} px" for side in FACE_SIDES if face.long_side < side), f"{FACE_SIDES[-1]} px up"
    )


class Tally:
    """Outcomes by property, and boxes and cost of the photos as they are."""

    def __init__(self, name: str, options: DetectionOptions) -> None:
        self._name = name
        self._options = options
        self._detector = load_any(Settings(), ObjectClass(name), 1)
        self._rng = random.Random(7)  # noqa: S311 - the same photos in every run
        self._outcomes: dict[tuple[str, object], list[bool]] = defaultdict(list)
        self._photos, self._boxes, self._spent = 0, 0, 0.0

    def add(self, path: Path) -> None:
        """Count one photo."""
        photo = np.asarray(Image.open(path).convert("RGB"))
        began = time.process_time()
        found = regions(self._detector, photo, self._options)
        self._spent += time.process_time() - began
        self._boxes += len(found)
        self._photos += 1
        if self._name == "person":
            for face in faces(path, Size(photo.shape[1], photo.shape[0])):
                self._outcomes["face", face_size(face)].append(hidden_share(face, found) >= HIDDEN)
            return
        drawn = drawn_on(photo, self._name, self._rng)
        if drawn is not None:
            hidden = hidden_share(drawn.place, regions(self._detector, drawn.pixels, self._options)) >= HIDDEN
            for key in [("all", ""), *drawn.properties.items()]:
                self._outcomes[key].append(hidden)

    def show(self) -> None:
        """Print the table."""
        for (key, value), outcomes in sorted(self._outcomes.items(), key=str):
            share = sum(outcomes) / len(outcomes)
            print(f"{key:5} {value!s:12} {sum(outcomes):4} of {len(outcomes):4}  {share:.2f}")
        cost = 1000 * self._spent / self._photos
        print(f"boxes in {self._photos} photos as they are: {self._boxes}; {cost:.0f} CPU ms a photo")


def main() -> int:
    """Print recall by property, boxes of the photos as they are, and the cost of a photo."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extra_classes", description=__doc__)
    parser.add_argument("name", choices=("code", "text", "person"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--quality", type=Quality, default=Quality.BALANCED)
    parser.add_argument("--min-confidence", type=float)
    chosen = parser.parse_args()
    packs = ("people_faces/images",) if chosen.name == "person" else ("plates/images/val", "faces/images/val")
    photos = sorted(path for pack in packs for path in (chosen.data / pack).iterdir())
    random.Random(7).shuffle(photos)  # noqa: S311 - the same photos in every run
    tally = Tally(chosen.name, DetectionOptions(chosen.quality, chosen.min_confidence))
    for path in photos[: chosen.photos]:
        tally.add(path)
    tally.show()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
