"""The books: all tables of the first version, and triggers that keep the journal final.

Revision ID: 0001
Revises:
"""

from alembic import op

from shebao.ledger.migrations.final import keep_final
from shebao.ledger.schema import metadata
from shebao.ledger.schema_day import exception

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    assert exception.metadata is metadata, "the tables of the day belong to the same description"
    metadata.create_all(op.get_bind())
    op.execute("INSERT INTO pulse (id, beats, imports) VALUES (1, 0, 0)")
    for statement in keep_final(op.get_bind().dialect.name):
        op.execute(statement)
