"""A run's tasks as a tree in which each stands where the pipeline has it. Pure.

A run knows more levels than a specification: attempts of an Argo step are nodes below it, steps that run together
have a node around them, hooks are below what they belong to. Here such levels are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_GROUP = re.compile(r"\[\d+\]")
_ITEM = re.compile(r"\((\d+)(?::(.*))?\)$", re.DOTALL)

Json = Mapping[str, Any]


@dataclass(slots=True)
class Branch:
    """A task, and what is within it."""

    task: Json
    children: dict[str, Branch] = field(default_factory=dict)
    """By name, in the order of the run; of a loop by the iteration's number or name."""
    attempts: int = 0
    others: list[str] = field(default_factory=list)
    """Ids of tasks that are attempts of it."""
    last: Json = field(default_factory=dict)
    """The task that is the last attempt; the task itself where attempts have none of their own."""

    @property
    def id(self) -> str:
        return str(self.task.get("task_id", ""))

    @property
    def state(self) -> str:
        return str(self.task.get("state", ""))

    @property
    def is_loop(self) -> bool:
        return self.task.get("type") == "LOOP"

    @property
    def iterations(self) -> int:
        """How many there are to be; -1 where that is not known."""
        return int((self.task.get("type_attributes") or {}).get("iteration_count", -1))


def tree(tasks: Iterable[Json], entry: str = "") -> Branch:
    """The root. `entry` names the child that stands for all of it."""
    below: dict[str, list[Json]] = {}
    root: Json = {}
    for task in tasks:
        parent = str(task.get("parent_task_id", ""))
        if not parent and task.get("type") == "ROOT":
            root = task
        else:
            below.setdefault(parent, []).append(task)
    found = Branch(root, last=root)
    _fill(found, below, str(root.get("task_id", "")), 0)
    if root:
        _adopt(found, below.get("", ()), below)
    inner = found.children.get(entry) if entry else None
    if inner is not None and inner.children:
        del found.children[entry]
        found.children = {**inner.children, **found.children}
    return found


_DEEPEST = 200


def _fill(branch: Branch, below: Mapping[str, list[Json]], task_id: str, depth: int) -> None:
    if depth > _DEEPEST:
        return
    name = str(branch.task.get("name", ""))
    children = below.get(task_id, [])
    attempts = [] if branch.is_loop else [each for each in children if _is_attempt(each, name)]
    branch.others += [str(each.get("task_id", "")) for each in attempts]
    branch.last = attempts[-1] if attempts else branch.task
    branch.attempts = len(attempts) or len(branch.task.get("attempts") or branch.task.get("pods") or ())
    for child in children:
        if any(child is each for each in attempts):
            continue
        key = _key(child, branch)
        if child.get("type") == "DAG" and _GROUP.fullmatch(key):
            _fill(branch, below, str(child.get("task_id", "")), depth + 1)
            continue
        inner = Branch(child)
        _fill(inner, below, str(child.get("task_id", "")), depth + 1)
        branch.children[key] = inner
        for hook in [each for each in inner.children if each.startswith("hooks.")]:
            branch.children[f"{key}.{hook}"] = inner.children.pop(hook)
    if attempts:
        kept = branch.last, branch.attempts
        _fill(branch, below, str(branch.last.get("task_id", "")), depth + 1)
        branch.last, branch.attempts = kept


def _adopt(root: Branch, strays: Iterable[Json], below: Mapping[str, list[Json]]) -> None:
    """Tasks that other programs have recorded without a parent."""
    for task in strays:
        branch = Branch(task)
        _fill(branch, below, str(task.get("task_id", "")), 1)
        root.children.setdefault(str(task.get("name") or task.get("task_id", "")), branch)


def _is_attempt(task: Json, name: str) -> bool:
    found = str(task.get("name", ""))
    return found.startswith(f"{name}(") and found[len(name) + 1 : -1].isdigit() and found.endswith(")")


def _key(task: Json, parent: Branch) -> str:
    index = (task.get("type_attributes") or {}).get("iteration_index")
    if parent.is_loop and index is not None:
        return str(index)
    return str(task.get("name") or task.get("task_id", ""))


def item_of(key: str) -> str:
    """What tells an iteration from the others, for people: its number, and its item where the name has it."""
    found = _ITEM.search(key)
    if found is None:
        return f"#{key}"
    return f"#{found[1]} · {found[2]}" if found[2] else f"#{found[1]}"
