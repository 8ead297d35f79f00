"""The pipelines' commands: `sampan run`, `runs`, `logs`, `stop`. They talk to a server over REST only."""

from sampan.components.pipelines.cli.commands import Platform, register

__all__ = ["Platform", "register"]
