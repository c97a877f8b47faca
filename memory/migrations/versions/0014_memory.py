"""What is remembered has a subject, an outcome, a regime, a taint and an end; near-duplicates know each other"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('memories', schema=None) as batch_op:
        batch_op.add_column(sa.Column('subject', sa.String(), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column('outcome', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('regime', sa.String(), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column('taint', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('superseded_index', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('cluster', sa.String(), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column('encoder', sa.String(), nullable=False, server_default=sa.text("''")))
        batch_op.create_index('ix_memories_shelf', ['run_id', 'kind', 'strategy', 'known_index'], unique=False)
        batch_op.create_index(batch_op.f('ix_memories_cluster'), ['cluster'], unique=False)
    # Until now only cases were remembered, each under its own id.
    # The one encoder that there was has this fingerprint; another one makes the vectors anew.
    op.execute("UPDATE memories SET subject = id, cluster = id, encoder = '8199be6f699a395f'")
    op.execute(
        'UPDATE memories SET outcome = (SELECT max(disposition) FROM outcomes WHERE outcomes.case_id = memories.id)'
    )


def downgrade() -> None:
    with op.batch_alter_table('memories', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_memories_cluster'))
        batch_op.drop_index('ix_memories_shelf')
        for name in ('encoder', 'cluster', 'superseded_index', 'taint', 'regime', 'outcome', 'subject'):
            batch_op.drop_column(name)
