"""Which job a script becomes: the user's word first, then what it imports, then what a kind cannot do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sampan.components.training.api.kinds import ALL_JOB_KINDS, TRAIN_JOBS
from sampan.components.training.api.summary import resource_of
from sampan.components.training.sdk.frameworks import (
    FRAMEWORKS,
    PLAIN,
    Framework,
    framework_of,
    kinds,
    of_kind,
    of_runtime,
)
from sampan.components.training.sdk.objects import ONCE
from sampan.components.training.sdk.plan import PlanError
from sampan.kube.kinds import JOBS, Resource


@dataclass(frozen=True, slots=True)
class Wishes:
    """What of the user's words bears on the kind of job."""

    kind: str = ""
    runtime: str = ""
    image: str = ""
    nodes: int = 1
    elastic: tuple[int, int] | None = None
    retries: int | None = None
    priority: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    framework: Framework
    kind: str
    runtime: str
    image: str
    """Empty for the runtime's."""
    program: tuple[str, ...]
    because: str
    """In words, for the one line that says it."""


def choose(wishes: Wishes, imported: Iterable[str], label_of: Callable[[str], str] = lambda _: "") -> Choice:
    """`label_of` gives the framework that a runtime's label names. Raises PlanError."""
    found = framework_of(imported)
    seen = f"the script imports {found.title}" if found is not PLAIN else "the script imports no framework"
    if wishes.runtime:
        if wishes.kind and _kind(wishes.kind) != TRAIN_JOBS.kind:
            raise PlanError(f"--runtime is for TrainJobs, and --kind says {wishes.kind}")
        of = of_runtime(wishes.runtime, label_of(wishes.runtime))
        return _train_job(wishes, of, found, wishes.runtime, f"runtime {wishes.runtime}")
    if wishes.kind:
        return _asked(wishes, found, seen)
    if found.runtime and not (reason := _needs_operator(wishes)):
        return _train_job(wishes, found, found, found.runtime + ONCE, f"{found.runtime}: {seen}")
    if found.runtime:
        return _operator_job(wishes, found, found.kind, f"{seen}, and {reason}")
    return _operator_job(wishes, found, found.kind, seen)


def _asked(wishes: Wishes, found: Framework, seen: str) -> Choice:
    kind = _kind(wishes.kind)
    if kind == TRAIN_JOBS.kind:
        if not found.runtime:
            raise PlanError(
                f"--kind {wishes.kind}: Trainer has no runtime for {found.title}; name one by --runtime"
            )
        return _train_job(wishes, found, found, found.runtime + ONCE, f"{found.runtime}: {seen}")
    own = of_kind(kind)
    # A PyTorchJob of a script without PyTorch is as good as any: its image is what the script needs.
    framework = found if found is PLAIN or found.kind == kind else own
    return _operator_job(wishes, framework, kind, framework.title)


def resource_by_kind(kind: str) -> Resource:
    """Raises PlanError."""
    if kind == JOBS.kind:
        return JOBS
    found = resource_of(kind)
    if found is None:
        raise PlanError(f"{kind!r} is no kind of job; these are: {', '.join(kind_names())}")
    return found


def kind_names() -> list[str]:
    return [*(each.singular for each in ALL_JOB_KINDS), "job"]


def _train_job(wishes: Wishes, of: Framework, found: Framework, runtime: str, because: str) -> Choice:
    image = wishes.image or (
        found.image if found in (PLAIN, FRAMEWORKS[0]) and runtime.endswith(ONCE) else ""
    )
    program = of.program if found is not PLAIN or of is PLAIN else ("python",)
    return Choice(of, TRAIN_JOBS.kind, runtime, image, program, because)


def _operator_job(wishes: Wishes, framework: Framework, kind: str, because: str) -> Choice:
    return Choice(framework, kind, "", wishes.image or framework.image, framework.program, because)


def _needs_operator(wishes: Wishes) -> str:
    """What a TrainJob has no field for."""
    for name, value in (
        ("elastic", wishes.elastic),
        ("retries", wishes.retries),
        ("priority", wishes.priority),
    ):
        if value:
            return f"--{name} is what a TrainJob has no field for"
    return ""


def _kind(text: str) -> str:
    """Raises PlanError."""
    found = resource_of(text)
    if found is None:
        known = ", ".join(["trainjob", *(each.lower() for each in kinds())])
        raise PlanError(f"--kind {text!r}: it is one of {known}")
    return found.kind
