"""Hooks of schemathesis: files of the types that the description names, and lists of boxes.

``SCHEMATHESIS_HOOKS=tests.fuzz.hooks`` makes it read this module. Routes that come later are covered as long
as their files are pictures; a new type of file needs a strategy here.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image

from gateway_service.forms import BOXES_FORMAT, PATTERN_FORMAT, SPANS_FORMAT
from gateway_service.routes import videos

SIDE = st.integers(1, 96)
FORMATS = {
    "image/jpeg": ("JPEG", ("RGB", "L", "CMYK")),
    "image/png": ("PNG", ("RGB", "RGBA", "L", "P", "1")),
    "image/webp": ("WEBP", ("RGB", "RGBA")),
    "image/tiff": ("TIFF", ("RGB", "L")),
    "image/bmp": ("BMP", ("RGB", "L")),
    "image/gif": ("GIF", ("P", "L")),
}


def picture(name: str, mode: str, size: tuple[int, int], seed: int) -> bytes:
    """Return a file of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, name)
    return file.getvalue()


def _files(name: str, modes: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    return st.builds(picture, st.just(name), st.sampled_from(modes), st.tuples(SIDE, SIDE), st.integers(0, 9))


for media_type, (format_, modes) in FORMATS.items():
    schemathesis.openapi.media_type(media_type, _files(format_, modes))


# Of a video the gateway sees how it begins; what follows fails in the worker, at once.
HEADS = {
    "video/mp4": b"\0\0\0\x18ftypisom",
    "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "video/x-matroska": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska",
    "video/webm": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm",
    "video/x-msvideo": b"RIFF\0\0\0\0AVI ",
}
for media_type, head in HEADS.items():
    schemathesis.openapi.media_type(media_type, st.binary(max_size=200).map(head.__add__))


def _zip(photos: list[bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as bundle:
        for number, photo in enumerate(photos):
            bundle.writestr(f"{number}.png", photo)
    return file.getvalue()


PHOTOS = st.lists(_files(*FORMATS["image/png"]), min_size=1, max_size=3)
schemathesis.openapi.media_type("application/zip", PHOTOS.map(_zip))

CORNER = st.floats(-100, 100, allow_nan=False)
LENGTH = st.floats(1, 500, allow_nan=False)
EDGES = st.builds(lambda x, y, w, h: [x, y, x + w, y + h], CORNER, CORNER, LENGTH, LENGTH)
BOX = EDGES | st.fixed_dictionaries({"xyxy": EDGES}, optional={"class": st.sampled_from(["face", "plate"])})
schemathesis.openapi.format(BOXES_FORMAT, st.lists(BOX, max_size=20).map(json.dumps))
SPAN = st.builds(lambda start, length: f"{start}-{start + length}", st.integers(0, 99), st.integers(1, 9))
schemathesis.openapi.format(SPANS_FORMAT, st.lists(SPAN, min_size=1, max_size=5).map(",".join))
schemathesis.openapi.format(PATTERN_FORMAT, st.sampled_from(["", "a|b", "[A-Z]{2}\\d+", "^[^ @]+@x\\.org$"]))
EITHER = {"/batches": {"files", "archive"}, "/redact": {"file", "task_id"}}
SMALLEST = {BOXES_FORMAT: "[]"}
VALID = "Positive test case"
"""What the tool says of requests that it meant to spoil and did not."""


def _put_in_order(challenge: dict[str, Any]) -> None:
    """Make a challenge end after it begins, which no schema can ask for."""
    days = [challenge["start_date"], challenge["end_date"]]
    if all(isinstance(day, str) for day in days):
        challenge["start_date"], challenge["end_date"] = sorted(days)
    if challenge.get("start_time") == challenge.get("end_time", "23:59:59"):
        challenge["end_time"] = "23:59:58"
    if challenge.get("end_time") == challenge.get("start_time", "00:00:00"):
        challenge["end_time"] = "23:59:57"


def _fill(body: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name, field in fields.items():
        value = body.get(name)
        if value == "" and field.get("format") in SMALLEST:
            # Beside a file, its coverage phase fills required texts with nothing.
            body[name] = SMALLEST[field["format"]]
        elif isinstance(value, bytes) and field.get("type") == "array":
            # A lone file of a list would be sent without a name, and so as a text.
            body[name] = [value]


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out what no schema that generators understand can rule out: of two fields both, or neither."""
    body = getattr(case.body, "body", case.body)
    if not isinstance(body, dict):
        return True
    if body.get("zero_retention") and (body.get("retain") or body.get("webhook")):
        return False
    either = EITHER.get(case.operation.path)
    return either is None or len(either & body.keys()) == 1


def _leave_out_contradictions(body: dict[str, Any]) -> None:
    """Leave out options of other styles and classes than those asked for."""
    style, classes = body.get("style"), str(body.get("classes"))
    allowed = {"cells": style in {"mosaic", "pixel_noise"}, "color": style == "solid"}
    allowed |= {"text_match": "text" in classes}
    for name, is_allowed in allowed.items():
        if not is_allowed:
            body.pop(name, None)
    if (body.get("audio") == "beep") is not bool(body.get("beep")):
        body.pop("audio", None)
        body.pop("beep", None)


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Mend what is generated by chance here: the tool may take what is changed later for invalid."""
    _mend(case)
    return case


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]
) -> None:
    """Mend the requests of the coverage phase."""
    _mend(case)


def _mend(case: schemathesis.Case[Any]) -> None:
    """Mend what the tool calls valid and is not, and what it calls invalid and is not."""
    body, meta = case.body, case.meta
    if meta is None or not isinstance(body, dict):
        return
    if meta.phase.data.description == VALID:
        meta.generation.mode = schemathesis.GenerationMode.POSITIVE
    if not meta.generation.mode.is_positive:
        # In a form nothing would be sent for an empty list, and an empty text counts as not sent.
        body |= {name: ["", ""] for name, value in body.items() if value in ([], {}, "")}
        return
    _leave_out_contradictions(body)
    if {"start_date", "end_date"} <= body.keys():
        _put_in_order(body)
    if "mask" in body and case.operation.path != videos.PATH:
        # It has to have the photo's aspect ratio, which no schema can ask for. A video's the worker sees.
        body["mask"] = body.get("file", body["mask"])
    for form in case.operation.body:
        _fill(body, form.form_properties)
