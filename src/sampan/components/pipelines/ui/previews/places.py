"""Where files are read: paths and queries of the API, of an artifact's own files and of what they name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan.ui import widgets
from sampan.ui.api import segment

_SOURCES = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "minio": "minio", "http": "http", "https": "https"}


@dataclass(frozen=True, slots=True)
class Place:
    """A file as the API gives it: with `peek` its beginning."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    """Of the file."""

    @property
    def download(self) -> str:
        return widgets.address(self.path, self.query)


def of_artifact(artifact_id: str, inner: str, uri: str) -> Place:
    name = (inner or uri).rstrip("/").rpartition("/")[2]
    return Place(f"{artifact_path(artifact_id)}:read", {"path": inner} if inner else {}, name)


def artifact_path(artifact_id: str) -> str:
    return f"/apis/v2beta1/artifacts/{segment(artifact_id)}"


def of_uri(uri: str, namespace: str) -> Place | None:
    """What a file of v1 names; None for what the API does not read."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        if not uri.startswith("/"):
            return None
        query = {"source": "file", "bucket": "", "key": uri}
    elif scheme in _SOURCES:
        bucket, _, key = rest.partition("/")
        query = {"source": _SOURCES[scheme], "bucket": bucket, "key": key}
    else:
        return None
    return Place("/artifacts/get", query | {"namespace": namespace}, uri.rstrip("/").rpartition("/")[2])
