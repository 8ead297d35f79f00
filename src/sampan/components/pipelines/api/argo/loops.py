"""withItems, withParam, withSequence: the items of a loop, their names and the variables that they give.

Source: workflow/controller/steps.go (expandStep, expandSequence), argo-workflows v3.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions.functions import to_json
from sampan.components.pipelines.api.argo.tags import Variables, as_text, substitute

FIELDS = ("withItems", "withParam", "withSequence")
_MOST = 1_000_000
_LONGEST_FORMAT = 200
_FORMAT = re.compile(
    r"^[^%]*(?:%%[^%]*)*%(?P<flags>[-+ #0]{0,3})(?P<width>\d{0,3})(?P<verb>[dxXobv])[^%]*(?:%%[^%]*)*$"
)


def is_loop(step: Mapping[str, Any]) -> bool:
    return any(step.get(name) is not None for name in FIELDS)


def items(step: Mapping[str, Any], variables: Variables) -> list[Any]:
    """What the step is repeated for. Raises ArgoError."""
    if (given := step.get("withItems")) is not None:
        return list(given) if isinstance(given, list) else []
    if (text := step.get("withParam")) is not None:
        return _parsed(as_text(substitute(text, variables)))
    return sequence(substitute(dict(step["withSequence"]), variables))


def _parsed(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ArgoError(f"withParam value could not be parsed as a JSON list: {text[:200]}") from None
    if not isinstance(found, list):
        raise ArgoError(f"withParam value could not be parsed as a JSON list: {text[:200]}")
    return found


def sequence(given: Mapping[str, Any]) -> list[str]:
    """Numbers from `start`, `count` of them or up or down to `end`, written by `format`. Raises ArgoError."""
    start = _number(given, "start", 0)
    if given.get("count") is not None:
        if given.get("end") is not None:
            raise ArgoError("withSequence: give count or end, not both")
        numbers = range(start, start + _number(given, "count", 0))
    elif given.get("end") is not None:
        end = _number(given, "end", 0)
        numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    else:
        raise ArgoError("withSequence: give count or end")
    if len(numbers) > _MOST:
        raise ArgoError(f"withSequence has more than {_MOST:,} items")
    layout = str(given.get("format") or "%d")
    match = _FORMAT.match(layout) if len(layout) <= _LONGEST_FORMAT else None
    if match is None:
        raise ArgoError(f"withSequence: format {layout[:80]!r} is none for one number, such as %02d")
    return [_formatted(layout, match, number) for number in numbers]


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not re.fullmatch(r"\s*[+-]?\d+\s*", str(value)):
        raise ArgoError(f"withSequence: {name} {value!r} is not a whole number")
    return int(value)


def _formatted(layout: str, match: re.Match[str], number: int) -> str:
    verb = match["verb"]
    if verb == "b":
        written = format(number, f"{'0' if '0' in match['flags'] else ''}{match['width']}b")
        start = match.start("flags") - 1
        return (layout[:start] + written + layout[match.end("verb") :]).replace("%%", "%")
    return str(
        (layout[: match.start("verb")] + ("d" if verb == "v" else verb) + layout[match.end("verb") :])
        % number
    )


def variables_of(item: Any) -> dict[str, Any]:
    """`item`, and `item.KEY` of one that is a map."""
    found: dict[str, Any] = {"item": as_text(item) if item is not None else "null"}
    if isinstance(item, Mapping):
        found |= {
            f"item.{key}": as_text(value) if value is not None else "null" for key, value in item.items()
        }
    return found


def name_of(name: str, index: int, item: Any) -> str:
    """The name of one repetition: `train(2:cat)`."""
    if isinstance(item, Mapping):
        shown = ",".join(f"{key}:{as_text(item[key])}" for key in sorted(item))
    elif isinstance(item, list):
        shown = to_json(item)
    else:
        shown = as_text(item) if item is not None else "null"
    return f"{name}({index}:{shown.replace(chr(10), ' ')})"


def aggregate(outputs: Sequence[tuple[Mapping[str, str], str | None]]) -> dict[str, str]:
    """What the repetitions gave, in order, as `outputs.result`, `outputs.parameters` and `outputs.parameters.NAME`:
    lists as JSON. `outputs` are the parameters and the result of each that succeeded."""
    maps: list[Mapping[str, str]] = [parameters for parameters, _ in outputs if parameters]
    results: list[Any] = []
    for _, result in outputs:
        if result is None:
            continue
        try:
            results.append(json.loads(result))
        except (ValueError, RecursionError):
            results.append(result)
    found = {"outputs.result": to_json(results), "outputs.parameters": to_json(maps)}
    names = dict.fromkeys(name for parameters in maps for name in parameters)
    for name in names:
        found[f"outputs.parameters.{name}"] = to_json([given[name] for given in maps if name in given])
    return found
