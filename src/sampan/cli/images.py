"""`sampan images`: which images are known, and what one would become here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sampan.app import machine
from sampan.cli.options import HomeOption, SettingsOption, fail, load_settings


def images(
    image: Annotated[
        str | None, typer.Argument(metavar="IMAGE", help="An image, such as pytorch/pytorch:2.4.0.")
    ] = None,
    home: HomeOption = None,
    file: SettingsOption = None,
) -> None:
    """List the images that become environments, or say what IMAGE would become here."""
    console = Console(highlight=False)
    settings = load_settings(home, file)
    try:
        if image:
            _explain(console, machine.explain_image(settings, image))
        else:
            _list(console, machine.list_images(settings))
    except machine.MachineError as error:
        raise fail(str(error)) from error


def _list(console: Console, entries: list[machine.ImageLine]) -> None:
    table = Table("image", "becomes", "", box=None, pad_edge=False, header_style="bold", show_edge=False)
    for entry in entries:
        table.add_row(entry.pattern, entry.becomes, "" if entry.built_in else "[dim]yours[/]")
    console.print(table)
    console.print("\n`sampan images IMAGE` says more about one; docs/images.md how to add your own.")


def _explain(console: Console, answer: machine.ImageAnswer) -> None:
    rows = [
        ("becomes", answer.becomes),
        ("packages", ", ".join(answer.packages)),
        ("built", answer.built),
        ("because of", answer.because_of),
        *(("note", note) for note in answer.notes),
    ]
    for name, text in rows:
        if text:
            console.print(f"  {name:<11} {text}", soft_wrap=True, markup=False)
