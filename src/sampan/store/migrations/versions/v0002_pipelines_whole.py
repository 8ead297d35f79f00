"""Pipelines, whole: what came after the first release. Not released yet, so it still grows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Each kind of thing that is stored has a function of its own below."""
    _failure()
    _argo()


def _failure() -> None:
    """Resumed and paused runs, and tasks that are decided anew."""
    op.add_column("kfp_tasks", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("kfp_tasks", sa.Column("former", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("kfp_runs", sa.Column("resumed_from", sa.String(64), nullable=False, server_default=""))
    op.add_column(
        "kfp_runs", sa.Column("pause_on_failure", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("kfp_runs_by_source", "kfp_runs", ["resumed_from"])


def _argo() -> None:
    """Tasks of Argo Workflows say more than those of the IR."""
    op.add_column("kfp_tasks", sa.Column("details", sa.Text, nullable=False, server_default="{}"))
