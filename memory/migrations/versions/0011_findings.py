"""Findings stand over sessions, are acknowledged and silenced; facts of health have a history"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

WATCHED = (
    'data_old', 'data_quality', 'drawdown', 'concentration', 'abstentions', 'degraded', 'over_limit', 'passive_breach',
    'unprotected', 'rubber_stamp',
)  # fmt: skip
"""Codes that the next look finds again if the trouble still stands; the rows of earlier sessions end here."""


def upgrade() -> None:
    with op.batch_alter_table('findings', schema=None) as batch_op:
        batch_op.add_column(sa.Column('key', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('worst', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('first_as_of', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('times_seen', sa.Integer(), nullable=False, server_default='1'))
        batch_op.add_column(sa.Column('cleared_as_of', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('acknowledged_reason', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('acknowledged_wall', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('silenced_by', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('silenced_reason', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('silenced_until_wall', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('silenced_until_index', sa.Integer(), nullable=True))
        batch_op.create_index('ix_findings_key', ['key'])
    op.execute('UPDATE findings SET first_as_of = as_of, worst = severity')
    codes = ', '.join(f"'{code}'" for code in WATCHED)
    op.execute(f'UPDATE findings SET cleared_as_of = as_of WHERE code IN ({codes})')
    op.create_table(
        'health',
        sa.Column('run_id', sa.String(), nullable=False),
        sa.Column('session_index', sa.Integer(), nullable=False),
        sa.Column('component', sa.String(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('session', sa.Date(), nullable=False),
        sa.Column('value', sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint('run_id', 'session_index', 'component', 'name'),
    )


def downgrade() -> None:
    op.drop_table('health')
    with op.batch_alter_table('findings', schema=None) as batch_op:
        batch_op.drop_index('ix_findings_key')
        for column in (
            'silenced_until_index', 'silenced_until_wall', 'silenced_reason', 'silenced_by', 'acknowledged_wall',
            'acknowledged_reason', 'cleared_as_of', 'times_seen', 'first_as_of', 'worst', 'key',
        ):  # fmt: skip
            batch_op.drop_column(column)
