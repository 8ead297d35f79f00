"""How an edited object is saved: read, checked by the API without effect, then stored; and what a conflict means.

`rebased` is pure. Saving uses an update that names the version which was edited, so that nobody's change is lost.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.dashboard.kubernetes.kinds import Kind
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.objects import yamltext
from sampan.ui.objects.yamltext import Document, Problem, YamlError

MANAGER = "sampan-dashboard"
_CHECKED: Mapping[str, str] = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
_CONFLICT = 409
_OF_SERVER = ("resourceVersion", "managedFields", "generation")


@dataclass(frozen=True, slots=True)
class Outcome:
    problems: Sequence[Problem] = ()
    saved: Any = None
    """The object as it is now."""
    conflict: Any = None
    """What somebody else has made of it meanwhile."""


class Saver:
    """Of one object."""

    def __init__(self, api: Api, kind: Kind) -> None:
        self._api = api
        self._kind = kind

    async def save(self, text: str, base: Mapping[str, Any], *, only_check: bool = False) -> Outcome:
        """`base` is the object that was edited."""
        try:
            document = one(text, base)
        except YamlError as error:
            return Outcome([error.problem])
        body = _with_version(document.value, base)
        try:
            saved = await self._put(body, dry=True)
            if only_check:
                return Outcome(saved=saved)
            return Outcome(saved=await self._put(body, dry=False))
        except ApiFailureError as error:
            if error.status == _CONFLICT:
                return await self._again(document, base, only_check=only_check)
            return Outcome(yamltext.problems(document, error.message, error.causes))

    async def _again(self, document: Document, base: Mapping[str, Any], *, only_check: bool) -> Outcome:
        """Where only the server's own parts have changed since, the edit still holds."""
        metadata = base["metadata"]
        current = await self._api.get(self._kind.path(metadata.get("namespace") or "", metadata["name"]))
        body = rebased(document.value, base, current)
        if body is None:
            return Outcome(conflict=current)
        try:
            saved = await self._put(body, dry=only_check)
        except ApiFailureError as error:
            if error.status == _CONFLICT:
                return Outcome(conflict=current)
            return Outcome(yamltext.problems(document, error.message, error.causes))
        return Outcome(saved=saved)

    async def _put(self, body: Mapping[str, Any], *, dry: bool) -> Any:
        metadata = body["metadata"]
        path = self._kind.path(metadata.get("namespace") or "", metadata["name"])
        query = {**_CHECKED, "dryRun": "All"} if dry else {**_CHECKED}
        return await self._api.put(path, body, query)


def one(text: str, base: Mapping[str, Any]) -> Document:
    """The one document, which must still be the same object. Raises YamlError."""
    documents = yamltext.parse(text)
    if len(documents) != 1:
        told = (
            "There is nothing here." if not documents else "One object is edited here, and these are several."
        )
        raise YamlError(Problem(1, told))
    document = documents[0]
    for path in ("apiVersion", "kind", "metadata.name", "metadata.namespace"):
        was, now = _at(base, path), _at(document.value, path)
        if was and now != was:
            told = f"This must stay {was}. To have another object, create it from YAML."
            raise YamlError(Problem(document.line_of(path), told, path))
    return document


def _at(obj: Any, path: str) -> Any:
    for part in path.split("."):
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    return obj


def _with_version(value: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    body = dict(value)
    body["metadata"] = {**value["metadata"], "resourceVersion": base["metadata"].get("resourceVersion", "")}
    return body


def rebased(
    edited: Mapping[str, Any], base: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The edit on what is there now; None where somebody else has changed more than the state."""
    if _essence(base) != _essence(current):
        return None
    body = _with_version(edited, current)
    if edited.get("status") == base.get("status") and "status" in current:
        body["status"] = current["status"]
    return body


def _essence(obj: Mapping[str, Any]) -> Any:
    found = copy.deepcopy({key: value for key, value in obj.items() if key != "status"})
    for name in _OF_SERVER:
        found.get("metadata", {}).pop(name, None)
    return found
