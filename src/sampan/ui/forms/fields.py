"""The fields of forms. What somebody types comes here at once; whether it is right is said once they have left it.

Each field is one element, drawn by `field.js`. Its `read` gives the value, of the type that the field is for.
"""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from sampan.ui.forms import values
from sampan.ui.forms.values import NotAValueError

Check = Callable[[Any], str]
"""What is wrong with a value that was read, as a sentence; nothing where it is right."""
Change = Callable[[], Any]
Options = Sequence[tuple[str, str]]
"""Values and what is shown for them."""
Look = Callable[[str], Awaitable[Options]]
"""Options for what was typed."""

_FEW = 8
"""Up to as many options are shown by the browser's own list; more are searched."""


@dataclass(frozen=True, slots=True)
class About:
    """What a field is called and says of itself."""

    name: str
    """Of the form's own; unique in it."""
    label: str
    hint: str = ""
    required: bool = False
    kind: str = ""
    """A word beside the label, such as a type."""
    standard: Any = None
    """What it goes back to when asked; shown as its default. As it is typed. None where there is none."""
    recent: Sequence[str] = ()
    """Offered to be taken over, as they are typed."""


class Field(Element, component="field.js"):
    """Of one value. `check` looks at what `read` gives, `change` is called after each change."""

    def __init__(self, kind: str, about: About, raw: Any, check: Check | None, change: Change | None) -> None:
        super().__init__()
        self.about = about
        self.name = about.name
        self.raw = raw
        """As the browser has it: text, yes or no, rows."""
        self._check = check
        self._change = change
        self._pieces: list[str] = []
        self._error = ""
        self._is_left = False
        self._set(
            kind=kind,
            name=about.name,
            label=about.label,
            hint=about.hint,
            required=about.required,
            word=about.kind,
            standard=about.standard,
            recent=list(about.recent),
            value=raw,
            error="",
        )
        self.on("value", self._take)
        self.on("left", self._leave)

    def read(self) -> Any:
        """The value. Raises NotAValueError."""
        return self.raw

    def problem(self) -> str:
        """What is wrong with it, without showing it."""
        try:
            value = self.read()
        except NotAValueError as error:
            return str(error)
        if self.about.required and value in (None, "", [], {}):
            return "This is needed"
        return self._check(value) if self._check is not None else ""

    def validate(self) -> bool:
        """Shows what is wrong, if anything. Whether all is right."""
        self._is_left = True
        self.tell(self.problem())
        return not self._error

    def tell(self, error: str) -> None:
        """Shows it at the field, until it is changed; nothing takes it away."""
        if error != self._error:
            self._error = error
            self._set(error=error)
            self.run_method("tell", error)

    def put(self, raw: Any) -> None:
        """Another value, as if it had been typed, but nobody is called."""
        self.raw = raw
        self._set(value=raw)
        self.run_method("put", raw)
        self.tell(self.problem() if self._is_left else "")

    def begin_anew(self, raw: Any) -> None:
        """With that value, as if nobody had been here."""
        self._is_left = False
        self.put(raw)

    def focus(self) -> None:
        self.run_method("focusOn")

    def show(self, shown: bool) -> None:
        self.set_visibility(shown)

    def _set(self, **given: Any) -> None:
        """For a browser that is yet to draw it. The properties' own setter would send all of them."""
        for key, value in given.items():
            dict.__setitem__(self._props, key, value)

    def _take(self, event: GenericEventArguments) -> Any:
        given = event.args
        if isinstance(given, dict):
            # A long text comes in pieces: a message of the socket has a limit.
            self._pieces.append(str(given.get("piece", "")))
            if given.get("more"):
                return None
            given, self._pieces = "".join(self._pieces), []
        self.raw = self._accepted(given)
        self._set(value=self.raw)
        self.tell(self.problem() if self._is_left and self._error else "")
        return self._change() if self._change is not None else None

    def _accepted(self, given: Any) -> Any:
        return str(given)

    def _leave(self) -> None:
        self._is_left = True
        # What was never filled in is said when it is sent: not while somebody only passes by.
        # What the API said of it stays until it is changed.
        if self.raw not in ("", None) and (problem := self.problem()):
            self.tell(problem)


class TextField(Field):
    """One line, or with `lines` several."""

    def __init__(
        self,
        about: About,
        value: str = "",
        *,
        lines: int = 1,
        check: Check | None = None,
        change: Change | None = None,
        **look: Any,
    ) -> None:
        """`look`: `mono` for code, `placeholder`, `secret` for what is not to be read over a shoulder."""
        super().__init__("area" if lines > 1 else "text", about, value, check, change)
        self._set(lines=lines, **look)


