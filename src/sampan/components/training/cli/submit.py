"""`sampan train script.py`: a script as a job with N nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from sampan.components.training.cli.following import start_following
from sampan.components.training.cli.frame import Reached, reach, told
from sampan.components.training.sdk import objects, plan
from sampan.components.training.sdk.choosing import Wishes, choose
from sampan.components.training.sdk.plan import Mount, Plan, Resources
from sampan.console.frame import CommandError, HomeOption, NamespaceOption, Platform
from sampan.console.printing import print_document
from sampan.sent.sources import Sources, collect

_WORK_PATH = "/workspace/mounted"


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line says, checked as far as it can be without a cluster."""

    script: Path
    arguments: tuple[str, ...]
    wishes: Wishes
    include: tuple[Path, ...]
    mount: Path | None
    output: str
    name: str
    resources: Resources
    packages: tuple[str, ...]
    env: dict[str, str]
    processes: int | None
    deadline_seconds: int | None
    service_account: str


@dataclass(frozen=True)
class Submit:
    """The command as typer sees it."""

    platform: Platform

    def run(  # noqa: PLR0913  a command's options
        self,
        context: typer.Context,
        script: Annotated[
            Path,
            typer.Argument(metavar="SCRIPT", help="Python to run on every node; what follows is for it."),
        ],
        arguments: Annotated[
            list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Arguments of the script.")
        ] = None,
        nodes: Annotated[
            int, typer.Option("--nodes", "-n", min=1, max=1000, help="Pods that train together.")
        ] = 1,
        nproc: Annotated[
            int | None, typer.Option("--nproc", min=1, max=1000, help="Processes on each node.")
        ] = None,
        kind: Annotated[
            str,
            typer.Option(help="The kind of job: trainjob, pytorchjob, tfjob, … \\[default: by the imports]"),
        ] = "",
        runtime: Annotated[
            str, typer.Option(help="The TrainJob's runtime, as `sampan train runtimes` lists them.")
        ] = "",
        image: Annotated[str, typer.Option(help="\\[default: the runtime's, or the framework's]")] = "",
        package: Annotated[
            list[str] | None, typer.Option("--package", "-p", help="To install before; several times.")
        ] = None,
        requirements: Annotated[
            Path | None, typer.Option("--requirements", "-r", help="A requirements file, installed before.")
        ] = None,
        include: Annotated[
            list[Path] | None,
            typer.Option(help="A file or folder that comes along, beside what the script imports."),
        ] = None,
        mount: Annotated[
            Path | None,
            typer.Option(help="A folder of this machine in which the script runs; embedded cluster only."),
        ] = None,
        output: Annotated[
            str,
            typer.Option(help="A folder, or pvc://CLAIM/PATH, that the script has as $SAMPAN_OUTPUT."),
        ] = "",
        env: Annotated[
            list[str] | None, typer.Option("--env", "-e", metavar="NAME=VALUE", help="Several times.")
        ] = None,
        cpu: Annotated[str, typer.Option(help="Of each node, as 2 or 500m.")] = "",
        memory: Annotated[str, typer.Option(help="Of each node, as 4Gi.")] = "",
        gpu: Annotated[int, typer.Option(min=0, help="Of each node.")] = 0,
        elastic: Annotated[
            str, typer.Option(metavar="MIN:MAX", help="As many nodes as there are, within these bounds.")
        ] = "",
        retries: Annotated[
            int | None, typer.Option(min=0, help="Of nodes that fail. \\[default: none]")
        ] = None,
        deadline: Annotated[str, typer.Option(help="Fail when it takes longer, as 2h.")] = "",
        priority: Annotated[str, typer.Option(metavar="CLASS", help="A PriorityClass.")] = "",
        service_account: Annotated[
            str, typer.Option("--service-account", help="As whom its pods call the API.")
        ] = "",
        name: Annotated[str, typer.Option(help="\\[default: the script's, and five letters]")] = "",
        namespace: NamespaceOption = "",
        follow: Annotated[bool, typer.Option("--follow/--detach", help="Show its logs, or return.")] = True,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be created.")] = False,
        form: Annotated[
            str, typer.Option("--output-format", "-o", help="Of --dry-run: yaml or json.")
        ] = "yaml",
        home: HomeOption = None,
    ) -> None:
        """Run a script as a training job and follow it.

        Uses the running server, or starts one for as long as the job takes. Ends with 0 if the job succeeded.
        """
        console = Console(highlight=False)
        if misplaced := _misplaced(context, arguments or ()):
            Console(stderr=True, highlight=False).print(
                f"[yellow]{escape(', '.join(misplaced))} behind the script is the script's:"
                f" options of sampan train stand before it[/]"
            )
        with told():
            options = _Options(
                script=script,
                arguments=tuple(arguments or ()),
                wishes=Wishes(
                    kind=kind,
                    runtime=runtime,
                    image=image,
                    nodes=nodes,
                    elastic=plan.read_range(elastic) if elastic else None,
                    retries=retries,
                    priority=priority,
                ),
                include=tuple(include or ()),
                mount=mount,
                output=output,
                name=plan.check_name(name) if name else plan.made_name(script.stem),
                resources=Resources(
                    plan.check_quantity("--cpu", cpu), plan.check_quantity("--memory", memory), gpu
                ),
                packages=(*(package or ()), *_requirements(requirements)),
                env=plan.read_env(env or ()),
                processes=nproc,
                deadline_seconds=plan.read_duration("--deadline", deadline) if deadline else None,
                service_account=service_account,
            )
            sources = collect(script, options.include)
            with reach(self.platform, home, namespace) as reached:
                if not follow and reached.server.own and not dry_run:
                    raise CommandError(
                        "no server is running, so nothing would go on: start one with `sampan up`"
                    )
                self._submit(console, reached, options, sources, (dry_run, form, follow))

    def _submit(
        self,
        console: Console,
        reached: Reached,
        options: _Options,
        sources: Sources,
        how: tuple[bool, str, bool],
    ) -> None:
        dry_run, form, follow = how
        made, because = _plan(reached, options, sources)
        if dry_run:
            runtime = reached.jobs.runtime_of(made) if made.kind == "TrainJob" else None
            documents: list[Any] = [*([runtime] if runtime else []), *objects.code_maps(made)]
            documents.append(objects.job_object(made))
            print_document(console, documents, form)
            return
        ref = reached.jobs.submit(made)
        what = f"{made.nodes} {'node' if made.nodes == 1 else 'nodes'}"
        if made.processes and made.processes > 1:
            what += f" × {made.processes} processes"
        console.print(f"[bold]{escape(ref.name)}[/]  {made.kind}, {what}, {escape(because)}", soft_wrap=True)
        if reached.server.own:
            console.print("[dim]No server is running: this one ends with the job.[/]")
        if not follow:
            console.print(f"See it: sampan train logs {ref.name} -f")
            return
        start_following(console, reached, ref)


