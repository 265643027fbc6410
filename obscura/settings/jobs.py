"""Jobs: the job store, queues, leases, workers, the bocashi API."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract.messages import Pipeline


class JobsSettings(BaseModel):
    """Jobs: the job store, queues, leases, workers, the bocashi API."""

    model_config = ConfigDict(frozen=True)

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Valkey or Redis: broker and job store")
    pipeline: Pipeline = Field(
        Pipeline.SPLIT,
        description="split: a queue per kind of step; fused: one worker does all steps of a photo "
        "(`obscura serve` sets fused)",
    )
    concurrency: int = Field(0, ge=0, le=256, description="processes of a worker; 0: one per core")
    queue_limit: int = Field(
        1000, ge=1, description="most unfinished jobs; further ones are answered with 503"
    )
    bulk_queue_limit: int = Field(5000, ge=1, description="most unfinished jobs with `priority=bulk`")
    lease_s: int = Field(
        100, ge=1, description="seconds without a heartbeat after which a worker loses its step"
    )
    max_attempts: int = Field(3, ge=1, le=20, description="attempts of a step before the job fails")
    log_rewrite_s: float = Field(
        300.0,
        ge=0,
        description="seconds between rewrites of Valkey's append-only file, which contains erased records "
        "until then; 0: never",
    )
    heartbeat_dir: Path | None = Field(
        None,
        description="folder in which a worker touches the files `ready` and `consuming` every few "
        "seconds, for health checks of containers; unset: none",
    )
    reaper_interval_s: float = Field(15.0, gt=0, description="seconds between runs of the lease reaper")
    soft_limit_s: int = Field(
        60, ge=1, description="soft time limit of a step, seconds: it may still report a failure"
    )
    hard_limit_s: int = Field(
        90, ge=1, description="hard time limit of a step, seconds: its process is killed"
    )
    bocashi_wait_s: float = Field(1.0, ge=0, description="bocashi API: seconds per wait (-w)")
    bocashi_retries: int = Field(10, ge=0, description="bocashi API: waits before status 2 (-r)")
    bocashi_slots: int = Field(1, ge=1, description="bocashi API: requests in work at once")
