"""An endpoint as a user wishes it, and the InferenceService that it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sampan.components.serving.api import models
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.origins import Origin
from sampan.components.serving.sdk import naming
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.guessing import FORMATS
from sampan.kube.meta import Object

NO_ORIGIN = Origin()
MANAGED_BY = {"app.kubernetes.io/managed-by": "sampan"}
_PROTOCOLS = (models.V1, models.V2)
_SHORT = {"min": "minimum", "max": "maximum"}


@dataclass(frozen=True, slots=True)
class Options:
    """What may be said of any endpoint."""

    format: str = ""
    """By default guessed from the files."""
    runtime: str = ""
    """By default the one that fits."""
    protocol: str = ""
    minimum: int | None = None
    maximum: int | None = None
    canary: int | None = None
    """How many percent of the requests the new model gets, beside the one before."""
    cpu: str = ""
    memory: str = ""
    gpu: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    args: Sequence[str] = ()
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ServingError."""
        if self.protocol and self.protocol not in _PROTOCOLS:
            raise ServingError(f"protocol {self.protocol!r}: it is one of {', '.join(_PROTOCOLS)}")
        if self.canary is not None and not 0 <= self.canary <= 100:
            raise ServingError(f"canary {self.canary}: it is a percentage, from 0 to 100")
        for name, number in (("min", self.minimum), ("max", self.maximum)):
            if number is not None and number < 0:
                raise ServingError(f"{name} {number}: it is a number of pods")
        if self.maximum and self.minimum is not None and self.minimum > self.maximum:
            raise ServingError(f"min {self.minimum} is more than max {self.maximum}")


def read_options(given: Mapping[str, Any]) -> Options:
    """Raises ServingError for one that there is not."""
    told = {_SHORT.get(key, key): value for key, value in given.items()}
    there = {each.name for each in fields(Options)}
    for key in told:
        if key not in there:
            shown = sorted({*there, *_SHORT} - set(_SHORT.values()))
            raise ServingError(f"{key}: there is no such option; there are {', '.join(shown)}")
    return Options(**told)


def of_model(name: str, namespace: str, options: Options, uri: str, origin: Origin = NO_ORIGIN) -> Object:
    """`options.format` is known by now. Raises ServingError."""
    options.check()
    if not options.format:
        raise ServingError(f"the model's format is not known; it is one of {', '.join(FORMATS)}")
    model: dict[str, Any] = {"modelFormat": {"name": options.format}, "storageUri": uri}
    if options.runtime:
        model["runtime"] = options.runtime
    if options.protocol:
        model["protocolVersion"] = options.protocol
    model |= _container(options)
    return _service((name, namespace), options, {"model": model}, origin)


def of_container(
    name: str, namespace: str, options: Options, container: Mapping[str, Any], volumes: Sequence[Object]
) -> Object:
    """A server of one's own. Raises ServingError."""
    options.check()
    told = _container(options)
    env = [*(container.get("env") or ()), *(told.pop("env", ()))]
    made = {**container, **told, **({"env": env} if env else {})}
    predictor: dict[str, Any] = {"containers": [made]}
    if volumes:
        predictor["volumes"] = list(volumes)
    return _service((name, namespace), options, predictor, Origin())


def _service(names: tuple[str, str], options: Options, predictor: dict[str, Any], origin: Origin) -> Object:
    name, namespace = names
    counts = {
        "minReplicas": options.minimum,
        "maxReplicas": options.maximum,
        "canaryTrafficPercent": options.canary,
        "serviceAccountName": options.service_account or None,
    }
    metadata: dict[str, Any] = {
        "name": naming.check(name),
        "namespace": namespace,
        "labels": {**MANAGED_BY, **options.labels},
    }
    if annotations := origin.annotations():
        metadata["annotations"] = annotations
    return {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": metadata,
        "spec": {
            "predictor": {**predictor, **{key: each for key, each in counts.items() if each is not None}}
        },
    }


def _container(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.env:
        found["env"] = [{"name": key, "value": value} for key, value in options.env.items()]
    if options.args:
        found["args"] = list(options.args)
    wanted = {"cpu": options.cpu, "memory": options.memory}
    if options.gpu:
        wanted["nvidia.com/gpu"] = str(options.gpu)
    amounts = {key: value for key, value in wanted.items() if value}
    if amounts:
        found["resources"] = {"requests": dict(amounts), "limits": dict(amounts)}
    return found
