"""`sampan tune script.py --param …` as short for `sampan tune run --param … script.py`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

_HELP = ("-h", "--help")


class TuneGroup(TyperGroup):
    """Whatever is no command of its own is a script, or an option of `run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in _HELP:
            args = ["run", *args]
        return super().parse_args(ctx, args)
