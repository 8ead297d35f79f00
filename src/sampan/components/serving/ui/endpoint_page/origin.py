"""Where a model comes from: the artifact at its URI, and the run that made it, where the platform knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.ui.api import Api, ApiFailureError, segment

_PATH = "/apis/v2beta1/artifacts"
_MOST = "20"
_LONGEST = 256
"""Of a text that artifacts are searched by."""
_LEVELS = 3
"""Folders above a file that are looked at: an artifact is often one."""


@dataclass(frozen=True, slots=True)
class Origin:
    artifact: str
    name: str
    run: str = ""
    run_name: str = ""

    @property
    def artifact_page(self) -> str:
        """Which shows its lineage too."""
        return f"/artifacts/{segment(self.artifact)}"

    @property
    def run_page(self) -> str:
        return f"/runs/{segment(self.run)}"


async def find(api: Api, namespace: str, uri: str) -> Origin | None:
    """The newest. None where there is none, or there are no pipelines."""
    for each in places(uri):
        query = {
            "namespace": namespace,
            "view": "FULL",
            "search": each,
            "page_size": _MOST,
            "sort_by": "created_at desc",
        }
        try:
            answer = await api.get(_PATH, query)
        except ApiFailureError:
            return None
        if (found := chosen(answer.get("artifacts") or (), each)) is not None:
            return found
    return None


def places(uri: str) -> list[str]:
    """The URI, and what may hold it. Pure."""
    scheme, mark, path = uri.rstrip("/").partition("://")
    found: list[str] = []
    while mark and path.strip("/") and len(found) < _LEVELS:
        if len(scheme) + len(path) + 3 <= _LONGEST:
            # Artifacts of this machine have paths.
            found.append(path if scheme == "file" else f"{scheme}://{path}")
        path = path.rpartition("/")[0]
    return found


def chosen(artifacts: Iterable[Mapping[str, Any]], uri: str) -> Origin | None:
    """Pure."""
    for each in artifacts:
        if str(each.get("uri") or "").rstrip("/") == uri:
            made = each.get("produced_by") or {}
            return Origin(
                str(each.get("artifact_id") or ""),
                str(each.get("name") or "model"),
                str(made.get("run_id") or ""),
                str(made.get("run") or ""),
            )
    return None
