"""What namespaces may use and use, and the bounds of each container: ResourceQuotas and LimitRanges as rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.ui.objects import amounts
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

QUOTA_COLUMNS = (
    Column("resource", "What"),
    Column("part", "Used"),
    Column("amount", "Amount"),
)
LIMIT_COLUMNS = (
    Column("resource", "What"),
    Column("for", "For each"),
    Column("request", "Asked for by default"),
    Column("default", "Limit by default"),
    Column("min", "At least"),
    Column("max", "At most"),
)


def quota_rows(obj: Mapping[str, Any], href: Callable[..., str], *, named: bool = False) -> list[Row]:
    """`named` says of which quota each is."""
    status = obj.get("status") or {}
    hard = status.get("hard") or (obj.get("spec") or {}).get("hard") or {}
    used = status.get("used") or {}
    metadata = obj.get("metadata") or {}
    name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
    rows = []
    for resource in sorted(hard):
        most, now = amounts.parsed(hard[resource]), amounts.parsed(used.get(resource, 0))
        part = float(now / most) if most else 1.0
        word = _capital(_word(resource))
        what: Any = word
        if named:
            what = cells.link(word, href(f"/cluster/resourcequotas/{namespace}/{name}"), second=name)
        rows.append(
            Row(
                f"{namespace}/{name}/{resource}",
                {
                    "resource": what,
                    "namespace": namespace,
                    "part": cells.bar(part, f"{part:.0%}" + (" – full" if part >= 1 else "")),
                    "amount": f"{amounts.shown(resource, now)} of {amounts.shown(resource, most)}",
                },
                name=word,
            )
        )
    return rows


def _word(resource: str) -> str:
    if resource.startswith("requests."):
        return f"{amounts.resource_word(resource[9:])}, asked for"
    if resource.startswith("limits."):
        return f"{amounts.resource_word(resource[7:])}, limits"
    if resource.startswith("count/"):
        return resource[6:]
    return amounts.resource_word(resource)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def limit_rows(obj: Mapping[str, Any], href: Callable[..., str]) -> list[Row]:
    metadata = obj.get("metadata") or {}
    name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
    rows = []
    for limit in (obj.get("spec") or {}).get("limits") or ():
        parts = ("defaultRequest", "default", "min", "max")
        resources = sorted({resource for part in parts for resource in limit.get(part) or {}})
        for resource in resources:
            found = {
                part: amounts.shown(resource, amounts.parsed(limit[part][resource]))
                for part in parts
                if resource in (limit.get(part) or {})
            }
            word = _capital(amounts.resource_word(resource))
            rows.append(
                Row(
                    f"{namespace}/{name}/{limit.get('type')}/{resource}",
                    {
                        "resource": cells.link(
                            word, href(f"/cluster/limitranges/{namespace}/{name}"), second=name
                        ),
                        "namespace": namespace,
                        "for": str(limit.get("type") or ""),
                        "request": found.get("defaultRequest", ""),
                        "default": found.get("default", ""),
                        "min": found.get("min", ""),
                        "max": found.get("max", ""),
                    },
                    name=word,
                )
            )
    return rows
