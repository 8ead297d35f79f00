"""`sampan up`: start the platform and say, calmly, where things are."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sampan.app import server
from sampan.app.home import AlreadyRunningError, HomeError
from sampan.cli.options import HomeOption, SettingsOption, fail, home_folder, load_settings
from sampan.lib import threads
from sampan.store.database import StorageError

_LAST_SECONDS = 1.0
"""What a download takes to hear that nobody wants it any more."""


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
            on_ready=_unheard if quiet else _print_ready,
            on_stopping=_unheard if quiet else _print_stopping,
        )
    except AlreadyRunningError as error:
        raise fail(f"{error}. Stop it with Ctrl-C where it runs, or use another --home") from error
    except (HomeError, server.StartError, StorageError) as error:
        raise fail(str(error)) from error
    if not quiet:
        typer.echo(f"Stopped. Everything is kept in {home_folder(home)}")
    if not threads.have_ended(_LAST_SECONDS):
        # In the midst of a call to a store that says nothing. It may come back while Python ends, which not every
        # library survives; what is fetched is fetched anew, and what counts is on disk.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _file(kubeconfig: Path) -> str:
    return str(kubeconfig) if str(kubeconfig) == "in-cluster" else str(kubeconfig.expanduser().absolute())


def _unheard(*_args: object) -> None:
    pass


# Without rich, which is 3 MiB of a server and some of its start.
def _print_ready(ready: server.Ready) -> None:
    after = typer.style(f"after {ready.seconds:.1f} s", dim=True)
    # None: as the output can show it.
    styled = False if os.environ.get("TERM") in ("dumb", "unknown") else None
    typer.echo(f"{typer.style('Sampan is ready', bold=True)} {after}\n", color=styled)
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
        typer.echo(f"  {name:<11} {text}")
    typer.echo("\nCtrl-C stops it.")


def _print_stopping() -> None:
    typer.echo("\nStopping …")
