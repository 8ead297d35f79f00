"""Pipelines, whole: what came after the first release. Not released yet, so it still grows."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Each kind of thing that is stored has a function of its own below."""
