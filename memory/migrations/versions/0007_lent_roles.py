"""In whose name a person answered or edited"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('decisions', 'edits'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('on_behalf_of', sa.String(length=None), nullable=True))


def downgrade() -> None:
    for table in ('edits', 'decisions'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('on_behalf_of')
