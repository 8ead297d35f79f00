"""Pipelines, whole: what came after the first release. Not released yet, so it still grows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Each kind of thing that is stored has a function of its own below."""
    _measured_artifacts()


def _measured_artifacts() -> None:
    """What artifacts' files are, who wrote them, and below which folder a run's lie."""
    text: dict[str, Any] = {"nullable": False, "server_default": ""}
    number: dict[str, Any] = {"nullable": False, "server_default": "0"}
    op.add_column("kfp_artifacts", sa.Column("digest", sa.String(64), **text))
    op.add_column("kfp_artifacts", sa.Column("size_bytes", sa.BigInteger, **number))
    op.add_column("kfp_artifacts", sa.Column("file_count", sa.BigInteger, **number))
    op.add_column("kfp_artifacts", sa.Column("mark", sa.String(128), **text))
    op.add_column("kfp_artifacts", sa.Column("producer_run_id", sa.String(64), **text))
    op.create_index("kfp_artifacts_by_producer", "kfp_artifacts", ["producer_run_id"])
    op.add_column("kfp_runs", sa.Column("artifact_root", sa.Text, **text))
