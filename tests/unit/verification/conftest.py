"""Databases of both kinds, empty and with tables."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from obscura.settings import Settings
from photo_verification_service.database import Database

if TYPE_CHECKING:
    from tests.databases import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/rows/verification.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def database(database_url: str) -> Database:
    """Return a database with its tables."""
    made = Database(Settings(database_url=SecretStr(database_url)))
    asyncio.run(made.upgrade())
    return made
