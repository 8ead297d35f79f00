"""The serving commands: `sampan serve`, `sampan predict`, `sampan endpoints …`. They are clients of the API."""

import typer

from sampan.components.serving.cli.acts import Acts
from sampan.components.serving.cli.looks import Looks
from sampan.components.serving.cli.origins import Origins
from sampan.components.serving.cli.predict import Predict
from sampan.components.serving.cli.serve import ServeCommand
from sampan.console.frame import Platform

__all__ = ["register"]

_PANEL = "Serving"


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds all of them to the command line."""
    app.command("serve", rich_help_panel=_PANEL)(ServeCommand(platform).serve)
    app.command("predict", rich_help_panel=_PANEL)(Predict(platform).predict)
    group = typer.Typer(
        no_args_is_help=True, help="Look after endpoints: their state, logs, traffic, revisions."
    )
    looks, acts = Looks(platform), Acts(platform)
    group.command("list")(looks.list_endpoints)
    for command in (
        *(looks.get, looks.revisions, looks.logs, looks.events, Origins(platform).lineage),
        *(acts.traffic, acts.promote, acts.rollback, acts.scale, acts.stop, acts.start, acts.delete),
    ):
        group.command(command.__name__)(command)
    app.add_typer(group, name="endpoints", rich_help_panel=_PANEL)
