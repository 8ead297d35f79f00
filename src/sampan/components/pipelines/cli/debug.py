"""`sampan debug`: a shell where a step ran, with its environment, its volumes and its inputs."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sampan.client.http import HttpError
from sampan.components.pipelines.cli.frame import Platform, find_run, told
from sampan.components.pipelines.cli.session import RunArgument, open_runs
from sampan.components.pipelines.cli.terminal import run_in_pod
from sampan.components.pipelines.sdk import DebugPod, Run, Runs
from sampan.console.frame import CommandError, HomeOption
from sampan.kube.errors import ApiError

_POLL_SECONDS = 0.2
_LONGEST_START_SECONDS = 600.0
"""An image may have to be made into an environment first."""
# bash where there is one: it edits lines.
_SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash -i || exec sh -i")


@dataclass(frozen=True)
class DebugCommand:
    platform: Platform

    def debug(  # noqa: PLR0913  a command's options
        self,
        run: RunArgument,
        step: Annotated[str, typer.Argument(metavar="STEP", help="A step's name, or its path in the run.")],
        command: Annotated[
            list[str] | None, typer.Argument(metavar="-- COMMAND", help="In place of a shell.")
        ] = None,
        attempt: Annotated[
            int, typer.Option(min=0, help="Which attempt. \\[default: the last]", show_default=False)
        ] = 0,
        iteration: Annotated[
            str, typer.Option(metavar="I[.J]", help="Which iteration of the loops around.")
        ] = "",
        new: Annotated[bool, typer.Option("--new", help="A pod of its own, though the step runs.")] = False,
        print_: Annotated[
            bool, typer.Option("--print", help="Leave the pod, and print how to enter it with kubectl.")
        ] = False,
        home: HomeOption = None,
    ) -> None:
        """Open a shell where a step ran: same environment, volumes and inputs.

        The step's own command is the file `./step`. What it writes there overwrites nothing.

        A step that still runs is entered itself; else a pod is made, which is removed afterwards.
        """
        console = Console(stderr=True, highlight=False)
        with told(), open_runs(self.platform, home) as (runs, server):
            if server.own and print_:
                raise CommandError("no server is running, so no pod would stay: start one with `sampan up`")
            found = find_run(runs, run)
            pod = runs.open_debug(found.run_id, _path(runs, found, step, iteration), attempt=attempt, new=new)
            if print_:
                _wait(console, runs, pod)
                _print(pod, command or [], server.home / "kubeconfig")
                return
            with _closed(runs, pod):
                _wait(console, runs, pod)
                code = self._enter(console, pod, command or [], home)
        raise typer.Exit(code)

    def _enter(self, console: Console, pod: DebugPod, command: Sequence[str], home: Path | None) -> int:
        is_terminal = not command and sys.stdin.isatty() and sys.stdout.isatty()
        if is_terminal:
            if pod.is_new:
                console.print(f"[dim]{pod.task}: ./step runs it as it was; leave with exit[/]")
            else:
                console.print(f"[dim]{pod.task} is running: this is its own pod; leave with exit[/]")
        place = (pod.namespace, pod.container)
        wanted = command or _SHELL if is_terminal else command or ("sh",)
        try:
            return run_in_pod(self.platform.kubernetes(home), pod.pod, place, wanted, is_terminal=is_terminal)
        except ApiError as error:
            raise CommandError(f"the pod {pod.pod} cannot be entered: {error.message}") from error


def register(app: typer.Typer, platform: Platform) -> None:
    app.command("debug", rich_help_panel="Pipelines")(DebugCommand(platform).debug)


@contextmanager
def _closed(runs: Runs, pod: DebugPod) -> Iterator[None]:
    try:
        yield
    finally:
        try:
            runs.close_debug(pod)
        except HttpError as error:
            if error.status != 404:
                raise


def _wait(console: Console, runs: Runs, pod: DebugPod) -> None:
    """Until the pod runs. Raises CommandError for one that cannot."""
    deadline = time.monotonic() + _LONGEST_START_SECONDS
    with console.status("Starting the step's pod …") as status:
        while True:
            state, why = runs.debug_state(pod)
            if state == "RUNNING":
                return
            if state == "ENDED" or time.monotonic() > deadline:
                raise CommandError(f"the pod for {pod.task} did not start: {why or 'it takes too long'}")
            if why:
                status.update(why)
            time.sleep(_POLL_SECONDS)


def _path(runs: Runs, run: Run, step: str, iteration: str) -> str:
    """The id of the one step that is meant; or the text as it is, for the server to find or refuse."""
    if not iteration:
        return step
    wanted = iteration.split(".")
    for task in runs.tasks(run.run_id):
        parts = task.path.split(".")
        if step in (task.name, parts[-1]) and [part for part in parts if part.isdigit()] == wanted:
            return task.task_id
        if task.iteration is not None and step in (task.name, parts[-2]) and parts[-1:] == wanted[-1:]:
            return task.task_id
    raise CommandError(f"{run.name} has no step {step!r} with the iteration {iteration}")


def _print(pod: DebugPod, command: Sequence[str], kubeconfig: Path) -> None:
    # On a real cluster the user's own kubeconfig leads there.
    options = ["--kubeconfig", str(kubeconfig)] if kubeconfig.exists() else []
    words = pod.kubectl(command or ("sh",))
    print(shlex.join([words[0], *options, *words[1:]]))
    if pod.is_new:
        remove = ["kubectl", *options, "delete", "pod", "-n", pod.namespace, pod.pod]
        print(f"# ./step runs the step. Remove it with: {shlex.join(remove)}", file=sys.stderr)
