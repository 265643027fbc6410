"""Hostile requests of one API key, of many kinds, each as a function of `Attacker`."""

import io
import json
import random
import socket
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pillow_heif
import redis
from PIL import Image

from obscura.jobs.commands import job_key
from tests import hostile_zips, mammograms, photos
from tests.hostile_zips import BZIP2, DEFLATED, LZMA, Member

MIB = 1 << 20
PORTRAIT = photos.PORTRAIT.read_bytes()
TIMEOUT_S = 300
END_S = 900


@dataclass
class Attacker:
    """One API key's client, what it was answered, and the tasks that were accepted from it.

    Attributes
    ----------
    store
        The job store, in which records are damaged by hand.
    foreign
        Tasks of another key.
    hangs
        URL of a receiver of webhooks that never answers.
    """

    url: str
    key: str
    store: redis.Redis
    foreign: Sequence[str]
    hangs: str
    answers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    tasks: list[str] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    held: list[socket.socket] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - not a secret

    def __post_init__(self) -> None:
        """Open the client."""
        self.client = httpx.Client(
            base_url=self.url, timeout=TIMEOUT_S, headers={"authorization": f"Bearer {self.key}"}
        )

    def attack(self, kind: str) -> None:
        """Send one request of a kind and note its answer."""
        answer = KINDS[kind](self)
        if answer is None:
            return
        body = answer.json() if answer.headers.get("content-type") == "application/json" else {}
        error = body.get("error", {}) if isinstance(body, dict) else {}
        self.answers[kind, answer.status_code, error.get("code", "") if isinstance(error, dict) else ""] += 1
        if answer.is_success and isinstance(body, dict):
            self.tasks += [body["task_id"]] if "task_id" in body else []
            self.batches += [body["batch_id"]] if "batch_id" in body else []
            self.tasks += [item["task_id"] for item in body.get("files", []) if item.get("task_id")]

    def hold(self, request: bytes) -> None:
        """Send a request on a connection that stays open and is never read."""
        place = urlsplit(self.url)
        connection = socket.create_connection((str(place.hostname), int(place.port or 80)), TIMEOUT_S)
        connection.sendall(request)
        self.held.append(connection)

    def wait_for_ends(self) -> Counter[str]:
        """Return how many tasks ended how, once all have: SUCCESS, or the code of a failure."""
        ends: Counter[str] = Counter()
        deadline = time.monotonic() + END_S
        for task in dict.fromkeys(self.tasks):
            while True:
                answer = self.client.get(f"/task_result/{task}", params={"wait": 30, "embed": "false"})
                assert answer.status_code == httpx.codes.OK, answer.text
                body = answer.json()
                if body["status"] in {"SUCCESS", "FAILURE"}:
                    break
                assert time.monotonic() < deadline, body
            ends[body.get("error", {}).get("code", "SUCCESS")] += 1
        return ends

    def some_task(self) -> str:
        """Return one of the attacker's tasks."""
        return self.chance.choice(self.tasks or ["none"])

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
        for connection in self.held:
            connection.close()


Kind = Callable[[Attacker], httpx.Response | None]


