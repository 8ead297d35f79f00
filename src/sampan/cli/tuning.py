"""The commands that the tuning component brings."""

from __future__ import annotations

import typer

from sampan.app.trial_templates import template
from sampan.cli.server import LocalPlatform
from sampan.components.tuning.cli import register


def add(app: typer.Typer) -> None:
    register(app, LocalPlatform(), template)
