"""The pipelines' commands: `sampan run`, `runs` and those below it, `logs`, `stop`, `schedules`, `triggers`, `notify`,
`cache`, `du`, `gc`. They talk REST."""

import typer

from sampan.components.pipelines.cli import (
    commands,
    debug,
    log_commands,
    notify,
    schedules,
    triggers,
    upkeep,
)
from sampan.components.pipelines.cli.frame import Platform

__all__ = ["Platform", "register"]


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds all of them to the command line."""
    commands.register(app, platform)
    debug.register(app, platform)
    log_commands.register(app, platform)
    schedules.register(app, platform)
    triggers.register(app, platform)
    notify.register(app, platform)
    upkeep.register(app, platform)
