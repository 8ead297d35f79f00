"""Small controls for the bars above lists: a choice, chips that are on or off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui.element import Element

from sampan.ui import widgets

Options = Sequence[tuple[str, str]]
"""Values and what is shown for them."""


class Choice(Element, component="choice.js"):
    """The browser's own list of options, with what it is about beside it."""

    def __init__(self, label: str, options: Options, value: str, change: Callable[[str], Any]) -> None:
        super().__init__()
        self._options: Options = options
        self.value = value
        self._set(label=label)
        self._offer()
        self.on("choose", lambda event: self._chosen(str(event.args), change))

    def choose(self, value: str) -> None:
        """Nobody is called."""
        if value != self.value:
            self.value = value
            self.run_method("offer", *self._offer())

    def set_options(self, options: Options) -> None:
        """What is chosen stays so."""
        if list(options) != list(self._options):
            self._options = options
            self.run_method("offer", *self._offer())

    def _offer(self) -> tuple[list[list[str]], str]:
        options = [[key, text] for key, text in self._options]
        if all(key != self.value for key, _ in options):
            options.append([self.value, self.value[:8]])
        self._set(options=options, value=self.value)
        return options, self.value

    def _set(self, **given: Any) -> None:
        """For a browser that is yet to draw it. The properties' own setter would send all of them."""
        for key, value in given.items():
            dict.__setitem__(self._props, key, value)

    def _chosen(self, value: str, change: Callable[[str], Any]) -> Any:
        self.value = value
        self._set(value=value)
        return change(value)


class Chips(Element):
    """Each is on or off, several at once."""

    def __init__(
        self,
        label: str,
        names: Mapping[str, str],
        on: Sequence[str],
        change: Callable[[tuple[str, ...]], Any],
    ) -> None:
        super().__init__("div")
        self.classes("sp-chips")._props.update({"role": "group", "aria-label": label})
        self._on = list(on)
        self._change = change
        self._buttons: dict[str, Element] = {}
        with self:
            for key, text in names.items():
                found = widgets.Text("button", text).classes("sp-chip")
                found._props["type"] = "button"
                found.on("click", lambda _, key=key: self._toggle(key))
                self._buttons[key] = found
        self.set(on)

    def set(self, on: Sequence[str]) -> None:
        self._on = list(on)
        for key, found in self._buttons.items():
            found._props["aria-pressed"] = "true" if key in self._on else "false"
            found.update()

    def _toggle(self, key: str) -> Any:
        self.set([each for each in self._buttons if (each in self._on) != (each == key)])
        return self._change(tuple(self._on))
