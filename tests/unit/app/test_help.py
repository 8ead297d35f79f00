"""What `--help` says of every command: that nothing of it is swallowed, and that all name things alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.text import Text

from sampan.cli import main


def commands() -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, Any]] = [("sampan", typer.main.get_command(main.build(None)))]
    while waiting:
        name, command = waiting.pop()
        yield name, command
        waiting += [(f"{name} {word}", each) for word, each in getattr(command, "commands", {}).items()]


ALL = sorted(commands(), key=lambda each: each[0])


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_help_is_shown_as_it_is_written(name: str, command: Any) -> None:
    for param in command.params:
        said = param.help or ""
        # What stands in brackets is markup to rich, and vanishes.
        assert Text.from_markup(said).plain == said.replace("\\[", "["), (name, param.name)
        if "[default:" in said:
            assert not (param.show_default and param.default not in (None, "", [], ())), (name, param.name)
        if param.param_type_name == "argument":
            assert param.metavar, (name, param.name)
            assert param.metavar == param.metavar.upper(), (name, param.name)
    # A line that is broken in its paragraph stays broken, at whatever width.
    for paragraph in (command.help or "").split("\n\n")[1:]:
        assert "\n" not in paragraph.strip() or "\b" in paragraph, (name, paragraph)
