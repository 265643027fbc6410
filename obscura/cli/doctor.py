"""``obscura doctor``: what this installation has and lacks."""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import typer

from obscura import __version__
from obscura.cli.extras import hint
from obscura.errors import ObscuraError
from obscura.settings import Settings, StorageChoice

__all__ = ["Health", "Part", "doctor", "parts"]

_PING_S = 2.0
_LIMITS = (
    "profile",
    "max_upload_mb",
    "max_pixels",
    "max_side",
    "max_scans",
    "max_frames",
    "max_cells",
    "min_grow",
    "max_min_confidence",
    "unspliceable",
    "queue_limit",
    "result_ttl_s",
)


class Health(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Part:
    """One checked part of an installation: its name, its health, and a message."""

    name: str
    health: Health
    message: str


def parts(settings: Settings) -> Iterator[Part]:
    """Yield the parts of this installation; one that cannot be looked at is a problem, never an exception."""
    yield Part("obscura", Health.OK, f"{__version__} on Python {platform.python_version()}, {sys.platform}")
    looks: tuple[tuple[str, Callable[[Settings], Iterator[Part]]], ...] = (
        ("machine", _machine),
        ("inference", _inference),
        ("models", _models),
        ("splice", _splice),
        ("formats", _formats),
        ("storage", _storage),
        ("broker", _broker),
        ("manifests", _manifests),
        ("limits", _limits),
    )
    for name, look in looks:
        try:
            yield from look(settings)
        except ModuleNotFoundError as error:
            # A part that this installation was made without.
            line = hint(error)
            yield Part(name, Health.PROBLEM if line is None else Health.WARNING, line or str(error))
        except (ObscuraError, ImportError, OSError, RuntimeError) as error:
            yield Part(name, Health.PROBLEM, str(error))


def _machine(settings: Settings) -> Iterator[Part]:
    from obscura.worker.service import concurrency, threads

    cores = len(os.sched_getaffinity(0))
    use = f"a worker has {concurrency(settings)} processes of {threads(settings)} threads per inference"
    yield Part("cores", Health.OK, f"{cores} for this process; {use}; pipeline {settings.pipeline.value}")


def _inference(settings: Settings) -> Iterator[Part]:
    from obscura.detection.backends.onnx import has_gpu
    from obscura.detection.engines import EngineOptions, pick_engine

    options = EngineOptions(settings.engine, 1, settings.device, settings.precision)
    engine = pick_engine(options)
    yield Part("inference", Health.OK, f"{engine.value}, precision {settings.precision.value}")
    if has_gpu():
        yield Part("gpu", Health.OK, "onnxruntime can use one")
    elif settings.device.startswith("cuda"):
        says = f"{settings.device} was asked for, but onnxruntime has none: networks run on the CPU"
        yield Part("gpu", Health.WARNING, says)
    else:
        yield Part("gpu", Health.OK, "none that onnxruntime can use")


def _models(settings: Settings) -> Iterator[Part]:
    from obscura.detection.weights import default_models_dir, installed_weights

    for file in installed_weights(settings.models_dir or default_models_dir()):
        health = Health.PROBLEM if file.problem else Health.OK
        yield Part(
            f"model {file.model}", health, file.problem or f"{file.version}, {file.kind}, checksum holds"
        )


def _splice(_settings: Settings) -> Iterator[Part]:
    from obscura.jpeg.splice import available_engines

    engines = available_engines()
    used = next(engine for engine in engines if engine.is_available)
    if used is engines[0]:
        yield Part("splice", Health.OK, f"{used.name}: {used.note}")
        return
    better = "; ".join(f"{engine.name} {engine.note}" for engine in engines if not engine.is_available)
    yield Part("splice", Health.WARNING, f"the slow engine {used.name} is used ({used.note}): {better}")


def _formats(_settings: Settings) -> Iterator[Part]:
    from obscura.imaging.decoders import require
    from obscura.imaging.formats import PhotoFormat

    for photo_format in (PhotoFormat.HEIC, PhotoFormat.AVIF):
        try:
            require(photo_format)
        except ObscuraError as error:
            yield Part(photo_format.name, Health.WARNING, error.message)
        else:
            yield Part(photo_format.name, Health.OK, "can be read")


def _storage(settings: Settings) -> Iterator[Part]:
    if settings.storage is StorageChoice.S3:
        from obscura.storage import Storage

        Storage.open(settings).check()
        yield Part("storage", Health.OK, f"bucket {settings.s3_bucket} answers")
        return
    folder = settings.storage_dir.absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        yield Part("storage", Health.PROBLEM, f"{there} cannot be written to")
        return
    yield Part("storage", Health.OK, f"{folder}" + ("" if there == folder else ", which will be made"))


def _broker(settings: Settings) -> Iterator[Part]:
    from redis import Redis, RedisError

    try:
        client = Redis.from_url(settings.redis_url, socket_connect_timeout=_PING_S, socket_timeout=_PING_S)
        client.ping()
    except (RedisError, ValueError, OSError):
        # Not the error's own words: an address may hold a password.
        text = "nothing answers at OBSCURA_REDIS_URL; `obscura serve` brings its own server along"
        yield Part("broker", Health.WARNING, text)
    else:
        yield Part("broker", Health.OK, "answers")


def _manifests(settings: Settings) -> Iterator[Part]:
    from obscura.provenance import signing_key

    key = signing_key(settings.manifest_key)
    yield Part("manifests", Health.OK, "not signed: no key is set" if key is None else "signed")


def _limits(settings: Settings) -> Iterator[Part]:
    from obscura.imaging.configured_limits import validation_limits

    held = validation_limits(settings)
    values = {name: getattr(held, name, getattr(settings, name)) for name in _LIMITS}
    # A photo has one frame unless a request asks for more; the setting is the most it may ask for.
    values["max_frames"] = settings.max_frames
    yield Part("limits", Health.OK, ", ".join(f"{name} {value}" for name, value in values.items()))


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Say what this installation has and lacks; exit with 1 where something does not work."""
    found = list(parts(Settings()))
    if as_json:
        sys.stdout.write(json.dumps({"parts": [asdict(part) for part in found]}) + "\n")
    else:
        marks = {Health.OK: "ok     ", Health.WARNING: "WARNING", Health.PROBLEM: "PROBLEM"}
        for part in found:
            sys.stdout.write(f"{marks[part.health]}  {part.name}: {part.message}\n")
    if any(part.health is Health.PROBLEM for part in found):
        raise typer.Exit(1)
