"""storage.k8s.io/v1: classes, drivers and what is known of them. Only StorageClass is acted on.

Source: kubernetes/pkg/apis/storage/v1/defaults.go, pkg/apis/storage/validation/validation.go,
pkg/registry/storage/*/strategy.go, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import STORAGE_CLASSES, Resource
from sampan.kube.meta import Object

_GROUP = "storage.k8s.io"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_RECLAIM_POLICIES = ("Delete", "Retain")
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")


def _resource(kind: str, plural: str, *, namespaced: bool = False, status: bool = False) -> Resource:
    return Resource(
        _GROUP,
        "v1",
        kind,
        plural,
        namespaced=namespaced,
        singular=kind.lower(),
        short_names=("vac",) if kind == "VolumeAttributesClass" else (),
        subresources=("status",) if status else (),
    )


def _default_class(storage_class: Object) -> None:
    storage_class.setdefault("reclaimPolicy", "Delete")
    storage_class.setdefault("volumeBindingMode", "Immediate")


def _validate_class(storage_class: Object, errors: FieldErrors) -> None:
    if not storage_class.get("provisioner"):
        errors.required("provisioner")
    if storage_class["reclaimPolicy"] not in _RECLAIM_POLICIES:
        errors.unsupported("reclaimPolicy", storage_class["reclaimPolicy"], _RECLAIM_POLICIES)
    if storage_class["volumeBindingMode"] not in _BINDING_MODES:
        errors.unsupported("volumeBindingMode", storage_class["volumeBindingMode"], _BINDING_MODES)


def _unchangeable(*fields: str) -> Callable[[Object, Object, FieldErrors], None]:
    def validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
        for field in fields:
            if new.get(field) != old.get(field):
                errors.forbidden(field, f"updates to {field} are forbidden.")

    return validate_update


def _class_name(storage_class: Object, _: datetime) -> str:
    name = meta.name(storage_class)
    return f"{name} (default)" if meta.annotations(storage_class).get(_DEFAULT_CLASS) == "true" else name


def _default_driver(driver: Object) -> None:
    spec = driver.setdefault("spec", {})
    for key, value in (
        ("attachRequired", True),
        ("podInfoOnMount", False),
        ("storageCapacity", False),
        ("fsGroupPolicy", "ReadWriteOnceWithFSType"),
        ("requiresRepublish", False),
        ("seLinuxMount", False),
    ):
        spec.setdefault(key, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def _default_node(node: Object) -> None:
    node.setdefault("spec", {})


def _default_attachment(attachment: Object) -> None:
    attachment.setdefault("spec", {})


def _prepare_attachment(attachment: Object) -> None:
    attachment["status"] = {"attached": False}


def _validate_attachment(attachment: Object, errors: FieldErrors) -> None:
    spec = attachment["spec"]
    for key in ("attacher", "nodeName"):
        if not spec.get(key):
            errors.required(f"spec.{key}")
    source = spec.get("source") or {}
    given = [key for key in ("inlineVolumeSpec", "persistentVolumeName") if source.get(key)]
    if len(given) != 1:
        errors.required(
            "spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        )


def _validate_attachment_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new["spec"] != old["spec"]:
        errors.invalid("spec", new["spec"], "field is immutable")


def _validate_capacity(capacity: Object, errors: FieldErrors) -> None:
    if not capacity.get("storageClassName"):
        errors.required("storageClassName")


def _validate_attributes(attributes: Object, errors: FieldErrors) -> None:
    if not attributes.get("driverName"):
        errors.required("driverName")


def _yes_or_no(path: str) -> Column:
    name = path[:1].upper() + path[1:]
    return Column(name, read(f"spec.{path}", False), type="boolean")


def _token_requests(driver: Object, _: datetime) -> str:
    requests = meta.spec(driver).get("tokenRequests") or ()
    return ",".join(str(each.get("audience", "")) for each in requests) or "<unset>"


STRATEGIES = (
    Strategy(
        resource=STORAGE_CLASSES,
        default=_default_class,
        validate=_validate_class,
        validate_update=_unchangeable("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
        returns_deleted=True,
        columns=(
            Column("Name", _class_name, format="name"),
            Column("Provisioner", read("provisioner", "")),
            Column("ReclaimPolicy", read("reclaimPolicy", "Delete")),
            Column("VolumeBindingMode", read("volumeBindingMode", "Immediate")),
            Column(
                "AllowVolumeExpansion",
                lambda each, _: str(bool(each.get("allowVolumeExpansion"))).lower(),
            ),
            AGE,
        ),
    ),
    Strategy(
        resource=_resource("CSIDriver", "csidrivers"),
        default=_default_driver,
        returns_deleted=True,
        generations=True,
        columns=(
            NAME,
            _yes_or_no("attachRequired"),
            _yes_or_no("podInfoOnMount"),
            _yes_or_no("storageCapacity"),
            Column("TokenRequests", _token_requests),
            _yes_or_no("requiresRepublish"),
            Column("Modes", lambda each, _: ",".join(meta.spec(each)["volumeLifecycleModes"])),
            AGE,
        ),
    ),
    Strategy(
        resource=_resource("CSINode", "csinodes"),
        default=_default_node,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Drivers", lambda each, _: len(meta.spec(each).get("drivers") or ()), type="integer"),
            AGE,
        ),
    ),
    Strategy(
        resource=_resource("VolumeAttachment", "volumeattachments", status=True),
        default=_default_attachment,
        prepare_create=_prepare_attachment,
        validate=_validate_attachment,
        validate_update=_validate_attachment_update,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Attacher", read("spec.attacher", ""), format="name"),
            Column("PV", read("spec.source.persistentVolumeName", "")),
            Column("Node", read("spec.nodeName", "")),
            Column("Attached", read("status.attached", False), type="boolean"),
            AGE,
        ),
    ),
    Strategy(
        resource=_resource("CSIStorageCapacity", "csistoragecapacities", namespaced=True),
        validate=_validate_capacity,
        validate_update=_unchangeable("nodeTopology", "storageClassName"),
        returns_deleted=True,
        columns=(
            NAME,
            Column("StorageClassName", read("storageClassName", "")),
            Column("Capacity", read("capacity", "<unset>")),
            AGE,
        ),
    ),
    Strategy(
        resource=_resource("VolumeAttributesClass", "volumeattributesclasses"),
        validate=_validate_attributes,
        validate_update=_unchangeable("driverName", "parameters"),
        returns_deleted=True,
        columns=(NAME, Column("DriverName", read("driverName", "")), AGE),
    ),
)
