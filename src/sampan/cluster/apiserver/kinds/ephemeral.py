"""The sub-resource `ephemeralcontainers` of pods, by which `kubectl debug` adds a container to a running one.

Source: kubernetes/pkg/registry/core/pod/strategy.go (podEphemeralContainersStrategy),
pkg/apis/core/validation/validation.go (validateEphemeralContainers), v1.31.
"""

from __future__ import annotations

import copy

from sampan.cluster.apiserver.kinds.containers import default_container, validate_container
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_NOT_ALLOWED = (
    *("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"),
    *("restartPolicy", "restartPolicyRules"),
)
_PATH = "spec.ephemeralContainers"


def prepare_update(new: Object, old: Object) -> None:
    """Of the whole pod only the list of ephemeral containers is taken."""
    added = copy.deepcopy(meta.spec(new).get("ephemeralContainers") or [])
    metadata = {
        **old["metadata"],
        **{key: new["metadata"][key] for key in ("managedFields",) if key in new["metadata"]},
    }
    new.clear()
    new.update(copy.deepcopy(old), metadata=metadata)
    new["spec"].pop("ephemeralContainers", None)
    if added:
        new["spec"]["ephemeralContainers"] = added
    for container in added:
        default_container(container)


def validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    spec = meta.spec(new)
    before = {each["name"]: each for each in meta.spec(old).get("ephemeralContainers") or ()}
    regular = [each["name"] for each in spec.get("containers") or ()]
    taken = {*regular, *(each["name"] for each in spec.get("initContainers") or ())}
    volumes = {str(each.get("name")) for each in spec.get("volumes") or ()}
    seen: set[str] = set()
    for at, container in enumerate(spec.get("ephemeralContainers") or ()):
        where, name = f"{_PATH}[{at}]", str(container.get("name") or "")
        if not name:
            errors.required(f"{where}.name")
        elif name in taken or name in seen:
            errors.duplicate(f"{where}.name", name)
        else:
            errors.each(f"{where}.name", name, names.dns_label(name))
        seen.add(name)
        known = before.get(name)
        if known is not None:
            if known != container:
                errors.forbidden(_PATH, f'existing ephemeral containers "{name}" may not be changed\n')
            continue
        _validate_new(container, where, regular, volumes, errors)
    for name in before:
        if name not in seen:
            errors.forbidden(_PATH, f'existing ephemeral containers "{name}" may not be removed\n')


def validate_create(spec: Object, path: str, errors: FieldErrors) -> None:
    if spec.get("ephemeralContainers"):
        errors.forbidden(f"{path}.ephemeralContainers", "cannot be set on create")


def _validate_new(
    container: Object, where: str, regular: list[str], volumes: set[str], errors: FieldErrors
) -> None:
    target = container.get("targetContainerName")
    if target and target not in regular:
        errors.not_found(f"{where}.targetContainerName", target)
    for key in _NOT_ALLOWED:
        if container.get(key):
            errors.forbidden(f"{where}.{key}", "cannot be set for an Ephemeral Container")
    if container.get("resources"):
        errors.forbidden(f"{where}.resources", "cannot be set for an Ephemeral Container")
    validate_container(container, where, volumes, errors)
    for at, mount in enumerate(container.get("volumeMounts") or ()):
        for key in ("subPath", "subPathExpr"):
            if mount.get(key):
                errors.forbidden(
                    f"{where}.volumeMounts[{at}].{key}", "cannot be set for an Ephemeral Container"
                )
