"""What to do next with a pod: which containers to start, when to look again, whether it is over. Pure.

Source of the rules: kubernetes/pkg/kubelet/kuberuntime (computePodActions) and pkg/kubelet/kubelet_pods.go
(getPhase), v1.31.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sampan.cluster.node.records import ContainerRecord
from sampan.kube.pods import FAILED, PENDING, RUNNING, SUCCEEDED

_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Decision:
    start: tuple[str, ...] = ()
    """Containers to start now."""
    again_at: float = _FOREVER
    """Monotonic time of the next back-off's end."""
    stop_sidecars: bool = False
    """The containers that count are over."""
    is_over: bool = False
    """No container runs, none will."""


def decide(policy: str, records: Mapping[str, ContainerRecord], now: float) -> Decision:
    """`policy` is the pod's restartPolicy. Called after each change; the same records give the same decision."""
    init = [record for record in records.values() if record.is_init]
    main = [record for record in records.values() if record.is_main and not record.is_attendant]
    if is_settled(policy, records.values()):
        busy = any(record.is_running or record.is_starting for record in records.values())
        return Decision(stop_sidecars=True, is_over=not busy)
    start: list[str] = []
    again_at = _FOREVER
    for record in records.values():
        if record.is_ephemeral:
            # Before all others: they are for pods that do not come up, too.
            again_at = min(again_at, _consider(record, "Never", now, start))
    initialised = any(record.has_run for record in main)
    for record in init:
        if record.is_sidecar:
            again_at = min(again_at, _consider(record, "Always", now, start))
            if not record.is_started and not initialised:
                return Decision(tuple(start), again_at)
        elif not initialised and not _is_done(record):
            # An init container is tried again under Always too, until it has succeeded.
            again_at = min(
                again_at, _consider(record, "OnFailure" if policy == "Always" else policy, now, start)
            )
            return Decision(tuple(start), again_at)
    for record in main:
        again_at = min(again_at, _consider(record, policy, now, start))
    return Decision(tuple(start), again_at)


def will_restart(policy: str, record: ContainerRecord) -> bool:
    """Whether a container that ended runs again."""
    if record.end is None:
        return True
    if record.is_ephemeral:
        return False
    if record.must_restart or _rules_restart(record, record.end.exit_code):
        return True
    if not record.is_sidecar:
        policy = str(record.spec.get("restartPolicy") or policy)
    if record.is_sidecar or policy == "Always":
        return record.is_sidecar or not record.is_init or record.end.exit_code != 0
    return policy == "OnFailure" and record.end.exit_code != 0


def restarts_after_kill(policy: str, record: ContainerRecord) -> bool:
    """Whether a container that the node ends for its own sake comes back."""
    return record.is_sidecar or str(record.spec.get("restartPolicy") or policy) != "Never"


def is_settled(policy: str, records: Iterable[ContainerRecord]) -> bool:
    """Whether the containers that count have run for the last time. Sidecars do not count."""
    counting = [record for record in records if _counts(record)]
    for record in counting:
        has_failed = record.is_init and record.end is not None and record.end.exit_code != 0
        if has_failed and not will_restart(policy, record):
            return True
    main = [record for record in counting if not record.is_init]
    return all(record.end is not None and not will_restart(policy, record) for record in main)


def phase(policy: str, records: Mapping[str, ContainerRecord]) -> str:
    """The phase of a pod that nothing has ended from outside."""
    everything = list(records.values())
    main = [record for record in everything if record.is_main]
    if is_settled(policy, everything) and not any(record.is_running for record in everything):
        failed = any(
            record.end is not None and record.end.exit_code != 0 for record in everything if _counts(record)
        )
        return FAILED if failed else SUCCEEDED
    if any(not record.has_run for record in main):
        return PENDING
    return RUNNING


def _counts(record: ContainerRecord) -> bool:
    return not (record.is_sidecar or record.is_ephemeral or record.is_attendant or record.is_follower)


def _rules_restart(record: ContainerRecord, code: int) -> bool:
    """Whether the container's own rules want it again. Source: restartPolicyRules, KEP-5307, v1.34."""
    for rule in record.spec.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = code in (codes.get("values") or ())
        if rule.get("action") == "Restart" and listed is (codes.get("operator") != "NotIn"):
            return True
    return False


def _is_done(record: ContainerRecord) -> bool:
    return record.end is not None and record.end.exit_code == 0


def _consider(record: ContainerRecord, policy: str, now: float, start: list[str]) -> float:
    """Adds the container to `start` if it is to run now; else the time at which it may be."""
    if record.is_running or record.is_starting:
        return _FOREVER
    if record.end is not None and not will_restart(policy, record):
        return _FOREVER
    if now < record.retry_at:
        return record.retry_at
    start.append(record.name)
    return _FOREVER
