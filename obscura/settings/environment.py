"""Read settings from variables ``OBSCURA_<FIELD>``, or from the files that ``OBSCURA_<FIELD>_FILE`` names.

Container engines and Kubernetes provide secrets as files; a variable would show in `docker inspect`, in the
description of a pod, and in crash reports.
"""

import os
from collections.abc import Collection
from pathlib import Path

from obscura.errors import SettingsInvalidError

__all__ = ["PREFIX", "environment_values"]

PREFIX = "OBSCURA_"
SUFFIX = "_FILE"


def environment_values(fields: Collection[str]) -> dict[str, str]:
    """Return the values that the environment has for ``fields``, by field; an empty variable is unset.

    Names of variables may be in any case. Line ends at the end of a file are dropped.

    Raises
    ------
    SettingsInvalidError
        If a file cannot be read, or a setting is given both as a file and as a value.
    """
    environment = {name.upper(): value for name, value in os.environ.items() if value}
    values: dict[str, str] = {}
    for field in fields:
        variable = f"{PREFIX}{field}".upper()
        value = environment.get(variable)
        # A field may end in `_file` itself; then the variable is that field's.
        file = None if f"{field}{SUFFIX}".lower() in fields else environment.get(variable + SUFFIX)
        if value and file:
            message = f"{variable} and {variable}{SUFFIX} are both set; set one of them"
            raise SettingsInvalidError(message)
        if file:
            value = _content(Path(file), variable + SUFFIX)
        if value:
            values[field] = value
    return values


def _content(path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{variable} names a file that cannot be read: {path}"
        raise SettingsInvalidError(message) from error
