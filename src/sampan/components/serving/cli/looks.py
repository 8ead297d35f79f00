"""`sampan endpoints list`, `get`, `revisions`, `logs`, `events`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from sampan.components.serving.api.summary import State
from sampan.components.serving.cli import output
from sampan.components.serving.cli.frame import EndpointArgument, Reached, reach, told
from sampan.components.serving.sdk.endpoints import Ref
from sampan.console.frame import (
    INTERRUPTED,
    CommandError,
    EverywhereOption,
    FormOption,
    HomeOption,
    NamespaceOption,
    Platform,
    check_form,
    one_of,
)
from sampan.console.printing import print_as
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError


@dataclass(frozen=True)
class Looks:
    """The commands as typer sees them."""

    platform: Platform

    def list_endpoints(
        self,
        state: Annotated[str, typer.Option(help="In one state only: ready, asleep, failed, …")] = "",
        everywhere: EverywhereOption = False,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """List endpoints, newest first: their state, model format, traffic, pods and URL."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            wanted = one_of("--state", state, State)
            with reach(self.platform, home, namespace) as reached:
                found = reached.endpoints.newest(None if everywhere else reached.namespace)
                found = [each for each in found if wanted in (None, each.state)]
                print_as(
                    console,
                    form,
                    table=lambda: output.print_list(console, found, namespaces=everywhere),
                    names=lambda: [str(Ref.of(each)) for each in found],
                    document=lambda: [reached.endpoints.get(Ref.of(each)) for each in found],
                )

    def get(
        self,
        endpoint: EndpointArgument,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show an endpoint: its state and why, where it answers, its model and its traffic."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(endpoint)
                print_as(
                    console,
                    form,
                    table=lambda: output.print_one(console, reached.endpoints.summary(ref)),
                    names=lambda: [str(ref)],
                    document=lambda: reached.endpoints.get(ref),
                )

    def revisions(
        self,
        endpoint: EndpointArgument,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """List the revisions of an endpoint, newest first: what each serves, and its share of the requests."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            with reach(self.platform, home, namespace) as reached:
                found = reached.endpoints.revisions(reached.find(endpoint))
                print_as(
                    console,
                    form,
                    table=lambda: output.print_revisions(console, found),
                    names=lambda: [each.name for each in found],
                    document=lambda: [{**asdict(each), "tags": list(each.tags)} for each in found],
                )

    def logs(  # noqa: PLR0913  a command's options
        self,
        endpoint: EndpointArgument,
        component: Annotated[
            str,
            typer.Option(help="predictor, transformer or explainer. \\[default: all]", show_default=False),
        ] = "",
        container: Annotated[
            str,
            typer.Option("--container", "-c", help="Such as agent. \\[default: all]", show_default=False),
        ] = "",
        tail: Annotated[
            int, typer.Option(min=0, help="Only so many of the last lines of each; 0 for all.")
        ] = 0,
        follow: Annotated[
            bool, typer.Option("--follow", "-f", help="Go on as they come, of the newest pod.")
        ] = False,
        gone: Annotated[
            bool, typer.Option("--gone", help="First those of pods that are gone, the oldest first.")
        ] = False,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show what the pods of an endpoint have printed, from fetching the model on.

        Where it has no pods at the moment, what the last one has printed.
        """
        console = Console(highlight=False, soft_wrap=True)
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(endpoint)
            found = reached.endpoints.pods(ref, component)
            kept = reached.endpoints.gone(ref, component) if gone or not found else []
            for pod in kept if gone else kept[-1:]:
                _print_kept(console, reached, ref, pod, (container, tail))
            if kept and not found:
                return
            if not found:
                summary = reached.endpoints.summary(ref)
                said = f": {summary.why}" if summary.why else ""
                raise CommandError(
                    f"{ref.name} is {summary.state.lower()} and has no pods at the moment{said}"
                )
            try:
                _print_logs(console, reached, found, (container, tail, follow))
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None

    def events(
        self,
        endpoint: EndpointArgument,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """List what has happened to an endpoint, its revisions and pods, the oldest first."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            with reach(self.platform, home, namespace) as reached:
                found = reached.endpoints.events(reached.find(endpoint))
                print_as(
                    console,
                    form,
                    table=lambda: output.print_events(console, found),
                    names=lambda: [f"event/{meta.name(each)}" for each in found],
                    document=lambda: found,
                )


def _print_kept(console: Console, reached: Reached, ref: Ref, pod: meta.Object, how: tuple[str, int]) -> None:
    container, tail = how
    for run in pod["runs"]:
        if container in ("", run["container"]):
            head = f"{pod['name']} {run['container']}"
            for line in reached.endpoints.gone_log(ref, pod, run, tail):
                console.print(Text.assemble((f"{head}  ", "dim"), Text.from_ansi(line)))


def _print_logs(
    console: Console, reached: Reached, found: list[meta.Object], how: tuple[str, int, bool]
) -> None:
    container, tail, follow = how
    query = {"tailLines": str(tail)} if tail else {}
    known = {str(each["name"]) for pod in found for each in pods.all_containers(pod)}
    if container and container not in known:
        raise CommandError(f"--container {container!r}: its pods have {', '.join(sorted(known))}")
    # Who follows sees one pod, and of it what goes on.
    shown = found[-1:] if follow else found
    for pod in shown:
        names = [str(each["name"]) for each in pods.all_containers(pod)]
        for name in names:
            if container not in ("", name):
                continue
            is_last = follow and name == (container or str(next(iter(pods.containers(pod)))["name"]))
            head = f"{meta.name(pod)} {name}" if len(shown) > 1 else name
            asked = {**query, **({"follow": "true"} if is_last else {})}
            try:
                for line in reached.endpoints.log(pod, name, asked):
                    console.print(Text.assemble((f"{head}  ", "dim"), Text.from_ansi(line)))
            except ApiError as error:
                # Of a container that has not started there is nothing yet.
                console.print(Text.assemble((f"{head}  ", "dim"), (str(error), "yellow")))
