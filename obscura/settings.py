"""Settings of the whole system: frozen objects that are handed in. Nothing else reads the environment."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from obscura.secret_files import FileSource

# In the folder of a running system: where its Valkey listens.
LEDGER_URL_FILE = "ledger.url"
# Requests per time, as the library `limits` reads it.
RATE = r"^(0|[1-9]\d{0,8}/(second|minute|hour|day))$"


class EngineChoice(StrEnum):
    """Which engine runs the models; ``auto`` takes the fastest that is there."""

    AUTO = "auto"
    ONNX = "onnx"
    OPENVINO = "openvino"
    ULTRALYTICS = "ultralytics"


class ApiKeys(StrEnum):
    """Whether a gateway asks for API keys; ``auto`` does where other machines can reach it."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Precision(StrEnum):
    """Arithmetic of the network.

    ``auto`` is 16 bit where the engine and the device are faster with it (OpenVINO on CPUs with bf16, GPUs);
    ``f32`` gives the same boxes on all engines to within a pixel.
    """

    AUTO = "auto"
    F32 = "f32"


class PhotoProfile(StrEnum):
    """A set of limits of the gate under one name."""

    DEFAULT = "default"
    PANORAMA = "panorama"


PROFILES: Mapping[PhotoProfile, Mapping[str, int]] = MappingProxyType(
    {
        PhotoProfile.DEFAULT: {},
        PhotoProfile.PANORAMA: {
            "max_upload_mb": 100,
            "max_pixels": 100_000_000,
            "max_side": 32_768,
        },
    }
)


class StorageChoice(StrEnum):
    """Where photos and results lie."""

    FOLDER = "folder"
    S3 = "s3"


class Pipeline(StrEnum):
    """How a photo goes through the workers.

    ``split``: a queue per kind of step, so that each kind can have machines of its own, detectors their GPUs.
    ``fused``: one worker does all steps of a photo at once, and opens it once: the cheapest on CPUs.
    """

    SPLIT = "split"
    FUSED = "fused"


class Unspliceable(StrEnum):
    """What happens to a JPEG that cannot be redacted in place (arithmetic coding and the like).

    ``recode`` decodes it and encodes it again at its own quantisation, with a warning in the report;
    ``refuse`` fails the job with the code ``not_spliceable``.
    """

    RECODE = "recode"
    REFUSE = "refuse"


class LogFormat(StrEnum):
    """How a log line is written: for machines, or for people."""

    JSON = "json"
    TEXT = "text"


class TaggerChoice(StrEnum):
    """Who says what a photo shows."""

    NONE = "none"
    CLARIFAI = "clarifai"
    ONNX = "onnx"


