"""Options that several commands share, and how errors are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sampan.app import settings
from sampan.console.errors import say_error

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="The folder that holds everything. \\[default: $SAMPAN_HOME or ~/.sampan]",
        show_default=False,
    ),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="Settings file. \\[default: settings.toml in the home folder]", show_default=False
    ),
]


def home_folder(home: Path | None) -> Path:
    return home.expanduser().absolute() if home else settings.default_home()


def load_settings(
    home: Path | None, file: Path | None, overrides: dict[str, Any] | None = None
) -> settings.Settings:
    """Raises typer.Exit after saying what is wrong."""
    try:
        return settings.load(home_folder(home), file=file, overrides=overrides)
    except settings.SettingsError as error:
        raise fail(str(error)) from error


def fail(message: str, code: int = 1) -> typer.Exit:
    """Says what is wrong; the caller raises what it gives."""
    say_error(message)
    return typer.Exit(code)
