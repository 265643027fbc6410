"""``obscura verify``: check a redacted picture against its signed manifest."""

import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from obscura.errors import InvalidOptionError, InvalidRequestError, UndecodablePhotoError
from obscura.settings import Settings

SIGNATURES = {
    "good": "signature: good",
    "bad": "signature: BAD - the manifest was changed, or another key signed it",
    "missing": "signature: MISSING - a key is set, and the manifest is not signed",
    "unchecked": "signature: NOT CHECKED - give the key with --key or OBSCURA_MANIFEST_KEY",
    "unsigned": "signature: none - anyone may have written this manifest",
}


def verify(
    photo: Annotated[Path, typer.Argument(help="the redacted picture")],
    manifest: Annotated[Path, typer.Argument(help="its manifest")],
    key: Annotated[
        str | None,
        typer.Option(
            help="hmac:HEX, ed25519:HEX or ed25519-public:HEX; default: OBSCURA_MANIFEST_KEY, "
            "which other users of this machine cannot read off the process list"
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Check a redacted picture against its manifest: exit 0 matches, 1 does not, 2 unusable input."""
    from obscura.provenance import check, read, read_key

    if key is not None and not key.strip():
        # An unset variable in a script must not turn the check off.
        message = "--key is empty"
        raise InvalidOptionError(message)
    secret = Settings().manifest_key if key is None else SecretStr(key)
    stated = read(_read(manifest, "manifest"))
    signature = check(stated, read_key(secret))
    with_photo = _matches(photo, stated["output"])
    is_good = with_photo and not signature.is_refused
    if as_json:
        line = {
            "path": str(photo),
            "matches": is_good,
            "photo": "matches" if with_photo else "differs",
            "signature": signature.value,
            "manifest": stated,
        }
        sys.stdout.write(json.dumps(line) + "\n")
    else:
        outcome = "matches" if with_photo else "DIFFERS: this is not the picture that the manifest describes"
        for text in (f"picture: {outcome}", SIGNATURES[signature.value], *_summary(stated)):
            sys.stdout.write(_shown(text) + "\n")
    raise typer.Exit(0 if is_good else 1)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read the {name}: {error.strerror}"
        raise InvalidRequestError(message) from error


def _matches(path: Path, output: dict[str, Any]) -> bool:
    """Return whether a file has the checksum that a manifest states for the picture written."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"cannot read the picture: {error.strerror}"
        raise UndecodablePhotoError(message) from error
    return hmac.compare_digest(found, output["sha256"])


def _summary(stated: dict[str, Any]) -> list[str]:
    """Return the content of a manifest as lines of text."""
    hidden = [
        f"{item['class']} {item['xyxy']}"
        + (" drawn by a person" if item["confidence"] is None else f" {item['confidence']:.2f}")
        for item in stated["objects"]
    ]
    models = [f"{model['name']} {model['version']}" for model in stated["detection"]["models"]]
    styles = [f"{name}: {style}" for name, style in stated["redaction"]["styles"].items()]
    review = stated["review_verdict"] or "none before signing"
    return [
        f"made: {stated['time']} by obscura {stated['obscura_version']}",
        f"input: sha256 {stated['input']['sha256']}, {stated['input']['bytes']} bytes",
        f"models: {', '.join(models) or 'none: a person chose the boxes'}",
        *(f"object: {text}" for text in hidden),
        f"hidden by: {', '.join(styles) or 'nothing was hidden'}",
        f"metadata removed: {', '.join(stated['metadata']['removed']) or 'none'}",
        f"metadata kept: {', '.join(stated['metadata']['kept']) or 'none'}",
        f"verdict: {stated['redaction_verdict']}; residual check: {review}",
    ]


def _shown(text: str) -> str:
    """Return a line without control characters: a manifest may come from anyone."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
