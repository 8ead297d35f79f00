"""One task of a specification, of either language, as it is shown and compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Slot:
    """An input or an output: its name, its type, and where its value comes from."""

    name: str
    type: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    path: str
    name: str
    kind: str
    """`Step`, `Pipeline`, `Loop`, `Condition`, `Importer`, or what an Argo template is."""
    component: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    code: str = ""
    """The program in the command, where one of its words is one."""
    env: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    """Everything else, by name: resources, retries, caching, condition, loop, volumes."""
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    after: tuple[str, ...] = ()


def program(words: Iterable[str]) -> str:
    """The longest word that is one."""
    candidates = [word for word in words if "\n" in word and ("def " in word or "import " in word)]
    return max(candidates, key=len, default="").strip("\n")


def shortly(value: Any, most: int = 200) -> str:
    """As JSON, cut."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def spaced(key: str) -> str:
    """`nodeSelector` as `Node selector`."""
    words = "".join(f" {each.lower()}" if each.isupper() else each for each in key).strip()
    return words[:1].upper() + words[1:]
