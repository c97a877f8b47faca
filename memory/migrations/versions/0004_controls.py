"""What controls count: losses in a row, and executions of a strategy without a person"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('strategies',
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('name', sa.String(length=None), nullable=False),
    sa.Column('executions', sa.Integer(), nullable=False),
    sa.Column('enabled_by', sa.String(length=None), nullable=False),
    sa.Column('reason', sa.String(length=None), nullable=False),
    sa.Column('enabled_wall', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('run_id', 'name')
    )
    op.create_table('breaches',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('control', sa.String(length=None), nullable=False),
    sa.Column('subject', sa.String(length=None), nullable=False),
    sa.Column('since_index', sa.Integer(), nullable=False),
    sa.Column('ended_index', sa.Integer(), nullable=True),
    sa.Column('overdue', sa.Boolean(), nullable=False),
    sa.Column('value', sa.String(length=40), nullable=False),
    sa.Column('limit', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('breaches', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_breaches_run_id'), ['run_id'], unique=False)

    with op.batch_alter_table('runs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('loss_streak', sa.Integer(), nullable=False, server_default='0'))
    with op.batch_alter_table('positions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('opened_realised', sa.String(length=40), nullable=False, server_default='0'))


def downgrade() -> None:
    with op.batch_alter_table('positions', schema=None) as batch_op:
        batch_op.drop_column('opened_realised')
    with op.batch_alter_table('runs', schema=None) as batch_op:
        batch_op.drop_column('loss_streak')
    op.drop_table('breaches')
    op.drop_table('strategies')
