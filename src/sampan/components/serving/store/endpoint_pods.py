"""Which pods an InferenceService has had: `serving/pods/NAMESPACE/NAME.jsonl`, a line for each pod.

Pods go, by scaling, rollouts and deletion, while what they printed stays at `logs/NAMESPACE/UID`. Written by
`controller.remembering`, read by whoever shows logs. A line that was torn by a crash is skipped. Synchronous: for
threads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sampan.components.serving.api import labels
from sampan.kube import meta, pods
from sampan.kube.meta import Object
from sampan.lib.files import replace_text

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
"""Of a namespace, an endpoint, a container: never a path that leads elsewhere."""
_MOST, _KEPT = 400, 200
"""Pods of one endpoint, and how many of the newest are left when there are more."""


@dataclass(frozen=True, slots=True)
class EndpointPod:
    uid: str
    name: str
    component: str
    revision: str
    created: str
    """RFC 3339."""
    containers: tuple[str, ...]
    """Those that run first first."""


@dataclass(frozen=True, slots=True)
class Run:
    """Of a container: how often it had been restarted, and its log's file."""

    container: str
    restart: int
    path: Path


class EndpointPods:
    """The records below one home. One writer."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "serving" / "pods"
        self._logs = home / "logs"

    def add(self, namespace: str, endpoint: str, pod: EndpointPod) -> None:
        """Does nothing for a pod that is known. Raises OSError."""
        file = self._file(namespace, endpoint)
        known = self.of(namespace, endpoint)
        if file is None or any(each.uid == pod.uid for each in known):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        if len(known) < _MOST:
            with file.open("a", encoding="utf-8") as out:
                # A line of its own even behind one that was torn.
                torn = out.tell() > 0 and not file.read_bytes().endswith(b"\n")
                out.write(("\n" if torn else "") + _line(pod))
            return
        replace_text(file, "".join(map(_line, [*known[1 - _KEPT :], pod])))

    def of(self, namespace: str, endpoint: str) -> list[EndpointPod]:
        """The oldest first."""
        file = self._file(namespace, endpoint)
        try:
            lines = file.read_text(encoding="utf-8").splitlines() if file is not None else []
        except FileNotFoundError:
            return []
        return [pod for line in lines if (pod := _read(line)) is not None]

    def runs(self, namespace: str, pod: EndpointPod) -> list[Run]:
        """Those of which something is left, of each container in order."""
        if not (_NAME.match(namespace) and _NAME.match(pod.uid)):
            return []
        folder = self._logs / namespace / pod.uid
        return [run for name in pod.containers if _NAME.match(name) for run in _runs(folder, name)]

    def _file(self, namespace: str, endpoint: str) -> Path | None:
        if not all(_NAME.match(part) and part.strip(".") for part in (namespace, endpoint)):
            return None
        return self._folder / namespace / f"{endpoint}.jsonl"


def endpoint_pod(pod: Object) -> EndpointPod:
    found = meta.labels(pod)
    return EndpointPod(
        meta.uid(pod),
        meta.name(pod),
        str(found.get(labels.COMPONENT) or ""),
        str(found.get(labels.REVISION) or ""),
        str(meta.metadata(pod).get("creationTimestamp") or ""),
        tuple(str(each.get("name") or "") for each in pods.all_containers(pod)),
    )


def _runs(folder: Path, container: str) -> Iterator[Run]:
    found = (
        (int(number), path)
        for path in folder.glob(f"{container}.*.log")
        if (number := path.name.removeprefix(f"{container}.").removesuffix(".log")).isdigit()
    )
    for restart, path in sorted(found):
        yield Run(container, restart, path)


def _line(pod: EndpointPod) -> str:
    return json.dumps(asdict(pod)) + "\n"


def _read(line: str) -> EndpointPod | None:
    try:
        values: dict[str, Any] = json.loads(line)
        return EndpointPod(**{**values, "containers": tuple(map(str, values["containers"]))})
    except (ValueError, TypeError, KeyError):
        return None
