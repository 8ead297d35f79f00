"""Objects created or changed from YAML, by server-side apply: as `kubectl apply --server-side` does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from nicegui import ui

from sampan.dashboard.kubernetes import fields, kinds, samples
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind
from sampan.dashboard.kubernetes.saving import MANAGER
from sampan.ui import widgets
from sampan.ui.api import Api, ApiFailureError, decoded
from sampan.ui.context import PageContext
from sampan.ui.objects import yamltext
from sampan.ui.objects.editor import YamlEditor
from sampan.ui.objects.yamltext import Document, Problem, YamlError
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_APPLY = "application/apply-patch+yaml"
_CONFLICT = 409
_COLUMNS = (Column("object", "Object"), Column("namespace", "Namespace"), Column("done", "What was done"))


@dataclass(frozen=True, slots=True)
class Applied:
    kind: Kind
    name: str
    namespace: str
    word: str


@dataclass(frozen=True, slots=True)
class Refused:
    problems: Sequence[Problem]
    is_conflict: bool = False
    """Another manager owns fields that would change."""


async def build(page: PageContext) -> None:
    await _Apply(page, await kinds.find(page.api)).build()


class _Apply:
    def __init__(self, page: PageContext, catalogue: Catalogue) -> None:
        self._page = page
        self._catalogue = catalogue
        self._is_forced = False

    async def build(self) -> None:
        page = self._page
        kind = self._catalogue.lookup(page.query["kind"]) if page.query.get("kind") else None
        widgets.page_header(
            "Create from YAML",
            f"One object or several, with --- between them. What names no namespace goes to {page.namespace}.",
        )
        with ui.element("div").classes("kc-filters"):
            widgets.button("Create or change", self._apply, icon="check", kind="primary")
            widgets.button("Check only", self._check, icon="rule")
            self._force = fields.tick("Take over fields of others", False, self._set_force)
        self._force.set_visibility(False)
        self._done = DataTable(_COLUMNS, label="What was done")
        self._done.set_visibility(False)
        self._editor = YamlEditor(samples.of(kind), label="YAML of the new objects", save=self._apply)

    def _set_force(self, on: bool) -> None:
        self._is_forced = on

    async def _check(self) -> None:
        await self._go(dry=True)

    async def _apply(self) -> None:
        await self._go(dry=False)

    async def _go(self, *, dry: bool) -> None:
        self._done.set_visibility(False)
        try:
            documents = yamltext.parse(self._editor.text)
            if not documents:
                raise YamlError(Problem(1, "There is nothing here."))
        except YamlError as error:
            self._editor.tell([error.problem])
            return
        if not dry:
            # Nothing is begun that would stop in the middle.
            checked, refused = await self._each(documents, dry=True)
            if refused is not None and len(checked) == 0:
                self._refuse(refused)
                return
        applied, refused = await self._each(documents, dry=dry)
        if refused is not None:
            self._refuse(refused)
        else:
            self._editor.tell((), "The cluster would take it so." if dry else "")
        if applied and not dry:
            self._done.set_visibility(True)
            self._done.set_rows([self._row(each) for each in applied])
            await self._page.attempt(_nothing(), done=f"{len(applied)} done.")

    async def _each(
        self, documents: Sequence[Document], *, dry: bool
    ) -> tuple[list[Applied], Refused | None]:
        """Until one is refused."""
        applied: list[Applied] = []
        for document in documents:
            kind = self._kind_of(document)
            if kind is None and not dry:
                # A definition that came before it may have been what it waited for.
                self._catalogue = await kinds.find(self._page.api)
                kind = self._kind_of(document)
            if kind is None:
                if dry and applied:
                    continue
                said = f"{document.value.get('apiVersion')} {document.value.get('kind')}"
                problem = Problem(document.line_of("kind"), f"The cluster has no kind {said}.", "kind")
                return applied, Refused([problem])
            found = await apply(
                self._page.api, kind, document, self._page.namespace, dry=dry, force=self._is_forced
            )
            if isinstance(found, Refused):
                return applied, found
            applied.append(found)
        return applied, None

    def _kind_of(self, document: Document) -> Kind | None:
        value = document.value
        return self._catalogue.of(str(value.get("apiVersion") or ""), str(value.get("kind") or ""))

    def _refuse(self, refused: Refused) -> None:
        self._editor.tell(refused.problems)
        self._force.set_visibility(refused.is_conflict or self._is_forced)

    def _row(self, each: Applied) -> Row:
        href = self._page.href(each.kind.page(each.namespace, each.name))
        return Row(
            f"{each.kind.key}/{each.namespace}/{each.name}",
            {
                "object": cells.link(each.name, href, second=kinds.spaced(each.kind.kind)),
                "namespace": each.namespace,
                "done": cells.state(each.word, "ok"),
            },
            name=each.name,
        )


async def _nothing() -> None:
    """Done already; told to all that follow the objects."""


async def apply(
    api: Api, kind: Kind, document: Document, namespace: str, *, dry: bool, force: bool
) -> Applied | Refused:
    """One document. Without a name, with generateName, it is created."""
    value: dict[str, Any] = dict(document.value)
    metadata = dict(value.get("metadata") or {}) if isinstance(value.get("metadata"), dict | None) else {}
    where = ""
    if kind.namespaced:
        where = metadata["namespace"] = str(metadata.get("namespace") or namespace)
    value["metadata"] = metadata
    name = str(metadata.get("name") or "")
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    if dry:
        query["dryRun"] = "All"
    try:
        if not name:
            if not metadata.get("generateName"):
                return Refused([Problem(document.line_of("metadata"), "It needs a name.", "metadata.name")])
            made = await api.post(kind.path(where), value, query)
            return Applied(kind, made["metadata"]["name"], where, "Created")
        if force:
            query["force"] = "true"
        reply = await api.request(
            "PATCH",
            kind.path(where, name),
            query=query,
            # JSON is YAML.
            body=msgspec.json.encode(value),
            content_type=_APPLY,
        )
    except ApiFailureError as error:
        if error.status == _CONFLICT:
            told = [
                Problem(document.line_of(field), text, field.lstrip("."))
                for field, text in error.causes
                if field
            ]
            return Refused(told or [Problem(0, error.message)], is_conflict=True)
        return Refused(yamltext.problems(document, error.message, error.causes))
    made = await decoded(reply.body)
    return Applied(kind, made["metadata"]["name"], where, "Created" if reply.status == 201 else "Changed")