def png(side: int, bits: int, kind: int, channels: int) -> bytes:
    """Return a PNG of side x side black pixels with ``channels`` samples of ``bits`` bits."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + side * channels * bits // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def scans(number: int) -> bytes:
    """Return a progressive JPEG of 12 megapixels with ``number`` scans more than it needs."""
    photo = photos.encoded(Image.new("RGB", (4000, 3000)), progressive=True)
    last = photo.rindex(b"\xff\xda")
    return photo[:last] + photo[last : photo.rindex(b"\xff\xd9")] * number + photo[last:]


def damaged(format_name: str) -> bytes:
    """Return a file of the portrait with 200 bytes changed behind its first kilobyte."""
    pillow_heif.register_heif_opener()
    data = bytearray(photos.encoded(photos.portrait(), format_name))
    chance = random.Random(7)  # noqa: S311 - not a secret
    for _ in range(200):
        data[chance.randrange(1024, len(data))] = chance.randrange(256)
    return bytes(data)


def transparent(mode: str, format_name: str) -> bytes:
    """Return a photo whose pixels are all transparent, with the portrait beneath."""
    picture = photos.portrait().convert(mode.removesuffix("A"))
    picture.putalpha(0)
    return photos.encoded(picture, format_name, exact=True)


NOISE = random.Random(3).randbytes(60_000)  # noqa: S311 - not a secret
SMALL = photos.encoded(photos.portrait().resize((64, 64)))
GOOD = Member("good.jpg", SMALL, DEFLATED)
File = Callable[[], bytes]


def with_profile(profile: bytes) -> bytes:
    """Return the portrait with a colour profile."""
    return photos.encoded(photos.portrait(), icc_profile=profile)


def beside_a_photo(member: Member) -> bytes:
    """Return a zip of a photo and a member."""
    return hostile_zips.archive([GOOD, member])


PHOTOS: dict[str, File] = {
    "noise": lambda: NOISE,
    "half a JPEG": lambda: PORTRAIT[:20_000],
    "PNG of 900 megapixels": lambda: png(30_000, 1, 0, 1),
    "16-bit PNG of 49 megapixels": lambda: png(7000, 16, 2, 3),
    "JPEG of 40 scans": lambda: scans(40),
    "profile of noise": lambda: with_profile(NOISE),
    "profile cut off": lambda: with_profile(b"\0\0\xff\xffadsp" + bytes(200)),
    "transparent PNG": lambda: transparent("RGBA", "PNG"),
    "transparent grey PNG": lambda: transparent("LA", "PNG"),
    "transparent WebP": lambda: transparent("RGBA", "WEBP"),
    "damaged TIFF": lambda: damaged("TIFF"),
    "damaged HEIC": lambda: damaged("HEIF"),
    "damaged AVIF": lambda: damaged("AVIF"),
    "damaged WebP": lambda: damaged("WEBP"),
    "damaged PNG": lambda: damaged("PNG"),
    "damaged JPEG": lambda: damaged("JPEG"),
    "photo of 27 MiB": lambda: bytes(27 * MIB),
}
ZIPS: dict[str, File] = {
    "overlapping zip": hostile_zips.overlapping,
    "zip bomb": lambda: hostile_zips.archive([Member(f"{n}", bytes(20 * MIB), DEFLATED) for n in range(8)]),
    "damaged bzip2": lambda: beside_a_photo(Member("b", SMALL, BZIP2, b"BZh91AY&SY" + bytes(90))),
    "damaged LZMA": lambda: beside_a_photo(Member("l", SMALL, LZMA, b"\x09\x04\x05\x00" + bytes(9))),
    "bzip2 over stored data": lambda: beside_a_photo(Member("m", SMALL, BZIP2, SMALL)),
    "zip64 offset of 2^63": lambda: beside_a_photo(Member("o", SMALL, offset=1 << 63)),
    "zip64 size of 2^64 - 1": lambda: beside_a_photo(Member("s", SMALL, unpacked=(1 << 64) - 1)),
    "half a zip": lambda: hostile_zips.archive([GOOD] * 9)[:600],
}


@cache
def built(name: str) -> bytes:
    """Return a hostile photo or archive."""
    return (PHOTOS | ZIPS)[name]()


@cache
def deflated_dicom() -> bytes:
    """Return a DICOM file of 256 kB whose pixel data are 256 MiB of zeros."""
    return mammograms.deflated_bomb(256)


def _photo(name: str, attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/blur", files={"file": ("photo.jpg", built(name))})


def _zip(name: str, attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/batches", files={"archive": ("a.zip", built(name))})


def _boxes(number: int, attacker: Attacker) -> httpx.Response:
    boxes = json.dumps([[10, 10, 20, 20]] * number)
    return attacker.client.post("/redact", files={"file": PORTRAIT}, data={"boxes": boxes})


def _options(values: dict[str, Any], attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/blur", files={"file": PORTRAIT}, data=values)


def _damaged_record(attacker: Attacker) -> httpx.Response:
    """Damage the record of a task of the attacker's own, then ask for it."""
    answer = attacker.client.post("/blur", files={"file": PORTRAIT}, data={"priority": "bulk"})
    if answer.is_success:
        key, value = job_key(answer.json()["task_id"]), attacker.chance.choice(["{", "", "x" * 400_000])
        # Without the record nothing is damaged: it was erased, or the task ended with the answer.
        if attacker.store.exists(key):
            attacker.store.hset(key, attacker.chance.choice(["options", "state", "created"]), value)
        attacker.client.get(f"/task_result/{answer.json()['task_id']}")
    return answer


