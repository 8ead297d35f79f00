"""How a function, a notebook or a step's script is run: the arguments of `remote`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.training.sdk.plan import PlanError, check_name


@dataclass(frozen=True, slots=True)
class Options:
    """How a function is run; all of them are arguments of `@remote`."""

    kind: str = "Job"
    """`Job`, `TrainJob`, or a kind of the Training Operator."""
    nodes: int = 1
    processes: int | None = None
    """On each node, where the kind has that."""
    image: str = ""
    """By default a Python of this version, or the framework's."""
    runtime: str = ""
    """Of a TrainJob."""
    packages: Sequence[str] = ()
    """Installed before, as pip names them."""
    cpu: float | str = ""
    memory: str = ""
    gpu: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variables from Secrets of the namespace: `{"TOKEN": "secret-name/key"}`. Their values pass nowhere else."""
    output: str = ""
    """A folder of this machine, or `pvc://CLAIM/PATH`, which the function has as $SAMPAN_OUTPUT."""
    elastic: str = ""
    """`MIN:MAX` nodes."""
    retries: int | None = None
    deadline_seconds: int | None = None
    priority: str = ""
    service_account: str = ""
    namespace: str = ""
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    stream: bool = True
    """Whether a call prints the logs while it waits."""
    cleanup: bool = False
    """Whether the job is deleted once its result is here."""


def read_options(given: Mapping[str, Any]) -> Options:
    """Raises PlanError."""
    known = Options.__dataclass_fields__
    if unknown := [name for name in given if name not in known]:
        raise PlanError(f"{', '.join(unknown)}: no such option; there are: {', '.join(known)}")
    return Options(**given)


def checked(options: Options) -> Options:
    """Raises PlanError."""
    if options.name:
        check_name(options.name)
    if not 1 <= options.nodes <= 1000:
        raise PlanError(f"nodes must be between 1 and 1000, not {options.nodes}")
    if isinstance(options.packages, str):
        raise PlanError("packages must be a list, as ['numpy']")
    for variable, place in options.secrets.items():
        if place.count("/") != 1:
            raise PlanError(f"secrets: {variable} must say SECRET/KEY, not {place!r}")
    return options
