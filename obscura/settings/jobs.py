"""Jobs: the job store, queues, leases, workers, the bocashi API."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract.messages import Pipeline


class JobsSettings(BaseModel):
    """Jobs: the job store, queues, leases, workers, the bocashi API."""

    model_config = ConfigDict(frozen=True)

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Valkey or Redis: broker and job ledger")
    pipeline: Pipeline = Field(
        Pipeline.SPLIT,
        description="split: a queue per kind of step; fused: one worker does all steps of a photo at once "
        "(`obscura serve` sets fused)",
    )
    concurrency: int = Field(0, ge=0, le=256, description="processes of a worker; 0: one per core")
    queue_limit: int = Field(1000, ge=1, description="unfinished jobs at which new ones get a 503")
    bulk_queue_limit: int = Field(5000, ge=1, description="the same for jobs with `priority=bulk`")
    lease_s: int = Field(100, ge=1, description="seconds after which a silent worker loses its step")
    max_attempts: int = Field(3, ge=1, le=20, description="starts of one step before the job fails")
    log_rewrite_s: float = Field(
        300.0,
        ge=0,
        description="seconds between two rewrites of Valkey's append-only file, which until then holds what "
        "was erased; 0: never",
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
