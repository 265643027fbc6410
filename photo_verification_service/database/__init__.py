"""The database of photo verification: models, migrations, SQLite and PostgreSQL."""

from photo_verification_service.database.administration import Administration
from photo_verification_service.database.engine import Database
from photo_verification_service.database.entries import (
    Entry,
    FeedEntry,
    NamedEntry,
    StandardEntry,
    StoredPhoto,
)
from photo_verification_service.database.records import LostError, Records, UncertainError

__all__ = [
    "Administration",
    "Database",
    "Entry",
    "FeedEntry",
    "LostError",
    "NamedEntry",
    "Records",
    "StandardEntry",
    "StoredPhoto",
    "UncertainError",
]
