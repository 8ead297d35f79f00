"""What is to be run, in the words of a user; `objects` makes Kubernetes objects of it. Pure."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?\Z")


class PlanError(ValueError):
    """It cannot be run so. The message names the option and says what to do."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Of each node; empty for none asked for."""

    cpu: str = ""
    memory: str = ""
    gpus: int = 0

    def to_json(self) -> dict[str, dict[str, str]]:
        asked = {"cpu": self.cpu, "memory": self.memory, "nvidia.com/gpu": str(self.gpus or "")}
        found = {name: value for name, value in asked.items() if value}
        limits = {name: value for name, value in found.items() if name != "cpu"}
        return {key: value for key, value in (("requests", found), ("limits", limits)) if value}


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine, or `pvc://CLAIM/PATH`, at `path` in each pod."""

    name: str
    source: str
    path: str
    read_only: bool = False

    def volume(self) -> dict[str, object]:
        if self.source.startswith("pvc://"):
            claim = self.source.removeprefix("pvc://").partition("/")[0]
            return {"name": self.name, "persistentVolumeClaim": {"claimName": claim}}
        return {"name": self.name, "hostPath": {"path": self.source, "type": "Directory"}}

    def mount(self) -> dict[str, object]:
        found: dict[str, object] = {"name": self.name, "mountPath": self.path}
        if self.read_only:
            found["readOnly"] = True
        inner = (
            self.source.removeprefix("pvc://").partition("/")[2] if self.source.startswith("pvc://") else ""
        )
        return found | ({"subPath": inner} if inner else {})


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    namespace: str
    command: tuple[str, ...]
    """As it is in the pod, behind the boot program."""
    archive: bytes = b""
    kind: str = "TrainJob"
    runtime: str = ""
    framework: str = ""
    image: str = ""
    nodes: int = 1
    processes: int | None = None
    """On each node; None for what the runtime says."""
    resources: Resources = field(default_factory=Resources)
    packages: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variables from `SECRET/KEY`."""
    mounts: tuple[Mount, ...] = ()
    work_folder: str = ""
    """Where the program runs, in the pod; empty for a fresh folder."""
    output: str = ""
    """The pod's path of what it makes."""
    elastic: tuple[int, int] | None = None
    retries: int | None = None
    deadline_seconds: int | None = None
    priority: str = ""
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    waits_for_all: bool = False
    """Whether pods that still run when the job's master has ended are left to end by themselves."""
    source: str = ""
    """What was sent, for people."""


def made_name(stem: str) -> str:
    """A name for a job, from a script's or a function's, that no other job has."""
    plain = _NOT_IN_NAMES.sub("-", stem.lower()).strip("-")[:40].strip("-") or "job"
    if not plain[0].isalpha():
        plain = f"job-{plain}"
    letters = string.ascii_lowercase + string.digits
    return f"{plain}-{''.join(secrets.choice(letters) for _ in range(5))}"


def check_name(name: str) -> str:
    """Raises PlanError."""
    if not _NAME.match(name):
        raise PlanError(
            f"--name {name!r}: a name has up to 63 small letters, digits and dashes, and begins with a letter"
        )
    return name


def check_quantity(option: str, value: str) -> str:
    """Raises PlanError."""
    if value and not _QUANTITY.match(value):
        raise PlanError(f"{option} {value!r}: write it as 2, 500m, 4Gi or 512Mi")
    return value


def read_range(text: str) -> tuple[int, int]:
    """`2:4`. Raises PlanError."""
    low, colon, high = text.partition(":")
    if not (colon and low.isdigit() and high.isdigit() and 1 <= int(low) <= int(high)):
        raise PlanError(f"--elastic {text!r}: write it as MIN:MAX, as 1:4")
    return int(low), int(high)


def read_duration(option: str, text: str) -> int:
    """`90`, `90s`, `30m`, `2h`, `1d` in seconds. Raises PlanError."""
    found = re.fullmatch(r"(\d{1,8})([smhd]?)", text)
    if not found or not int(found[1]):
        raise PlanError(f"{option} {text!r}: write it as 90s, 30m, 2h or 1d")
    return int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def read_env(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` each. Raises PlanError."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise PlanError(f"--env {text!r}: write it as NAME=VALUE")
        found[name] = value
    return found
