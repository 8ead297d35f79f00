"""Saved views of the list of runs: a name for what the address holds. Pure; kept among the user's preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

PREFERENCE = "run-views"
MOST_NAME = 60


@dataclass(frozen=True, slots=True)
class View:
    name: str
    address: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Views:
    """Names are unique. `chosen` is the name of the one that the list begins with, empty for all runs."""

    views: tuple[View, ...] = ()
    chosen: str = ""

    def find(self, name: str) -> View | None:
        return next((view for view in self.views if view.name == name), None)

    def of_address(self, address: Mapping[str, str]) -> str:
        """The name of the view that shows just this; empty where none does."""
        kept = _kept(address)
        return next((view.name for view in self.views if dict(view.address) == kept), "")

    def saved(self, name: str, address: Mapping[str, str]) -> Views:
        """With this one, in place of one of that name."""
        others = [view for view in self.views if view.name != name]
        return replace(
            self, views=tuple(sorted([*others, View(name, _kept(address))], key=lambda v: v.name.lower()))
        )

    def renamed(self, name: str, new: str) -> Views:
        view = self.find(name)
        if view is None or not new or new == name:
            return self
        chosen = new if self.chosen == name else self.chosen
        return replace(self.without(name), chosen=chosen).saved(new, view.address)

    def without(self, name: str) -> Views:
        kept = tuple(view for view in self.views if view.name != name)
        return replace(self, views=kept, chosen="" if self.chosen == name else self.chosen)

    def beginning_with(self, name: str) -> Views:
        return replace(self, chosen=name if self.find(name) else "")

    def to_json(self) -> Any:
        """None where there is nothing to keep."""
        if not self.views:
            return None
        listed = [{"name": view.name, "address": dict(view.address)} for view in self.views]
        return {"views": listed, "chosen": self.chosen}


def from_json(kept: Any) -> Views:
    """What is not as it should be is left out."""
    if not isinstance(kept, Mapping):
        return Views()
    found = []
    listed = kept.get("views")
    for each in listed if isinstance(listed, Sequence) else ():
        if isinstance(each, Mapping) and isinstance(each.get("address"), Mapping) and each.get("name"):
            address = {str(key): str(value) for key, value in each["address"].items()}
            found.append(View(str(each["name"]), address))
    return Views(tuple(found)).beginning_with(str(kept.get("chosen", "")))


def _kept(address: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in address.items() if value}
