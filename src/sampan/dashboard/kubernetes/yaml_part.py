"""The YAML of an object's page: to read, to edit, to save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import hiding
from sampan.dashboard.kubernetes.kinds import Kind
from sampan.dashboard.kubernetes.saving import Saver
from sampan.ui import widgets
from sampan.ui.code import diff
from sampan.ui.code.view import DiffView
from sampan.ui.context import PageContext
from sampan.ui.objects import yamltext
from sampan.ui.objects.editor import YamlEditor


class YamlPart:
    """Follows the object until somebody edits, then says that it has changed."""

    def __init__(self, page: PageContext, kind: Kind, obj: Mapping[str, Any]) -> None:
        self._page = page
        self._saver = Saver(page.api, kind)
        self._can_edit = "update" in kind.verbs
        self._base = obj
        self._is_hidden = obj.get("kind") == "Secret"
        self._editor: YamlEditor
        self._shown = ""

    async def build(self) -> None:
        self._place = ui.element("div")
        self._draw()

    def _draw(self) -> None:
        self._place.clear()
        with self._place:
            with ui.element("div").classes("kc-filters"):
                if self._is_hidden:
                    widgets.button("Show values and edit", self._reveal, icon="visibility")
                    widgets.text("Values are hidden.", "sp-muted")
                elif self._can_edit:
                    widgets.button("Save", self._save, icon="save", kind="primary")
                    widgets.button("Check only", self._check, icon="rule")
                    widgets.button("Start over", self._start_over, icon="undo")
                    self._note = widgets.text("managedFields are kept, and not shown.", "sp-muted sp-small")
            self._shown = self._text()
            can_edit = self._can_edit and not self._is_hidden
            name = self._base["metadata"]["name"]
            self._editor = YamlEditor(
                self._shown, label=f"YAML of {name}", save=self._save if can_edit else None
            )

    def _text(self) -> str:
        return yamltext.dump(hiding.without_secrets(self._base) if self._is_hidden else self._base)

    def _reveal(self) -> None:
        self._is_hidden = False
        self._draw()

    def update(self, obj: Mapping[str, Any]) -> None:
        is_edited = self._editor.text != self._shown
        if not is_edited:
            self._base = obj
            self._shown = self._text()
            if self._shown != self._editor.text:
                self._editor.set_text(self._shown)

    def stop(self) -> None:
        """Nothing goes on by itself."""

    def _start_over(self) -> None:
        self._editor.set_text(self._shown)

    async def _check(self) -> None:
        outcome = await self._saver.save(self._editor.text, self._base, only_check=True)
        done = "" if outcome.problems else "The cluster would take it so."
        self._editor.tell(outcome.problems, done)

    async def _save(self) -> None:
        await self._save_on(self._base)

    async def _save_on(self, base: Mapping[str, Any]) -> None:
        outcome = await self._saver.save(self._editor.text, base)
        if outcome.conflict is not None:
            self._show_conflict(outcome.conflict)
            return
        self._editor.tell(outcome.problems)
        if outcome.saved is not None:
            self._take(outcome.saved)

            async def saved() -> None:
                """It is; this tells all that follow the object."""

            await self._page.attempt(saved(), done="Saved.")

    def _take(self, obj: Mapping[str, Any]) -> None:
        self._base = obj
        self._shown = self._text()
        self._editor.set_text(self._shown)

    def _show_conflict(self, current: Mapping[str, Any]) -> None:
        window, content = widgets.dialog("Somebody else has changed it meanwhile", wide=True)
        theirs, mine = yamltext.dump(current), self._editor.text

        def discard() -> None:
            window.close()
            self._take(current)

        async def overwrite() -> None:
            window.close()
            await self._save_on(current)

        with content:
            widgets.paragraph("Nothing is saved yet. Theirs is on the left, yours on the right.")
            rows = diff.rows(theirs, mine)
            DiffView(rows, label="Theirs and yours", is_split=True, height="50vh")
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Go on editing", window.close)
                widgets.button("Take theirs", discard)
                widgets.button("Save mine over it", overwrite, kind="primary danger")
