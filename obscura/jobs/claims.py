"""What calls of the job ledger give back: a job entered, a step claimed, a step ended."""

from dataclasses import dataclass

from obscura.contract import Step
from obscura.jobs.records import JobRecord

__all__ = ["Claimed", "Completed", "Created", "Lease"]


@dataclass(frozen=True)
class Created:
    """Outcome of entering a job: ``is_new`` is false where an Idempotency-Key named an earlier one.

    ``fingerprint`` is that of what was asked for, where a key came with it.
    """

    job_id: str
    is_new: bool
    fingerprint: str = ""


@dataclass(frozen=True)
class Lease:
    """The right to end a step: whoever holds the token of its last claim."""

    job_id: str
    step: Step
    token: str


@dataclass(frozen=True)
class Claimed:
    """A step that now belongs to the caller until its lease ends.

    ``released`` and ``began`` are seconds since 1970 by the server's clock: when the step could be begun, and
    when this try began; 0 where the row does not say.
    """

    record: JobRecord
    step: Step
    token: str
    released: float = 0.0
    began: float = 0.0

    @property
    def result_key(self) -> str:
        """Where the step stores its result; the token keeps apart what two tries leave behind."""
        return f"results/{self.record.id}.{self.token}"

    @property
    def lease(self) -> Lease:
        """The right to end the step."""
        return Lease(self.record.id, self.step, self.token)


@dataclass(frozen=True)
class Completed:
    """Outcome of ending a step; ``accepted`` is false where the lease was lost to somebody else."""

    accepted: bool
    finished: bool = False
    next_steps: tuple[Step, ...] = ()
