"""`sampan doctor`: what this machine can and cannot do, with the remedy."""

from __future__ import annotations

import typer
from rich.console import Console

from sampan.app import machine
from sampan.cli.options import HomeOption, SettingsOption, load_settings

_MARKS = {True: "[green]✓[/]", False: "[yellow]![/]", None: "[dim]-[/]"}


def doctor(home: HomeOption = None, file: SettingsOption = None) -> None:
    """Say what this machine can and cannot do, and what to change."""
    console = Console(highlight=False)
    probes = machine.probe(load_settings(home, file))
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
