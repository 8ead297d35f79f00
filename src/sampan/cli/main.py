"""The command `sampan`: a table of commands, each loaded when it is called.

Importing everything would cost every `sampan up` and `sampan runs` the time of all the others. Help without a command's
name has the commands' words from `contents`.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from sampan import __version__
from sampan.cli.contents import CONTENTS

# Command: (module, function).
_PLATFORM = {
    "up": ("sampan.cli.up", "up"),
    "doctor": ("sampan.cli.doctor", "doctor"),
    "images": ("sampan.cli.images", "images"),
}
_COMPONENTS = {
    "sampan.cli.pipelines": (
        *("run", "runs", "debug", "logs", "stop", "cache", "du", "gc"),
        *("schedules", "triggers", "notify"),
    ),
    "sampan.cli.training": ("train",),
    "sampan.cli.tuning": ("tune",),
    "sampan.cli.serving": ("serve", "predict", "endpoints"),
}


def build(wanted: str | None) -> typer.Typer:
    """The command line with the command `wanted` only; with all of them for a name nobody knows; with their words
    where none is named."""
    app = typer.Typer(
        name="sampan",
        help="A whole Kubeflow on your machine: no cluster, no containers, one command.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    known = {*_PLATFORM, *(name for names in _COMPONENTS.values() for name in names)}
    if wanted is None:
        return _listed(app)
    chosen = {wanted} if wanted in known else known
    for name, (module, function) in _PLATFORM.items():
        if name in chosen:
            app.command(name, rich_help_panel="Platform")(getattr(import_module(module), function))
    for module, names in _COMPONENTS.items():
        if chosen.intersection(names):
            import_module(module).add(app)
    return app


def _listed(app: typer.Typer) -> typer.Typer:
    for panel, commands in CONTENTS.items():
        for name, words in commands.items():
            app.command(name, help=words, rich_help_panel=panel)(_not_called)
    return app


def _not_called() -> None:
    raise AssertionError("a command that is named is loaded")


def main() -> NoReturn:
    """The entry point. Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    wanted = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    try:
        # What is loaded stays: to look for what of it is garbage is a tenth of a command's time.
        gc.disable()
        command = build(wanted)
        gc.freeze()
        gc.enable()
        command()
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _version(value: bool) -> None:
    if value:
        print(f"sampan {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
