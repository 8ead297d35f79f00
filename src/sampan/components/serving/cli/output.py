"""How endpoints are shown at a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.components.serving.api.summary import State, Summary
from sampan.components.serving.sdk.endpoints import Revision
from sampan.console.printing import age, local_time

STYLES = {
    State.READY: "green",
    State.ASLEEP: "cyan",
    State.STARTING: "blue",
    State.FAILED: "bold red",
    State.STOPPED: "yellow",
    State.DELETING: "yellow",
}
_PLAIN: dict[str, Any] = {"box": None, "header_style": "bold", "pad_edge": False}
_LONGEST_WHY = 60


def state_text(state: State) -> Text:
    return Text(state.value.lower(), STYLES[state])


def print_list(console: Console, found: Sequence[Summary], *, namespaces: bool) -> None:
    if not found:
        console.print("No endpoints. Make one: sampan serve model.joblib")
        return
    columns = ["name", "state", "format", "traffic", "pods", "age", "url"]
    table = Table(*(["namespace"] * namespaces), *columns, **_PLAIN)
    for each in found:
        table.add_row(
            *([each.namespace] * namespaces),
            Text(each.name),
            state_text(each.state),
            Text(each.format),
            _traffic(each),
            "" if each.copies is None else str(each.copies),
            age(each.created),
            Text(each.url),
        )
    console.print(table)
    for each in found:
        if each.why and each.state not in (State.READY, State.ASLEEP):
            why = each.why.partition("\n")[0]
            short = why if len(why) <= _LONGEST_WHY * 3 else f"{why[: _LONGEST_WHY * 3]}…"
            console.print(Text.assemble((f"{each.name}: ", STYLES[each.state]), short), soft_wrap=True)


def print_one(console: Console, summary: Summary) -> None:
    pods = summary.copies
    rows: list[tuple[str, Any]] = [
        ("namespace", summary.namespace),
        ("state", state_text(summary.state)),
        ("why", summary.why),
        ("url", summary.url),
        ("model", summary.source),
        ("format", summary.format),
        ("protocol", summary.protocol),
        ("runtime", summary.runtime),
        ("mode", summary.mode),
        ("pods", "" if pods is None else "none: the next request starts one" if not pods else str(pods)),
        ("traffic", _traffic(summary)),
        ("created", local_time(summary.created)),
    ]
    console.print(Text(summary.name, "bold"))
    for name, value in rows:
        if value:
            console.print(Text.assemble((f"  {name:<10}", "dim"), value), soft_wrap=True)


def print_revisions(console: Console, found: Sequence[Revision]) -> None:
    if not found:
        console.print("No revisions yet.")
        return
    table = Table("revision", "traffic", "pods", "model", "age", **_PLAIN)
    for each in found:
        share = f"{each.percent} %" + (f" ({', '.join(each.tags)})" if each.tags else "")
        pods = f"{each.ready}/{each.wanted}" if each.wanted or each.ready else "asleep"
        table.add_row(
            Text(each.name),
            share if each.percent or each.tags else "",
            pods,
            Text(each.source),
            age(each.created),
        )
    console.print(table)


def print_events(console: Console, found: Sequence[Any]) -> None:
    if not found:
        console.print("No events.")
        return
    table = Table("age", "kind", "about", "reason", "message", **_PLAIN)
    for each in found:
        about = each.get("involvedObject") or {}
        when = str(each.get("lastTimestamp") or each.get("eventTime") or "")
        kind = str(each.get("type") or "")
        table.add_row(
            age(when),
            Text(kind, "yellow" if kind == "Warning" else ""),
            Text(f"{str(about.get('kind') or '').lower()}/{about.get('name')}"),
            Text(str(each.get("reason") or "")),
            Text(str(each.get("message") or "")),
        )
    console.print(table)


def curl(url: str, body: Any) -> str:
    """Ready to be pasted into a shell."""
    return f"curl {shlex.quote(url)} -H 'content-type: application/json' -d {shlex.quote(json.dumps(body))}"


def _traffic(summary: Summary) -> str:
    shares = [each for each in summary.traffic if each.percent or len(summary.traffic) > 1]
    return (
        ", ".join(f"{each.percent} % {each.revision.rpartition('-')[2]}" for each in shares)
        if len(shares) > 1
        else ""
    )
