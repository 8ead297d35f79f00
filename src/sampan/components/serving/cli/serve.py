"""`sampan serve MODEL`: from a file, an artifact of a run, or a URI to an endpoint that answers."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sampan.components.serving.api.models import V2
from sampan.components.serving.api.summary import Summary
from sampan.components.serving.cli import output
from sampan.components.serving.cli.frame import Reached, TimeoutOption, reach, told
from sampan.components.serving.sdk import payloads, sources
from sampan.components.serving.sdk.endpoints import Ref
from sampan.components.serving.sdk.plan import Options
from sampan.components.serving.sdk.predicting import Predictor
from sampan.components.serving.sdk.serve import of_source
from sampan.console.frame import INTERRUPTED, CommandError, HomeOption, NamespaceOption, Platform, check_form
from sampan.console.printing import print_document
from sampan.kube import meta

_FORMS = ("yaml", "json")


@dataclass(frozen=True, slots=True)
class _Wanted:
    model: str
    name: str
    options: Options
    wait: bool
    timeout: float
    form: str
    dry_run: bool


@dataclass(frozen=True)
class ServeCommand:
    """The command as typer sees it."""

    platform: Platform

    def serve(  # noqa: PLR0913  a command's options
        self,
        model: Annotated[
            str,
            typer.Argument(
                metavar="MODEL",
                help="A file or folder, run:RUN/STEP/OUTPUT, an artifact's id, or a URI (s3://, https://, hf://, …).",
            ),
        ],
        name: Annotated[str, typer.Option(help="\\[default: from the model's]", show_default=False)] = "",
        format_: Annotated[
            str,
            typer.Option(
                "--format",
                help="sklearn, onnx, … \\[default: by the files]",
                show_default=False,
            ),
        ] = "",
        runtime: Annotated[
            str,
            typer.Option(help="A ServingRuntime. \\[default: which fits]", show_default=False),
        ] = "",
        protocol: Annotated[str, typer.Option(help="v1 or v2.", show_default=False)] = "",
        least: Annotated[
            int | None,
            typer.Option("--min", min=0, help="Pods at least; 0 lets it sleep.", show_default=False),
        ] = None,
        most: Annotated[
            int | None,
            typer.Option("--max", min=0, help="Pods at most.", show_default=False),
        ] = None,
        canary: Annotated[
            int | None,
            typer.Option(
                "--canary",
                min=0,
                max=100,
                metavar="PERCENT",
                help="Only so many percent of the requests go to this model, the others to the one before.",
                show_default=False,
            ),
        ] = None,
        cpu: Annotated[str, typer.Option(help="Of each pod, as 2 or 500m.", show_default=False)] = "",
        memory: Annotated[str, typer.Option(help="Of each pod, as 4Gi.", show_default=False)] = "",
        gpu: Annotated[int, typer.Option(min=0, help="Of each pod.")] = 0,
        env: Annotated[
            list[str] | None,
            typer.Option("--env", "-e", metavar="NAME=VALUE", help="Of the server; several times."),
        ] = None,
        service_account: Annotated[
            str,
            typer.Option(
                "--service-account", help="Whose Secrets open the model's store.", show_default=False
            ),
        ] = "",
        wait: Annotated[
            bool, typer.Option("--wait/--no-wait", help="Until it answers, or say why not.")
        ] = True,
        timeout: TimeoutOption = 300.0,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print what would be made, and make nothing.")
        ] = False,
        form: Annotated[
            str,
            typer.Option(
                "--output", "-o", help="yaml or json: print the InferenceService.", show_default=False
            ),
        ] = "",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Serve a model: make an endpoint of it, or give the endpoint of that name a new model.

        sampan serve model.joblib --name iris, or run:9f2c/train/model; then: sampan predict iris -d '[[1, 2]]'
        """
        console = Console(highlight=False)
        with told():
            if form:
                check_form(form, _FORMS)
            options = Options(
                format=format_,
                runtime=runtime,
                protocol=protocol,
                minimum=least,
                maximum=most,
                canary=canary,
                cpu=cpu,
                memory=memory,
                gpu=gpu,
                env=_pairs(env),
                service_account=service_account,
            )
            options.check()
            wanted = _Wanted(model, name, options, wait, timeout, form, dry_run)
            with reach(self.platform, home, namespace) as reached:
                _serve(console, reached, wanted)


