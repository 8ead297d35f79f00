"""An editor of YAML: CodeMirror, with what is wrong marked at its line and listed below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.ui import widgets
from sampan.ui.objects.yamltext import Problem


class EditorFrame(Element, component="editorframe.js"):
    """Names the editor for whoever hears it, and tells of Ctrl+S."""

    def __init__(self, label: str, save: Callable[[], Any] | None) -> None:
        super().__init__()
        self._props["label"] = label
        if save is not None:
            self.on("save", lambda _: save())


class YamlEditor:
    def __init__(self, text: str, *, label: str, save: Callable[[], Any] | None = None) -> None:
        """Without `save` it is only to be read."""
        self._problems = ui.element("div").classes("sp-problems").props('role="status" aria-live="polite"')
        with EditorFrame(label, save):
            self._editor = ui.codemirror(text, language="YAML", theme="githubLight", indent="  ")
        if save is None:
            self._editor.disable()

    @property
    def text(self) -> str:
        return self._editor.value or ""

    def set_text(self, text: str) -> None:
        self.tell(())
        if text != self._editor.value:
            self._editor.set_value(text)

    def tell(self, problems: Sequence[Problem], done: str = "") -> None:
        """Marks their lines, and lists them; or says `done`."""
        lines = len(self.text.splitlines()) or 1
        marked = sorted({each.line for each in problems if 0 < each.line <= lines})
        self._editor.decorations = [{"kind": "line", "line": line, "class": "sp-wrong"} for line in marked]
        self._problems.clear()
        if marked:
            self._editor.reveal_line(marked[0])
        with self._problems:
            if done:
                widgets.state(done, "ok")
            for each in problems:
                self._list(each)

    def _list(self, problem: Problem) -> None:
        with ui.element("div").classes("sp-problem"):
            ui.icon("error").props("aria-hidden=true")
            if problem.line:
                widgets.button(f"Line {problem.line}", lambda: self._editor.reveal_line(problem.line))
            with ui.element("span").classes("sp-pre"):
                if problem.field:
                    widgets.Text("strong", f"{problem.field} ")
                widgets.text(problem.message)
