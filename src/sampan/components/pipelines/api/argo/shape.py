"""Whether a Workflow's fields have the types that everything else relies on. Pure.

What comes from outside is anything at all; after this, a list is a list. Fields that Argo takes as anything (values,
manifests, what pods and volumes are made of) are not looked at: Kubernetes does, when a pod is made of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = frozenset(
    {
        *("templates", "parameters", "artifacts", "tasks", "containers", "dependencies", "initContainers"),
        *("sidecars", "volumes", "volumeMounts", "volumeClaimTemplates", "imagePullSecrets", "tolerations"),
        *("env", "command", "args", "mutexes", "semaphores", "schedules", "withItems", "steps"),
    }
)
_MAPS = frozenset(
    {
        *("inputs", "outputs", "arguments", "dag", "container", "script", "suspend", "resource", "http"),
        *("containerSet", "data", "plugin", "hooks", "templateRef", "inline", "workflowTemplateRef"),
        *("retryStrategy", "synchronization", "memoize", "valueFrom", "withSequence", "continueOn"),
        *("templateDefaults", "ttlStrategy", "podGC", "workflowMetadata", "podMetadata", "metadata"),
        *("mutex", "semaphore", "backoff", "nodeSelector"),
    }
)
_OF_MAPS = _LISTS - {"dependencies", "command", "args", "schedules", "withItems", "steps"}
_ANYTHING = frozenset(
    {"value", "default", "withItems", "enum", "manifest", "affinity", "securityContext", "raw"}
)
_DEEPEST = 60


def misshapen(spec: Any, path: str = "spec") -> Iterator[str]:
    """Each as `path: what is wrong`."""
    if not isinstance(spec, Mapping):
        yield f"{path}: must be an object, not {_kind(spec)}"
        return
    stack: list[tuple[str, Mapping[str, Any], int]] = [(path, spec, 0)]
    while stack:
        place, value, depth = stack.pop()
        if depth > _DEEPEST:
            yield f"{place}: nested too deeply"
            return
        for key, inner in value.items():
            if inner is None or key in _ANYTHING:
                continue
            where = f"{place}.{key}"
            if wrong := _wrong(str(key), inner, place):
                yield f"{where}: {wrong}"
            elif isinstance(inner, Mapping):
                stack.append((where, inner, depth + 1))
            elif isinstance(inner, list):
                for index, item in enumerate(inner):
                    yield from _item(f"{where}[{index}]", str(key), item)
                    items = item if isinstance(item, list) else [item]
                    stack += [
                        (f"{where}[{index}]", each, depth + 1) for each in items if isinstance(each, Mapping)
                    ]


def _wrong(key: str, value: Any, place: str) -> str:
    if place == "spec" and key == "suspend":
        # Of a whole workflow it is a switch, of a template what makes it one.
        return "" if isinstance(value, bool) else f"must be true or false, not {_kind(value)}"
    # Labels and hooks may have any name; Azure calls its buckets containers.
    free = place.endswith((".labels", ".annotations", ".hooks", ".nodeSelector", ".azure"))
    if not free and key in _LISTS and not isinstance(value, list):
        return f"must be a list, not {_kind(value)}"
    if not free and key in _MAPS and not isinstance(value, Mapping):
        return f"must be an object, not {_kind(value)}"
    return ""


def _item(place: str, key: str, item: Any) -> Iterator[str]:
    if key in _OF_MAPS and not isinstance(item, Mapping):
        yield f"{place}: must be an object, not {_kind(item)}"
    if key == "steps":
        for each in item if isinstance(item, list) else [item]:
            if not isinstance(each, Mapping):
                yield f"{place}: must be a list of steps, not {_kind(each)}"
    if key in ("dependencies", "schedules") and not isinstance(item, str):
        yield f"{place}: must be a text, not {_kind(item)}"


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return kinds.get(type(value), "an object" if isinstance(value, Mapping) else "nothing")
