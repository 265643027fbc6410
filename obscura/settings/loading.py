"""Load the settings at the start of a process, reporting every mistake on a line of its own."""

import os
import re
import sys
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from obscura.errors import SettingsInvalidError
from obscura.settings import Settings
from obscura.settings.environment import PREFIX
from obscura.wording import did_you_mean

__all__ = ["load_settings", "settings_or_exit"]

# Variables that other parts read: data folder, client, docker-compose, examples, tests, benchmarks.
_READ_ELSEWHERE: Final = re.compile(
    r"OBSCURA_(DATA_DIR|KEY|API_KEY|URL|BIND|SHARED|SWIFT_VENV|(TEST|FUZZ|BENCH|LOAD)_\w+)"
)
# Kubernetes describes services of a namespace to every pod in variables of these forms.
_SERVICE_LINK: Final = re.compile(r"OBSCURA_\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\w+)?)")


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process.

    ``environment`` is searched for misspelt variables, by default ``os.environ``; values are always read from
    ``os.environ``.

    Raises
    ------
    SettingsInvalidError
        If a variable named ``OBSCURA_...`` is unknown, or a value is not allowed. The message has a line for
        each mistake, with the nearest known name.
    """
    faults = _unknown(os.environ if environment is None else environment)
    try:
        settings = Settings()
    except ValidationError as error:
        faults += [
            f"{PREFIX}{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()
        ]
    except SettingsInvalidError as error:
        faults.append(error.message)
    if faults:
        raise SettingsInvalidError("\n".join(faults))
    return settings


def settings_or_exit() -> Settings:
    """Return the settings; if they are invalid, print the mistakes on standard error and exit with code 2."""
    try:
        return load_settings()
    except SettingsInvalidError as error:
        sys.stderr.write("".join(f"obscura: {line}\n" for line in error.message.splitlines()))
        sys.exit(2)


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    known += [f"{name}_FILE" for name in known]
    faults = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known:
            continue
        if _READ_ELSEWHERE.fullmatch(name) or _SERVICE_LINK.fullmatch(name):
            continue
        bare = [item.removeprefix(PREFIX) for item in known]
        suggestion = did_you_mean(name.removeprefix(PREFIX), bare).replace(
            "did you mean ", f"did you mean {PREFIX}"
        )
        faults.append(f"{name} is not a setting{suggestion}")
    return faults
