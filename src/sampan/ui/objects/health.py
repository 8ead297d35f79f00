"""How an object is, in words: what is wrong, why, and what to do about it. Pure; from the objects alone.

For people who do not speak Kubernetes: `CrashLoopBackOff` becomes what it means. Sources of the reasons: kubernetes
pkg/kubelet/images/types.go, pkg/kubelet/container/sync_result.go, pkg/scheduler (FitError), v1.31.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sampan.ui.objects import amounts

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Health:
    tone: str
    """`ok`, `bad`, `busy`, `warn` or `idle`."""
    word: str
    why: str = ""
    hint: str = ""
    """What to do about it."""

    @property
    def is_trouble(self) -> bool:
        return self.tone in ("bad", "warn")


def of(obj: Object, nodes: Sequence[Object] = ()) -> Health | None:
    """Of any object; None where it says nothing of it. `nodes` tell why a pod finds no place."""
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        finalizers = obj["metadata"].get("finalizers") or []
        why = f"It waits for {', '.join(finalizers)}." if finalizers else ""
        return Health("busy", "Terminating", why)
    if obj.get("kind") == "Pod":
        return pod(obj, nodes)
    known = _KNOWN.get(str(obj.get("kind")))
    return known(obj) if known is not None else by_conditions(obj)


def pod(obj: Object, nodes: Sequence[Object] = ()) -> Health:
    status = obj.get("status") or {}
    phase, reason = status.get("phase") or "Pending", status.get("reason") or ""
    if phase == "Succeeded":
        return Health("ok", "Succeeded", "All its containers ended well.")
    if reason:
        tone = "idle" if reason in _STOPPED and _is_owned(obj) else "bad"
        return Health(tone, reason, str(status.get("message") or ""), _reason_hint(obj, reason))
    unscheduled = _condition(obj, "PodScheduled")
    if phase == "Pending" and unscheduled.get("status") == "False":
        return _unscheduled(obj, unscheduled, nodes)
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if (found := container(each)) is not None:
            return found
    if phase == "Pending":
        return Health("busy", "Starting", "Its containers are being prepared.")
    if phase == "Failed":
        return Health("bad", "Failed", str(status.get("message") or "A container ended with an error."))
    return _running(obj, phase)


def _running(obj: Object, phase: str) -> Health:
    status = obj.get("status") or {}
    waiting = [each["name"] for each in status.get("containerStatuses") or () if not each.get("ready")]
    restarts = sum(each.get("restartCount") or 0 for each in status.get("containerStatuses") or ())
    if phase == "Running" and waiting and _condition(obj, "Ready").get("status") != "True":
        names = ", ".join(waiting)
        return Health(
            "warn",
            "Not ready",
            f"Container {names} runs, but does not say that it is ready.",
            "Its readiness probe decides; the events and the log say more.",
        )
    why = f"Containers were started again {restarts} times." if restarts > 1 else ""
    return Health("ok", phase, why)


def container(status: Object) -> Health | None:
    """Of one container of a pod; None where nothing is wrong with it."""
    name, state = status.get("name"), status.get("state") or {}
    if waiting := state.get("waiting"):
        return _waiting(status, str(name), waiting)
    ended = state.get("terminated")
    if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
        return Health("bad", ended.get("reason") or "Error", _ended(str(name), ended), exit_hint(ended))
    return None


def _waiting(status: Object, name: str, waiting: Object) -> Health | None:
    reason, message = waiting.get("reason") or "", str(waiting.get("message") or "")
    if reason in ("ContainerCreating", "PodInitializing", ""):
        return None
    if reason == "CrashLoopBackOff":
        last = (status.get("lastState") or {}).get("terminated") or {}
        why = f"Container {name} ends soon after each start ({status.get('restartCount', 0)} times so far)."
        if last:
            why += " " + _ended(name, last)
        return Health("bad", reason, why, exit_hint(last) or "The log of its last run says why.")
    if reason in _IMAGE_REASONS:
        said = f" {message}" if message and "back-off" not in message.lower() else ""
        return Health(
            "bad",
            reason,
            f"The image {status.get('image')} of container {name} cannot be had.{said}",
            "Check the image's name and tag; the events say what the registry or the catalogue of images answered.",
        )
    if reason in ("CreateContainerConfigError", "CreateContainerError"):
        return Health(
            "bad",
            reason,
            f"Container {name} cannot be made: {message or 'the events say why'}.",
            "Something that it refers to is not there: a ConfigMap, a Secret, or a key in one.",
        )
    return Health("bad", reason, f"Container {name} does not start: {message or reason}.")


_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)


def _reason_hint(obj: Object, reason: str) -> str:
    if reason in _STOPPED:
        again = "What it belongs to makes another; this one can be deleted."
        after = again if _is_owned(obj) else "Create it again."
        return f"Its node was stopped while it ran. {after}"
    return _POD_HINTS.get(reason, "")


_STOPPED = ("Terminated", "NodeShutdown")
"""With their node. Kubernetes, pkg/kubelet/nodeshutdown."""


def _is_owned(obj: Object) -> bool:
    return bool((obj.get("metadata") or {}).get("ownerReferences"))


_POD_HINTS = {
    "Evicted": "The node ran short of something. Ask for what the pod needs, so that it is placed where there is room.",
    "DeadlineExceeded": "It ran for longer than its activeDeadlineSeconds.",
    "NodeLost": "Its node does not answer.",
}


def _ended(name: str, ended: Object) -> str:
    code, signal = ended.get("exitCode"), ended.get("signal")
    if ended.get("reason") == "OOMKilled":
        return f"Container {name} was killed: it used more memory than its limit."
    said = str(ended.get("message") or "").strip()
    how = f"signal {signal}" if signal else f"exit code {code}"
    return f"Container {name} ended with {how}." + (f" It said: {said[-600:]}" if said else "")


def exit_hint(ended: Object) -> str:
    """What an end usually means."""
    if ended.get("reason") == "OOMKilled":
        return "Raise resources.limits.memory, or let the program use less."
    known = {
        126: "The command is there, but may not be executed.",
        127: "The command was not found in the container.",
        137: "Killed (SIGKILL): out of memory, a failed liveness probe, or stopped from outside.",
        139: "The program crashed (segmentation fault).",
        143: "Stopped from outside (SIGTERM).",
    }
    return known.get(ended.get("exitCode") or 0, "The log says why." if ended.get("exitCode") else "")


_SHORT_OF = re.compile(r"Insufficient ([\w./-]+)")


def _unscheduled(obj: Object, condition: Object, nodes: Sequence[Object]) -> Health:
    """`cannot be scheduled: needs 64 GiB, the largest node has 23`."""
    message = str(condition.get("message") or "")
    if condition.get("reason") == "SchedulingGated":
        gates = ", ".join(
            each.get("name", "") for each in (obj.get("spec") or {}).get("schedulingGates") or ()
        )
        return Health("idle", "Held back", f"It is not to be placed yet: {gates or 'a gate holds it'}.")
    asked = requests(obj.get("spec") or {})
    short: list[str] = []
    is_never = False
    for resource in dict.fromkeys(each.rstrip(".") for each in _SHORT_OF.findall(message)):
        need = asked.get(resource)
        if need is None:
            continue
        largest = max((_allocatable(node, resource) for node in nodes), default=None)
        word = (
            "" if amounts.is_bytes(resource) or resource == "cpu" else f" {amounts.resource_word(resource)}"
        )
        text = f"needs {amounts.shown(resource, need)}{word or _of(resource)}"
        if largest is not None and largest < need:
            is_never = True
            text += f", the largest node has {amounts.shown(resource, largest)}"
        elif largest is not None:
            text += ", which others use now"
        short.append(text)
    why = f"Cannot be scheduled: {'; '.join(short)}." if short else f"Cannot be scheduled: {_plain(message)}"
    hint = (
        "It will never fit as it is. Ask for less, or add a larger node."
        if is_never
        else "It starts when something else ends."
        if short
        else _scheduling_hint(message)
    )
    return Health("bad" if is_never or not short else "warn", "Cannot be scheduled", why, hint)


def _of(resource: str) -> str:
    return " of memory" if resource == "memory" else " of disk" if amounts.is_bytes(resource) else ""


def _plain(message: str) -> str:
    return message.partition(" preemption:")[0] or "no node takes it."


def _scheduling_hint(message: str) -> str:
    text = message.lower()
    if "taint" in text:
        return "Nodes keep it away by a taint: tolerate it, or let the node take pods again (uncordon)."
    if "unschedulable" in text:
        return "The node takes no new pods: uncordon it on its page."
    if "affinity" in text or "selector" in text:
        return "No node has the labels that its nodeSelector or affinity asks for."
    if "persistentvolumeclaim" in text:
        return "A volume that it uses is not there yet: look at its persistent volume claims."
    return ""


def requests(spec: Object) -> dict[str, Decimal]:
    """What a pod asks for: the sum of its containers, or more where one of its init containers needs that."""
    total: dict[str, Decimal] = {}
    for each in spec.get("containers") or ():
        for resource, amount in _asked(each).items():
            total[resource] = total.get(resource, Decimal(0)) + amount
    for each in spec.get("initContainers") or ():
        for resource, amount in _asked(each).items():
            if each.get("restartPolicy") == "Always":
                total[resource] = total.get(resource, Decimal(0)) + amount
            else:
                total[resource] = max(total.get(resource, Decimal(0)), amount)
    for resource, amount in (spec.get("overhead") or {}).items():
        total[resource] = total.get(resource, Decimal(0)) + amounts.parsed(amount)
    return total


def _asked(container_spec: Object) -> dict[str, Decimal]:
    resources = container_spec.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {resource: amounts.parsed(amount) for resource, amount in asked.items()}


def _allocatable(node: Object, resource: str) -> Decimal:
    status = node.get("status") or {}
    return amounts.parsed((status.get("allocatable") or status.get("capacity") or {}).get(resource))


def _condition(obj: Object, kind: str) -> Object:
    for each in (obj.get("status") or {}).get("conditions") or ():
        if isinstance(each, Mapping) and each.get("type") == kind:
            return each
    return {}


def _replicated(obj: Object) -> Health:
    """Deployments, StatefulSets, ReplicaSets."""
    status = obj.get("status") or {}
    wanted = (obj.get("spec") or {}).get("replicas", 1)
    ready = status.get("readyReplicas") or 0
    if wanted == 0:
        return Health("idle", "Scaled to none", "", "Scale it up to let it work.")
    for kind in ("ReplicaFailure", "Progressing"):
        found = _condition(obj, kind)
        if (kind == "ReplicaFailure") == (found.get("status") == "True") and found.get("message"):
            return Health("bad", found.get("reason") or kind, str(found["message"]), "Its pods say more.")
    if ready < wanted:
        return Health(
            "warn", f"{ready} of {wanted} ready", "Not all of its pods are ready.", "Its pods say why."
        )
    return Health("ok", f"{ready} of {wanted} ready")


def _daemons(obj: Object) -> Health:
    status = obj.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled") or 0, status.get("numberReady") or 0
    tone = "ok" if ready >= wanted else "warn"
    return Health(
        tone, f"{ready} of {wanted} ready", "" if tone == "ok" else "Not all of its pods are ready."
    )


def _job(obj: Object) -> Health:
    failed, done = _condition(obj, "Failed"), _condition(obj, "Complete")
    status = obj.get("status") or {}
    if failed.get("status") == "True":
        return Health(
            "bad", "Failed", str(failed.get("message") or failed.get("reason") or ""), "Its pods say why."
        )
    if done.get("status") == "True":
        return Health("ok", "Complete")
    if (obj.get("spec") or {}).get("suspend"):
        return Health("idle", "Suspended", "No pods are made until it is resumed.")
    tries = status.get("failed") or 0
    why = f"{tries} of its pods failed; it tries again." if tries else ""
    return Health("warn" if tries else "busy", "Running" if status.get("active") else "Waiting", why)


def _cron_job(obj: Object) -> Health:
    if (obj.get("spec") or {}).get("suspend"):
        return Health("idle", "Suspended", "It starts no jobs until it is resumed.")
    active = len((obj.get("status") or {}).get("active") or ())
    return Health("busy", f"{active} running") if active else Health("ok", "Scheduled")


def _claim(obj: Object) -> Health:
    phase = (obj.get("status") or {}).get("phase") or "Pending"
    if phase == "Bound":
        return Health("ok", "Bound")
    if phase == "Lost":
        return Health("bad", "Lost", "The volume that it was bound to is gone.")
    return Health(
        "warn", phase, "It has no volume yet.", "The events say what it waits for: often the first pod."
    )


def _node(obj: Object) -> Health:
    ready = _condition(obj, "Ready")
    if ready.get("status") != "True":
        return Health("bad", "Not ready", str(ready.get("message") or "The node does not report."))
    pressed = [
        each["type"]
        for each in (obj.get("status") or {}).get("conditions") or ()
        if each.get("type") != "Ready" and each.get("status") == "True"
    ]
    if pressed:
        return Health("warn", pressed[0], f"The node reports {', '.join(pressed)}.")
    if (obj.get("spec") or {}).get("unschedulable"):
        return Health("warn", "Cordoned", "It takes no new pods.", "Uncordon it when it may work again.")
    return Health("ok", "Ready")


def _phase(obj: Object) -> Health | None:
    phase = str((obj.get("status") or {}).get("phase") or "")
    tones = {"active": "ok", "bound": "ok", "available": "ok", "released": "warn", "failed": "bad"}
    return Health(tones.get(phase.lower(), "idle"), phase) if phase else None


_GOOD = ("Ready", "Succeeded", "Complete", "Available", "Healthy", "Established", "Completed")


def by_conditions(obj: Object) -> Health | None:
    """Of a kind that nothing is known about: by the conditions and the phase that most kinds have."""
    status = obj.get("status")
    if not isinstance(status, Mapping):
        return None
    phase = str(status.get("phase") or "")
    if phase:
        word = phase.lower()
        tone = "ok" if word in ("succeeded", "ready", "active", "completed", "bound") else ""
        tone = tone or (
            "bad" if word in ("failed", "error") else "busy" if word in ("running", "pending") else "idle"
        )
        return Health(tone, phase, str(status.get("message") or ""))
    failed = _condition(obj, "Failed")
    if failed.get("status") == "True":
        return Health("bad", "Failed", str(failed.get("message") or failed.get("reason") or ""))
    for kind in _GOOD:
        found = _condition(obj, kind)
        if found.get("status") == "True":
            return Health("ok", kind)
        if found.get("status") == "False":
            why = str(found.get("message") or found.get("reason") or "")
            return Health("warn", f"Not {kind.lower()}", why)
    return None


_KNOWN: Mapping[str, Callable[[Object], Health | None]] = {
    "Deployment": _replicated,
    "StatefulSet": _replicated,
    "ReplicaSet": _replicated,
    "DaemonSet": _daemons,
    "Job": _job,
    "CronJob": _cron_job,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _phase,
    "Namespace": _phase,
    "Node": _node,
}


def troubled(objects: Iterable[Object], nodes: Sequence[Object] = ()) -> list[tuple[Object, Health]]:
    """Those with which something is wrong, the worst first."""
    found = [(obj, health) for obj in objects if (health := of(obj, nodes)) is not None and health.is_trouble]
    return sorted(found, key=lambda each: (each[1].tone != "bad", each[0]["metadata"]["name"]))
