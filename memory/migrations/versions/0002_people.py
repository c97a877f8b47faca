"""People, their keys and sessions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('people',
    sa.Column('name', sa.String(length=None), nullable=False),
    sa.Column('role', sa.String(length=None), nullable=False),
    sa.Column('password_hash', sa.String(length=None), nullable=True),
    sa.Column('order_limit', sa.String(length=40), nullable=True),
    sa.Column('day_limit', sa.String(length=40), nullable=True),
    sa.Column('created_by', sa.String(length=None), nullable=False),
    sa.Column('created_wall', sa.String(length=32), nullable=False),
    sa.Column('disabled_by', sa.String(length=None), nullable=True),
    sa.Column('disabled_wall', sa.String(length=32), nullable=True),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('api_keys',
    sa.Column('id', sa.String(length=None), nullable=False),
    sa.Column('person', sa.String(length=None), nullable=False),
    sa.Column('secret_sha256', sa.String(length=None), nullable=False),
    sa.Column('scopes', sa.Text(), nullable=False),
    sa.Column('created_by', sa.String(length=None), nullable=False),
    sa.Column('created_wall', sa.String(length=32), nullable=False),
    sa.Column('revoked_by', sa.String(length=None), nullable=True),
    sa.Column('revoked_wall', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['person'], ['people.name'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('api_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_keys_person'), ['person'], unique=False)

    op.create_table('login_sessions',
    sa.Column('id', sa.String(length=None), nullable=False),
    sa.Column('token_sha256', sa.String(length=None), nullable=False),
    sa.Column('person', sa.String(length=None), nullable=False),
    sa.Column('address', sa.String(length=None), nullable=True),
    sa.Column('created_wall', sa.String(length=32), nullable=False),
    sa.Column('seen_wall', sa.String(length=32), nullable=False),
    sa.Column('ended_wall', sa.String(length=32), nullable=True),
    sa.Column('ended_why', sa.String(length=None), nullable=True),
    sa.ForeignKeyConstraint(['person'], ['people.name'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('token_sha256')
    )
    with op.batch_alter_table('login_sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_login_sessions_person'), ['person'], unique=False)

    op.create_table('login_attempts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name_key', sa.String(length=None), nullable=False),
    sa.Column('address', sa.String(length=None), nullable=False),
    sa.Column('at_wall', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('login_attempts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_login_attempts_address'), ['address'], unique=False)
        batch_op.create_index(batch_op.f('ix_login_attempts_name_key'), ['name_key'], unique=False)

    op.create_table('bootstrap_tokens',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('token_sha256', sa.String(length=None), nullable=False),
    sa.Column('status', sa.String(length=None), nullable=False),
    sa.Column('created_wall', sa.String(length=32), nullable=False),
    sa.Column('expires_wall', sa.String(length=32), nullable=False),
    sa.Column('used_by', sa.String(length=None), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('token_sha256')
    )
    with op.batch_alter_table('bootstrap_tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bootstrap_tokens_status'), ['status'], unique=False)


def downgrade() -> None:
    op.drop_table('bootstrap_tokens')
    op.drop_table('login_attempts')
    op.drop_table('login_sessions')
    op.drop_table('api_keys')
    op.drop_table('people')
