"""Namespaces, nodes, configuration, accounts, storage, services and leases: the smaller kinds.

Source: kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go,
pkg/registry/core/*/strategy.go, pkg/printers/internalversion/printers.go, v1.31.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.kinds import secrets
from sampan.cluster.apiserver.strategy import Column, SelectableField, Strategy, selectable
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import conditions, kinds, meta, names, quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_DATA_LIMIT = 1024 * 1024
_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


def _prepare_namespace(namespace: Object) -> None:
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}
    metadata = namespace["metadata"]
    metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata.get("name", "")


def _prepare_namespace_update(new: Object, old: Object, _now: str) -> None:
    # Only the `finalize` sub-resource changes these.
    new["spec"] = old.get("spec", {})


def _node_status(node: Object, _: datetime) -> str:
    ready = conditions.find(node, "Ready")
    word = "Unknown" if ready is None else ("Ready" if ready.get("status") == "True" else "NotReady")
    return f"{word},SchedulingDisabled" if meta.spec(node).get("unschedulable") else word


def _node_roles(node: Object, _: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = sorted(label.removeprefix(prefix) for label in meta.labels(node) if label.startswith(prefix))
    return ",".join(roles) or "<none>"


def _node_address(kind: str) -> Callable[[Object, datetime], str]:
    def read(node: Object, _: datetime) -> str:
        addresses = meta.lookup(node, "status.addresses") or ()
        return next((each["address"] for each in addresses if each.get("type") == kind), "<none>")

    return read


def _validate_config_map(config_map: Object, errors: FieldErrors) -> None:
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    for field, values in (("data", data), ("binaryData", binary)):
        for key in values:
            errors.each(f"{field}[{key}]", key, names.config_map_key(key))
    for key in data.keys() & binary.keys():
        errors.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    _check_base64("binaryData", binary, errors)
    _check_size("", sum(len(value.encode()) for value in (*data.values(), *binary.values())), errors)


def _fixed_when_immutable(*fields: str) -> Callable[[Object, Object, FieldErrors], None]:
    def validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
        if old.get("immutable") is not True:
            return
        if new.get("immutable") is not True:
            errors.forbidden("immutable", "field is immutable when `immutable` is set")
        for field in fields:
            if new.get(field) != old.get(field):
                errors.forbidden(field, "field is immutable when `immutable` is set")

    return validate_update


def _default_secret(secret: Object) -> None:
    secret.setdefault("type", "Opaque")
    # Written only: what is stored and read is `data`.
    for key, value in (secret.pop("stringData", None) or {}).items():
        secret.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def _validate_secret(secret: Object, errors: FieldErrors) -> None:
    data = secret.get("data") or {}
    for key in data:
        errors.each(f"data[{key}]", key, names.config_map_key(key))
    _check_base64("data", data, errors)
    _check_size("data", sum(map(len, data.values())) * 3 // 4, errors)
    secrets.validate_type(secret, errors)


def _validate_secret_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new.get("type") != old.get("type"):
        errors.invalid("type", new.get("type"), "field is immutable")
    _fixed_when_immutable("data")(new, old, errors)


def _check_base64(field: str, values: dict[str, str], errors: FieldErrors) -> None:
    for key, value in values.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            # Never the value itself: it may be a secret in clear.
            errors.invalid(f"{field}[{key}]", "", "must be base64")


def _check_size(field: str, size: int, errors: FieldErrors) -> None:
    if size > _DATA_LIMIT:
        errors.invalid(field, "", f"Too long: may not be more than {_DATA_LIMIT} bytes")


def _default_claim(claim: Object) -> None:
    claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _prepare_claim(claim: Object) -> None:
    claim["status"] = {"phase": "Pending"}


def _validate_claim(claim: Object, errors: FieldErrors) -> None:
    spec = claim["spec"]
    _validate_access_modes(spec, errors)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        errors.required("spec.resources[storage]")
    elif quantities.parse(storage) <= 0:
        errors.invalid("spec.resources[storage]", str(storage), "must be greater than zero")


def _validate_claim_update(new: Object, old: Object, errors: FieldErrors) -> None:
    before, after = dict(old["spec"]), dict(new["spec"])
    # A volume is bound once, a storage class filled in once, and a request may grow.
    for key in ("volumeName", "storageClassName"):
        if not before.get(key):
            before.pop(key, None)
            after.pop(key, None)
    for spec in (before, after):
        spec.pop("resources", None)
        spec.pop("volumeAttributesClassName", None)
    if before != after:
        errors.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
            "claims",
        )
    asked, had = (meta.lookup(each, "spec.resources.requests.storage") for each in (new, old))
    if asked is not None and had is not None and quantities.compare(asked, had) < 0:
        errors.forbidden("spec.resources.requests.storage", "field can not be less than previous value")


def _default_volume(volume: Object) -> None:
    spec = volume.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")


def _prepare_volume(volume: Object) -> None:
    volume["status"] = {"phase": "Pending"}


def _validate_volume(volume: Object, errors: FieldErrors) -> None:
    _validate_access_modes(volume["spec"], errors)
    if not (volume["spec"].get("capacity") or {}).get("storage"):
        errors.required("spec.capacity")


def _validate_access_modes(spec: Object, errors: FieldErrors) -> None:
    modes = spec.get("accessModes") or []
    if not modes:
        errors.required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in _ACCESS_MODES:
            errors.unsupported("spec.accessModes", mode, _ACCESS_MODES)


def _access_modes(field: str) -> Callable[[Object, datetime], str]:
    short = dict(zip(_ACCESS_MODES, ("RWO", "ROX", "RWX", "RWOP"), strict=True))
    return lambda obj, _: ",".join(short.get(mode, mode) for mode in meta.lookup(obj, field) or ())


def _prepare_account(account: Object) -> None:
    account.pop("status", None)


def _path(path: str, missing: Any = "") -> Callable[[Object, datetime], Any]:
    def read(obj: Object, _: datetime) -> Any:
        found = meta.lookup(obj, path)
        return missing if found is None else found

    return read


def _count(*fields: str) -> Callable[[Object, datetime], int]:
    return lambda obj, _: sum(len(obj.get(field) or ()) for field in fields)


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        resource=kinds.NAMESPACES,
        name_rule=names.dns_label,
        prepare_create=_prepare_namespace,
        prepare_update=_prepare_namespace_update,
        fields=selectable("status.phase"),
        finalizers_in_spec=True,
        returns_deleted=True,
        protected_names=frozenset({"default", "kube-system", "kube-public"}),
        columns=(NAME, Column("Status", _path("status.phase")), AGE),
    ),
    Strategy(
        resource=kinds.NODES,
        keeps_status_on_create=True,
        fields={"spec.unschedulable": SelectableField("spec.unschedulable", "false")},
        columns=(
            NAME,
            Column("Status", _node_status),
            Column("Roles", _node_roles),
            AGE,
            Column("Version", _path("status.nodeInfo.kubeletVersion")),
            Column("Internal-IP", _node_address("InternalIP"), priority=1),
            Column("External-IP", _node_address("ExternalIP"), priority=1),
            Column("OS-Image", _path("status.nodeInfo.osImage", "<unknown>"), priority=1),
            Column("Kernel-Version", _path("status.nodeInfo.kernelVersion", "<unknown>"), priority=1),
            Column(
                "Container-Runtime", _path("status.nodeInfo.containerRuntimeVersion", "<unknown>"), priority=1
            ),
        ),
    ),
    Strategy(
        resource=kinds.CONFIG_MAPS,
        validate=_validate_config_map,
        validate_update=_fixed_when_immutable("data", "binaryData"),
        columns=(NAME, Column("Data", _count("data", "binaryData"), type="integer"), AGE),
    ),
    Strategy(
        resource=kinds.SECRETS,
        default=_default_secret,
        validate=_validate_secret,
        validate_update=_validate_secret_update,
        fields=selectable("type"),
        columns=(
            NAME,
            Column("Type", _path("type")),
            Column("Data", _count("data"), type="integer"),
            AGE,
        ),
    ),
    Strategy(
        resource=kinds.SERVICE_ACCOUNTS,
        prepare_create=_prepare_account,
        returns_deleted=True,
        columns=(NAME, Column("Secrets", _count("secrets"), type="integer"), AGE),
    ),
    Strategy(
        resource=kinds.PERSISTENT_VOLUME_CLAIMS,
        default=_default_claim,
        prepare_create=_prepare_claim,
        validate=_validate_claim,
        validate_update=_validate_claim_update,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Status", _path("status.phase")),
            Column("Volume", _path("spec.volumeName")),
            Column("Capacity", _path("status.capacity.storage")),
            Column("Access Modes", _access_modes("status.accessModes")),
            Column("StorageClass", _path("spec.storageClassName")),
            AGE,
        ),
    ),
    Strategy(
        resource=kinds.PERSISTENT_VOLUMES,
        default=_default_volume,
        prepare_create=_prepare_volume,
        validate=_validate_volume,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Capacity", _path("spec.capacity.storage")),
            Column("Access Modes", _access_modes("spec.accessModes")),
            Column("Reclaim Policy", _path("spec.persistentVolumeReclaimPolicy")),
            Column("Status", _path("status.phase")),
            Column(
                "Claim",
                lambda volume, _: "/".join(
                    str((meta.spec(volume).get("claimRef") or {}).get(key, ""))
                    for key in ("namespace", "name")
                ).strip("/"),
            ),
            Column("StorageClass", _path("spec.storageClassName")),
            AGE,
        ),
    ),
    Strategy(resource=kinds.LEASES, columns=(NAME, Column("Holder", _path("spec.holderIdentity")), AGE)),
)
