"""Submitting photos and videos: validation, storage, job record and message."""
