"""Containers of a pod or a template: defaults and validation.

Source: kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go, v1.31.
"""

from __future__ import annotations

from typing import Any

from sampan.cluster.apiserver.kinds import probes
from sampan.kube import names, quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def default_container(container: Object) -> None:
    if "imagePullPolicy" not in container:
        container["imagePullPolicy"] = (
            "Always" if _tag(container.get("image") or "") == "latest" else "IfNotPresent"
        )
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
    probes.default(container)


def _tag(image: str) -> str:
    if "@" in image:
        return ""
    name, colon, tag = image.rpartition(":")
    return tag if colon and name and "/" not in tag else "latest"


def validate_containers(spec: Object, path: str, volumes: set[str], errors: FieldErrors) -> None:
    seen: set[str] = set()
    if not spec.get("containers"):
        errors.required(f"{path}.containers")
    for key in ("initContainers", "containers"):
        for at, container in enumerate(spec.get(key) or ()):
            where = f"{path}.{key}[{at}]"
            name = container.get("name") or ""
            if not name:
                errors.required(f"{where}.name")
            elif name in seen:
                errors.duplicate(f"{where}.name", name)
            else:
                errors.each(f"{where}.name", name, names.dns_label(name))
            seen.add(name)
            validate_container(container, where, volumes, errors)
            _validate_restarts(container, where, errors)


def _validate_restarts(container: Object, path: str, errors: FieldErrors) -> None:
    """A container's own policy and rules. Source: KEP-5307 (ContainerRestartRules), v1.34."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is not None and policy not in _RESTART_POLICIES:
        errors.unsupported(f"{path}.restartPolicy", policy, _RESTART_POLICIES)
    if rules and policy is None:
        errors.required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
    for at, rule in enumerate(rules):
        where = f"{path}.restartPolicyRules[{at}]"
        if rule.get("action") != "Restart":
            errors.unsupported(f"{where}.action", rule.get("action"), ("Restart",))
        codes = rule.get("exitCodes")
        if codes is None:
            errors.required(f"{where}.exitCodes", "must be specified")
        elif codes.get("operator") not in ("In", "NotIn"):
            errors.unsupported(f"{where}.exitCodes.operator", codes.get("operator"), ("In", "NotIn"))


def validate_container(container: Object, path: str, volumes: set[str], errors: FieldErrors) -> None:
    image = container.get("image") or ""
    if not image:
        errors.required(f"{path}.image")
    elif image != image.strip():
        errors.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    if container["imagePullPolicy"] not in _PULL_POLICIES:
        errors.unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], _PULL_POLICIES)
    _validate_env(container.get("env") or (), f"{path}.env", errors)
    _validate_ports(container.get("ports") or (), f"{path}.ports", errors)
    _validate_mounts(container.get("volumeMounts") or (), f"{path}.volumeMounts", volumes, errors)
    _validate_resources(container["resources"], f"{path}.resources", errors)
    probes.validate(container, path, errors)


def _validate_env(env: Any, path: str, errors: FieldErrors) -> None:
    for at, variable in enumerate(env):
        where, name = f"{path}[{at}]", variable.get("name") or ""
        if not name:
            errors.required(f"{where}.name")
        elif "=" in name or not name.isprintable():
            errors.each(f"{where}.name", name, names.env_var_name(name) or ["must not contain '='"])
        source = variable.get("valueFrom")
        if source is None:
            continue
        given = [key for key in _SOURCES if key in source]
        if not given:
            choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            errors.invalid(f"{where}.valueFrom", "", f"must specify one of: {choices}")
        elif len(given) > 1:
            errors.invalid(f"{where}.valueFrom", "", "may not have more than one field specified at a time")
        if variable.get("value"):
            errors.invalid(f"{where}.valueFrom", "", "may not be specified when `value` is not empty")
        for key in ("configMapKeyRef", "secretKeyRef"):
            if key in source and not source[key].get("key"):
                errors.required(f"{where}.valueFrom.{key}.key")


def _validate_ports(ports: Any, path: str, errors: FieldErrors) -> None:
    seen: set[str] = set()
    for at, port in enumerate(ports):
        where = f"{path}[{at}]"
        number = port.get("containerPort")
        if not number:
            errors.required(f"{where}.containerPort")
        elif not 1 <= number <= 65535:
            errors.invalid(f"{where}.containerPort", number, "must be between 1 and 65535, inclusive")
        if port["protocol"] not in _PROTOCOLS:
            errors.unsupported(f"{where}.protocol", port["protocol"], _PROTOCOLS)
        name = port.get("name")
        if name:
            if name in seen:
                errors.duplicate(f"{where}.name", name)
            seen.add(name)


def _validate_mounts(mounts: Any, path: str, volumes: set[str], errors: FieldErrors) -> None:
    points: set[str] = set()
    for at, mount in enumerate(mounts):
        where = f"{path}[{at}]"
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.required(f"{where}.name")
        elif name not in volumes:
            errors.not_found(f"{where}.name", name)
        if not point:
            errors.required(f"{where}.mountPath")
        elif point in points:
            errors.invalid(f"{where}.mountPath", point, "must be unique")
        points.add(point)
        for key in ("subPath", "subPathExpr"):
            sub_path = str(mount.get(key) or "")
            if sub_path.startswith("/"):
                errors.invalid(f"{where}.{key}", sub_path, "must be a relative path")
            elif ".." in sub_path.split("/"):
                errors.invalid(f"{where}.{key}", sub_path, "must not contain '..'")


def _validate_resources(resources: Object, path: str, errors: FieldErrors) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if not _is_resource(name):
                errors.invalid(
                    f"{path}.{kind}[{name}]", name, "must be a standard resource type or fully qualified"
                )
            if quantities.parse(amount) < 0:
                errors.invalid(f"{path}.{kind}[{name}]", str(amount), "must be greater than or equal to 0")
    for name, request in requests.items():
        if name in limits and quantities.compare(request, limits[name]) > 0:
            errors.invalid(
                f"{path}.requests",
                str(request),
                f"must be less than or equal to {name} limit of {limits[name]}",
            )
    for name, limit in limits.items():
        # GPUs and the like cannot be overcommitted.
        if "/" in name and name in requests and quantities.compare(requests[name], limit) != 0:
            errors.invalid(
                f"{path}.requests", str(requests[name]), f"must be equal to {name} limit of {limit}"
            )


def _is_resource(name: str) -> bool:
    """A standard resource of containers, or one with a domain in front, such as nvidia.com/gpu."""
    if "/" in name:
        return not names.qualified_name(name)
    return name in _STANDARD_RESOURCES or name.startswith("hugepages-")
