"""A terminal in one of a pod's containers.

The browser opens the exec WebSocket of the API itself, of the same origin, with whatever lets it in everywhere else:
nothing of it passes through the page. A click opens it, never an address alone: a link that is sent runs no command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

# Announces the bundle that `terminal.js` loads.
import nicegui.elements.xterm  # noqa: F401
from nicegui import ui
from nicegui.element import Element

from sampan.dashboard.kubernetes import fields, related
from sampan.dashboard.kubernetes.described import Object, name_of, namespace_of
from sampan.ui import widgets
from sampan.ui.context import PageContext

_SHELL = (
    "sh",
    "-c",
    "TERM=xterm-256color; export TERM; command -v bash >/dev/null 2>&1 && exec bash || exec sh",
)


class Terminal(Element, component="terminal.js"):
    def __init__(self, path: str, label: str) -> None:
        super().__init__()
        self._props.update({"path": path, "label": label})


class TerminalPart:
    def __init__(self, page: PageContext, obj: Object) -> None:
        self._page = page
        self._obj = obj
        self._container = ""

    async def build(self) -> None:
        self._place = ui.element("div")
        self._draw()

    def update(self, obj: Mapping[str, Any]) -> None:
        """An open terminal is left alone."""
        self._obj = obj

    def stop(self) -> None:
        """It ends when it is removed."""

    def _draw(self, said: str = "") -> None:
        running = running_containers(self._obj)
        self._place.clear()
        with self._place:
            if said:
                widgets.paragraph(said, "kc-said").props('role="status"')
            if not running:
                widgets.empty_state(
                    "terminal", "No container runs", "A terminal needs a container that is running."
                )
                return
            self._container = self._container if self._container in running else running[0]
            with ui.element("div").classes("kc-filters"):
                if len(running) > 1:
                    options = {each: each for each in running}
                    fields.choice("Container", [("", options)], self._container, self._choose)
                widgets.button("Open a terminal", self._open, icon="terminal", kind="primary")
                widgets.text("What you type there runs in the container, with your rights.", "sp-muted")

    def _choose(self, container: str) -> None:
        self._container = container

    def _open(self) -> None:
        self._place.clear()
        name = name_of(self._obj)
        with self._place:
            with ui.element("div").classes("kc-filters"):
                widgets.button("Close", self._draw, icon="close")
                widgets.text(f"{name}, {self._container}", "sp-muted")
            terminal = Terminal(
                exec_path(self._obj, self._container), f"Terminal in {name}, {self._container}"
            )
            terminal.on("closed", lambda event: self._closed(event.args))

    def _closed(self, args: Any) -> None:
        if not args.get("opened"):
            pod, namespace = name_of(self._obj), namespace_of(self._obj)
            command = f"kubectl exec -n {namespace} -it {pod} -c {self._container} -- sh"
            self._draw(f"The terminal could not be opened from here. From a terminal of your own: {command}")
        else:
            self._draw(ended(str(args.get("status") or "")))


def running_containers(pod: Object) -> list[str]:
    """Pure."""
    status = pod.get("status") or {}
    return [
        str(each.get("name"))
        for part in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
        for each in status.get(part) or ()
        if "running" in (each.get("state") or {})
    ]


def exec_path(pod: Object, container: str, command: Sequence[str] = _SHELL) -> str:
    """Pure."""
    query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("tty", "true")]
    query += [("command", word) for word in command]
    return f"{related.pod_path(namespace_of(pod), name_of(pod))}/exec?{urlencode(query)}"


def ended(status: str) -> str:
    """What the last message of the protocol, a Status, says to people. Pure."""
    try:
        found = msgspec.json.decode(status)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        return "The connection is closed."
    if found.get("status") == "Success":
        return "The shell has ended."
    causes = (found.get("details") or {}).get("causes") or ()
    codes = [each.get("message") for each in causes if each.get("reason") == "ExitCode"]
    return (
        f"The shell has ended with exit code {codes[0]}."
        if codes
        else str(found.get("message") or "It has ended.")
    )
