"""``obscura settings``: the settings in force and where each comes from."""

import json
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import SecretStr

from obscura.settings import Settings
from obscura.settings.loading import load_settings

__all__ = ["settings", "source_of"]

_HIDDEN = "********"


class Source(StrEnum):
    """Where a value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"
    PROFILE = "profile"


def source_of(name: str, value: object) -> Source:
    """Return where the value of the field ``name`` comes from."""
    variable = f"OBSCURA_{name.upper()}"
    if os.environ.get(variable):
        return Source.ENVIRONMENT
    if os.environ.get(f"{variable}_FILE"):
        return Source.FILE
    # Only the profile changes what neither a variable nor a file sets.
    return Source.DEFAULT if value == Settings.model_fields[name].default else Source.PROFILE


def _shown(value: object) -> str:
    if value is None:
        return ""
    return _HIDDEN if isinstance(value, SecretStr) else str(value)


def settings(
    *,
    changed: Annotated[bool, typer.Option("--changed", help="only those that are not the default")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Show the settings in force and where each comes from; secrets are masked."""
    loaded = load_settings()
    rows = [
        (f"OBSCURA_{name.upper()}", _shown(value), source_of(name, value))
        for name in Settings.model_fields
        for value in (getattr(loaded, name),)
    ]
    if changed:
        rows = [row for row in rows if row[2] is not Source.DEFAULT]
    if as_json:
        values = {name: {"value": value, "source": source} for name, value, source in rows}
        sys.stdout.write(json.dumps(values, indent=2) + "\n")
        return
    for name, value, source in rows:
        sys.stdout.write(f"{name}={value}  # {source}\n")
