"""Halts that end, what a position needs to be closed without market data"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('halts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('run_id', sa.String(length=None), nullable=True))
        batch_op.add_column(sa.Column('engaged_index', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('ends_index', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('ends_wall', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('cause', sa.String(length=None), nullable=True))
        batch_op.add_column(sa.Column('detail', sa.String(length=None), nullable=True))
        batch_op.add_column(sa.Column('asked_release', sa.Text(), nullable=True))

    with op.batch_alter_table('positions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('atr', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('adv_shares', sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('positions', schema=None) as batch_op:
        for name in ('adv_shares', 'atr'):
            batch_op.drop_column(name)
    with op.batch_alter_table('halts', schema=None) as batch_op:
        for name in ('asked_release', 'detail', 'cause', 'ends_wall', 'ends_index', 'engaged_index', 'run_id'):
            batch_op.drop_column(name)
