"""`sampan train list`, `get`, `logs`, `events`, `delete`, `suspend`, `resume`, `scale`, `runtimes`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.components.training.api.labels import TRAINER_FRAMEWORK
from sampan.components.training.api.summary import State
from sampan.components.training.cli.frame import JobArgument, reach, told
from sampan.components.training.cli.output import log_text, print_job, print_jobs
from sampan.components.training.sdk.choosing import resource_by_kind
from sampan.components.training.sdk.jobs import summary_of
from sampan.console.frame import (
    INTERRUPTED,
    EverywhereOption,
    FormOption,
    HomeOption,
    NamespaceOption,
    Platform,
    check_form,
    one_of,
)
from sampan.console.printing import local_time, print_as
from sampan.kube import meta


@dataclass(frozen=True)
class Acts:
    """The commands as typer sees them."""

    platform: Platform

    def list_jobs(  # noqa: PLR0913  a command's options
        self,
        kind: Annotated[str, typer.Option(help="Of one kind only.")] = "",
        state: Annotated[str, typer.Option(help="In one state only: running, failed, …")] = "",
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 50,
        everywhere: EverywhereOption = False,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """List training jobs of all kinds, newest first."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            wanted = one_of("--state", state, State)
            with reach(self.platform, home, namespace) as reached:
                place = None if everywhere else reached.namespace
                kinds = (resource_by_kind(kind),) if kind else None
                found = reached.jobs.newest(place, kinds) if kinds else reached.jobs.newest(place)
                found = [each for each in found if wanted in (None, each.state)][:limit]
                session = reached.jobs.session
                print_as(
                    console,
                    form,
                    table=lambda: print_jobs(console, found, namespaces=everywhere),
                    names=lambda: [f"{each.kind.lower()}/{each.name}" for each in found],
                    document=lambda: [
                        {
                            **session.get(resource_by_kind(each.kind), each.name, each.namespace),
                            "kind": each.kind,
                        }
                        for each in found
                    ],
                )

    def get(
        self,
        job: JobArgument,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show a job: its state, its ranks, and what it waits for."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(job)
                found = reached.jobs.get(ref)
                print_as(
                    console,
                    form,
                    table=lambda: print_job(console, found, summary_of(found), reached.jobs.pods(ref)),
                    names=lambda: [f"{ref.kind.lower()}/{ref.name}"],
                    document=lambda: found,
                )

    def logs(  # noqa: PLR0913  a command's options
        self,
        job: JobArgument,
        rank: Annotated[
            list[str] | None, typer.Option("--rank", help="worker-0, or a role: worker. Several times.")
        ] = None,
        follow: Annotated[
            bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
        ] = False,
        tail: Annotated[int | None, typer.Option(min=0, help="The last lines, over all ranks.")] = None,
        since: Annotated[str, typer.Option(help="10m, 2h, or a time as RFC 3339.")] = "",
        previous: Annotated[
            bool, typer.Option("--previous", help="Of each rank the run before its last.")
        ] = False,
        timestamps: Annotated[bool, typer.Option("--timestamps", help="Each line's time before it.")] = False,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show what all ranks print, in the order of time, each in a colour of its own; also when pods are gone."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.jobs.find_with_log(job, reached.namespace)
            width = 0
            try:
                for line in reached.jobs.log(
                    ref, ranks=tuple(rank or ()), follow=follow, tail=tail, since=since, previous=previous
                ):
                    width = max(width, len(line.rank))
                    console.print(log_text(line, width, timestamps=timestamps), soft_wrap=True)
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None

    def events(self, job: JobArgument, namespace: NamespaceOption = "", home: HomeOption = None) -> None:
        """Show what the cluster has told about a job and its pods."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(job)
            found = reached.jobs.events(ref)
            if not found:
                console.print("No events.")
                return
            table = Table(
                "time", "", "about", "reason", "message", box=None, header_style="bold", pad_edge=False
            )
            for each in found:
                about = each.get("involvedObject") or {}
                moment = str(each.get("lastTimestamp") or each.get("eventTime") or "")
                is_warning = each.get("type") == "Warning"
                count = int(each.get("count") or 1)
                table.add_row(
                    f"{datetime.fromisoformat(moment).astimezone():%H:%M:%S}" if moment else "",
                    Text("!" if is_warning else "", "yellow"),
                    Text(f"{str(about.get('kind') or '').lower()}/{about.get('name') or ''}"),
                    Text(str(each.get("reason") or ""), "yellow" if is_warning else ""),
                    Text(str(each.get("message") or "") + (f" (×{count})" if count > 1 else "")),
                )
            console.print(table)

    def delete(
        self,
        jobs: Annotated[list[str], typer.Argument(metavar="JOB", help="Jobs' names.")],
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Delete jobs: their pods end. What they said stays until a job of the name is made again."""
        with told(), reach(self.platform, home, namespace) as reached:
            refs = [reached.find(job) for job in jobs]
            for ref in refs:
                reached.jobs.delete(ref)
                Console(highlight=False).print(f"{ref} deleted", markup=False)

    def suspend(self, job: JobArgument, namespace: NamespaceOption = "", home: HomeOption = None) -> None:
        """Suspend a job: its pods end, the job stays and can go on."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(job)
            reached.jobs.suspend(ref, True)
            Console(highlight=False).print(
                f"{ref} suspended; on again: sampan train resume {ref.name}", markup=False
            )

    def resume(self, job: JobArgument, namespace: NamespaceOption = "", home: HomeOption = None) -> None:
        """Let a suspended job go on."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(job)
            reached.jobs.suspend(ref, False)
            Console(highlight=False).print(
                f"{ref} resumed; watch it: sampan train logs {ref.name} -f", markup=False
            )

    def scale(
        self,
        job: JobArgument,
        nodes: Annotated[int, typer.Argument(metavar="NODES", min=0, help="How many nodes it is to have.")],
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Change how many nodes a job has; an elastic one goes on training meanwhile."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(job)
            reached.jobs.scale(ref, nodes)
            Console(highlight=False).print(f"{ref} scaled to {nodes}", markup=False)

    def runtimes(self, namespace: NamespaceOption = "", home: HomeOption = None) -> None:
        """List the runtimes that TrainJobs can have."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            found = reached.jobs.runtimes(reached.namespace)
            if not found:
                console.print("There are no runtimes: Trainer is not installed in this cluster.")
                return
            table = Table(
                "name", "framework", "nodes", "of", "since", box=None, header_style="bold", pad_edge=False
            )
            for each in sorted(found, key=meta.name):
                nodes = (meta.spec(each).get("mlPolicy") or {}).get("numNodes") or 1
                table.add_row(
                    Text(meta.name(each)),
                    Text(str(meta.labels(each).get(TRAINER_FRAMEWORK) or "")),
                    str(nodes),
                    "the namespace" if meta.namespace(each) else "the cluster",
                    local_time(str(meta.metadata(each).get("creationTimestamp") or "")),
                )
            console.print(table)