def _hanging_receiver(attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/blur", files={"file": PORTRAIT}, data={"webhook": attacker.hangs})


def _large_batch(attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/batches", files=[("files", (f"{n}.jpg", SMALL)) for n in range(100)])


def _too_large_batch(attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/batches", files=[("files", ("a.jpg", b"x"))] * 501)


def _stream(attacker: Attacker) -> None:
    path = f"/task_result/{attacker.some_task()}/events"
    if attacker.batches and attacker.chance.random() < 0.7:
        path = f"/batches/{attacker.chance.choice(attacker.batches)}/events"
    attacker.hold(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {attacker.key}\r\n\r\n".encode())


def _slow_upload(attacker: Attacker) -> None:
    head = (
        f"POST /blur HTTP/1.1\r\nhost: localhost\r\nx-api-key: {attacker.key}\r\ncontent-length: 100000\r\n"
    )
    attacker.hold(f"{head}content-type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode())


def _long_head(attacker: Attacker) -> httpx.Response:
    return attacker.client.get("/capabilities", headers={f"x-{number}": "y" * 900 for number in range(40)})


def _foreign(attacker: Attacker) -> httpx.Response:
    task = attacker.chance.choice(attacker.foreign)
    method, end = attacker.chance.choice([("GET", ""), ("GET", "/image"), ("GET", "/events"), ("DELETE", "")])
    answer = attacker.client.request(method, f"/task_result/{task}{end}")
    assert answer.status_code == httpx.codes.NOT_FOUND, answer.text
    return answer


def _dicom(attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/detect_lesions", files={"file": ("m.dcm", deflated_dicom())})


def _video(attacker: Attacker) -> httpx.Response:
    start = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"
    return attacker.client.post("/blur_video", files={"file": ("v.mp4", start + NOISE)})


def _bocashi(attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/bocashi", files={"file": ("photo.jpg", PORTRAIT)})


def _same_idempotency_key(attacker: Attacker) -> httpx.Response:
    photo = photos.encoded(photos.portrait().resize((64, attacker.chance.randrange(64, 80))))
    return attacker.client.post("/blur", files={"file": photo}, headers={"idempotency-key": "same"})


def _wait(attacker: Attacker) -> httpx.Response:
    return attacker.client.get(f"/task_result/{attacker.some_task()}", params={"wait": 0.5})


def _flood(attacker: Attacker) -> httpx.Response:
    return attacker.client.post("/detect_faces", files={"file": PORTRAIT})


KINDS: dict[str, Kind] = {
    **{name: partial(_photo, name) for name in PHOTOS},
    **{name: partial(_zip, name) for name in ZIPS},
    "2001 boxes": partial(_boxes, 2001),
    "2000 boxes": partial(_boxes, 2000),
    "boxes of nan": partial(_options, {"boxes": "[[NaN, 1, 1e999, 2]]"}),
    "options of noise": partial(_options, {"quality": "\0\ud7ff", "min_confidence": "1e999"}),
    "damaged record": _damaged_record,
    "receiver that hangs": _hanging_receiver,
    "batch of 100": _large_batch,
    "batch of 501": _too_large_batch,
    "event stream": _stream,
    "slow upload": _slow_upload,
    "long head": _long_head,
    "foreign task": _foreign,
    "deflated DICOM": _dicom,
    "video of noise": _video,
    "bocashi": _bocashi,
    "same idempotency key": _same_idempotency_key,
    "wait": _wait,
    "flood": _flood,
}
RARE = {
    *("16-bit PNG of 49 megapixels", "JPEG of 40 scans", "photo of 27 MiB", "deflated DICOM"),
    *("zip bomb", "overlapping zip", "batch of 100", "bocashi"),
}
"""Kinds that cost seconds of a processor each."""
ALLOWED = {200, 201, 202, 204, 400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 429, 431}
FULL = {(503, "queue_full")}
MANY = {"flood": 8, "event stream": 6, "wait": 3, "foreign task": 3}


def mixed(number: int) -> list[str]:
    """Return the kinds of ``number`` requests in random order, each kind at least once."""
    weights = [0.25 if kind in RARE else MANY.get(kind, 1) for kind in KINDS]
    chance = random.Random(number)  # noqa: S311 - not a secret
    kinds = [*KINDS, *chance.choices(list(KINDS), weights, k=number - len(KINDS))]
    chance.shuffle(kinds)
    return kinds


def assert_answered_well(attacker: Attacker) -> None:
    """Every answer is a documented refusal or an acceptance: nothing crashed or was out of reach."""
    wrong = {
        answer: number
        for answer, number in attacker.answers.items()
        if answer[1] not in ALLOWED and answer[1:] not in FULL
    }
    assert not wrong


def as_text(answers: Counter[tuple[str, int, str]]) -> str:
    """Return what was answered, for people."""
    sink = io.StringIO()
    for (kind, status, code), number in sorted(answers.items()):
        sink.write(f"  {kind}: {number} x {status} {code}\n")
    return sink.getvalue()
