"""``obscura audit``: verify the audit log."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from obscura.audit import Head, read_head, verify
from obscura.errors import AuditBrokenError, InvalidOptionError, ServiceError
from obscura.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The audit log: what became of every job.")
HEAD_PARTS = 3

File = Annotated[Path | None, typer.Argument(help="the log (default: OBSCURA_AUDIT_FILE)")]
Expect = Annotated[
    str, typer.Option(help="a head that was noted earlier; the log has to hold it: CHAIN:NUMBER:HASH")
]


@app.callback()
def _group() -> None:
    """Group the commands of the audit log."""


@app.command("verify")
def verify_log(file: File = None, expect: Expect = "") -> None:
    """Check that no record was changed, removed or added, and print the head to be noted elsewhere.

    Records cut off the end are missed only against something outside the file: --expect, or the ledger of
    OBSCURA_REDIS_URL.
    """
    settings = Settings()
    path = file or settings.audit_path
    last = read_head(path)
    if last is None:
        message = f"there is no audit log at {path}"
        raise AuditBrokenError(message)
    anchor = _parsed(expect) if expect else _in_job_store(settings, last.chain)
    with path.open("rb") as lines:
        head = verify(lines, settings.audit_secret, anchor=anchor)
    against = "a head noted earlier" if expect else "the ledger"
    note = f"compared with {against}" if anchor else "not compared with anything outside the file"
    sys.stdout.write(f"{head.n + 1} records in place, {note}\n{head}\n")


def _parsed(text: str) -> Head:
    parts = text.split(":")
    if len(parts) != HEAD_PARTS or not parts[1].isdecimal():
        message = "--expect is not CHAIN:NUMBER:HASH"
        raise InvalidOptionError(message)
    return Head(parts[0], int(parts[1]), parts[2])


def _in_job_store(settings: Settings, chain: str) -> Head | None:
    """Return the head that the ledger knows of, where a ledger is named and answers."""
    from obscura.jobs import JobStore
    from obscura.jobs.audit_writer import HEADS

    if "redis_url" not in settings.model_fields_set:
        return None
    job_store = JobStore(settings)
    try:
        known = job_store.field(HEADS, chain)
    except ServiceError:
        return None
    finally:
        job_store.close()
    return None if known is None else _parsed(known)
