"""What happens to serving's objects when they are written: hooks of the embedded API server.

InferenceServices get their defaults; what cannot be acted on is refused with the field and what to do. On other
clusters there are no such hooks: there the controllers act as if the defaults were written, and say in the object's
status what is amiss. The checks load with the first object.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sampan.components.serving.api import kinds
from sampan.components.serving.api.labels import CONFIG, KNATIVE, LOCAL_MODEL, NAMESPACE, NO_LOCAL_MODEL
from sampan.components.serving.api.reading import mapping
from sampan.kube import meta
from sampan.kube.admission import (
    AdmissionRequest,
    Hook,
    MutatingHook,
    Reader,
    ValidatingHook,
    forbidden_details,
)
from sampan.kube.errors import ForbiddenError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, Resource
from sampan.kube.meta import Object

_ENGINE = "sampan.components.serving.engine"
_CHECKS: dict[Resource, tuple[str, str]] = {
    kinds.INFERENCE_SERVICES: ("validation.services", "check"),
    kinds.KFSERVING_INFERENCE_SERVICES: ("kfserving.checking", "check"),
    kinds.KFSERVING_TRAINED_MODELS: ("kfserving.trained_models", "check"),
    kinds.SERVING_RUNTIMES: ("validation.runtimes", "check"),
    kinds.CLUSTER_SERVING_RUNTIMES: ("validation.runtimes", "check"),
    kinds.TRAINED_MODELS: ("validation.trained_models", "check"),
    kinds.INFERENCE_GRAPHS: ("validation.graphs", "check"),
    kinds.CLUSTER_STORAGE_CONTAINERS: ("validation.others", "check_storage_container"),
    kinds.SELDON_DEPLOYMENTS: ("seldon.checks", "check"),
    kinds.LLM_INFERENCE_SERVICES: ("language_models.checks", "check"),
    kinds.LLM_INFERENCE_SERVICE_CONFIGS: ("language_models.checks", "check_config"),
    kinds.LOCAL_MODEL_CACHES: ("validation.others", "check_cache"),
    kinds.LOCAL_MODEL_NAMESPACE_CACHES: ("validation.others", "check_cache"),
}
"""The module and function for each kind."""
_LOCAL_MODELS = (kinds.LOCAL_MODEL_CACHES, kinds.LOCAL_MODEL_NAMESPACE_CACHES)
_BY_KEY = {resource.key: check for resource, check in _CHECKS.items()}


def hooks(deployment_mode: str) -> Sequence[Hook]:
    """`deployment_mode`: of InferenceServices that name none where the ConfigMap says nothing."""
    mode = KNATIVE if deployment_mode == "auto" else deployment_mode

    def put_defaults(request: AdmissionRequest, obj: Object, old: Object | None, reader: Reader) -> Object:
        found: Object = _of_api("defaults").with_defaults(obj, _config(reader, mode), old)
        return _with_local_model(found, request.namespace, reader)

    def name_model(request: AdmissionRequest, obj: Object, _old: Object | None, reader: Reader) -> Object:
        found: Object = _of_api("language_models").with_defaults(obj)
        return _with_local_model(found, request.namespace, reader)

    def validate(request: AdmissionRequest, obj: Object, old: Object | None, reader: Reader) -> Sequence[str]:
        """Returns warnings; raises InvalidError."""
        if meta.is_deleting(obj) or (old is not None and _is_same(obj, old)):
            # What is there already must be able to go, and to get labels.
            return ()
        errors = FieldErrors()
        surroundings = _module("validation.surroundings").Surroundings(_config(reader, mode), reader.all)
        _check(request.resource.key)(obj, old, surroundings, errors)
        if errors:
            raise invalid(request.resource.group, request.resource.kind, request.name, errors.causes)
        return _module("validation.warnings").of(obj, old)  # type: ignore[no-any-return]

    return (
        MutatingHook(
            "inferenceservice-defaults", (kinds.INFERENCE_SERVICES,), put_defaults, ("CREATE", "UPDATE")
        ),
        MutatingHook(
            "llminferenceservice-defaults", (kinds.LLM_INFERENCE_SERVICES,), name_model, ("CREATE", "UPDATE")
        ),
        ValidatingHook("serving", tuple(_CHECKS), validate, subresources=("",)),
        ValidatingHook("local-models", _LOCAL_MODELS, _may_go, ("DELETE",)),
        ValidatingHook(
            "well-known-configs", (kinds.LLM_INFERENCE_SERVICE_CONFIGS,), _is_own_to_delete, ("DELETE",)
        ),
        ValidatingHook("knative-services", (kinds.KNATIVE_SERVICES,), _of_users),
    )


def _with_local_model(isvc: Object, namespace: str, reader: Reader) -> Object:
    """With what says which cache its model is taken from."""
    caches, of_namespace = (
        reader.all(kind, where) for kind, where in zip(_LOCAL_MODELS, ("", namespace), strict=True)
    )
    held = (*meta.labels(isvc), *meta.annotations(isvc))
    if not caches and not of_namespace and not any(LOCAL_MODEL in each for each in held):
        return isvc
    data = mapping((reader.get(CONFIG_MAPS, CONFIG, NAMESPACE) or {}).get("data"))
    is_enabled = _module("local_models.config").LocalModelConfig.of(data).is_enabled
    if not is_enabled or NO_LOCAL_MODEL in meta.annotations(isvc):
        caches, of_namespace = [], []
    return _module("local_models.matching").labelled(isvc, of_namespace, caches)  # type: ignore[no-any-return]


def _may_go(request: AdmissionRequest, cache: Object, _old: Object | None, reader: Reader) -> None:
    """Not while services take their model from it. Raises ForbiddenError."""
    where = request.namespace
    for namespace in [where] if where else map(meta.name, reader.all(NAMESPACES)):
        for kind in (kinds.INFERENCE_SERVICES, kinds.LLM_INFERENCE_SERVICES):
            for isvc in reader.all(kind, namespace):
                if _module("local_models.matching").uses(isvc, cache) and not meta.is_deleting(isvc):
                    its, user = (
                        f"{where}/{each}" if where else each for each in map(meta.name, (cache, isvc))
                    )
                    raise ForbiddenError(
                        f"{request.resource.kind} {its} is being used by {kind.kind} {user}",
                        details=forbidden_details(request),
                    )


def _is_own_to_delete(
    request: AdmissionRequest, config: Object, _old: Object | None, _reader: Reader
) -> None:
    """Not what all language models begin with. Raises ForbiddenError."""
    if request.namespace == NAMESPACE and _of_api("language_presets").is_well_known(meta.name(config)):
        raise ForbiddenError(
            f"well-known config {NAMESPACE}/{meta.name(config)} cannot be deleted: every LLMInferenceService begins "
            "with it. Change a copy of it in the namespace of the service, where one of the same name comes first",
            details=forbidden_details(request),
        )


def _of_users(request: AdmissionRequest, obj: Object, _old: Object | None, _reader: Reader) -> None:
    """A Knative Service of a user's own has containers. Raises InvalidError."""
    following = _module("knative.following")
    errors = FieldErrors()
    if following.is_users(obj):
        following.check(obj, errors)
    if errors:
        raise invalid(request.resource.group, request.resource.kind, request.name, errors.causes)


def _config(reader: Reader, deployment_mode: str) -> Any:
    found = reader.get(CONFIG_MAPS, CONFIG, NAMESPACE)
    data = mapping((found or {}).get("data"))
    return _of_api("config").Config.of(data, deployment_mode)


def _is_same(obj: Object, old: Object) -> bool:
    return obj.get("spec") == old.get("spec") and meta.annotations(obj) == meta.annotations(old)


def _check(key: str) -> Callable[[Object, Object | None, Any, FieldErrors], None]:
    module, name = _BY_KEY[key]
    return getattr(_module(module), name)  # type: ignore[no-any-return]


@cache
def _module(name: str) -> Any:
    return importlib.import_module(f"{_ENGINE}.{name}")


@cache
def _of_api(name: str) -> Any:
    return importlib.import_module(f"sampan.components.serving.api.{name}")
