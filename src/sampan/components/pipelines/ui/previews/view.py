"""An artifact on a page: what it measures, what its file holds, which files it has.

    await preview(page, artifact)

with the artifact as the API gives it. Called by the pages of runs and of artifacts. Only beginnings of files are read;
what users made as HTML, markdown or pictures is shown from the content host (`ui.sandbox`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.previews import files, kinds, legacy, measures, outputs, places
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

_MEASURED = ("Metric", "ClassificationMetric", "SlicedClassificationMetric")


async def preview(page: PageContext, artifact: Mapping[str, Any], *, namespace: str = "") -> None:
    """Fills the place that it is called in. What cannot be shown says why, and what to do instead."""
    shown = _Preview(page, artifact, namespace or page.namespace)
    with ui.element("div").classes("sp-stack sp-preview"):
        await shown.build()


class _Preview:
    def __init__(self, page: PageContext, artifact: Mapping[str, Any], namespace: str) -> None:
        self._page = page
        self._artifact = artifact
        self._namespace = namespace
        self._type = kinds.type_of(artifact)
        self._place: ui.element

    async def build(self) -> None:
        is_measured = self._build_measures()
        uri, key = str(self._artifact.get("uri", "")), str(self._artifact.get("artifact_id", ""))
        if not uri or not key:
            if not is_measured:
                widgets.empty_state(
                    "insert_drive_file", "No content", "This artifact is a record alone: it names no file."
                )
            return
        # Metrics are in the record; that they left no file is nothing to tell.
        is_quiet = is_measured and self._type in _MEASURED
        self._place = ui.element("div").classes("sp-stack")
        with self._place:
            await self._build_content("", is_quiet=is_quiet)

    def _build_measures(self) -> bool:
        scalars = measures.scalars(self._artifact)
        if scalars:
            outputs.scalars({name: (value, False) for name, value in scalars.items()})
        name = str(self._artifact.get("name", "metrics"))
        whole, slices = measures.classification(self._artifact), measures.slices(self._artifact)
        if whole is not None:
            outputs.classification(name, {name: whole})
        if slices:
            outputs.classification(name, slices)
        return bool(scalars or whole or slices)

    async def _build_content(self, inner: str, *, is_quiet: bool = False) -> None:
        key = str(self._artifact["artifact_id"])
        try:
            found = await self._page.api.get(
                f"{places.artifact_path(key)}:files", {"path": inner} if inner else None
            )
        except ApiFailureError as error:
            if not is_quiet:
                self._build_failure(error)
            return
        place = places.of_artifact(key, inner, str(self._artifact["uri"]))
        if inner:
            self._build_way(inner)
        if found["kind"] == "FOLDER":
            self._build_folder(inner, found)
        elif found["kind"] == "REMOTE":
            self._build_web(place)
        elif is_quiet and found.get("size") == "0":
            return
        else:
            await self._build_file(place, int(found["size"]))

    def _build_failure(self, error: ApiFailureError) -> None:
        uri = str(self._artifact["uri"])
        if error.status == 404:
            widgets.empty_state(
                "delete_sweep",
                "The content is gone",
                f"Nothing is at {uri} (any more). Run the step again, without the cache, to make it anew.",
            )
        else:
            widgets.empty_state("cloud_off", "The content cannot be read", f"{error.message} ({uri})")

    def _build_way(self, inner: str) -> None:
        """Where one is within the artifact, and back."""
        parts = inner.split("/")
        with ui.element("nav").classes("sp-row").props('aria-label="Folder"'):
            widgets.button("All files", lambda: self._open(""), icon="folder_open")
            for at in range(1, len(parts)):
                widgets.button(parts[at - 1], partial(self._open, "/".join(parts[:at])))
            widgets.text(parts[-1], "sp-mono")

    def _build_folder(self, inner: str, found: Mapping[str, Any]) -> None:
        listed = found.get("files", ())

        async def go(name: str, _action: str) -> None:
            await self._open(f"{inner}/{name}" if inner else name)

        if not listed:
            widgets.empty_state(
                "folder_open", "An empty folder", "The step made this folder and left nothing in it."
            )
            return
        files.folder(listed, go)
        if found.get("more"):
            widgets.paragraph("There are more files than are listed here.", "sp-muted")

    def _build_web(self, place: places.Place) -> None:
        """Not read before somebody asks: it is a request to another server."""
        uri = str(self._artifact["uri"])

        async def read() -> None:
            self._place.clear()
            with self._place:
                await self._build_file(place, -1)

        with widgets.card("On the web"):
            widgets.paragraph(uri, "sp-mono")
            with ui.element("div").classes("sp-row"):
                widgets.button("Read it", read, icon="cloud_download")
                widgets.link("Open it in a new tab", uri, new_tab=True)

    async def _open(self, inner: str) -> None:
        self._place.clear()
        with self._place:
            await self._build_content(inner)

    async def _build_file(self, place: places.Place, size: int) -> None:
        """A `size` below 0 is not known."""
        try:
            head = await files.head_of(self._page, place)
        except ApiFailureError as error:
            self._build_failure(error)
            return
        is_whole = len(head) < kinds.PEEK_BYTES
        kind = kinds.kind_of(place.name, head, self._type, is_whole=is_whole)
        files.facts(kind, size if size >= 0 or not is_whole else len(head), place)
        name = str(self._artifact.get("name", ""))
        text = kinds.text_of(head, is_whole=is_whole)
        if text is not None and kind.name in ("json", "text") and await self._build_legacy(name, text):
            return
        await files.content(self._page, place, kind, head, size=size, title=name or place.name)

    async def _build_legacy(self, name: str, text: str) -> bool:
        """The two files of v1. False where it is none, or says nothing."""
        if not (legacy.is_ui_metadata(name) or legacy.is_metrics(name)):
            return False
        try:
            document = kinds.json_of(text)
        except ValueError:
            return False
        if legacy.is_metrics(name):
            found = legacy.metrics(document)
            if found:
                outputs.scalars(found)
            return bool(found)
        viewers = legacy.viewers(document)
        own = places.of_artifact(str(self._artifact["artifact_id"]), "", str(self._artifact["uri"]))
        for viewer in viewers:
            with widgets.card(viewer.title):
                await outputs.viewer(self._page, viewer, own, self._namespace)
        return bool(viewers)