def _serve(console: Console, reached: Reached, wanted: _Wanted) -> None:
    source = sources.find(wanted.model, reached.session, reached.namespace)
    obj, why = of_source(source, (wanted.name, reached.namespace), wanted.options)
    if wanted.dry_run:
        print_document(console, obj, wanted.form or "yaml")
        return
    quiet = bool(wanted.form)
    reached.endpoints.check(obj)
    ref, is_new = reached.endpoints.apply(obj)
    if not quiet:
        model = meta.spec(obj)["predictor"]["model"]
        because = f" ({why})" if why else ""
        console.print(
            Text.assemble(
                (ref.name, "bold"), f"  {model['modelFormat']['name']}{because}, from {source.uri}"
            ),
            soft_wrap=True,
        )
        if not is_new:
            console.print(_changed(wanted.options.canary), soft_wrap=True)
    try:
        if wanted.wait or reached.server.own:
            summary = _waited(reached, ref, wanted.timeout, quiet=quiet)
            if reached.endpoints.take_over(ref, wanted.options.canary):
                summary = _waited(reached, ref, wanted.timeout, quiet=True)
            if not quiet:
                _tell(console, reached, ref, summary)
    except KeyboardInterrupt:
        console.print(f"\nIt goes on. See it: sampan endpoints get {ref.name}")
        raise typer.Exit(INTERRUPTED) from None
    if quiet:
        print_document(console, reached.endpoints.get(ref), wanted.form)
    if not wanted.wait and not reached.server.own:
        reached.endpoints.take_over(ref, wanted.options.canary)
    if not wanted.wait and not quiet and not reached.server.own:
        console.print(f"See it: sampan endpoints get {ref.name}")
    if reached.server.own:
        _stay(console)


def _waited(reached: Reached, ref: Ref, timeout: float, *, quiet: bool) -> Summary:
    said = ""
    errors = Console(stderr=True, highlight=False)

    def tell(summary: Summary) -> None:
        nonlocal said
        if not quiet and summary.why and summary.why != said and not summary.is_settled:
            said = summary.why
            errors.print(Text(f"  {said.partition(chr(10))[0]}", "dim"), soft_wrap=True)

    return reached.endpoints.wait(ref, timeout, tell)


def _tell(console: Console, reached: Reached, ref: Ref, summary: Summary) -> None:
    predictor = Predictor(reached.endpoints)
    asked = predictor.asked(ref, looks=True)
    example = payloads.example(asked.inputs, asked.protocol)
    console.print(Text.assemble(("ready", "green"), f" at {summary.url}"), soft_wrap=True)
    console.out(f"  {output.curl(reached.server.url + asked.path, example)}", highlight=False)
    rows = "-d '[[…]]'" if asked.protocol == V2 else f"-d '{_short(example)}'"
    console.print(f"  sampan predict {ref.name} {rows}", markup=False, soft_wrap=True)


def _short(example: dict[str, Any]) -> str:
    instances = example["instances"]
    return str(instances) if len(str(instances)) < 60 else "[[…]]"


def _changed(canary: int | None) -> str:
    if canary is None:
        return "It was there: all requests go to the new model as soon as it is ready."
    return f"It was there: {canary} % of the requests go to the new model as soon as it is ready."


def _stay(console: Console) -> None:
    """The server was started for this command, so what it serves is there as long as the command is."""
    console.print("[dim]No server was running: this one ends with Ctrl-C. To stay: sampan up[/]")
    try:
        signal.pause()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _pairs(given: Sequence[str] | None) -> dict[str, str]:
    """`NAME=VALUE` each. Raises CommandError."""
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(f"--env {text!r}: write it as NAME=VALUE")
        found[name] = value
    return found
