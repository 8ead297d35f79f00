"""What happens to an object's metadata when it is created, updated and deleted. Pure; called by `verbs`.

Source: k8s.io/apiserver/pkg/registry/rest/{create,update,delete}.go and
k8s.io/apimachinery/pkg/api/validation/objectmeta.go, v1.31.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sampan.client.protocol import DeleteOptions, Propagation
from sampan.cluster.apiserver.strategy import Strategy
from sampan.kube import meta, names
from sampan.kube.errors import BadRequestError, InternalError, conflict, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.lib import ids
from sampan.lib.clock import Clock, parse_rfc3339, rfc3339

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_STANDARD = frozenset({ORPHAN, FOREGROUND, "kubernetes", "customresourcecleanup.apiextensions.k8s.io"})
"""Finalizers that need no domain."""
_EXTENSIONS = ("apiextensions.k8s.io", "apiregistration.k8s.io")
"""Whose kinds upstream validates by the looser rules of custom resources: their own finalizer has no domain."""
_ANNOTATIONS_LIMIT = 256 * 1024
_SERVER_SET = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def check_shape(strategy: Strategy, obj: Any, namespace: str | None) -> None:
    """That `obj` is an object of this kind with readable metadata, for this namespace. BadRequestError."""
    resource = strategy.resource
    if not isinstance(obj, dict):
        raise BadRequestError("the body of the request must be an object")
    kind, version = obj.setdefault("kind", resource.kind), obj.setdefault("apiVersion", resource.api_version)
    if kind != resource.kind or version != resource.api_version:
        raise BadRequestError(
            f"the object provided is unrecognized (must be of type {resource.kind}, {resource.api_version}): "
            f"kind {kind!r}, apiVersion {version!r}"
        )
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise _undecodable(resource.kind, "metadata", "an object")
    _check_metadata_types(resource.kind, metadata)
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif not namespace:
        raise BadRequestError("an empty namespace may not be set when a resource name is provided")
    elif (metadata.get("namespace") or namespace) != namespace:
        raise BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    else:
        metadata["namespace"] = namespace


def check_name(obj: Object, name: str) -> None:
    """That an object to be stored under `name` has it; one without gets it. Raises BadRequestError."""
    given = obj["metadata"].setdefault("name", name)
    if given != name:
        raise BadRequestError(f"the name of the object ({given}) does not match the name on the URL ({name})")


def _check_metadata_types(kind: str, metadata: Object) -> None:
    for key in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        if not isinstance(metadata.get(key), str | None):
            raise _undecodable(kind, f"metadata.{key}", "a string")
    for key in ("labels", "annotations"):
        value = metadata.get(key)
        if value is None:
            metadata.pop(key, None)
        elif not isinstance(value, dict):
            raise _undecodable(kind, f"metadata.{key}", "an object of strings")
        else:
            for each, text in value.items():
                if text is None:
                    value[each] = ""
                elif not isinstance(text, str):
                    raise _undecodable(kind, f"metadata.{key}[{each}]", "a string")
    for key, shape in (("finalizers", str), ("ownerReferences", dict), ("managedFields", dict)):
        value = metadata.get(key)
        if value is None:
            metadata.pop(key, None)
        elif not isinstance(value, list) or not all(isinstance(each, shape) for each in value):
            raise _undecodable(kind, f"metadata.{key}", f"an array of {shape.__name__}")


def _undecodable(kind: str, field: str, expected: str) -> BadRequestError:
    return BadRequestError(f"{kind} in the request cannot be handled: {field} must be {expected}")


def prepare_create(strategy: Strategy, obj: Object, clock: Clock) -> None:
    """Everything but the name, which may have to be generated against what is stored."""
    metadata = obj["metadata"]
    if metadata.get("resourceVersion"):
        # As upstream, whose storage refuses it and whose API has no better word for that.
        raise InternalError("resourceVersion should not be set on objects to be created")
    metadata.pop("resourceVersion", None)
    for key in (*_SERVER_SET, "selfLink"):
        metadata.pop(key, None)
    metadata["uid"] = ids.new_uid()
    metadata["creationTimestamp"] = rfc3339(clock.now())
    if strategy.generations:
        metadata["generation"] = 1
    if strategy.has_status and not strategy.keeps_status_on_create:
        obj.pop("status", None)
    strategy.default(obj)
    strategy.prepare_create(obj)


def validate_create(strategy: Strategy, obj: Object) -> None:
    """Raises InvalidError."""
    errors = FieldErrors()
    _validate_metadata(strategy, obj["metadata"], errors)
    strategy.validate(obj, errors)
    strategy.validate_create(obj, errors)
    _raise(strategy, obj, errors)


def prepare_update(strategy: Strategy, new: Object, old: Object, subresource: str, now: str) -> None:
    """Puts back what this update may not change. ConflictError for another uid, InvalidError for a deletion."""
    metadata, before = new["metadata"], old["metadata"]
    if metadata.get("deletionTimestamp") and not before.get("deletionTimestamp"):
        errors = FieldErrors()
        errors.invalid("metadata.deletionTimestamp", metadata["deletionTimestamp"], "field is immutable")
        _raise(strategy, new, errors)
    if metadata.get("uid") and metadata["uid"] != before["uid"]:
        raise conflict(
            strategy.resource.group,
            strategy.resource.plural,
            before["name"],
            _precondition("UID", metadata["uid"], before["uid"]),
        )
    if subresource in ("status", "approval"):
        _restore(new, old, keep="status")
        if not strategy.built_in:
            # Of a custom resource, the status endpoint changes the status alone.
            new["metadata"] = metadata = {**before, "managedFields": metadata.get("managedFields", [])}
            if not metadata["managedFields"]:
                del metadata["managedFields"]
    elif (rules := strategy.parts.get(subresource)) is not None:
        rules.prepare_update(new, old)
        metadata = new["metadata"]
    elif subresource == "finalize":
        _restore(new, old, keep="spec")
    elif subresource == "" and strategy.has_status:
        _put_back(new, old, "status")
    for key in (*_SERVER_SET, "resourceVersion", "namespace", "name", "generateName"):
        _put_back(metadata, before, key)
    strategy.default(new)
    if subresource == "":
        strategy.prepare_update(new, old, now)
    if strategy.generations and subresource != "status" and _desired_changed(strategy, new, old):
        metadata["generation"] = int(before.get("generation") or 0) + 1


def validate_update(strategy: Strategy, new: Object, old: Object, subresource: str) -> None:
    """Raises InvalidError."""
    errors = FieldErrors()
    metadata = new["metadata"]
    _validate_metadata(strategy, metadata, errors)
    if metadata.get("deletionTimestamp"):
        added = [each for each in meta.finalizers(new) if each not in meta.finalizers(old)]
        if added:
            listed = ", ".join(f'"{each}"' for each in added)
            errors.forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}",
            )
    if subresource == "" or (strategy.validates_status and subresource in ("status", "scale")):
        strategy.validate(new, errors)
        strategy.validate_update(new, old, errors)
    elif (rules := strategy.parts.get(subresource)) is not None:
        rules.validate_update(new, old, errors)
    _raise(strategy, new, errors)


def check_preconditions(strategy: Strategy, obj: Object, uid: str, resource_version: str) -> None:
    """Raises ConflictError."""
    metadata, resource = obj["metadata"], strategy.resource
    for what, wanted, actual in (
        ("UID", uid, metadata["uid"]),
        ("ResourceVersion", resource_version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != actual:
            raise conflict(
                resource.group,
                resource.plural,
                metadata["name"],
                _precondition(what, wanted, actual),
            )


def _precondition(what: str, wanted: str, actual: str) -> str:
    return f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {actual}"


def begin_deletion(strategy: Strategy, obj: Object, options: DeleteOptions, clock: Clock) -> bool:
    """Marks `obj` as being deleted; True when nothing stands in the way of removing it now."""
    metadata = obj["metadata"]
    _set_propagation(obj, options.propagation)
    strategy.prepare_delete(obj, rfc3339(clock.now()))
    grace = 0
    if strategy.grace_period is not None:
        grace = strategy.grace_period(obj, options.grace_period_seconds)
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = rfc3339(clock.now() + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if metadata.get("generation"):
            metadata["generation"] += 1
    else:
        current = int(metadata.get("deletionGracePeriodSeconds") or 0)
        # Only a shorter wait than the one under way counts.
        if grace < current and (options.grace_period_seconds is not None or grace == 0):
            requested = parse_rfc3339(metadata["deletionTimestamp"]) - timedelta(seconds=current)
            metadata["deletionTimestamp"] = rfc3339(requested + timedelta(seconds=grace))
            metadata["deletionGracePeriodSeconds"] = grace
    if strategy.finalizers_in_spec:
        obj.setdefault("status", {})["phase"] = "Terminating"
    return is_removable(strategy, obj)


def is_removable(strategy: Strategy, obj: Object) -> bool:
    """Whether an object that is being deleted can go: no finalizer and no grace period left."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if metadata.get("deletionGracePeriodSeconds"):
        return False
    return not (strategy.finalizers_in_spec and meta.spec(obj).get("finalizers"))