class Settings(BaseSettings):
    """Read once at start from variables named ``OBSCURA_<FIELD>``; see the table in the README.

    ``OBSCURA_<FIELD>_FILE`` names a file that holds the value instead.
    """

    model_config = SettingsConfigDict(
        env_prefix="OBSCURA_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Valkey or Redis: broker and job ledger")
    storage_dir: Path = Field(Path(".obscura/photos"), description="folder of photos and results")
    storage: StorageChoice = Field(
        StorageChoice.FOLDER, description="where photos and results lie: folder or s3"
    )
    storage_public_url: str | None = Field(
        None, description="URL under which stored photos can be read, where there is one"
    )
    s3_bucket: str = Field("", description="bucket; it has to be there")
    s3_endpoint: str | None = Field(None, description="address of the S3 server; unset: Amazon's")
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_path_style: bool | None = Field(
        None, description="bucket in the path and not in the host name; unset: yes where s3_endpoint is set"
    )
    s3_access_key_id: SecretStr | None = Field(None, description="key; unset: the role of the machine")
    s3_secret_access_key: SecretStr | None = Field(None, description="secret of the key")
    s3_timeout_s: float = Field(10.0, gt=0, le=300, description="seconds that S3 has for an answer")
    s3_link_ttl_s: int = Field(3600, ge=1, le=604_800, description="seconds that signed URLs work")
    models_dir: Path | None = Field(
        None, description="folder with manifest.toml and weights; unset: the ones that come along"
    )

    engine: EngineChoice = Field(EngineChoice.AUTO, description="inference engine")
    precision: Precision = Field(
        Precision.AUTO, description="auto: 16 bit where that is faster; f32: the same boxes on every engine"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:0 (ultralytics engine)")
    threads: int = Field(0, ge=0, le=256, description="threads per inference; 0: cores / concurrency")
    pipeline: Pipeline = Field(
        Pipeline.SPLIT,
        description="split: a queue per kind of step; fused: one worker does all steps of a photo at once "
        "(`obscura serve` sets fused)",
    )
    concurrency: int = Field(0, ge=0, le=256, description="processes of a worker; 0: one per core")

    profile: PhotoProfile = Field(
        PhotoProfile.DEFAULT,
        description="which photos are taken: default, or panorama (100 MiB, 100 Mpx, side 32768) where the "
        "limits below are not set themselves",
    )
    tagger: TaggerChoice = Field(
        TaggerChoice.NONE, description="who says what a photo shows: none, clarifai or onnx"
    )
    tagger_timeout_s: float = Field(
        10.0, gt=0, le=300, description="seconds that the tagger has for an answer"
    )
    tagger_model: Path | None = Field(None, description="onnx tagger: the classifier")
    tagger_labels: Path | None = Field(None, description="onnx tagger: its labels, one a line")
    tag_min_score: float = Field(0.0, ge=0, le=1, description="least score of a tag that counts")
    tag_synonyms: Path | None = Field(
        None, description="file with words that mean the same: a group a line, commas between"
    )
    clarifai_pat: SecretStr | None = Field(None, description="clarifai tagger: personal access token")
    clarifai_base: str = Field("https://api.clarifai.com", description="clarifai tagger: address")
    clarifai_user: str = Field("clarifai", description="clarifai tagger: owner of the model")
    clarifai_app: str = Field("main", description="clarifai tagger: app of the model")
    clarifai_model: str = Field("general-image-recognition", description="clarifai tagger: model")

    max_upload_mb: int = Field(25, ge=1, le=4096, description="largest photo accepted, MiB")
    max_pixels: int = Field(50_000_000, ge=1, description="largest photo accepted, pixels")
    max_side: int = Field(16_384, ge=1, description="longest side accepted, pixels")
    max_frames: int = Field(200, ge=1, description="most frames or pages, where `frames=all` is asked for")
    max_scans: int = Field(64, ge=1, description="most scans of a progressive JPEG")
    medical_max_upload_mb: int = Field(100, ge=1, le=4096, description="largest mammogram accepted, MiB")
    medical_max_body_mb: int = Field(
        400, ge=1, le=65_536, description="largest body of several mammograms accepted, MiB"
    )
    medical_max_pixels: int = Field(120_000_000, ge=1, description="largest mammogram accepted, pixels")
    decode_cpu_s: float = Field(20.0, gt=0, description="processor seconds that opening a photo may take")
    decode_memory_mb: int = Field(
        0,
        ge=0,
        description="memory that opening a photo may take, MiB; 0: 256 and 32 bytes for every pixel allowed",
    )
    decode_kill_s: float = Field(
        30.0, ge=0, description="seconds after which a worker that still opens a photo is killed; 0: never"
    )
    video_max_upload_mb: int = Field(1024, ge=1, le=65_536, description="largest video accepted, MiB")
    video_max_s: int = Field(3600, ge=1, description="longest video accepted, seconds")
    video_max_frames: int = Field(216_000, ge=1, description="most pictures of a video")
    video_max_pixels: int = Field(17_000_000, ge=1, description="largest picture of a video, pixels")
    video_upload_timeout_s: float = Field(
        1800.0, gt=0, description="seconds in which the body with a video must have arrived"
    )
    video_queue_limit: int = Field(50, ge=1, description="unfinished videos at which new ones get a 503")
    video_limit_s: int = Field(7200, ge=1, description="seconds that the work on a video may take")
    video_stall_s: float = Field(
        120.0, gt=0, description="seconds without a finished picture after which a video is given up"
    )
    video_memory_mb: int = Field(
        4096, ge=256, description="memory that the process working on a video may take, MiB"
    )
    video_dir: Path | None = Field(
        None, description="folder of videos in work; unset: the system's own for temporary files"
    )
    queue_limit: int = Field(1000, ge=1, description="unfinished jobs at which new ones get a 503")
    bulk_queue_limit: int = Field(5000, ge=1, description="the same for jobs with `priority=bulk`")

    max_cells: int = Field(5, ge=1, le=64, description="policy floor: most mosaic cells per object")
    max_keep_share: float = Field(
        0.25, ge=0, le=1, description="largest share of a photo that `keep` zones may cover"
    )
    min_grow: float = Field(1.0, ge=1.0, le=3.0, description="policy floor: least growth of a box")
    max_min_confidence: float = Field(
        0.9, gt=0.0, le=1.0, description="policy floor: highest confidence threshold a request may set"
    )

    unspliceable: Unspliceable = Field(
        Unspliceable.RECODE,
        description="a JPEG that cannot be redacted in place: `recode` it with a warning, or `refuse` it",
    )
    residual_check: Literal["quick", "full", "off"] = Field(
        "quick",
        description="how every finished picture is searched for what is not hidden, which makes it "
        "`needs_review`: `quick` (the proposal network), `full` (the detectors once more) or `off`; "
        "a request may ask for more",
    )
    review: bool = Field(
        True, description="the older name of `residual_check`: `False` is `OBSCURA_RESIDUAL_CHECK=off`"
    )

    manifest_key: SecretStr | None = Field(
        None,
        description="signs the manifest of every redacted picture: `hmac:<hex>` or `ed25519:<hex seed>`; "
        "unset: manifests are not signed",
    )

    content_credentials: bool = Field(
        False,
        description="write signed Content Credentials (C2PA) into every finished picture; needs the extra "
        "`c2pa`, a certificate and its key",
    )
    c2pa_certificate: str | None = Field(
        None,
        description="certificate chain (PEM, the signer's first) of Content Credentials; best as "
        "`OBSCURA_C2PA_CERTIFICATE_FILE`, which names a file",
    )
    c2pa_key: SecretStr | None = Field(
        None,
        description="private key (PEM, PKCS #8) of that certificate; best as `OBSCURA_C2PA_KEY_FILE`, which "
        "names a file",
    )

    result_ttl_s: int = Field(3600, ge=1, description="seconds that results are kept")
    zero_retention: bool = Field(
        False, description="answer every photo in its own request and keep nothing after it, for all callers"
    )
    max_retain_s: int = Field(900, ge=0, description="longest `retain` of a detected photo's original")
    lease_s: int = Field(100, ge=1, description="seconds after which a silent worker loses its step")
    max_attempts: int = Field(3, ge=1, le=20, description="starts of one step before the job fails")
    sweep_interval_s: float = Field(
        60.0, gt=0, description="seconds between two searches for orphans in the storage"
    )
    audit_file: Path | None = Field(
        None, description="the audit log; unset: `audit.jsonl` beside the folder of photos"
    )
    audit_key: SecretStr | None = Field(
        None, description="secret that chains the audit log by HMAC; unset: by plain SHA-256"
    )
    heartbeat_dir: Path | None = Field(
        None,
        description="folder in which a worker touches the files `ready` and `consuming` every few "
        "seconds, for health checks of containers; unset: none",
    )
    reaper_interval_s: float = Field(15.0, gt=0, description="seconds between two rounds of the reaper")
    soft_limit_s: int = Field(60, ge=1, description="seconds after which a step is told to stop")
    hard_limit_s: int = Field(90, ge=1, description="seconds after which its process is killed")

    bocashi_wait_s: float = Field(1.0, ge=0, description="bocashi dialect: seconds per wait (-w)")
    bocashi_retries: int = Field(10, ge=0, description="bocashi dialect: waits before status 2 (-r)")
    bocashi_slots: int = Field(1, ge=1, description="bocashi dialect: requests worked on at once")

    api_keys: ApiKeys = Field(
        ApiKeys.AUTO, description="auto: asked for where other machines can reach the gateway; on; off"
    )
    published_on: str = Field(
        "",
        description="address that the gateway's port is published on, where it is not the one listened on "
        "(containers); decides on `auto`",
    )
    allowed_hosts: str = Field(
        "", description="host names that requests may name, comma-separated; see docs/access.md"
    )
    cors_origins: str = Field(
        "",
        description="origins of web pages that may use this server, comma-separated; unset: none",
    )
    rate_limit: str = Field("3000/minute", pattern=RATE, description="requests of one API key; `0`: no limit")
    address_rate_limit: str | None = Field(
        None,
        pattern=RATE,
        description="requests of one address; unset: 6000/minute where keys are asked for, else no limit",
    )
    trusted_proxies: str = Field(
        "", description="addresses of proxies whose X-Forwarded-For is believed, comma-separated; unset: none"
    )
    hsts_s: int = Field(
        0, ge=0, description="seconds of Strict-Transport-Security; 0: the header is not sent"
    )

    upload_dir: Path | None = Field(
        None, description="folder of uploads that are still arriving, best a tmpfs; unset: the system's own"
    )
    upload_timeout_s: float = Field(120.0, gt=0, description="seconds in which a body must have arrived")
    upload_idle_s: float = Field(15.0, gt=0, description="seconds without a byte that end an upload")
    max_batch_mb: int = Field(512, ge=1, le=65_536, description="largest body of a POST to /batches, MiB")
    max_batch_files: int = Field(500, ge=1, le=10_000, description="most photos of one batch")
    max_form_files: int = Field(16, ge=1, description="most files of one form")
    max_form_fields: int = Field(64, ge=1, description="most other fields of one form")

    database_url: SecretStr | None = Field(
        None,
        description="photo verification: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`; "
        "unset: the file `.obscura/verification.db`",
    )
    time_zone: str = Field(
        "Asia/Seoul", description="photo verification: zone of a challenge's days and hours"
    )
    verification_timeout_s: float = Field(
        30.0, gt=0, le=300, description="photo verification: longest wait of a caller"
    )
    verification_strictness: Literal["lenient", "normal", "strict"] = Field(
        "normal", description="photo verification: how much proof that two photos show the same thing"
    )
    verification_url_hosts: str = Field(
        "",
        description="photo verification: hosts (`host` or `host:port`, commas between) whose pictures may be "
        "named as `url`, and private networks (`10.0.0.0/8`) that those hosts may lie in",
    )
    verification_replay: bool = Field(
        False,
        description="photo verification: refuse a photo that was sent before, or is the standard itself",
    )

    webhook_hosts: str = Field(
        "",
        description="hosts (`host`, `host:port`, `http://host`; commas between) that may be told of the end "
        "of tasks, and private networks (`10.0.0.0/8`) that those may lie in; unset: none",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="what webhooks are signed with: `whsec_<base64>`; while it is replaced, the new and the "
        "old one with a space between",
    )
    webhook_timeout_s: float = Field(
        10.0, gt=0, le=60, description="seconds that a receiver has for an answer"
    )
    webhook_first_pause_s: float = Field(
        5.0, gt=0, description="seconds to the second attempt, about; each pause is four times the one before"
    )
    webhook_retry_s: int = Field(86_400, ge=0, description="seconds in which a webhook is tried again")
    public_url: str | None = Field(
        None, description="address under which callers reach the gateway; unset: links in webhooks are paths"
    )

    docs: bool = Field(True, description="serve /docs and /openapi.json")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line"
    )
    log_format: LogFormat = Field(
        LogFormat.JSON, description="log lines as json (an object a line) or text (for people)"
    )
    trace_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]",
        description="collector of traces (OTLP over HTTP): `http://HOST:4318`; unset: none",
    )
    trace_file: Path | None = Field(
        None, description="file that traces are appended to, a JSON object for each span; unset: none"
    )
    trace_share: float = Field(
        1.0, ge=0, le=1, description="share of requests that are traced, where traces are on"
    )

    @model_validator(mode="before")
    @classmethod
    def _limits_of_profile(cls, values: Any) -> Any:  # noqa: ANN401 - whatever the sources hold
        """Take the limits of the profile where they are not set themselves."""
        name = values.get("profile", PhotoProfile.DEFAULT)
        limits = PROFILES.get(name, {})
        return {**limits, **values}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        *sources: PydanticBaseSettingsSource,
        **named: Any,  # noqa: ANN401
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look into named files as well."""
        return (*sources, *named.values(), FileSource(settings_cls))

    @property
    def host_names(self) -> frozenset[str]:
        """Names of ``allowed_hosts``, in lower case."""
        return _items(self.allowed_hosts.lower())

    @property
    def cors_origin_names(self) -> frozenset[str]:
        """Origins of ``cors_origins``, as browsers write them."""
        return frozenset(item.rstrip("/") for item in _items(self.cors_origins.lower()))

    @property
    def least_residual_check(self) -> Literal["quick", "full", "off"]:
        """The residual check of a request that asks for none, and the least that one may ask for."""
        return self.residual_check if self.review else "off"

    @property
    def max_upload_bytes(self) -> int:
        """Largest photo accepted, in bytes."""
        return self.max_upload_mb * 1024 * 1024

    @property
    def video_max_upload_bytes(self) -> int:
        """Largest video accepted, in bytes."""
        return self.video_max_upload_mb * 1024 * 1024

    @property
    def medical_max_upload_bytes(self) -> int:
        """Largest mammogram accepted, in bytes."""
        return self.medical_max_upload_mb * 1024 * 1024

    @property
    def medical_max_body_bytes(self) -> int:
        """Largest body of several mammograms accepted, in bytes."""
        return self.medical_max_body_mb * 1024 * 1024

    @property
    def audit_path(self) -> Path:
        """Where the audit log is."""
        return self.audit_file or self.storage_dir.parent / "audit.jsonl"

    @property
    def audit_secret(self) -> bytes:
        """The key of the audit log's chain; empty where there is none."""
        return self.audit_key.get_secret_value().encode() if self.audit_key else b""


def _items(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(",") if item.strip())


def default_data_dir(port: int) -> Path:
    """Return a folder for the data of the system on ``port``: two systems never share one."""
    base = os.environ.get("OBSCURA_DATA_DIR")
    if base:
        return Path(base) / str(port)
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "obscura" / str(port)
