"""Run Alembic on the connection and transaction that the caller hands in."""

from alembic import context

from photo_verification_service.database.models import Base

VERSION_TABLE = "obscura_alembic_version"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # The database may be an app's own, with migrations of its own.
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
