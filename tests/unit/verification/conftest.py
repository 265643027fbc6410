"""Databases of both kinds, empty and with tables."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from obscura.settings import Settings
from photo_verification_service.database import Database
from tests.databases import PostgresServer, find_postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Start a PostgreSQL server of these tests' own, where one is installed."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (initdb, pg_ctl)")
    server = PostgresServer(programs, tmp_path_factory.mktemp("pg"))
    server.start()
    yield server
    server.stop()


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
