"""What of a list is shown, in which order: from the address, and back. Pure.

Lists that are held whole (`narrowed.NarrowedTable`) say here what can be asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sampan.ui.table.ordering import in_order

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Wanted:
    text: str = ""
    states: tuple[str, ...] = ()
    kind: str = ""
    sort: str = "created"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Narrowing(Generic[Item]):
    keys: Mapping[str, Callable[[Item], Any]]
    """By what it is sorted; `name`, `created` and `state` are among them."""
    states: Container[str]
    kind_of: Callable[[Item], str]
    words: Callable[[Item], Iterable[str]]
    """In which a text is looked for."""
    kinds: Container[str] | None = None
    """None where any may be asked for."""
    kind_word: str = "kind"
    """What kinds are called in the address."""

    def from_address(self, query: Mapping[str, str]) -> Wanted:
        """What the address says that means nothing is left out."""
        kind, sort = query.get(self.kind_word, ""), query.get("sort", "")
        return Wanted(
            query.get("find", ""),
            tuple(each for each in query.get("state", "").split(",") if each in self.states),
            kind if self.kinds is None or kind in self.kinds else "",
            sort if sort in self.keys else "created",
            query.get("order", "desc") != "asc",
        )

    def to_address(self, wanted: Wanted) -> dict[str, str]:
        """Empty where it is as usual."""
        return {
            "find": wanted.text,
            "state": ",".join(wanted.states),
            self.kind_word: wanted.kind,
            "sort": "" if wanted.sort == "created" else wanted.sort,
            "order": "" if wanted.descending else "asc",
        }

    def chosen(self, items: Sequence[Item], wanted: Wanted) -> list[Item]:
        """Those that are wanted, in order: of two alike the newer first, and those without a value last."""
        text, keys = wanted.text.lower(), self.keys
        found = [
            each
            for each in items
            if (not wanted.states or keys["state"](each) in wanted.states)
            and (not wanted.kind or self.kind_of(each) == wanted.kind)
            and (not text or any(text in word.lower() for word in self.words(each)))
        ]
        found.sort(key=lambda each: (keys["created"](each), keys["name"](each)), reverse=True)
        return in_order(found, keys, wanted.sort, descending=wanted.descending)
