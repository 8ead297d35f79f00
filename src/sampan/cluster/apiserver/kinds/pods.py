"""Pods: defaults, validation, deletion with grace, and the pod template that workloads share.

Source: kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go,
pkg/registry/core/pod/strategy.go, pkg/printers/internalversion/printers.go, v1.31.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Any

from sampan.cluster.apiserver.kinds import ephemeral
from sampan.cluster.apiserver.kinds.containers import default_container, validate_containers
from sampan.cluster.apiserver.strategy import Column, PartRules, Strategy, selectable
from sampan.cluster.apiserver.tables import AGE, NAME, age
from sampan.kube import conditions, meta, names, pods
from sampan.kube.errors import invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


_GATED = "Scheduling is blocked due to non-empty scheduling gates"


def default_spec(spec: Object) -> None:
    """Of a pod or of a template."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for key in ("initContainers", "containers"):
        for container in spec.get(key) or ():
            default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _default_volume(volume: Object) -> None:
    if len(volume) == 1:
        volume["emptyDir"] = {}
    for kind in ("secret", "configMap", "projected", "downwardAPI"):
        if kind in volume:
            volume[kind].setdefault("defaultMode", 0o644)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")


def _default(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    default_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    # A pod's requests are its limits where only these are given; a template is left as it is.
    for container in pods.containers(pod):
        resources = container["resources"]
        for name, limit in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, limit)


def _prepare_create(pod: Object) -> None:
    spec = pod["spec"]
    errors = FieldErrors()
    ephemeral.validate_create(spec, "spec", errors)
    if errors:
        raise invalid("", "Pod", meta.name(pod), errors.causes)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    pod["status"] = {"phase": "Pending", "qosClass": pods.qos_class(pod)}
    if spec.get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": None,
        }
        pod["status"]["conditions"] = [{**condition, "reason": "SchedulingGated", "message": _GATED}]


def _prepare_update(new: Object, old: Object, now: str) -> None:
    # A write of the node's name is a binding, whichever way it comes.
    if pods.node_name(new) and not pods.node_name(old):
        conditions.put(new, "PodScheduled", "True", now=now)


def _validate(pod: Object, errors: FieldErrors) -> None:
    validate_spec(pod["spec"], "spec", errors)


def validate_spec(spec: Object, path: str, errors: FieldErrors) -> None:
    """Of a pod or of a template."""
    volumes = _validate_volumes(spec.get("volumes") or (), f"{path}.volumes", errors)
    validate_containers(spec, path, volumes, errors)
    if spec["restartPolicy"] not in _RESTART_POLICIES:
        errors.unsupported(f"{path}.restartPolicy", spec["restartPolicy"], _RESTART_POLICIES, in_order=True)
    if spec["dnsPolicy"] not in _DNS_POLICIES:
        errors.unsupported(f"{path}.dnsPolicy", spec["dnsPolicy"], _DNS_POLICIES)
    if spec["terminationGracePeriodSeconds"] < 0:
        errors.invalid(
            f"{path}.terminationGracePeriodSeconds",
            spec["terminationGracePeriodSeconds"],
            "must be greater than or equal to 0",
        )
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        errors.invalid(
            f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"
        )
    for key, rule in (
        ("nodeName", names.dns_subdomain),
        ("serviceAccountName", names.dns_subdomain),
        ("hostname", names.dns_label),
        ("subdomain", names.dns_label),
    ):
        if spec.get(key):
            errors.each(f"{path}.{key}", spec[key], rule(spec[key]))


def _validate_volumes(volumes: Any, path: str, errors: FieldErrors) -> set[str]:
    seen: set[str] = set()
    for at, volume in enumerate(volumes):
        where, name = f"{path}[{at}]", volume.get("name") or ""
        if not name:
            errors.required(f"{where}.name")
        elif name in seen:
            errors.duplicate(f"{where}.name", name)
        else:
            errors.each(f"{where}.name", name, names.dns_label(name))
        seen.add(name)
        sources = sorted(key for key in volume if key != "name")
        for extra in sources[1:]:
            errors.forbidden(f"{where}.{extra}", "may not specify more than 1 volume type")
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and not claim.get("claimName"):
            errors.required(f"{where}.persistentVolumeClaim.claimName")
        host_path = volume.get("hostPath")
        if host_path is not None:
            if not host_path.get("path"):
                errors.required(f"{where}.hostPath.path")
            elif ".." in str(host_path["path"]).split("/"):
                errors.invalid(f"{where}.hostPath.path", host_path["path"], "must not contain '..'")
    return seen


def _validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    before, after = _fixed(old["spec"]), _fixed(new["spec"])
    if not before.get("nodeName"):
        # A scheduler that has no binding sub-resource at hand may write the name itself, once.
        after["nodeName"] = before.get("nodeName")
        before.setdefault("nodeName", None)
    if gates := old["spec"].get("schedulingGates"):
        _open_gates(before, after)
        known = {gate["name"] for gate in gates}
    else:
        known = set()
    if added := [
        gate["name"] for gate in new["spec"].get("schedulingGates") or () if gate["name"] not in known
    ]:
        errors.forbidden(
            "spec.schedulingGates", f"only deletion is allowed, but found new scheduling gate '{added[0]}'"
        )
    if before != after:
        errors.forbidden("spec", _IMMUTABLE)
    if len(new["spec"]["containers"]) != len(old["spec"]["containers"]):
        errors.forbidden("spec.containers", "pod updates may not add or remove containers")
    old_deadline = old["spec"].get("activeDeadlineSeconds")
    new_deadline = new["spec"].get("activeDeadlineSeconds")
    if old_deadline is not None and (new_deadline is None or new_deadline > old_deadline):
        errors.invalid(
            "spec.activeDeadlineSeconds", new_deadline, "must be less than or equal to previous value"
        )


