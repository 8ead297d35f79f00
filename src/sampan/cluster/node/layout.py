"""Where the node keeps what belongs to pods, below Sampan's home. Pure: names only.

* `pods/UID/{home,tmp,scratch,network,volumes/NAME}`: the pod's own folders
* `pods/UID/CONTAINER.RESTART/`: one run of a container: started.json, exit.json, work, written or python
* `logs/NAMESPACE/UID/CONTAINER.RESTART.log`: its output in CRI format; logs stay after the pod
* `run/`: the launchers' sockets

Flat on purpose: making a folder is the dearest thing that a short step does here. Container names hold no dot.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sampan.cluster.network.pods import ROUTES


@dataclass(frozen=True, slots=True)
class Layout:
    home: Path

    @property
    def pods(self) -> Path:
        return self.home / "pods"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def routes(self) -> Path:
        """A file for each Service: where it leads."""
        return self.home / ROUTES

    def pod(self, uid: str) -> PodFolder:
        return PodFolder(self.pods / uid)

    def log(self, namespace: str, uid: str, container: str, restart: int) -> Path:
        return self.logs / namespace / uid / f"{container}.{restart}.log"


@dataclass(frozen=True, slots=True)
class PodFolder:
    path: Path

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    @property
    def network(self) -> Path:
        return self.path / "network"

    @property
    def scratch(self) -> Path:
        return self.path / "scratch"

    def volume(self, name: str) -> Path:
        return self.path / "volumes" / name

    def container(self, name: str, restart: int) -> Path:
        return self.path / f"{name}.{restart}"

    def restarts(self, name: str) -> list[int]:
        """The runs of a container that left something on disk, the first one first."""
        found = (path.name.rpartition(".")[2] for path in self.path.glob(f"{name}.*"))
        return sorted(int(number) for number in found if number.isdigit())


def container_id(uid: str, container: str, restart: int) -> str:
    """How the runtime knows one run of a container."""
    return f"{uid}/{container}/{restart}"


def pod_uid(container: str) -> str:
    """The inverse of `container_id`, as far as the pod goes."""
    return container.partition("/")[0]
