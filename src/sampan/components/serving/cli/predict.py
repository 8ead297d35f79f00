"""`sampan predict ENDPOINT -d DATA`: ask an endpoint, once or row by row of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.text import Text

from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICES
from sampan.components.serving.cli.frame import Reached, TimeoutOption, reach, told
from sampan.components.serving.sdk import payloads
from sampan.components.serving.sdk.endpoints import Ref
from sampan.components.serving.sdk.payloads import Given
from sampan.components.serving.sdk.predicting import Predictor
from sampan.console.frame import CommandError, HomeOption, NamespaceOption, Platform, check_form
from sampan.kube.errors import NotFoundError

_MOST_SHOWN = 100
_FORMS = ("table", "json", "raw")


@dataclass(frozen=True, slots=True)
class _Wanted:
    given: Given
    protocol: str
    model: str
    batch: int
    output: Path | None
    form: str
    timeout: float


@dataclass(frozen=True)
class Predict:
    """The command as typer sees it."""

    platform: Platform

    def predict(  # noqa: PLR0913  a command's options
        self,
        endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="An InferenceService's name.")],
        data: Annotated[
            str,
            typer.Option(
                "--data",
                "-d",
                help="JSON (rows, one row, or a whole request), @FILE (.json, .jsonl, .csv, .tsv, an image), or - for "
                "standard input.",
                show_default=False,
            ),
        ],
        protocol: Annotated[
            str,
            typer.Option(help="v1 or v2. \\[default: what the endpoint was made for]", show_default=False),
        ] = "",
        model: Annotated[
            str,
            typer.Option("--model", help="The model's name. \\[default: the endpoint's]", show_default=False),
        ] = "",
        batch: Annotated[
            int, typer.Option("--batch", "-b", min=0, help="Send so many rows at a time; 0 for all at once.")
        ] = 0,
        out: Annotated[
            Path | None,
            typer.Option(
                "--to", help="Write predictions there, one line of JSON for each row.", show_default=False
            ),
        ] = None,
        form: Annotated[
            str, typer.Option("--output", "-o", help="table; json: the predictions; raw: the whole answer.")
        ] = "table",
        timeout: TimeoutOption = 300.0,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Ask an endpoint, and show what it predicts and how long it took. One that sleeps is woken.

        sampan predict iris -d '[[5.1, 3.5, 1.4, 0.2]]', or a whole file: -d @flowers.csv --batch 100 --to out.jsonl
        """
        console = Console(highlight=False)
        with told():
            check_form(form, _FORMS)
            given = payloads.read(data, sys.stdin.read() if data == "-" else "")
            if form == "raw" and batch:
                raise CommandError("--output raw shows one answer: leave --batch out")
            wanted = _Wanted(given, protocol, model, batch, out, form, timeout)
            with reach(self.platform, home, namespace) as reached:
                ref = Ref(reached.namespace, endpoint.removeprefix("inferenceservice/"))
                _predict(console, reached, ref, wanted)


def _predict(console: Console, reached: Reached, ref: Ref, wanted: _Wanted) -> None:
    predictor = Predictor(reached.endpoints)
    try:
        asked = predictor.asked(ref, wanted.protocol, wanted.model)
    except NotFoundError:
        found = reached.find(ref.name)
        if found.resource == LLM_INFERENCE_SERVICES:
            url = reached.endpoints.summary(found).url
            raise CommandError(
                f"{ref.name} talks as OpenAI's API does: ask it with OpenAI's client at {url}/v1, or on its page"
            ) from None
        raise
    if wanted.batch or wanted.output is not None:
        parts = payloads.batches(wanted.given, wanted.batch or max(len(wanted.given.rows), 1))
        _in_batches(
            console, ((part, predictor.predict(asked, part, wanted.timeout)) for part in parts), wanted
        )
        return
    reply = predictor.predict(asked, wanted.given, wanted.timeout)
    if wanted.form == "table":
        _print_rows(console, reply.values)
        console.print(
            Text(f"{_milliseconds(reply.seconds)} over {wanted.given.protocol or asked.protocol}", "dim")
        )
    else:
        found = reply.body if wanted.form == "raw" else reply.values
        console.out(json.dumps(found), highlight=False)


def _in_batches(console: Console, answers: Iterator[Any], wanted: _Wanted) -> None:
    """As they come, so that what was answered is there if a later one fails."""
    count, seconds, slowest = 0, 0.0, 0.0
    target: TextIO = sys.stdout if wanted.output is None else wanted.output.open("w", encoding="utf-8")
    try:
        for part, reply in answers:
            rows = payloads.rows_of(reply.values)
            if len(rows) != len(part.rows):
                raise CommandError(
                    f"{len(part.rows)} rows were sent and {len(rows)} predictions came back: send them without --batch"
                )
            for row in rows:
                target.write(f"{json.dumps(row)}\n")
            count, seconds = count + len(rows), seconds + reply.seconds
            slowest = max(slowest, reply.seconds)
    finally:
        if wanted.output is not None:
            target.close()
    said = f"{count} rows in {_milliseconds(seconds)}; the slowest request took {_milliseconds(slowest)}"
    place = f", in {wanted.output}" if wanted.output is not None else ""
    Console(stderr=True, highlight=False).print(Text(f"{said}{place}", "dim"), soft_wrap=True)


def _print_rows(console: Console, found: Any) -> None:
    rows = payloads.rows_of(found)
    for row in rows[:_MOST_SHOWN]:
        console.out(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False), highlight=False)
    if len(rows) > _MOST_SHOWN:
        console.print(f"… and {len(rows) - _MOST_SHOWN} more: -o json shows all")


def _milliseconds(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
