"""The audit log: what became of every job, without names and without bytes of photos, chained by hashes."""

from obscura.audit.chain import Head, Record, verify
from obscura.audit.file import AuditFile, read_head

__all__ = ["AuditFile", "Head", "Record", "read_head", "verify"]
