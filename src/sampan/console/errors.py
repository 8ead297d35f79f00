"""An error as one sentence. Imported by `sampan up` too: light."""

from __future__ import annotations

from rich.console import Console


def say_error(message: str) -> None:
    console = Console(stderr=True, highlight=False)
    console.print("[bold red]error:[/] ", end="")
    console.print(message, soft_wrap=True, markup=False)
