"""What happens to training's objects when they are written: hooks of the embedded API server.

MPIJobs get a note of the version in which they were written, patches of TrainJobs their time; and what cannot be acted
on is refused with the field's path. On other clusters there are no such hooks: there the controllers say the same in
the object's status. The checks load with the first object.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sampan.components.training.api.kinds import (
    CLUSTER_TRAINING_RUNTIMES,
    JOB_KINDS,
    MPI_JOBS,
    MPI_JOBS_V2,
    TRAIN_JOBS,
    TRAINING_RUNTIMES,
)
from sampan.components.training.api.mpi_version import API_VERSION, mpi_version
from sampan.kube import meta
from sampan.kube.admission import AdmissionRequest, Hook, MutatingHook, Reader, ValidatingHook
from sampan.kube.errors import invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.lib.clock import SystemClock, rfc3339

_Check = Callable[[Object, Object | None, Reader, FieldErrors], None]
_VALIDATION = "sampan.components.training.engine.validation"


def note_version(_request: AdmissionRequest, job: Object, old: Object | None, _reader: Reader) -> Object:
    """Of an MPIJob: the version in which it was created, which no update changes."""
    # The apiVersion is that of the request; who knows the note already, such as a backup, brings it along.
    version = mpi_version(job if old is None else old)
    if meta.annotations(job).get(API_VERSION) != version and isinstance(job.get("metadata"), dict):
        job["metadata"]["annotations"] = {**meta.annotations(job), API_VERSION: version}
    return job


def date_patches(_request: AdmissionRequest, job: Object, old: Object | None, _reader: Reader) -> Object:
    """Of a TrainJob: when each manager last changed its patch. Source: kubeflow/trainer 2.3
    pkg/webhooks/trainjob_webhook.go (TrainJobDefaulter)."""
    before = {str(patch.get("manager")): patch for patch in _patches(old or {})}
    now = rfc3339(SystemClock().now())
    for patch in _patches(job):
        known = before.get(str(patch.get("manager")))
        if known is None:
            if patch.get("time") is None:
                patch["time"] = now
        elif _without_time(known) == _without_time(patch):
            _put_time(patch, known.get("time"))
        else:
            patch["time"] = now
    return job


def validate(request: AdmissionRequest, obj: Object, old: Object | None, reader: Reader) -> Sequence[str]:
    """Returns warnings; raises InvalidError."""
    if meta.is_deleting(obj) or (old is not None and old.get("spec") == obj.get("spec")):
        # What is there already must be able to go, and to get labels.
        return ()
    errors = FieldErrors()
    _check(request.resource.kind)(obj, old, reader, errors)
    if errors:
        raise invalid(request.resource.group, request.resource.kind, request.name, errors.causes)
    return importlib.import_module(f"{_VALIDATION}.warnings").of(obj, old, reader)  # type: ignore[no-any-return]


HOOKS: tuple[Hook, ...] = (
    MutatingHook("mpi-version", (MPI_JOBS, MPI_JOBS_V2), note_version, ("CREATE", "UPDATE")),
    MutatingHook("trainjob-patches", (TRAIN_JOBS,), date_patches, ("CREATE", "UPDATE")),
    ValidatingHook(
        "training", (*JOB_KINDS, TRAIN_JOBS, TRAINING_RUNTIMES, CLUSTER_TRAINING_RUNTIMES), validate
    ),
)


@lru_cache(maxsize=16)
def _check(kind: str) -> _Check:
    if kind == TRAIN_JOBS.kind:
        train_job: Any = importlib.import_module(f"{_VALIDATION}.trainjob")
        return train_job.check  # type: ignore[no-any-return]
    module = "runtimes" if kind.endswith("Runtime") else "mpi" if kind == MPI_JOBS.kind else "operator"
    found: Any = importlib.import_module(f"{_VALIDATION}.{module}")
    return lambda obj, old, _reader, errors: found.check(obj, old, errors)


def _patches(job: Object) -> list[Object]:
    found = meta.spec(job).get("runtimePatches")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _without_time(patch: Object) -> Object:
    return {key: value for key, value in patch.items() if key != "time"}


def _put_time(patch: Object, time: Any) -> None:
    if time is None:
        patch.pop("time", None)
    else:
        patch["time"] = time
