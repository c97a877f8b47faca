"""Parents with a budget, breaks between two books, the last reconciliation, amended executions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('parents',
    sa.Column('id', sa.String(length=None), nullable=False),
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('case_id', sa.String(length=None), nullable=False),
    sa.Column('grant_id', sa.String(length=None), nullable=False),
    sa.Column('symbol', sa.String(length=None), nullable=False),
    sa.Column('side', sa.String(length=None), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('drawn', sa.Integer(), nullable=False),
    sa.Column('status', sa.String(length=None), nullable=False),
    sa.Column('reason', sa.String(length=None), nullable=True),
    sa.Column('plan', sa.Text(), nullable=True),
    sa.Column('opened', sa.String(length=32), nullable=False),
    sa.CheckConstraint('drawn >= 0 AND drawn <= quantity', name='within_budget'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('grant_id')
    )
    for column in ('case_id', 'run_id'):
        op.create_index(f'ix_parents_{column}', 'parents', [column], unique=False)
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent_id', sa.String(length=None), nullable=True))
        batch_op.create_index('ix_orders_parent_id', ['parent_id'], unique=False)
    op.create_table('breaks',
    sa.Column('id', sa.String(length=None), nullable=False),
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('kind', sa.String(length=None), nullable=False),
    sa.Column('subject', sa.String(length=None), nullable=False),
    sa.Column('occurrence', sa.Integer(), nullable=False),
    sa.Column('symbol', sa.String(length=None), nullable=True),
    sa.Column('status', sa.String(length=None), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('opened', sa.String(length=32), nullable=False),
    sa.Column('opened_wall', sa.String(length=32), nullable=False),
    sa.Column('ended_wall', sa.String(length=32), nullable=True),
    sa.Column('principal', sa.String(length=None), nullable=True),
    sa.Column('reason', sa.String(length=None), nullable=True),
    sa.Column('case_id', sa.String(length=None), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('run_id', 'kind', 'subject', 'occurrence')
    )
    for column in ('run_id', 'status'):
        op.create_index(f'ix_breaks_{column}', 'breaks', [column], unique=False)
    op.create_index(
        'one_open_break', 'breaks', ['run_id', 'kind', 'subject'], unique=True,
        sqlite_where=sa.text("status = 'open'"), postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table('reconciliations',
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('run_id')
    )
    op.create_table('amendments',
    sa.Column('execution_id', sa.String(length=None), nullable=False),
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('message_id', sa.String(length=None), nullable=False),
    sa.Column('kind', sa.String(length=None), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('price', sa.String(length=40), nullable=False),
    sa.Column('at', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('execution_id')
    )
    op.create_index('ix_amendments_run_id', 'amendments', ['run_id'], unique=False)


def downgrade() -> None:
    op.drop_table('amendments')
    op.drop_table('reconciliations')
    op.drop_table('breaks')
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.drop_index('ix_orders_parent_id')
        batch_op.drop_column('parent_id')
    op.drop_table('parents')
