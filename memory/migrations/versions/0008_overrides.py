"""Blocks of soft controls that somebody asked to be let past"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'overrides',
        sa.Column('case_id', sa.String(), nullable=False),
        sa.Column('run_id', sa.String(), nullable=False),
        sa.Column('controls', sa.Text(), nullable=False),
        sa.Column('principal', sa.String(), nullable=False),
        sa.Column('reason', sa.String(), nullable=False),
        sa.Column('asked_wall', sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint('case_id'),
    )
    op.create_index('ix_overrides_run_id', 'overrides', ['run_id'])


def downgrade() -> None:
    op.drop_table('overrides')
