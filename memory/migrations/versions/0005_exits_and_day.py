"""Reasons of stops, occasions of unattended exits, looks at the venue and signed days"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('positions', sa.Column('stop_why', sa.String(length=None), nullable=True))
    op.add_column('cases', sa.Column('occasion', sa.String(length=None), nullable=True))
    op.create_table('venue_facts',
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('seen_wall', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('run_id')
    )
    op.create_table('sign_offs',
    sa.Column('run_id', sa.String(length=None), nullable=False),
    sa.Column('session', sa.Date(), nullable=False),
    sa.Column('moment', sa.String(length=None), nullable=False),
    sa.Column('principal', sa.String(length=None), nullable=False),
    sa.Column('role', sa.String(length=None), nullable=False),
    sa.Column('checks_sha256', sa.String(length=None), nullable=False),
    sa.Column('failed', sa.Text(), nullable=False),
    sa.Column('reason_code', sa.String(length=None), nullable=True),
    sa.Column('note', sa.String(length=None), nullable=False),
    sa.Column('ledger_seq', sa.Integer(), nullable=False),
    sa.Column('session_id', sa.String(length=None), nullable=True),
    sa.Column('address', sa.String(length=None), nullable=True),
    sa.Column('signed_wall', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('run_id', 'session', 'moment')
    )


def downgrade() -> None:
    op.drop_table('sign_offs')
    op.drop_table('venue_facts')
    op.drop_column('cases', 'occasion')
    op.drop_column('positions', 'stop_why')
