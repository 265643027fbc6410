"""Results of job store commands: job created, step claimed, step completed; and the lease of a claim."""

from dataclasses import dataclass

from obscura.contract import Step
from obscura.jobs.records import JobRecord

__all__ = ["Claimed", "Completed", "Created", "Lease"]


@dataclass(frozen=True)
class Created:
    """Result of creating a job.

    ``is_new`` is false if the Idempotency-Key named an earlier job, whose id it then is. ``fingerprint`` is
    the hash of the request that came with an Idempotency-Key, else empty.
    """

    job_id: str
    is_new: bool
    fingerprint: str = ""


@dataclass(frozen=True)
class Lease:
    """The right to end a step: it belongs to the holder of the token of the step's last claim."""

    job_id: str
    step: Step
    token: str


@dataclass(frozen=True)
class Claimed:
    """A claimed step: it belongs to the caller until its lease expires.

    ``released`` (when the step became ready) and ``began`` (when this attempt was claimed) are seconds since
    1970 by the server's clock; 0 if the record does not hold them.
    """

    record: JobRecord
    step: Step
    token: str
    released: float = 0.0
    began: float = 0.0

    @property
    def result_key(self) -> str:
        """Storage key of the step's result; it contains the token, so that two attempts never share a key."""
        return f"results/{self.record.id}.{self.token}"

    @property
    def lease(self) -> Lease:
        """The right to end the step."""
        return Lease(self.record.id, self.step, self.token)


@dataclass(frozen=True)
class Completed:
    """Result of completing a step.

    ``accepted`` is false if the lease did not hold any more; ``finished`` says that the job has ended;
    ``next_steps`` are the steps that became ready.
    """

    accepted: bool
    finished: bool = False
    next_steps: tuple[Step, ...] = ()
