"""Where requests go: what the gateway is told, and what objects become (`engine/routing`).

A route belongs to one object. The gateway finds it by Host or by the first part of a path, picks the first rule whose
`path` matches, and of that rule a backend by weight. Which pods a backend has it sees from the Service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Target:
    """What is scaled: an object with the sub-resource `scale`, a Deployment."""

    namespace: str
    name: str
    kind: str = "Deployment"


@dataclass(frozen=True, slots=True)
class Backend:
    """Pods behind a Service."""

    namespace: str
    service: str
    port: int = 80
    """The Service's."""
    weight: int = 100
    """In per cent of what its rule takes. Weights of a rule add up to 100."""
    tag: str = ""
    """Requests whose host begins with `TAG-` come here alone, whatever the weights."""
    revision: str = ""
    target: Target | None = None
    """Scaled by demand: requests wait while it has no ready pod, and for that the autoscaler is woken. None: without a
    ready pod they are refused."""
    container_concurrency: int = 0
    """How many requests a pod takes at a time; 0 for any number."""


@dataclass(frozen=True, slots=True)
class Rule:
    backends: tuple[Backend, ...]
    path: str = ""
    """An expression (RE2) that the path has to match from its beginning; empty for every path."""
    shadows: tuple[Backend, ...] = ()
    """Get copies of requests, of as many per cent as their weights say; their answers are dropped."""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Set on what is forwarded."""
    rewrite: str = ""
    """In place of what `path` matched."""


class Private(str):
    """Why an endpoint cannot serve, in words that may be its containers' own: for whoever may read its object.

    `plain` is what all others are told.
    """

    __slots__ = ("plain",)
    plain: str

    def __new__(cls, words: str, plain: str) -> Self:
        made = super().__new__(cls, words)
        made.plain = plain
        return made


def plain(why: str) -> str:
    return why.plain if isinstance(why, Private) else why


@dataclass(frozen=True, slots=True)
class Route:
    kind: str
    """`InferenceService`, `InferenceGraph` or `SeldonDeployment`."""
    namespace: str
    name: str
    hosts: tuple[str, ...]
    """Without a port, in lower case. `NAME.NAMESPACE.svc.cluster.local` and its short forms are among them."""
    prefixes: tuple[str, ...]
    """Of paths, such as `/serving/NAMESPACE/NAME`: cut off before a rule is looked for."""
    rules: tuple[Rule, ...]
    timeout_seconds: float = 300.0
    """Until an answer begins; it may go on for as long as it flows."""
    refusal: str = ""
    """Why nothing can be served now, such as `it is stopped`: every request is answered 503 with it, if it is Private
    in its plain form to whoever may not read the object."""
    is_public: bool = True
    """False: only what comes from within the cluster is served."""