def _open_gates(before: Object, after: Object) -> None:
    """While a pod is held by gates, whoever holds it may narrow down where it will run."""
    selector, narrowed = before.get("nodeSelector") or {}, after.get("nodeSelector") or {}
    if selector.items() <= narrowed.items():
        before["nodeSelector"] = after["nodeSelector"] = narrowed
    required = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    if meta.lookup(before, required) is None and "affinity" in after:
        affinity = {**(before.get("affinity") or {})}
        affinity["nodeAffinity"] = (after["affinity"] or {}).get("nodeAffinity")
        before["affinity"] = {key: value for key, value in affinity.items() if value is not None}


def _fixed(spec: Object) -> Object:
    """What an update may not change."""
    free = ("activeDeadlineSeconds", "tolerations", "schedulingGates")
    fixed = {key: value for key, value in spec.items() if key not in free}
    for key in ("containers", "initContainers"):
        if key in spec:
            fixed[key] = [{**container, "image": ""} for container in spec[key]]
    return fixed


def _grace_period(pod: Object, requested: int | None) -> int:
    """None is waited for where no node has the pod, or its containers have ended."""
    if not pods.node_name(pod) or pods.is_terminal(pod):
        return 0
    if requested is None:
        requested = meta.spec(pod).get("terminationGracePeriodSeconds", 30)
    # A negative period is read as the shortest.
    return requested if requested >= 0 else 1


def _ready(pod: Object, _: datetime) -> str:
    statuses = meta.status(pod).get("containerStatuses") or ()
    sidecars = [each for each in meta.spec(pod).get("initContainers") or () if pods.is_sidecar(each)]
    ready = sum(1 for status in statuses if status.get("ready"))
    for sidecar in sidecars:
        ready += bool((pods.container_status(pod, sidecar["name"]) or {}).get("ready"))
    return f"{ready}/{len(meta.spec(pod).get('containers') or ()) + len(sidecars)}"


def _shown_status(pod: Object, _: datetime) -> str:
    """The word that tells most: a reason of the pod, of an init container, of a container, else the phase."""
    status = meta.status(pod)
    reason = str(status.get("reason") or status.get("phase") or "Pending")
    if (conditions.find(pod, "PodScheduled") or {}).get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    initializing = _init_reason(pod)
    if initializing:
        reason = initializing
    else:
        running = False
        for each in reversed(status.get("containerStatuses") or []):
            state = each.get("state") or {}
            if found := (state.get("waiting") or {}).get("reason"):
                reason = found
            elif "terminated" in state:
                reason = _terminated_reason(state["terminated"])
            running = running or ("running" in state and bool(each.get("ready")))
        if reason == "Completed" and running:
            reason = "Running" if pods.is_ready(pod) else "NotReady"
    if meta.is_deleting(pod):
        return "Terminating" if not pods.is_terminal(pod) else reason
    return reason


def _init_reason(pod: Object) -> str:
    init = meta.spec(pod).get("initContainers") or ()
    sidecars = {each["name"] for each in init if pods.is_sidecar(each)}
    for at, each in enumerate(meta.status(pod).get("initContainerStatuses") or ()):
        state = each.get("state") or {}
        if "terminated" in state and state["terminated"].get("exitCode") == 0:
            continue
        if each.get("name") in sidecars and each.get("started"):
            continue
        if "terminated" in state:
            return f"Init:{_terminated_reason(state['terminated'])}"
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{at}/{len(init)}"
    return ""


def _terminated_reason(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _restarts(pod: Object, now: datetime) -> str:
    statuses = list(pods.container_statuses(pod))
    count = sum(int(each.get("restartCount") or 0) for each in statuses)
    ends = [
        finished
        for each in statuses
        if (finished := ((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    return f"{count} ({age(max(ends), now)} ago)" if count and ends else str(count)


def _or_none(path: str) -> Any:
    return lambda pod, _: meta.lookup(pod, path) or "<none>"


def _gates(pod: Object, _: datetime) -> str:
    gates = meta.spec(pod).get("readinessGates") or ()
    open_ = sum(conditions.is_true(pod, str(gate.get("conditionType"))) for gate in gates)
    return f"{open_}/{len(gates)}" if gates else "<none>"


STRATEGY = Strategy(
    resource=PODS,
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=_validate,
    validate_update=_validate_update,
    grace_period=_grace_period,
    returns_deleted=True,
    parts=MappingProxyType(
        {"ephemeralcontainers": PartRules(ephemeral.prepare_update, ephemeral.validate_update)}
    ),
    fields=selectable(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    columns=(
        NAME,
        Column("Ready", _ready, description="Containers that are ready, of all"),
        Column("Status", _shown_status, description="What the pod is doing"),
        Column("Restarts", _restarts, description="How often its containers were started again"),
        AGE,
        Column("IP", _or_none("status.podIP"), priority=1),
        Column("Node", _or_none("spec.nodeName"), priority=1),
        Column("Nominated Node", _or_none("status.nominatedNodeName"), priority=1),
        Column("Readiness Gates", _gates, priority=1),
    ),
)