def _misplaced(context: typer.Context, arguments: Sequence[str]) -> list[str]:
    """What reads like an option of this command, but stands where the script's own do."""
    own = {name for each in context.command.params for name in each.opts if name.startswith("--")}
    return [each for each in arguments if each.partition("=")[0] in own]


def _plan(reached: Reached, options: _Options, sources: Sources) -> tuple[Plan, str]:
    """And in words, why so."""
    choice = choose(
        options.wishes,
        sources.imported,
        lambda runtime: reached.jobs.framework_label(runtime, reached.namespace),
    )
    mounts, script = [], sources.script
    if options.mount is not None:
        mounts.append(_mounted(reached, options.mount, options.script))
        script = str(options.script.resolve().relative_to(options.mount.resolve()))
    if options.output:
        mounts.append(_output(reached, options.output))
    return (
        Plan(
            name=options.name,
            namespace=reached.namespace,
            command=(*choice.program, script, *options.arguments),
            archive=b"" if options.mount is not None else sources.archive(),
            kind=choice.kind,
            runtime=choice.runtime,
            framework=choice.framework.name,
            image=choice.image,
            nodes=options.wishes.nodes,
            processes=options.processes,
            resources=options.resources,
            packages=options.packages,
            env=options.env,
            mounts=tuple(mounts),
            work_folder=_WORK_PATH if options.mount is not None else "",
            output=objects.OUTPUT_PATH if options.output else "",
            elastic=options.wishes.elastic,
            retries=options.wishes.retries,
            deadline_seconds=options.deadline_seconds,
            priority=options.wishes.priority,
            service_account=options.service_account,
            source=" ".join((sources.script, *options.arguments))[:500],
        ),
        choice.because,
    )


def _mounted(reached: Reached, folder: Path, script: Path) -> Mount:
    if not reached.is_embedded:
        raise CommandError("--mount: the cluster's nodes do not have this machine's folders; use --include")
    if not script.resolve().is_relative_to(folder.resolve()):
        raise CommandError(f"--mount {folder}: the script {script} does not lie in it")
    return Mount("mounted", str(folder.resolve()), _WORK_PATH)


def _output(reached: Reached, output: str) -> Mount:
    if output.startswith("pvc://"):
        return Mount("output", output, objects.OUTPUT_PATH)
    if not reached.is_embedded:
        raise CommandError(
            "--output: the cluster's nodes do not have this machine's folders; use pvc://CLAIM/PATH"
        )
    folder = Path(output).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--output {output}: {error.strerror}") from error
    return Mount("output", str(folder), objects.OUTPUT_PATH)


def _requirements(file: Path | None) -> Sequence[str]:
    """Its lines, without comments. Options of pip are not for here."""
    if file is None:
        return ()
    try:
        lines = [line.partition(" #")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise CommandError(f"--requirements {file}: {error.strerror}") from error
    found = [line for line in lines if line and not line.startswith("#")]
    for line in found:
        if line.startswith("-"):
            raise CommandError(f"--requirements {file}: {line!r}: only packages are taken, no options of pip")
    return found