class NumberField(Field):
    """Typed freely, so that a mistake can be seen and said. `whole` takes no fractions. Empty is None."""

    def __init__(
        self,
        about: About,
        value: str = "",
        *,
        whole: bool = False,
        check: Check | None = None,
        change: Change | None = None,
    ) -> None:
        super().__init__("text", about, value, check, change)
        self._whole = whole
        self._set(inputmode="numeric" if whole else "decimal", narrow=True)

    def read(self) -> float | int | None:
        if not str(self.raw).strip():
            return None
        return values.whole_number(self.raw) if self._whole else values.number(self.raw)


class SwitchField(Field):
    """Yes or no."""

    def __init__(self, about: About, value: bool = False, *, change: Change | None = None) -> None:
        super().__init__("switch", about, value, None, change)

    def _accepted(self, given: Any) -> bool:
        return bool(given)


class ChoiceField(Field):
    """One of some options. Many are searched by typing; `look` finds them elsewhere; `free` takes any text too."""

    def __init__(
        self,
        about: About,
        options: Options,
        value: str = "",
        *,
        look: Look | None = None,
        check: Check | None = None,
        change: Change | None = None,
        **ways: Any,
    ) -> None:
        """`ways`: `free`, `segments` (all side by side), `placeholder`."""
        is_free = bool(ways.get("free"))
        kind = "segments" if ways.pop("segments", False) else "choice"
        if kind == "choice" and (look is not None or is_free or len(options) > _FEW):
            kind = "combo"
        super().__init__(kind, about, value, check, change)
        self._look = look
        self._is_free = is_free
        self._looking = ""
        self.options: Options = options
        self._set(options=_plain(options), searched=look is not None, **ways)
        self.on("look", self._find)

    def set_options(self, options: Options) -> None:
        self.options = options
        self._set(options=_plain(options))
        self.run_method("offer", _plain(options))

    async def _find(self, event: GenericEventArguments) -> None:
        if self._look is None:
            return
        typed = self._looking = str(event.args)
        found = await self._look(typed)
        # The answer to an older question may come last.
        if typed == self._looking and not self.is_deleted:
            self.set_options(found)


class ZoneField(ChoiceField):
    """A time zone by its name: the browser's own, unless another is given."""

    def __init__(self, about: About, value: str = "", *, change: Change | None = None) -> None:
        super().__init__(about, _zones(), value, change=change)
        self._set(zoned=True)


class JsonField(Field):
    """A JSON value, edited as text. Empty is None."""

    def __init__(
        self,
        about: About,
        value: str = "",
        *,
        lines: int = 5,
        check: Check | None = None,
        change: Change | None = None,
    ) -> None:
        super().__init__("area", about, value, check, change)
        self._set(lines=lines, mono=True, json=True)

    def read(self) -> Any:
        return values.json_value(self.raw) if str(self.raw).strip() else None


class PairsField(Field):
    """Names and values: labels, tags, environment."""

    def __init__(
        self,
        about: About,
        value: Mapping[str, str] | None = None,
        *,
        check: Check | None = None,
        change: Change | None = None,
    ) -> None:
        rows = [[key, each] for key, each in (value or {}).items()]
        super().__init__("pairs", about, rows, check, change)

    def read(self) -> dict[str, str]:
        return values.pairs(self.raw)

    def _accepted(self, given: Any) -> list[list[str]]:
        return [[str(each[0]), str(each[1])] for each in given]


class MomentField(Field):
    """A date and a time, typed in the user's own zone and read as RFC 3339 in UTC. Empty is no moment."""

    def __init__(
        self, about: About, value: str = "", *, check: Check | None = None, change: Change | None = None
    ) -> None:
        super().__init__("moment", about, value, check, change)

    def read(self) -> str:
        text = str(self.raw)
        if text:
            try:
                datetime.fromisoformat(text)
            except ValueError:
                raise NotAValueError("Write a date and a time") from None
        return text


@cache
def _zones() -> tuple[tuple[str, str], ...]:
    # Many files are looked at for these.
    names = sorted(each for each in zoneinfo.available_timezones() if "/" in each or each == "UTC")
    return tuple((each, each.replace("_", " ")) for each in names)


def typed(value: Any) -> str:
    """A value as it is typed into a field."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(options: Options) -> list[list[str]]:
    return [[value, label] for value, label in options]
