"""Connections to SQLite or PostgreSQL by URL; tables are created and migrated before first use."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from obscura.errors import DatabaseUnavailableError, InvalidOptionError
from obscura.settings import Settings

__all__ = ["ClashError", "Database"]

DEFAULT_URL = "sqlite:///.obscura/verification.db"
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
# Key of the PostgreSQL advisory lock; any number that all processes share.
MIGRATION_LOCK = 0x0B5C0BA
CONNECT_S = 3
PATIENCE_S = 10.0
THREAD_S = 0.1


class ClashError(DatabaseUnavailableError):
    """Another transaction wrote the same row first; a second attempt will find that row."""


def _url_of(settings: Settings) -> URL:
    """Return the URL of the settings with its asyncio driver; raise InvalidOptionError."""
    given = DEFAULT_URL if settings.database_url is None else settings.database_url.get_secret_value()
    try:
        url = make_url(given)
    except ArgumentError as error:
        message = "OBSCURA_DATABASE_URL is not a database URL"
        raise InvalidOptionError(message) from error
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        message = "OBSCURA_DATABASE_URL must begin with sqlite:// or postgresql://"
        raise InvalidOptionError(message)
    return url.set(drivername=driver)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        message = "another process wrote the same row"
        raise ClashError(message) from error
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        message = "the database is unavailable"
        raise DatabaseUnavailableError(message) from error


def _prepare_sqlite(engine: AsyncEngine) -> None:
    # The driver would begin transactions late, and none for schema changes. BEGIN IMMEDIATE takes the write
    # lock at once, so that a second writer waits instead of failing later.
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own object
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


class Database:
    """The database. Every method raises DatabaseUnavailableError if it cannot be used.

    A connection lives for one transaction, so that any event loop may use the object, and a restarted
    database is found again at once.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = _url_of(settings)
        self._is_sqlite = self.url.get_backend_name() == "sqlite"
        self._is_ready = False
        options = {} if self._is_sqlite else {"connect_timeout": CONNECT_S}
        self._engine = create_async_engine(
            self.url, poolclass=NullPool, connect_args=options, hide_parameters=True
        )
        if self._is_sqlite:
            _prepare_sqlite(self._engine)

    async def upgrade(self) -> None:
        """Create the tables, or migrate them to this release."""
        async with self._guarded(), asyncio.timeout(6 * PATIENCE_S):
            if self._is_sqlite and self.url.database:
                Path(self.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            async with self._engine.begin() as connection:
                if not self._is_sqlite:
                    # One process at a time; the lock ends with the transaction.
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                await connection.run_sync(_upgrade)
        self._is_ready = True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Provide a session in a transaction: committed after the block, rolled back on exceptions."""
        if not self._is_ready:
            await self.upgrade()
        async with (
            self._guarded(),
            asyncio.timeout(PATIENCE_S),
            AsyncSession(self._engine) as session,
            session.begin(),
        ):
            yield session

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            with _translated():
                yield
        except DatabaseUnavailableError:
            # The database may come back without tables.
            self._is_ready = False
            if self._is_sqlite:
                # aiosqlite does not wait for the thread of a connection that failed to open. The thread still
                # uses the event loop, which is about to close.
                await asyncio.sleep(THREAD_S)
            raise
