"""The pipelines' commands: `sampan run`, `runs` and those below it, `logs`, `stop`. They talk REST to a server."""

from sampan.components.pipelines.cli.commands import register
from sampan.components.pipelines.cli.session import Platform

__all__ = ["Platform", "register"]
