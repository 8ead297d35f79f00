"""`sampan up`: start the platform and say, calmly, where things are."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from sampan.app import server
from sampan.app.home import AlreadyRunningError, HomeError
from sampan.cli.options import HomeOption, SettingsOption, fail, home_folder, load_settings
from sampan.store.database import StorageError, StorageFullError


def up(
    home: HomeOption = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one. [default: 8080]")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    file: SettingsOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Start the platform: Kubernetes API, pipelines, node agent, in this one process.

    Ctrl-C stops it and the pods it runs; runs that were under way go on with the next `sampan up`.
    """
    console = Console(quiet=quiet, highlight=False)
    overrides: dict[str, Any] = {}
    if port is not None:
        overrides["server.port"] = port
    if host is not None:
        overrides["server.host"] = host
    try:
        server.serve(
            load_settings(home, file, overrides),
            on_ready=lambda ready: _print_ready(console, ready),
            on_stopping=lambda: console.print("\nStopping …"),
        )
    except AlreadyRunningError as error:
        raise fail(f"{error}. Stop it with Ctrl-C where it runs, or use another --home") from error
    except (HomeError, server.StartError, StorageError, StorageFullError) as error:
        raise fail(str(error)) from error
    console.print(f"Stopped. Everything is kept in {home_folder(home)}")


def _print_ready(console: Console, ready: server.Ready) -> None:
    console.print(f"[bold]Sampan is ready[/] [dim]after {ready.seconds:.1f} s[/]\n")
    rows = [
        ("Open", ready.url),
        ("Pipelines", f'kfp.Client(host="{ready.url}")'),
        ("Kubernetes", f"export KUBECONFIG={ready.kubeconfig}"),
        ("Home", ready.home),
    ]
    for name, text in rows:
        console.print(f"  {name:<11} {text}", soft_wrap=True)
    console.print("\nCtrl-C stops it.")
