"""What a pipeline is made of, whichever language it is written in: steps, what is within them, what leads to what.

Made by `blueprint_ir` and `blueprint_argo`, drawn by `graph_model`. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a step is; the value is the word for people."""

    STEP = "step"
    IMPORTER = "importer"
    PIPELINE = "pipeline"
    CONDITION = "condition"
    BRANCHES = "branches"
    EXIT_HANDLER = "exit handler"
    STEPS = "steps"
    CONTAINERS = "containers"
    """Of one pod, of which a run knows only that."""
    HOOK = "hook"
    SUSPEND = "suspend"
    ITERATION = "iteration"


@dataclass(frozen=True, slots=True)
class Link:
    """Between two steps of one scope, by their keys."""

    source: str
    target: str
    kind: str = "order"
    """`artifact`, `parameter` or `order`."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """An artifact that a step gives. `consumers` are steps of the same scope."""

    key: str
    type: str
    consumers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Steps beside each other, by key: the name by which a run knows them within what holds them."""

    steps: Mapping[str, Step] = field(default_factory=dict)
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Step:
    key: str
    label: str
    kind: Kind = Kind.STEP
    detail: str = ""
    """What it is about, in some words: the condition, the items, the image."""
    title: str = ""
    """The same in full, where that is long."""
    scope: str = ""
    """What is within it: a scope's name. One that is within itself refers to itself."""
    loop: str = ""
    """For one that is repeated: over what. Its iterations have what is within it each."""
    outputs: Sequence[Output] = ()


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Scopes stand once, however often they are used."""

    scopes: Mapping[str, Scope] = field(default_factory=dict)
    root: str = ""
    """The scope of the whole."""
    entry: str = ""
    """A task of a run that stands for the root, and is not drawn by itself."""
    problem: str = ""
    """Why there is nothing to draw, where the specification cannot be read."""
