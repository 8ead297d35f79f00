"""A specification whose tasks take nothing from the cache: what a run that does all anew keeps. Pure."""

from __future__ import annotations

import json
from typing import Any


def without_caching(stored: str) -> str:
    """Of `{"pipeline_spec": …, "platform_spec": …}`, as a row stores it. Parses all of it: in a thread."""
    document = json.loads(stored)
    spec = document["pipeline_spec"]
    for component in [spec.get("root") or {}, *(spec.get("components") or {}).values()]:
        for task in ((component.get("dag") or {}).get("tasks") or {}).values():
            _switch_off(task)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _switch_off(task: dict[str, Any]) -> None:
    # Fields may be written in either of protobuf's two spellings.
    for name in ("cachingOptions", "caching_options"):
        task.pop(name, None)
