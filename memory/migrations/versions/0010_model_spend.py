"""What model calls cost and changed; calls recorded so far are taken over, so that no budget begins anew"""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

USAGE = ('gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens')


def upgrade() -> None:
    spend = op.create_table(
        'model_spend',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('run_id', sa.String(), nullable=False),
        sa.Column('cycle_id', sa.String(), nullable=False),
        sa.Column('call', sa.String(), nullable=False),
        sa.Column('model_id', sa.String(), nullable=False),
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('tokens', sa.Integer(), nullable=False),
        sa.Column('money', sa.String(length=40), nullable=True),
        sa.Column('settled', sa.Boolean(), nullable=False),
        sa.Column('at_wall', sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index('ix_model_spend_run_id', 'model_spend', ['run_id'])
    op.create_index('ix_model_spend_day', 'model_spend', ['day'])
    op.create_table(
        'model_reviews',
        sa.Column('case_id', sa.String(), nullable=False),
        sa.Column('run_id', sa.String(), nullable=False),
        sa.Column('cycle_id', sa.String(), nullable=False),
        sa.Column('framework', sa.String(), nullable=False),
        sa.Column('said', sa.String(), nullable=False),
        sa.Column('said_factor', sa.String(length=40), nullable=False),
        sa.Column('ruled', sa.String(), nullable=False),
        sa.Column('ruled_factor', sa.String(length=40), nullable=False),
        sa.Column('verdict', sa.String(), nullable=False),
        sa.Column('factor', sa.String(length=40), nullable=False),
        sa.Column('abstain_reason', sa.String(), nullable=True),
        sa.Column('agreement', sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint('case_id'),
    )
    op.create_index('ix_model_reviews_run_id', 'model_reviews', ['run_id'])
    op.create_index('ix_model_reviews_cycle_id', 'model_reviews', ['cycle_id'])
    calls = op.get_bind().execute(
        sa.text("SELECT run_id, cycle_id, call, meta, at_wall FROM recordings WHERE kind = 'model' ORDER BY id")
    )
    rows = []
    for run_id, cycle_id, call, meta, at_wall in calls:
        said = json.loads(meta)
        rows.append(
            {
                'run_id': run_id, 'cycle_id': cycle_id, 'call': call, 'settled': True, 'at_wall': at_wall,
                'model_id': str(said.get('gen_ai.request.model', '')), 'money': None,
                'tokens': sum(int(said.get(name) or 0) for name in USAGE),
                'day': datetime.fromisoformat(at_wall).date(),
            }
        )  # fmt: skip
    if rows:
        op.bulk_insert(spend, rows)


def downgrade() -> None:
    op.drop_table('model_reviews')
    op.drop_table('model_spend')
