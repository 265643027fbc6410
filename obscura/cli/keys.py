"""``obscura keys``: create, list and revoke API keys."""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from obscura.access import ApiKey, Scope
from obscura.cli.progress import note
from obscura.errors import InvalidOptionError, QueueUnavailableError
from obscura.settings import JOB_STORE_URL_FILE, Settings, default_data_dir

if TYPE_CHECKING:
    from obscura.access.key_store import KeyStore

app = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MAX_NAME = 100
Port = Annotated[int, typer.Option(min=1, max=65_535, help="port of the running `obscura serve`")]
DataDir = Annotated[Path | None, typer.Option(help="its --data-dir, where it was given one")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output")]


def _key_store(port: int, data_dir: Path | None) -> "KeyStore":
    """Return the keys of OBSCURA_REDIS_URL, or of the system that runs on this machine."""
    from obscura.access.key_store import KeyStore

    settings = Settings()
    if "redis_url" in settings.model_fields_set:
        return KeyStore(settings)
    place = (data_dir or default_data_dir(port)) / JOB_STORE_URL_FILE
    try:
        url = place.read_text("utf-8").strip()
    except OSError as error:
        message = (
            f"no Obscura runs on port {port} (there is no {place}); start it, name its --port or --data-dir, "
            "or set OBSCURA_REDIS_URL"
        )
        raise QueueUnavailableError(message) from error
    return KeyStore(settings.model_copy(update={"redis_url": url}))


def _scopes(text: str) -> frozenset[Scope]:
    try:
        scopes = frozenset(Scope(name.strip()) for name in text.split(",") if name.strip())
    except ValueError as error:
        message = f"--scopes: {error}; known are {', '.join(Scope)}"
        raise InvalidOptionError(message) from error
    if not scopes:
        message = "--scopes names no scope"
        raise InvalidOptionError(message)
    return scopes


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text)
    if found is None:
        message = "--expires-in takes a number and s, m, h or d: 30d"
        raise InvalidOptionError(message)
    return int(found[1]) * UNITS[found[2]]


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        message = f"a name has 1 to {MAX_NAME} printable characters"
        raise InvalidOptionError(message)
    return name


def _time(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _shown(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created": _time(key.created),
        "last_used": _time(key.last_used),
        "expires": _time(key.expires),
    }


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="whose key it is; for people")],
    scopes: Annotated[
        str, typer.Option(help="of submit, read, metrics, admin; comma-separated")
    ] = "submit,read",
    expires_in: Annotated[str | None, typer.Option(help="such as 90d or 12h; default: never")] = None,
    port: Port = 8000,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: the only time that it is shown."""
    valid_s = None if expires_in is None else _seconds(expires_in)
    key, text = _key_store(port, data_dir).create(_name(name), _scopes(scopes), valid_s)
    if as_json:
        sys.stdout.write(json.dumps({**_shown(key), "key": text}, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(text + "\n")
    until = "" if key.expires is None else f", valid until {_time(key.expires)}"
    note(f"Key {key.id} for {', '.join(sorted(key.scopes))}{until}. It is not shown again.")


@app.command("list")
def list_(port: Port = 8000, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """List the keys that were not revoked: never their texts, which are kept nowhere."""
    for key in _key_store(port, data_dir).all():
        shown = _shown(key)
        if as_json:
            sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
            continue
        times = (
            f"created {shown['created']}",
            f"last used {shown['last_used'] or 'never'}",
            f"expires {shown['expires'] or 'never'}",
        )
        sys.stdout.write("  ".join((key.id, ",".join(sorted(key.scopes)), *times, key.name)) + "\n")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="id of the key, as `list` shows it")],
    port: Port = 8000,
    data_dir: DataDir = None,
) -> None:
    """End a key: the next request with it is refused, on every gateway."""
    _key_store(port, data_dir).revoke(key_id)
    note(f"Key {key_id} is revoked.")
