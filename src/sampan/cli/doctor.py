"""`sampan doctor`: what this machine can and cannot do, with the remedy."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from sampan.app import machine, repair
from sampan.app.home import HomeError
from sampan.app.settings import Settings
from sampan.cli.options import HomeOption, SettingsOption, fail, load_settings

_MARKS = {True: "[green]✓[/]", False: "[yellow]![/]", None: "[dim]-[/]"}


def doctor(
    home: HomeOption = None,
    file: SettingsOption = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Repair a damaged database. The server must not run.")
    ] = False,
) -> None:
    """Say what this machine can and cannot do, whether the database is sound, and what to change."""
    console = Console(highlight=False)
    settings = load_settings(home, file)
    if mend:
        _repair(console, settings)
        return
    probes = machine.probe(settings)
    width = max(len(probe.name) for probe in probes)
    for probe in probes:
        console.print(f"  {_MARKS[probe.ok]} {probe.name:<{width}}  {probe.detail}", soft_wrap=True)
        if probe.remedy:
            console.print(f"    {'':<{width}}  [dim]{probe.remedy}[/]", soft_wrap=True)
    missing = sum(probe.ok is False for probe in probes)
    console.print()
    if missing:
        console.print(f"{missing} of {len(probes)} could be better; see above.")
        raise typer.Exit(1)
    console.print("All is well.")


def _repair(console: Console, settings: Settings) -> None:
    try:
        done = repair.repair(settings)
    except (repair.RepairError, HomeError) as error:
        raise fail(str(error)) from error
    for line in done or ["The database is sound: nothing to repair."]:
        console.print(line, soft_wrap=True)
