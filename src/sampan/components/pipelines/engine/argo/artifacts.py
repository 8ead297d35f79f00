"""Input artifacts of a pod: where each comes from, the copy that the step gets, and the mount that shows it.

A step may write into its inputs, as in Argo: it gets a copy within its own folder. Artifacts with a `key` of their own
lie below the namespace's keys, whatever the bucket is called: there is one store.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.node import ArgoNode
from sampan.components.pipelines.engine.step_files import StepPaths

_STORES = ("s3", "gcs", "oss", "azure", "hdfs", "artifactory", "plugin")
_KEYS = {"azure": "blob", "hdfs": "path", "artifactory": "url"}


@dataclass(slots=True)
class InputFiles:
    """What a pod finds in its folder before it begins."""

    base: str
    """The step's own folder."""
    copies: list[tuple[str, str]] = field(default_factory=list)
    contents: list[tuple[str, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    mounts: list[tuple[str, str]] = field(default_factory=list)
    """Files of the folder, and where the program sees them."""
    mirrored: list[str] = field(default_factory=list)
    """Names of containers that see what the main container sees."""

    @classmethod
    def of(
        cls, context: ArgoContext, node: ArgoNode, declared: Iterable[Mapping[str, Any]], paths: StepPaths
    ) -> InputFiles:
        """Raises ArgoError for an artifact that cannot be had."""
        found = cls(paths.work)
        for item in declared:
            name, path = str(item.get("name", "")), item.get("path")
            artifact = node.inputs.artifacts.get(name)
            if artifact is None or not path:
                continue
            place = f"{found.base}/inputs/{segment(name)}"
            if raw := artifact.get("raw"):
                found.contents.append((place, str(raw.get("data", ""))))
            else:
                source = _source(context, name, artifact)
                if not context.files.exists(source):
                    if item.get("optional") or artifact.get("optional"):
                        continue
                    raise ArgoError(f'input artifact "{name}": nothing lies at {_shown(artifact)}')
                found.copies.append((source, place))
            found.mounts.append((place, str(path).rstrip("/") or "/"))
        return found

    def script(self, source: str, extension: str) -> str:
        """The path of a file with the source."""
        place = f"{self.base}/script{f'.{segment(extension)}' if extension else ''}"
        self.contents.append((place, source))
        return place

    def folder(self, name: str) -> str:
        place = f"{self.base}/{name}"
        if place not in self.folders:
            self.folders.append(place)
        return place

    @staticmethod
    def seconds(value: Any) -> int:
        return int(seconds(value)) if value else 86400

    @property
    def uris(self) -> list[str]:
        """What the pod reads of the home's files."""
        return [place for place, _ in (*self.contents, *((target, "") for _, target in self.copies))]

    def laid_out(self, paths: StepPaths, outputs: Iterable[str]) -> StepPaths:
        """The paths with all that must be there before the pod begins."""
        parents = [posixpath.dirname(uri) for uri in outputs]
        folders = dict.fromkeys([*paths.folders, self.base, *self.folders, *parents])
        return replace(
            paths, folders=tuple(folders), copies=tuple(self.copies), contents=tuple(self.contents)
        )

    def mount(self, pod: dict[str, Any]) -> None:
        """Shows the inputs at their paths, through the volumes that `attach` has added."""
        spec = pod["spec"]
        roots = _roots(spec["containers"][0])
        before = (item for item in spec.get("initContainers") or () if item.get("name") in self.mirrored)
        containers = [*spec["containers"], *before]
        for place, path in self.mounts:
            name, root = next((name, root) for root, name in roots if place.startswith(f"{root}/"))
            mount = {"name": name, "mountPath": path, "subPath": place[len(root) + 1 :]}
            for container in containers:
                container.setdefault("volumeMounts", []).append(dict(mount))


def _roots(container: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (str(mount["mountPath"]), str(mount["name"]))
        for mount in container.get("volumeMounts") or ()
        if str(mount["name"]).startswith("sampan-files-")
    ]


def _source(context: ArgoContext, name: str, artifact: Mapping[str, Any]) -> str:
    if artifact.get("uri"):
        source = str(artifact["uri"])
    else:
        place = key_path(context, artifact)
        if place is None:
            kinds = ", ".join(sorted(key for key in artifact if key not in ("archive", "optional", "mode")))
            raise ArgoError(f'input artifact "{name}": from {kinds or "nowhere"} cannot be read here')
        source = place
    if sub_path := artifact.get("subPath"):
        source = f"{source}/{_safe(str(sub_path), 'subPath')}"
    return source


def key_path(context: ArgoContext, artifact: Mapping[str, Any]) -> str | None:
    """Where an artifact with a key of its own lies; None for one without. Raises ArgoError."""
    for store in _STORES:
        location = artifact.get(store)
        if isinstance(location, Mapping) and (key := location.get(_KEYS.get(store, "key"))):
            return f"{context.keys}/{_safe(str(key), f'{store}.key')}"
    return None


def _safe(key: str, what: str) -> str:
    parts = [part for part in key.split("/") if part not in ("", ".")]
    if ".." in parts or not parts or "\0" in key:
        raise ArgoError(f"{what}: {key!r} leads elsewhere")
    return "/".join(parts)


def segment(name: str) -> str:
    """A name as one component of a path."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:100] or "x"


def _shown(artifact: Mapping[str, Any]) -> str:
    return str(artifact.get("uri") or {key: artifact[key] for key in _STORES if key in artifact})
