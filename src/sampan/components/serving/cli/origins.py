"""`sampan endpoints lineage`: from an endpoint back to the run, the data and the code of its model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from sampan.components.serving.cli.frame import EndpointArgument, reach, told
from sampan.components.serving.sdk import lineage
from sampan.components.serving.sdk.lineage import Lineage
from sampan.console.frame import FormOption, HomeOption, NamespaceOption, Platform, check_form
from sampan.console.printing import local_time, print_as


@dataclass(frozen=True)
class Origins:
    """The command as typer sees it."""

    platform: Platform

    def lineage(
        self,
        endpoint: EndpointArgument,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show where the model of an endpoint comes from: the artifact, the run and step that made it, their inputs."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            with reach(self.platform, home, namespace) as reached:
                found = lineage.of_endpoint(reached.endpoints, reached.find(endpoint))
                print_as(
                    console,
                    form,
                    table=lambda: _print(console, endpoint, found),
                    names=lambda: [str((each.artifact or {}).get("artifact_id", "")) for each in found],
                    document=lambda: [_document(each) for each in found],
                )


def _document(found: Lineage) -> dict[str, Any]:
    run = {key: found.run[key] for key in ("run_id", "display_name", "created_at") if key in found.run}
    steps = [
        {key: list(each) if isinstance(each, tuple) else each for key, each in asdict(step).items()}
        for step in found.steps
    ]
    return {"uri": found.uri, "artifact": dict(found.artifact or {}), "run": run, "steps": steps}


def _print(console: Console, endpoint: str, found: list[Lineage]) -> None:
    console.print(Text(endpoint, "bold"))
    if not found:
        console.print("  It fetches no model: what it serves is in its image or its code.")
    for each in found:
        _row(console, "model", each.uri)
        if each.artifact is None:
            _row(console, "made by", "nothing that is known here: no run has left an artifact there")
            continue
        _row(
            console,
            "artifact",
            f"{each.artifact.get('artifact_id')} ({each.artifact.get('type') or 'Artifact'})",
        )
        _row(console, "digest", str(each.artifact.get("digest") or ""))
        if each.run:
            _row(console, "run", f"{each.run.get('display_name')} ({each.run.get('run_id')})")
            _row(console, "created", local_time(str(each.run.get("created_at") or "")))
        for step in each.steps:
            where = f" in run {step.run}" if step.run_id != each.run.get("run_id") else ""
            image = f", image {step.image}" if step.image else ""
            _row(console, "step", f"{step.name}{where}{image}")
            if step.read:
                _row(console, "  from", ", ".join(step.read))


def _row(console: Console, name: str, value: str) -> None:
    if value:
        console.print(Text.assemble((f"  {name:<10}", "dim"), value), soft_wrap=True)
