"""What a resumed run reuses and what it runs, as people read it. Iterations with the same fate are one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from sampan.components.pipelines.sdk import Planned

_WORDS = {
    "REUSED": ("reused", "cyan"),
    "RUNS": ("runs  ", "blue"),
    "SKIPPED": ("skipped", "dim"),
    "UNDECIDED": ("depends", "yellow"),
}
_INDEX = re.compile(r"\[(\d+)\]")


def print_plan(console: Console, plan: Sequence[Planned]) -> None:
    lines = merged(plan)
    width = max((len(label) for label, _, _ in lines), default=0)
    for label, action, reason in lines:
        word, style = _WORDS.get(action, (action.lower(), ""))
        # The run that results come from is the one that was named.
        shown = f"  {reason}" if action != "REUSED" else ""
        line = Text.assemble(f"  {label:<{width}}  ", (word, style), (shown, "dim"))
        console.print(line, soft_wrap=True)
    counts = {
        word.strip(): sum(each.action == action for each in plan) for action, (word, _) in _WORDS.items()
    }
    console.print(", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing to do")


def merged(plan: Iterable[Planned]) -> list[tuple[str, str, str]]:
    """(label, action, reason), in the order of the plan: `for-loop-1[0-3, 7] / train`."""
    lines: dict[tuple[str, str, str], list[list[int]]] = {}
    for each in plan:
        indexes = [int(found) for found in _INDEX.findall(each.name)]
        key = (_INDEX.sub("[]", each.name), each.action, each.reason)
        lines.setdefault(key, []).append(indexes)
    shown = []
    for (label, action, reason), places in lines.items():
        if len(places) == 1 or len(places[0]) == 1:
            for level in range(len(places[0])):
                numbers = sorted({place[level] for place in places})
                label = label.replace("[]", f"[{_ranges(numbers)}]", 1)
        else:
            label = f"{label.replace('[]', '')} (×{len(places)})"
        shown.append((label, action, reason))
    return shown


def _ranges(numbers: Sequence[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
