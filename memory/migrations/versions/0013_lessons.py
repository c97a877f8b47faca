"""Outcomes say what learning reads of them; lessons move by cases and are tried in shadow"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

READ = (
    ('kind', sa.String()), ('horizon_sessions', sa.Integer()), ('excess_return', sa.Float()),
    ('confidence', sa.Float()), ('regime', sa.String()), ('refused_for', sa.String()),
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table('outcomes', schema=None) as batch_op:
        for name, kind in READ:
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    with op.batch_alter_table('lessons', schema=None) as batch_op:
        batch_op.add_column(sa.Column('revision', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('since_index', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('confirmed_index', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('case_id', sa.String(), nullable=True))
    op.create_table(
        'lesson_shadows',
        sa.Column('lesson_id', sa.String(), nullable=False),
        sa.Column('case_id', sa.String(), nullable=False),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('run_id', sa.String(), nullable=False),
        sa.Column('session_index', sa.Integer(), nullable=False),
        sa.Column('verdict', sa.String(), nullable=False),
        sa.Column('factor', sa.String(length=40), nullable=False),
        sa.Column('would_factor', sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint('lesson_id', 'case_id', 'revision'),
    )
    with op.batch_alter_table('lesson_shadows', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lesson_shadows_run_id'), ['run_id'], unique=False)


def downgrade() -> None:
    op.drop_table('lesson_shadows')
    with op.batch_alter_table('lessons', schema=None) as batch_op:
        for name in ('case_id', 'confirmed_index', 'since_index', 'revision'):
            batch_op.drop_column(name)
    with op.batch_alter_table('outcomes', schema=None) as batch_op:
        for name, _ in reversed(READ):
            batch_op.drop_column(name)
