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
from sampan.components.pipelines.engine.argo.git import git_clone
from sampan.components.pipelines.engine.argo.node import ArgoNode
from sampan.components.pipelines.engine.staged_files import staged_place
from sampan.components.pipelines.engine.step_files import StepPaths

_STORES = ("s3", "gcs", "oss", "azure", "hdfs", "artifactory", "plugin")
_FETCHED = ("sampan-web", "sampan-s3", "sampan-gs", "sampan-minio")
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
    clones: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Folders, and the repositories that are cloned into them."""
    remote: list[str] = field(default_factory=list)
    """URIs that are fetched before."""
    modes: list[tuple[str, int]] = field(default_factory=list)
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
            found._add(context, item, artifact, paths)
        return found

    def _add(
        self, context: ArgoContext, item: Mapping[str, Any], artifact: Mapping[str, Any], paths: StepPaths
    ) -> None:
        name, path = str(item.get("name", "")), str(item["path"]).rstrip("/") or "/"
        place = f"{self.base}/inputs/{segment(name)}"
        if raw := artifact.get("raw"):
            self.contents.append((place, str(raw.get("data", ""))))
        elif git := artifact.get("git"):
            self.clones.append((place, git))
        else:
            source = _source(context, artifact)
            if source and context.files.exists(source):
                self.copies.append((source, place))
            elif context.files.remote([uri := _remote(name, artifact)]):
                self.remote.append(uri)
                place = staged_place(paths, uri)
            elif item.get("optional") or artifact.get("optional"):
                return
            else:
                raise ArgoError(f'input artifact "{name}": nothing lies at {_shown(artifact)}')
        if item.get("mode") is not None and place.startswith(self.base):
            self.modes.append((place, _mode(item["mode"])))
        self.mounts.append((place, path))

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
        own = [place for place, _ in (*self.contents, *((target, "") for _, target in self.copies))]
        return [*own, *self.remote]

    def laid_out(self, paths: StepPaths, outputs: Iterable[str]) -> StepPaths:
        """The paths with all that must be there before the pod begins."""
        parents = [posixpath.dirname(uri) for uri in outputs]
        folders = dict.fromkeys([*paths.folders, self.base, *self.folders, *parents])
        return replace(
            paths,
            folders=tuple(folders),
            copies=tuple(self.copies),
            contents=tuple(self.contents),
            modes=tuple(self.modes),
        )

    def mount(self, pod: dict[str, Any]) -> None:
        """Shows the inputs at their paths, through the volumes that `attach` has added."""
        spec = pod["spec"]
        main = spec["containers"][0]
        roots = _roots(main)
        for number, (place, repository) in enumerate(self.clones):
            container = git_clone(number, place, repository)
            container["volumeMounts"] = [
                {"name": name, "mountPath": root} for root, name in roots if place.startswith(f"{root}/")
            ]
            spec["initContainers"] = [container, *spec.get("initContainers", ())]
        before = (item for item in spec.get("initContainers") or () if item.get("name") in self.mirrored)
        containers = [*spec["containers"], *before]
        for place, path in self.mounts:
            name, root = next(
                (name, root) for root, name in _sources(spec, main) if place.startswith(f"{root}/")
            )
            mount = {"name": name, "mountPath": path, "subPath": place[len(root) + 1 :]}
            for container in containers:
                container.setdefault("volumeMounts", []).append(dict(mount))


def _mode(value: Any) -> int:
    """A number, as YAML reads 0755; or that as a text. Raises ArgoError."""
    try:
        return value if isinstance(value, int) else int(str(value), 8)
    except ValueError:
        raise ArgoError(f"mode {value!r} is no file mode such as 0755") from None


def _roots(container: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Folders of ours that the container sees, and their volumes."""
    return [
        (str(mount["mountPath"]), str(mount["name"]))
        for mount in container.get("volumeMounts") or ()
        if str(mount["name"]).startswith("sampan-files-")
    ]


def _sources(spec: Mapping[str, Any], main: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Folders that the volumes of `attach` show, and these; those of what was fetched by where they lie."""
    fetched = [
        (str(volume["hostPath"]["path"]), str(volume["name"]))
        for volume in spec.get("volumes") or ()
        if volume.get("hostPath") and str(volume["name"]) in _FETCHED
    ]
    return [*fetched, *_roots(main)]


def _source(context: ArgoContext, artifact: Mapping[str, Any]) -> str:
    """Where the artifact lies in our own store; empty for one that is elsewhere. Raises ArgoError."""
    source = str(artifact.get("uri") or key_path(context, artifact) or "")
    if source and (sub_path := artifact.get("subPath")):
        source = f"{source}/{_safe(str(sub_path), 'subPath')}"
    return source


def _remote(name: str, artifact: Mapping[str, Any]) -> str:
    """The URI of an artifact on the web or in a bucket. Raises ArgoError for one that cannot be read from here."""
    if isinstance(web := artifact.get("http"), Mapping):
        if web.get("headers") or web.get("auth"):
            raise ArgoError(f'input artifact "{name}": http.headers and http.auth are not sent')
        return str(web.get("url", ""))
    for store, scheme in (("s3", "s3"), ("gcs", "gs")):
        location = artifact.get(store)
        if isinstance(location, Mapping) and location.get("bucket") and location.get("key"):
            return f"{scheme}://{location['bucket']}/{str(location['key']).strip('/')}"
    return ""


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
