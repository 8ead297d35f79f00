"""What happens to experiments when they are written: hooks of the embedded API server.

On other clusters there are no such hooks: there the controllers act as if the defaults were written, and say in the
object's status what is amiss. The checks load with the first object.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment. Not so here: an experiment may be made in any namespace, for
metrics are collected without a label of the namespace.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.api.templates import is_for
from sampan.kube import meta
from sampan.kube.admission import AdmissionRequest, Hook, MutatingHook, Reader, ValidatingHook
from sampan.kube.errors import invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, PERSISTENT_VOLUMES
from sampan.kube.meta import Object

_CHECKS = "sampan.components.tuning.controller.experiments.checks"


def put_defaults(_request: AdmissionRequest, obj: Object, _old: Object | None, _reader: Reader) -> Object:
    return with_defaults(obj)


def validate(request: AdmissionRequest, obj: Object, old: Object | None, reader: Reader) -> None:
    """Raises InvalidError."""
    if meta.is_deleting(obj) or (old is not None and old.get("spec") == obj.get("spec")):
        # What is there already must be able to go, and to get labels.
        return
    checks = _checks()

    def config_map(namespace: str, name: str) -> Object | None:
        found = reader.get(CONFIG_MAPS, name, namespace)
        return None if found is None or not is_for(found, request.namespace) else found.get("data") or {}

    config = reader.get(CONFIG_MAPS, labels.CONFIG_MAP, labels.NAMESPACE)
    surroundings = checks.surroundings(config_map, reader.wrong_with)
    errors: FieldErrors = checks.check(obj, old, config, surroundings)
    if old is None:
        _volume_of_another(obj, reader, errors)
    if errors:
        raise invalid(request.resource.group, request.resource.kind, request.name, errors.causes)


HOOKS: tuple[Hook, ...] = (
    MutatingHook("experiment-defaults", (EXPERIMENTS,), put_defaults, ("CREATE", "UPDATE")),
    ValidatingHook("experiment", (EXPERIMENTS,), validate),
)


@cache
def _checks() -> Any:
    return importlib.import_module(_CHECKS)


def _volume_of_another(experiment: Object, reader: Reader, errors: FieldErrors) -> None:
    """A volume that katib-config makes outlives its experiment, and would be found by the next of its name."""
    spec = meta.spec(experiment)
    if spec.get("resumePolicy") != "FromVolume":
        return
    algorithm = str((spec.get("algorithm") or {}).get("algorithmName") or "")
    name = f"{meta.name(experiment)}-{algorithm}-{meta.namespace(experiment)}"
    if reader.get(PERSISTENT_VOLUMES, name) is not None:
        errors.invalid(
            "spec.resumePolicy",
            "FromVolume",
            f"Cannot create the Experiment: {meta.name(experiment)} in namespace: {meta.namespace(experiment)}, "
            f"PV: {name} is not deleted",
        )
