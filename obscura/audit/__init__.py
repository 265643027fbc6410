"""The audit log: the outcome of every job without names or picture data, chained by hashes."""

from obscura.audit.chain import Head, Record, verify
from obscura.audit.file import AuditFile, read_head

__all__ = ["AuditFile", "Head", "Record", "read_head", "verify"]
