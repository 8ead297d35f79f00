"""The commands that the serving component brings."""

from __future__ import annotations

import typer

from sampan.cli.server import LocalPlatform
from sampan.components.serving.cli import register


def add(app: typer.Typer) -> None:
    register(app, LocalPlatform())
