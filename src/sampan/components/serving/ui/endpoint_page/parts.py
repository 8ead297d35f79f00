"""What an endpoint's page hands to its tabs: the endpoint, its pods and how it does, as they are now."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.ui.figures import NONE, Figures
from sampan.components.serving.ui.summary import Endpoint
from sampan.components.serving.ui.trying.requests import NOTHING, Told
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

MOST_SAMPLES = 360


@dataclass(frozen=True, slots=True)
class Sample:
    """What was there at a moment (RFC 3339)."""

    at: str
    pods: int
    cores: float
    memory: float
    """Bytes."""


@dataclass(slots=True)
class Shown:
    """Held by the page, and changed as news comes."""

    resource: Resource
    obj: Object
    endpoint: Endpoint
    pods: Sequence[Object] = ()
    """The newest first."""
    owner: tuple[str, str] = ("", "")
    """Namespace and name of the InferenceService whose pods these are; empty where they are something else's."""
    deployments: Sequence[Object] = ()
    told: Told = NOTHING
    """What the model has said of itself, once it was asked."""
    figures: Figures = NONE
    history: Sequence[Any] = ()
    """The gateway's last ten minutes, in steps of ten seconds."""
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=MOST_SAMPLES))
    """Since the page is open."""