def _set_propagation(obj: Object, propagation: Propagation | None) -> None:
    """The garbage collector acts on these finalizers."""
    if propagation is None:
        return
    wanted = {Propagation.ORPHAN: ORPHAN, Propagation.FOREGROUND: FOREGROUND}.get(propagation)
    for finalizer in (ORPHAN, FOREGROUND):
        if finalizer == wanted:
            meta.add_finalizer(obj, finalizer)
        else:
            meta.remove_finalizer(obj, finalizer)


def _restore(new: Object, old: Object, *, keep: str) -> None:
    """Everything but metadata and `keep` as it was."""
    for key in new.keys() | old.keys():
        if key not in (keep, "metadata", "kind", "apiVersion"):
            _put_back(new, old, key)


def _put_back(new: Object, old: Object, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)


def _desired_changed(strategy: Strategy, new: Object, old: Object) -> bool:
    # Where the status is no sub-resource it is a field like others.
    apart = ("metadata", "kind", "apiVersion", *(("status",) if strategy.has_status else ()))
    return any(new.get(key) != old.get(key) for key in new.keys() | old.keys() if key not in apart)


def _validate_metadata(strategy: Strategy, metadata: Object, errors: FieldErrors) -> None:
    name = metadata.get("name") or ""
    if not name:
        errors.required("metadata.name", "name or generateName is required")
    else:
        errors.each("metadata.name", name, strategy.name_rule(name))
    for key, value in (metadata.get("labels") or {}).items():
        errors.each("metadata.labels", key, names.qualified_name(key))
        errors.each("metadata.labels", value, names.label_value(value))
    size = 0
    for key, value in (metadata.get("annotations") or {}).items():
        errors.each("metadata.annotations", key, names.qualified_name(key.lower()))
        size += len(key) + len(value)
    if size > _ANNOTATIONS_LIMIT:
        errors.too_long("metadata.annotations", _ANNOTATIONS_LIMIT)
    for at, finalizer in enumerate(metadata.get("finalizers") or ()):
        field = f"metadata.finalizers[{at}]"
        errors.each(field, finalizer, problems := names.qualified_name(finalizer))
        is_checked = strategy.built_in and strategy.resource.group not in _EXTENSIONS
        if not problems and is_checked and "/" not in finalizer and finalizer not in _STANDARD:
            errors.invalid(
                field, finalizer, "name is neither a standard finalizer name nor is it fully qualified"
            )
    if {ORPHAN, FOREGROUND} <= set(metadata.get("finalizers") or ()):
        errors.invalid(
            "metadata.finalizers",
            metadata["finalizers"],
            f"finalizer {FOREGROUND} and {ORPHAN} can not be both set",
        )
    _validate_owners(metadata.get("ownerReferences") or (), errors)


def _validate_owners(owners: Any, errors: FieldErrors) -> None:
    controllers = 0
    for owner in owners:
        for key, what in (("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")):
            if not isinstance(owner.get(key), str) or not owner[key]:
                # Upstream names no index here.
                errors.invalid(f"metadata.ownerReferences.{key}", owner.get(key), f"{what} must not be empty")
        controllers += owner.get("controller") is True
    if controllers > 1:
        errors.invalid(
            "metadata.ownerReferences", list(owners), "Only one reference can have Controller set to true"
        )


def _raise(strategy: Strategy, obj: Object, errors: FieldErrors) -> None:
    if errors:
        resource = strategy.resource
        raise invalid(resource.group, resource.kind, meta.name(obj), errors.causes)
