"""Which pods a job has had, in files of the home folder: `training/NAMESPACE/PLURAL/NAME.jsonl`, a line for each pod.

Pods go (cleanPodPolicy, restarts, the job itself), while what they printed stays at `logs/NAMESPACE/UID`. Written by
`controller.remembering`, read by whoever shows logs. A line that was torn by a crash is skipped. Synchronous: for
threads.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sampan.components.training.api.summary import CONTAINERS, rank_of
from sampan.kube import meta
from sampan.kube.meta import Object

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
"""Of a namespace, a kind, a job: never a path that leads elsewhere."""
_DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class JobPod:
    """One pod of a job."""

    uid: str
    name: str
    job: str
    """The job's uid; empty when it could not be told any more."""
    role: str
    index: int
    container: str
    """The one that trains."""
    created: str
    """RFC 3339."""

    @property
    def rank(self) -> str:
        return f"{self.role}-{self.index}"

    @property
    def since(self) -> tuple[str, str]:
        """By which pods of one rank are in order."""
        return self.created, self.uid


@dataclass(frozen=True, slots=True)
class JobKey:
    namespace: str
    plural: str
    name: str


class JobPods:
    """The records below one home. One writer."""

    def __init__(self, home: Path) -> None:
        self._writing = threading.Lock()
        self._folder = home / "training"
        self._logs = home / "logs"

    def add(self, key: JobKey, pod: JobPod) -> None:
        """Does nothing for a pod that is known. Raises OSError."""
        file = self._file(key)
        if file is None:
            return
        with self._writing:
            self._add(file, pod)

    def _add(self, file: Path, pod: JobPod) -> None:
        if any(each.uid == pod.uid for each in self._all(file)):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            # A line of its own even behind one that was torn.
            torn = out.tell() > 0 and not file.read_bytes().endswith(b"\n")
            out.write(("\n" if torn else "") + json.dumps(asdict(pod)) + "\n")

    def of(self, key: JobKey, job: str = "") -> list[JobPod]:
        """Those of the job with the uid `job`, or of the newest job of that name."""
        file = self._file(key)
        found = self._all(file) if file is not None else []
        wanted = job or (found[-1].job if found else "")
        return [pod for pod in found if pod.job in (wanted, "")]

    def keys(self, namespace: str = "*") -> Iterator[JobKey]:
        """Of all jobs that are known, those that are gone too."""
        for file in self._folder.glob(f"{namespace}/*/*.jsonl"):
            yield JobKey(file.parent.parent.name, file.parent.name, file.stem)

    def age_days(self, key: JobKey) -> float:
        """Since a pod was last added."""
        file = self._file(key)
        try:
            return (time.time() - file.stat().st_mtime) / _DAY_SECONDS if file else 0.0
        except FileNotFoundError:
            return 0.0

    def forget(self, key: JobKey, keep_days: float) -> None:
        """Removes the records of all jobs of that name, and what their pods printed, unless one came since."""
        file = self._file(key)
        if file is None:
            return
        with self._writing:
            if self.age_days(key) <= keep_days:
                return
            for pod in self._all(file):
                if _NAME.match(pod.uid):
                    shutil.rmtree(self._logs / key.namespace / pod.uid, ignore_errors=True)
            file.unlink(missing_ok=True)

    def runs(self, namespace: str, pod: JobPod) -> list[tuple[int, Path]]:
        """The runs of the container that trains: how often it had been restarted, and the log's file. In order."""
        if not (_NAME.match(namespace) and _NAME.match(pod.uid) and _NAME.match(pod.container)):
            return []
        found = (
            (int(number), path)
            for path in (self._logs / namespace / pod.uid).glob(f"{pod.container}.*.log")
            if (number := path.name.removeprefix(f"{pod.container}.").removesuffix(".log")).isdigit()
        )
        return sorted(found)

    def _all(self, file: Path) -> list[JobPod]:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [pod for line in lines if (pod := _read(line)) is not None]

    def _file(self, key: JobKey) -> Path | None:
        parts = (key.namespace, key.plural, key.name)
        if not all(_NAME.match(part) and part.strip(".") for part in parts):
            return None
        return self._folder / key.namespace / key.plural / f"{key.name}.jsonl"


def job_pod(pod: Object, kind: str, job: str) -> JobPod:
    """What there is to know of a pod of a job of this kind."""
    rank = rank_of(pod)
    return JobPod(
        meta.uid(pod),
        meta.name(pod),
        job,
        rank.role,
        rank.index,
        training_container(pod, kind),
        str(meta.metadata(pod).get("creationTimestamp") or ""),
    )


def training_container(pod: Object, kind: str) -> str:
    """By the name that its kind gives it, or the first."""
    names = [str(each.get("name") or "") for each in meta.spec(pod).get("containers") or ()]
    wanted = CONTAINERS.get(kind, "")
    return wanted if wanted in names or not names else names[0]


def ranks(pods: Iterable[JobPod]) -> dict[str, list[JobPod]]:
    """Pods by rank, those that came later last."""
    found: dict[str, list[JobPod]] = {}
    for pod in sorted(pods, key=lambda pod: pod.since):
        found.setdefault(pod.rank, []).append(pod)
    return found


def _read(line: str) -> JobPod | None:
    try:
        values: Mapping[str, Any] = json.loads(line)
        return JobPod(**values) if values else None
    except (ValueError, TypeError):
        return None
