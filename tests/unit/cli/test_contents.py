"""`sampan --help` without the commands says what they say themselves."""

from __future__ import annotations

from typer.testing import CliRunner

from sampan.cli.main import build


def test_help_is_that_of_the_commands() -> None:
    listed = CliRunner().invoke(build(None), ["--help"])
    loaded = CliRunner().invoke(build("a name that nobody knows"), ["--help"])
    assert loaded.exit_code == 0
    assert " endpoints " in loaded.output
    assert listed.output == loaded.output


def test_version() -> None:
    done = CliRunner().invoke(build(None), ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith("sampan ")
