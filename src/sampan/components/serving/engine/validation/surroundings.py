"""What checks ask about other objects: whoever checks answers it from what he has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sampan.components.serving.api.config import Config
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object


def _none(_resource: Resource, _namespace: str) -> Sequence[Object]:
    return ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    config: Config = field(default_factory=Config)
    all: Callable[[Resource, str], Sequence[Object]] = _none
    """Objects of a kind, in a namespace or, with an empty one, of the cluster."""
