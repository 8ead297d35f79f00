"""Repositories of a Hugging Face hub, by its HTTP API: `hf://OWNER/NAME[:REVISION]`.

Source of the meaning of a URI: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py (_download_hf); of
the API: huggingface.co/docs/hub/api. Large files come from where the hub redirects to, whatever keeps them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from sampan.components.serving.engine.programs.initializer.digests import GIT, Digest
from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    UnreachableError,
    missing,
    unauthorized,
)
from sampan.components.serving.engine.programs.initializer.items import Item
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Web

_HUB = "https://huggingface.co"
_LISTING_BYTES = 64 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


def items(uri: str, environ: Mapping[str, str], web: Web) -> list[Item]:
    """Raises StorageError."""
    repository, revision = parse(uri)
    hub = (environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    store = _Repository(hub, repository, _token(environ), web)
    told = store.info(revision)
    commit = str(told.get("sha") or revision)
    return [store.item(commit, each) for each in told.get("siblings") or ()]


def parse(uri: str) -> tuple[str, str]:
    """Repository and revision, which may be empty. Raises StorageError."""
    words = uri.removeprefix("hf://").split("/")
    if len(words) != 2:
        raise StorageError(
            f"Invalid Hugging Face URI format. Expected 'hf://owner/model[:revision]', got '{uri}'"
        )
    owner, (name, _, revision) = words[0], words[1].partition(":")
    if not owner:
        raise StorageError(f"Hugging Face repository owner cannot be empty in URI: {uri}")
    if not name:
        raise StorageError(f"Hugging Face model name cannot be empty in URI: {uri}")
    return f"{owner}/{name}", revision


class _Repository:
    def __init__(self, hub: str, repository: str, token: str, web: Web) -> None:
        self._hub = hub
        self._repository = repository
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._web = web

    def info(self, revision: str) -> dict[str, Any]:
        where = f"/revision/{quote(revision, safe='')}" if revision else ""
        url = f"{self._hub}/api/models/{quote(self._repository)}{where}?blobs=true"
        with self._ask(url, {}, revision) as answer:
            text = answer.text(_LISTING_BYTES)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StorageError(f"What answers at {self._hub} is no hub: it gave no JSON. Verify HF_ENDPOINT.")
        return found

    def item(self, commit: str, told: Mapping[str, Any]) -> Item:
        name = str(told.get("rfilename") or "")
        url = f"{self._hub}/{quote(self._repository)}/resolve/{quote(commit, safe='')}/{quote(name)}"
        large = told.get("lfs") or {}
        size = large.get("size", told.get("size"))
        digest = None
        if sha256 := large.get("sha256") or large.get("oid"):
            digest = Digest("sha256", str(sha256))
        elif blob := told.get("blobId"):
            digest = Digest(GIT, str(blob))

        def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
            return self._ask(url, {"Range": f"bytes={offset}-"} if offset else {}, commit)

        # What a commit says of a file never changes.
        identity = f"{self._hub}\0{self._repository}\0{commit}\0{name}"
        return Item(name, opened, int(size) if isinstance(size, int) else None, identity, digest)

    @contextlib.contextmanager
    def _ask(self, url: str, headers: Mapping[str, str], revision: str) -> Iterator[Answer]:
        with self._web.ask(Ask(url, headers={**self._headers, **headers})) as answer:
            if answer.status not in (200, 206):
                raise self._refused(answer, revision)
            yield answer

    def _refused(self, answer: Answer, revision: str) -> StorageError:
        code, why = answer.header("X-Error-Code"), answer.header("X-Error-Message")
        if answer.status in _PASSING:
            return UnreachableError(f"The hub answered {answer.status} {why}".strip())
        if code == "RevisionNotFound":
            return missing("HuggingFace", f"{self._repository}:{revision}", why)
        if answer.status == 404 and code != "RepoNotFound":
            return missing("HuggingFace", self._repository, why)
        if answer.status in (401, 403, 404):
            # A repository that is not open to all is not told from one that is not there.
            return unauthorized(
                "HuggingFace",
                why or f"{self._repository} does not exist, or is not open to all: {answer.status}",
            )
        return StorageError(f"HuggingFace error: {answer.status} {why or answer.reason}")


def _token(environ: Mapping[str, str]) -> str:
    return (environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN") or "").strip()
