"""The element that asks an endpoint, from the browser, and shows the answer.

The request takes the way of every client's: to the platform's port, through the gateway, measured where it is made.
Nothing of an answer is ever more than text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nicegui.element import Element


@dataclass(frozen=True, slots=True)
class Answer:
    key: str
    """Of what was asked."""
    status: int
    """HTTP's; 0 where there was no answer."""
    body: str
    """Its beginning."""


class Asker(Element, component="asker.js"):
    def __init__(self, label: str, answered: Callable[[Answer], Any], *, is_quiet: bool = False) -> None:
        """`is_quiet`: nothing of it is ever seen, for `look` alone."""
        super().__init__()
        self._props.update(label=label, quiet=is_quiet)
        self.on("answered", lambda event: answered(_answer(event.args)))

    def ask(self, path: str, body: str, *, key: str = "request") -> None:
        """Shows what comes."""
        self.run_method("ask", key, path, body, False)

    def look(self, path: str, *, key: str) -> None:
        """A GET that is not shown."""
        self.run_method("ask", key, path, None, True)

    def chat(self, path: str, request: Mapping[str, Any], text: str) -> None:
        """One turn more of a talk by OpenAI's API; `request` is all but the messages."""
        self.run_method("chat", path, dict(request), text)

    def forget(self) -> None:
        """The talk."""
        self.run_method("forget")


def _answer(args: Any) -> Answer:
    given = args if isinstance(args, dict) else {}
    status = given.get("status")
    return Answer(
        str(given.get("key") or ""), status if isinstance(status, int) else 0, str(given.get("body") or "")
    )
