"""What the form for an endpoint is filled with. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MODEL, CONTAINER = "model", "container"


@dataclass(frozen=True, slots=True)
class Size:
    least: int | None = None
    """Replicas; None for the usual one."""
    most: int | None = None
    metric: str = ""
    """What it is scaled by: concurrency, rps, cpu, memory; empty for the usual."""
    target: int | None = None
    cpu: str = ""
    memory: str = ""
    gpu: str = ""
    limits: Mapping[str, str] | None = None
    """Of what there is, where they are others than what is asked for; the form has no fields for them."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands before the model, or notes what is asked."""

    transformer: str = ""
    """An image."""
    explainer: str = ""
    logger: str = ""
    """Where requests and answers are sent as CloudEvents."""
    logger_mode: str = "all"
    batch_size: int | None = None
    batch_milliseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str = ""
    namespace: str = ""
    source: str = MODEL
    """A model with a runtime, or a container of the user's own."""
    format: str = "sklearn"
    uri: str = ""
    runtime: str = ""
    """Empty: the first that fits."""
    protocol: str = ""
    image: str = ""
    command: str = ""
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    """The service account whose secrets open the model's store."""
    canary_percent: int | None = None
    mode: str = ""
    size: Size = Size()
    beside: Beside = Beside()
