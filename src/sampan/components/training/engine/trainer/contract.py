"""What plugins of the trainer are given, and what they may do. For the modules beside it; nothing of one policy here.

A plugin is a set of functions, one for each moment, called in the order of `plugins.PLUGINS`:

1. `enforce_ml_policy`: how many pods there are, and the environment, ports and volumes of their containers;
2. `enforce_pod_group_policy`: what ties pods to a gang;
3. `identify_pod_network`: the names at which pods reach each other;
4. `build`: the objects to apply.

They change the `Info` in place. A PodSet's parts are those of the JobSet's template themselves: whoever changes a
container changes what will be applied. Source: kubeflow/trainer pkg/runtime/runtime.go, framework/interface.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

TRAINER, DATASET_INITIALIZER, MODEL_INITIALIZER = "trainer", "dataset-initializer", "model-initializer"
"""Ancestors: values of the label `trainer.kubeflow.org/trainjob-ancestor-step` of a replicated job's template."""
NODE, LAUNCHER = "node", "launcher"
"""Names of replicated jobs; the container that trains is named `node` too, in the launcher as well."""
TRAINER_PORT = 29500
COMPLETION_INDEX_PATH = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
"""The downward API's path of a pod's rank within its Job."""


class UnbuildableError(Exception):
    """This TrainJob and its runtime make nothing that could run. The message says which field to change."""


@dataclass(slots=True)
class PodSet:
    """The pods of one replicated job, which all run the same."""

    name: str
    ancestor: str
    """Empty for one that no part of a TrainJob is for."""
    count: int
    """Pods; becomes the Job's parallelism and completions."""
    pod_spec: Object
    """Of the JobSet's template itself."""
    requests: Mapping[str, Decimal] = field(default_factory=dict)
    """Of one pod."""
    labels: dict[str, str] = field(default_factory=dict)
    """What the scheduler wants on each of these pods."""
    annotations: dict[str, str] = field(default_factory=dict)
    endpoints: tuple[str, ...] = ()
    """`<job>-<replicated job>-<replica>-<pod>.<subdomain>`, once the network is identified."""

    @property
    def containers(self) -> list[Object]:
        """To be changed, or added to."""
        found: list[Object] = self.pod_spec.setdefault("containers", [])
        return found

    @property
    def init_containers(self) -> list[Object]:
        found: list[Object] = self.pod_spec.setdefault("initContainers", [])
        return found

    @property
    def volumes(self) -> list[Object]:
        found: list[Object] = self.pod_spec.setdefault("volumes", [])
        return found

    def container(self, name: str) -> Object | None:
        """Of the main ones."""
        return next(
            (each for each in self.pod_spec.get("containers") or () if each.get("name") == name), None
        )

    def any_container(self, name: str) -> Object | None:
        """A main one, else an init container."""
        inits = self.pod_spec.get("initContainers") or ()
        return self.container(name) or next((each for each in inits if each.get("name") == name), None)


@dataclass(frozen=True, slots=True)
class Reporting:
    """Where trainers tell of their progress."""

    url: str
    """As pods reach it, without a path: `https://kubernetes.default.svc`."""
    authority: str
    """PEM of what signed the server's certificate."""


@dataclass(slots=True)
class Info:
    """A runtime and a TrainJob, put together."""

    train_job: Object
    """As it is stored: not to be changed."""
    ml_policy: dict[str, Any]
    """The runtime's `spec.mlPolicy`, of which at most one of torch, mpi, jax, xgboost and flux is there."""
    pod_group_policy: dict[str, Any]
    job_set_spec: Object
    """The template that becomes the JobSet, patches and resources of the TrainJob merged into it."""
    pod_sets: list[PodSet]
    """In the order of the replicated jobs."""
    labels: dict[str, str] = field(default_factory=dict)
    """Of the JobSet."""
    annotations: dict[str, str] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    """A copy of the TrainJob's `spec.trainer`: a plugin may change its command."""
    reporting: Reporting | None = None

    @property
    def name(self) -> str:
        """Of the TrainJob, and so of its JobSet."""
        return meta.name(self.train_job)

    @property
    def namespace(self) -> str:
        return meta.namespace(self.train_job)

    @property
    def has_trainer(self) -> bool:
        """Whether the TrainJob has a `spec.trainer` at all; without one upstream's plugins leave containers alone."""
        return meta.spec(self.train_job).get("trainer") is not None

    @property
    def is_suspended(self) -> bool:
        return bool(meta.spec(self.train_job).get("suspend"))

    def by_ancestor(self, ancestor: str) -> PodSet | None:
        return next((each for each in self.pod_sets if each.ancestor == ancestor), None)

    def by_name(self, name: str) -> PodSet | None:
        return next((each for each in self.pod_sets if each.name == name), None)

    def trainer_container(self) -> Object | None:
        """The container `node` of the pods that train."""
        pods = self.by_ancestor(TRAINER)
        return pods.container(NODE) if pods is not None else None


Present = Callable[[Resource, str], Object | None]
"""What there is already, in the TrainJob's namespace: for objects that must not be made anew."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """Functions that a plugin lacks are None. Each may raise UnbuildableError."""

    name: str
    enforce_ml_policy: Callable[[Info], None] | None = None
    enforce_pod_group_policy: Callable[[Info], None] | None = None
    identify_pod_network: Callable[[Info], None] | None = None
    build: Callable[[Info, Present], Sequence[Object]] | None = None
    """Objects with apiVersion, kind and metadata.name; whoever applies them adds the namespace and the owner."""
    looks_up: Callable[[Info], Sequence[tuple[Resource, str]]] | None = None
    """What `build` will ask `Present` for: nothing else is there for it."""
