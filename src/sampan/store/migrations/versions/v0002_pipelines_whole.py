"""Pipelines, whole: what came after the first release. Not released yet, so it still grows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Each kind of thing that is stored has a function of its own below."""
    _runs_of_workflow_objects()


def _runs_of_workflow_objects() -> None:
    op.add_column("kfp_runs", sa.Column("workflow", sa.String(253), nullable=False, server_default=""))
