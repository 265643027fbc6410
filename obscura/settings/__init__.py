"""Settings of the whole system: one frozen pydantic model, read from the environment."""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from obscura.settings.access import RATE, AccessSettings, ApiKeys
from obscura.settings.detection import DetectionSettings, EngineChoice, Precision
from obscura.settings.environment import environment_values
from obscura.settings.jobs import JobsSettings
from obscura.settings.limits import PROFILES, LimitsSettings, PhotoProfile
from obscura.settings.observability import LogFormat, ObservabilitySettings
from obscura.settings.redaction import RedactionSettings, Unspliceable
from obscura.settings.storage import StorageChoice, StorageSettings
from obscura.settings.tagging import TaggerChoice, TaggingSettings
from obscura.settings.verification import VerificationSettings
from obscura.settings.video import VideoSettings
from obscura.settings.webhooks import WebhooksSettings

__all__ = [
    "JOB_STORE_URL_FILE",
    "PROFILES",
    "RATE",
    "ApiKeys",
    "EngineChoice",
    "LogFormat",
    "PhotoProfile",
    "Precision",
    "Settings",
    "StorageChoice",
    "TaggerChoice",
    "Unspliceable",
    "default_data_dir",
]

# File in the data folder of a running `obscura serve` with the URL of its Valkey.
JOB_STORE_URL_FILE = "ledger.url"


def default_data_dir(port: int) -> Path:
    """Return the default data folder of the system on ``port``; two systems never share one."""
    base = os.environ.get("OBSCURA_DATA_DIR")
    if base:
        return Path(base) / str(port)
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "obscura" / str(port)


class Settings(
    ObservabilitySettings,
    TaggingSettings,
    VerificationSettings,
    VideoSettings,
    WebhooksSettings,
    AccessSettings,
    LimitsSettings,
    RedactionSettings,
    DetectionSettings,
    JobsSettings,
    StorageSettings,
    BaseModel,
):
    """All settings, read from variables ``OBSCURA_<FIELD>``; see docs/reference/settings.md.

    ``OBSCURA_<FIELD>_FILE`` names a file that contains the value instead. Arguments take precedence.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - validated by the model
        super().__init__(**{**environment_values(type(self).model_fields), **values})

    @model_validator(mode="before")
    @classmethod
    def _limits_of_profile(cls, values: Any) -> Any:  # noqa: ANN401 - whatever the sources hold
        """Use the limits of the profile for those that are not set."""
        name = values.get("profile", PhotoProfile.DEFAULT)
        limits = PROFILES.get(name, {})
        return {**limits, **values}
