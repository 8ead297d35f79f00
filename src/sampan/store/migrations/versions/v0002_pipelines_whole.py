"""Pipelines, whole: what came after the first release. Not released yet, so it still grows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Each kind of thing that is stored has a function of its own below."""
    _failure()
    _clients_records()


def _failure() -> None:
    """Resumed and paused runs, and tasks that are decided anew."""
    op.add_column("kfp_tasks", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("kfp_tasks", sa.Column("former", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("kfp_runs", sa.Column("resumed_from", sa.String(64), nullable=False, server_default=""))
    op.add_column(
        "kfp_runs", sa.Column("pause_on_failure", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("kfp_runs_by_source", "kfp_runs", ["resumed_from"])


def _clients_records() -> None:
    """What clients report and record: metrics, tasks, and the version that v1 takes of a pipeline."""
    op.add_column(
        "kfp_pipelines", sa.Column("default_version_id", sa.String(64), nullable=False, server_default="")
    )
    op.create_table(
        "kfp_run_metrics",
        sa.Column(
            "run_id", sa.String(64), sa.ForeignKey("kfp_runs.run_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("node_id", sa.String(128), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("number_value", sa.Float, nullable=False),
        sa.Column("format", sa.String(16), nullable=False, server_default="UNSPECIFIED"),
    )
    op.add_column("kfp_tasks", sa.Column("recorded", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("kfp_tasks", sa.Column("custom_properties", sa.Text, nullable=False, server_default="{}"))
