"""What became of a trial's own collector (kind Custom), where that explains why nothing was reported. Pure.

Called by `controller.trials.measuring`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan.kube import meta
from sampan.kube.meta import Object

_TOLD_TO_END = 143
_SHOWN = 600


def trouble_of(trial: Object, found: Iterable[Object]) -> str:
    """In words; empty where it has run to a good end, or nothing is known of it. `found`: the trial's pods."""
    name = _name(trial)
    for pod in found if name else ():
        for each in meta.status(pod).get("containerStatuses") or ():
            if each.get("name") == name and (said := _said(each.get("state") or {})):
                return f"its collector {name} {said}"
    return ""


def _said(state: Mapping[str, Any]) -> str:
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting:
        parts = (waiting.get("reason"), waiting.get("message"))
        text = ": ".join(str(each) for each in parts if each) or "its container was not started"
        return f"never ran: {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}"
    code = int(ended.get("exitCode") or 0)
    # That it was told to end, with its pod, is no trouble.
    is_trouble = code not in (0, _TOLD_TO_END)
    return f"ended with exit code {code}; its log says more" if is_trouble else ""


def _name(trial: Object) -> str:
    collecting = meta.spec(trial).get("metricsCollector")
    collector = collecting.get("collector") if isinstance(collecting, dict) else None
    own = collector.get("customCollector") if isinstance(collector, dict) else None
    return str(own.get("name") or "") if isinstance(own, dict) else ""
