"""Photos belong to the API key that sent them; two keys may use the same participation or name.

What is there already gets the empty owner: that of requests without keys, and of the key in
``OBSCURA_VERIFICATION_OWNER``. An administrator may assign it to any key (``obscura challenges assign``).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OWNER = sa.String(64)
STANDARDS, NAMED, FACTS = "auth_standard_img", "named_standard_img", "photo_facts"
# The name that a constraint without one gets, so that it can be dropped: the app's own table may have such.
NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
UNIQUE = "uq_auth_standard_img_participation_id"


def _let_participations_share_an_id() -> None:
    """Drop whatever keeps two owners from having a standard photo of the same participation."""
    inspector = sa.inspect(op.get_bind())
    mine = ["participation_id"]
    constraints = [
        item["name"] or UNIQUE
        for item in inspector.get_unique_constraints(STANDARDS)
        if item["column_names"] == mine
    ]
    indexes = [
        str(item["name"])
        for item in inspector.get_indexes(STANDARDS)
        if item["unique"] and item["column_names"] == mine and "duplicates_constraint" not in item
    ]
    for name in indexes:
        op.drop_index(name, STANDARDS)
    if constraints:
        with op.batch_alter_table(STANDARDS, naming_convention=NAMES) as table:
            for name in constraints:
                table.drop_constraint(name, type_="unique")
    op.create_index("ix_auth_standard_img_participation_id", STANDARDS, mine, if_not_exists=True)


def upgrade() -> None:
    """Add owners."""
    _let_participations_share_an_id()
    op.add_column(FACTS, sa.Column("owner", OWNER, server_default="", nullable=False))
    op.create_index("ix_photo_facts_owner", FACTS, ["owner"])
    with op.batch_alter_table(NAMED) as table:
        table.add_column(sa.Column("owner", OWNER, server_default="", nullable=False))
        table.drop_constraint("pk_named_standard_img", type_="primary")
        table.create_primary_key("pk_named_standard_img", ["owner", "name"])


def downgrade() -> None:
    """Take owners away; fails where two keys use the same participation or name."""
    with op.batch_alter_table(NAMED) as table:
        table.drop_constraint("pk_named_standard_img", type_="primary")
        table.create_primary_key("pk_named_standard_img", ["name"])
        table.drop_column("owner")
    op.drop_index("ix_photo_facts_owner", FACTS)
    with op.batch_alter_table(FACTS) as table:
        table.drop_column("owner")
    op.drop_index("ix_auth_standard_img_participation_id", STANDARDS)
    with op.batch_alter_table(STANDARDS) as table:
        table.create_unique_constraint(UNIQUE, ["participation_id"])
