"""`sampan train top`: what each rank uses, live."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sampan.components.training.api.summary import in_order, rank_of
from sampan.components.training.cli.frame import JobArgument, Reached, reach, told
from sampan.components.training.cli.output import colour_of, pod_state, restarts, state_text, took_seconds
from sampan.components.training.sdk.jobs import JobRef, summary_of
from sampan.console.frame import INTERRUPTED, HomeOption, NamespaceOption, Platform
from sampan.console.printing import duration
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.kube.meta import Object
from sampan.kube.quantities import parse

_REFRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Usage:
    platform: Platform

    def top(
        self,
        job: JobArgument,
        once: Annotated[bool, typer.Option("--once", help="Print it once, as for scripts.")] = False,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show CPU, memory and GPUs of each rank, live until the job has ended."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(job)
            if once or not console.is_terminal:
                console.print(_look(reached, ref)[0])
                return
            try:
                with Live(console=console, auto_refresh=False) as live:
                    is_over = False
                    while not is_over:
                        shown, is_over = _look(reached, ref)
                        live.update(shown, refresh=True)
                        time.sleep(_REFRESH_SECONDS)
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None


def _look(reached: Reached, ref: JobRef) -> tuple[Any, bool]:
    """What is shown, and whether the job has ended."""
    summary = summary_of(reached.jobs.get(ref))
    found = in_order(reached.jobs.pods(ref))
    used = dict(_used(reached, ref))
    table = Table(
        "rank", "state", "cpu", "memory", "gpus", "restarts", box=None, header_style="bold", pad_edge=False
    )
    total_cpu = total_memory = 0.0
    for pod in found:
        rank = str(rank_of(pod))
        cpu, memory = used.get(meta.name(pod), (None, None))
        total_cpu, total_memory = total_cpu + (cpu or 0.0), total_memory + (memory or 0.0)
        asked = {name: sum(_asked(pod, name)) for name in ("cpu", "memory", "nvidia.com/gpu")}
        table.add_row(
            Text(rank, colour_of(rank)),
            pod_state(pod),
            _of(None if cpu is None else f"{cpu:.2f}", f"{asked['cpu']:g}" if asked["cpu"] else ""),
            _of(None if memory is None else size(memory), size(asked["memory"]) if asked["memory"] else ""),
            f"{asked['nvidia.com/gpu']:g}" if asked["nvidia.com/gpu"] else "",
            str(restarts(pod)),
        )
    if len(found) > 1:
        table.add_row("", "", Text(f"{total_cpu:.2f}", "bold"), Text(size(total_memory), "bold"), "", "")
    head = Text.assemble(
        (summary.name, "bold"), "  ", state_text(summary.state), f"  {duration(took_seconds(summary))}"
    )
    return Group(head, table), summary.state.is_finished


def _used(reached: Reached, ref: JobRef) -> Iterator[tuple[str, tuple[float, float]]]:
    """CPUs and bytes by pod; nothing where the cluster does not measure."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{ref.namespace}/pods"
    try:
        items: Iterable[Object] = reached.jobs.session.read(path).get("items") or ()
    except ApiError:
        return
    for each in items:
        usages = [container.get("usage") or {} for container in each.get("containers") or ()]
        cpu = sum(float(parse(str(usage.get("cpu") or "0"))) for usage in usages)
        memory = sum(float(parse(str(usage.get("memory") or "0"))) for usage in usages)
        yield meta.name(each), (cpu, memory)


def _asked(pod: Object, name: str) -> Iterator[float]:
    for each in meta.spec(pod).get("containers") or ():
        resources = each.get("resources") or {}
        found = (resources.get("requests") or {}).get(name) or (resources.get("limits") or {}).get(name)
        if found:
            yield float(parse(str(found)))


def _of(used: str | None, asked: str) -> Text:
    return Text.assemble(used if used is not None else "–", (f" of {asked}", "dim") if asked else "")


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit in ("B", "KiB") else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
