"""Answers from a job record: JSON, downloads, server-sent events."""
