"""The training commands: `sampan train script.py`, and those below it. They are clients of the API and of `rest`."""

import typer

from sampan.components.training.cli.acts import Acts
from sampan.components.training.cli.group import TrainGroup
from sampan.components.training.cli.submit import Submit
from sampan.components.training.cli.usage import Usage
from sampan.console.frame import Platform

__all__ = ["Platform", "register"]


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds all of them to the command line."""
    group = typer.Typer(
        cls=TrainGroup,
        no_args_is_help=True,
        help="Run a script as a distributed training job (sampan train script.py), and look after jobs.",
    )
    # What stands behind the script is the script's.
    group.command("run", context_settings={"allow_interspersed_args": False})(Submit(platform).run)
    acts = Acts(platform)
    group.command("list")(acts.list_jobs)
    for command in (
        *(acts.get, acts.logs, acts.events, acts.delete),
        *(acts.suspend, acts.resume, acts.scale, acts.runtimes),
    ):
        group.command(command.__name__)(command)
    group.command("top")(Usage(platform).top)
    app.add_typer(group, name="train", rich_help_panel="Training")
