"""Documents, times and durations as every command prints them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.console import Console


def print_document(console: Console, value: Any, form: str) -> None:
    """As YAML or JSON, which programs read: no colours, no wrapping."""
    if form == "json":
        text = json.dumps(value, indent=2)
    else:
        documents = value if isinstance(value, list) else [value]
        text = yaml.dump_all(documents, Dumper=_Readable, sort_keys=False, allow_unicode=True).rstrip()
    console.out(text, highlight=False)


def print_as(
    console: Console,
    form: str,
    *,
    table: Callable[[], Any],
    names: Callable[[], Iterable[str]],
    document: Callable[[], Any],
) -> None:
    """In one of `frame.FORMS`; only that one is made."""
    if form == "table":
        table()
    elif form == "name":
        for name in names():
            console.out(name)
    else:
        print_document(console, document(), form)


class _Readable(yaml.SafeDumper):
    """Programs within are shown as they are written."""


_Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def age(text: str) -> str:
    """As kubectl says it: 40s, 12m, 3h, 5d."""
    if not text:
        return ""
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def local_time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}" if text else ""
