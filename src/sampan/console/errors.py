"""An error as one sentence. Imported by `sampan up` too: light."""

from __future__ import annotations


def say_error(message: str) -> None:
    # Not before there is an error: a server loads this module.
    from rich.console import Console  # noqa: PLC0415  the import budget

    console = Console(stderr=True, highlight=False)
    console.print("[bold red]error:[/] ", end="")
    console.print(message, soft_wrap=True, markup=False)
