"""Notifications, views and planted cases"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('canaries',
    sa.Column('id', sa.String(length=None), nullable=False),
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('cycle_index', sa.Integer(), nullable=False),
    sa.Column('flaw', sa.String(length=None), nullable=True),
    sa.Column('pick', sa.Integer(), nullable=False),
    sa.Column('salt', sa.String(length=None), nullable=False),
    sa.Column('commitment', sa.String(length=None), nullable=False),
    sa.Column('status', sa.String(length=None), nullable=False),
    sa.Column('case_id', sa.String(length=None), nullable=True),
    sa.Column('principal', sa.String(length=None), nullable=True),
    sa.Column('revealed', sa.Boolean(), nullable=False),
    sa.Column('committed_wall', sa.String(length=32), nullable=False),
    sa.Column('closed_wall', sa.String(length=32), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('case_id'),
    sa.UniqueConstraint('run_id', 'cycle_index')
    )
    with op.batch_alter_table('canaries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_canaries_principal'), ['principal'], unique=False)
        batch_op.create_index(batch_op.f('ix_canaries_run_id'), ['run_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_canaries_status'), ['status'], unique=False)

    op.create_table('notifications',
    sa.Column('id', sa.String(length=None), nullable=False),
    sa.Column('event', sa.String(length=None), nullable=False),
    sa.Column('subject_id', sa.String(length=None), nullable=False),
    sa.Column('target', sa.String(length=None), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('status', sa.String(length=None), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('claim', sa.String(length=None), nullable=True),
    sa.Column('last_error', sa.String(length=None), nullable=True),
    sa.Column('next_attempt_wall', sa.String(length=32), nullable=False),
    sa.Column('created_wall', sa.String(length=32), nullable=False),
    sa.Column('closed_wall', sa.String(length=32), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('notifications', schema=None) as batch_op:
        batch_op.create_index('due_notifications', ['status', 'next_attempt_wall'], unique=False)
        batch_op.create_index(batch_op.f('ix_notifications_event'), ['event'], unique=False)
        batch_op.create_index(batch_op.f('ix_notifications_subject_id'), ['subject_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_notifications_target'), ['target'], unique=False)

    op.create_table('views',
    sa.Column('approval_id', sa.String(length=None), nullable=False),
    sa.Column('principal', sa.String(length=None), nullable=False),
    sa.Column('case_id', sa.String(length=None), nullable=False),
    sa.Column('views', sa.Integer(), nullable=False),
    sa.Column('seconds', sa.Float(), nullable=False),
    sa.Column('evidence_opened', sa.Boolean(), nullable=False),
    sa.Column('first_wall', sa.String(length=32), nullable=False),
    sa.Column('last_wall', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('approval_id', 'principal')
    )
    with op.batch_alter_table('views', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_views_case_id'), ['case_id'], unique=False)


def downgrade() -> None:
    op.drop_table('views')
    op.drop_table('notifications')
    op.drop_table('canaries')
