"""The pipelines' commands: `sampan run`, `runs`, `logs`, `stop`. They talk to a server over REST only."""

from sampan.components.pipelines.cli.commands import register
from sampan.components.pipelines.cli.frame import Platform

__all__ = ["Platform", "register"]
