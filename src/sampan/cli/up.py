"""`sampan up`: start the platform and say, calmly, where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sampan.app import server
from sampan.app.home import AlreadyRunningError, HomeError
from sampan.cli.options import HomeOption, SettingsOption, fail, home_folder, load_settings
from sampan.store.database import StorageError


def up(  # noqa: PLR0913  a command has as many options as it has
    home: HomeOption = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one. \\[default: 8080]")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. \\[default: 127.0.0.1]")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Work on the cluster of this kubeconfig, in place of the embedded one; `in-cluster` inside a pod.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig. \\[default: its current one]")
    ] = None,
    s3: Annotated[
        bool | None,
        typer.Option(
            "--s3", help="Keep artifacts in an S3 of its own. Needs sampan\\[s3].", show_default=False
        ),
    ] = None,
    file: SettingsOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Start the platform, all in this one process; or, with --kubeconfig, on a cluster that there is.

    Ctrl-C stops it and the pods it runs; runs that were under way go on with the next `sampan up`.
    """
    console = Console(quiet=quiet, highlight=False)
    given = {
        "server.port": port,
        "server.host": host,
        "cluster.kubeconfig": None if kubeconfig is None else _file(kubeconfig),
        "cluster.context": context,
        "artifacts.embedded_s3": s3,
    }
    overrides: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        server.serve(
            load_settings(home, file, overrides),
            on_ready=lambda ready: _print_ready(console, ready),
            on_stopping=lambda: console.print("\nStopping …"),
        )
    except AlreadyRunningError as error:
        raise fail(f"{error}. Stop it with Ctrl-C where it runs, or use another --home") from error
    except (HomeError, server.StartError, StorageError) as error:
        raise fail(str(error)) from error
    console.print(f"Stopped. Everything is kept in {home_folder(home)}")


def _file(kubeconfig: Path) -> str:
    return str(kubeconfig) if str(kubeconfig) == "in-cluster" else str(kubeconfig.expanduser().absolute())


def _print_ready(console: Console, ready: server.Ready) -> None:
    console.print(f"[bold]Sampan is ready[/] [dim]after {ready.seconds:.1f} s[/]\n")
    rows = [
        ("Open", ready.url),
        ("Pipelines", f'kfp.Client(host="{ready.url}")'),
        ("Kubernetes", f"export KUBECONFIG={ready.kubeconfig}"),
        ("Home", ready.home),
    ]
    if ready.s3:
        rows.append(("Artifacts", f"{ready.s3}, in the home's S3"))
    if ready.cluster:
        rows.insert(2, ("Cluster", ready.cluster))
    for name, text in rows:
        console.print(f"  {name:<11} {text}", soft_wrap=True)
    console.print("\nCtrl-C stops it.")
