"""Logs and traces."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LogFormat(StrEnum):
    """How a log line is written: for machines, or for people."""

    JSON = "json"
    TEXT = "text"


class ObservabilitySettings(BaseModel):
    """Logs and traces."""

    model_config = ConfigDict(frozen=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line"
    )
    log_format: LogFormat = Field(
        LogFormat.JSON, description="format of log lines: json (one object per line) or text (for people)"
    )
    trace_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]",
        description="collector of traces (OTLP over HTTP), `http://HOST:4318`; unset: none",
    )
    trace_file: Path | None = Field(
        None, description="file to which traces are appended, one JSON object per span; unset: none"
    )
    trace_share: float = Field(
        1.0, ge=0, le=1, description="share of requests that are traced, if tracing is on"
    )
