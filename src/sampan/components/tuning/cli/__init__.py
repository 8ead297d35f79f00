"""The tuning commands: `sampan tune run script.py`, and those beside it. They are clients of the API and of `rest`."""

import typer

from sampan.components.tuning.cli.acts import Acts
from sampan.components.tuning.cli.figures import Figures
from sampan.components.tuning.cli.group import TuneGroup
from sampan.components.tuning.cli.run import Run
from sampan.components.tuning.sdk.tune import Templates
from sampan.console.frame import Platform

__all__ = ["register"]


def register(app: typer.Typer, platform: Platform, templates: Templates) -> None:
    """Adds all of them to the command line."""
    group = typer.Typer(
        cls=TuneGroup,
        no_args_is_help=True,
        help="Search for the best parameters of a script (sampan tune run script.py), and look after experiments.",
    )
    # What stands behind the script is the script's.
    group.command("run", context_settings={"allow_interspersed_args": False})(Run(platform, templates).run)
    acts, figures = Acts(platform), Figures(platform)
    group.command("list")(acts.list_experiments)
    for command in (
        *(acts.create, acts.get, acts.watch, acts.trials),
        *(figures.best, figures.logs, figures.curve, figures.importance),
        *(acts.edit, acts.stop, acts.resume, acts.delete),
    ):
        group.command(command.__name__)(command)
    app.add_typer(group, name="tune", rich_help_panel="Tuning")
