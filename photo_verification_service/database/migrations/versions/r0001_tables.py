"""Create the tables, skipping those that another application sharing the database has created."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _shared_tables() -> None:
    op.create_table(
        "challenge",
        sa.Column("challenge_id", ROW_ID, nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("start_time", sa.Time(), nullable=False),
        sa.Column("end_time", sa.Time(), nullable=False),
        sa.PrimaryKeyConstraint("challenge_id", name="pk_challenge"),
        if_not_exists=True,
    )
    op.create_table(
        "participation",
        sa.Column("participation_id", ROW_ID, nullable=False),
        sa.Column("challenge_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("participation_id", name="pk_participation"),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenge.challenge_id"], name="fk_participation_challenge_id"
        ),
        if_not_exists=True,
    )
    op.create_index("ix_participation_challenge_id", "participation", ["challenge_id"], if_not_exists=True)
    op.create_table(
        "auth_standard_img",
        sa.Column("auth_standard_img_id", ROW_ID, nullable=False),
        sa.Column("participation_id", sa.BigInteger(), nullable=False),
        sa.Column("standard_img", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("auth_standard_img_id", name="pk_auth_standard_img"),
        sa.UniqueConstraint("participation_id", name="uq_auth_standard_img_participation_id"),
        if_not_exists=True,
    )
    op.create_table(
        "feed",
        sa.Column("feed_id", ROW_ID, nullable=False),
        sa.Column("feed_type", sa.String(16), server_default="auth", nullable=False),
        sa.Column("participation_id", sa.BigInteger(), nullable=False),
        sa.Column("created_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("feed_img", sa.Text(), nullable=False),
        sa.Column("feed_content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("feed_id", name="pk_feed"),
        sa.UniqueConstraint("feed_img", name="uq_feed_feed_img"),
        if_not_exists=True,
    )
    op.create_index("ix_feed_participation_id", "feed", ["participation_id"], if_not_exists=True)


def _own_tables() -> None:
    op.create_table(
        "named_standard_img",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("standard_img", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_named_standard_img"),
    )
    op.create_table(
        "photo_facts",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("participation_id", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("url", name="pk_photo_facts"),
    )
    op.create_index("ix_photo_facts_participation_id", "photo_facts", ["participation_id"])
    op.create_table(
        "pending_object",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("doomed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_pending_object"),
    )
    op.create_index("ix_pending_object_expires", "pending_object", ["expires"])


def upgrade() -> None:
    """Make them."""
    _shared_tables()
    _own_tables()


def downgrade() -> None:
    """Remove them, with everything in them."""
    for name in (
        "pending_object",
        "photo_facts",
        "named_standard_img",
        "feed",
        "auth_standard_img",
        "participation",
        "challenge",
    ):
        op.drop_table(name)
