"""ResourceQuota: what a namespace may hold, counted in the same transaction as the write that changes it.

Every write moves `status.used` by what it adds or takes away, so that a full quota lets nothing past and one with
room refuses nothing. A controller counts a new quota for the first time, and again now and then (`cluster/workloads`).

Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sampan.cluster.apiserver.admission.refusal import refused
from sampan.cluster.apiserver.storage import Key, Transaction
from sampan.kube import meta, quantities, quotas
from sampan.kube.admission import AdmissionRequest
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES, Resource
from sampan.kube.meta import Object
from sampan.kube.quotas import Amounts

_CHANGING = (PODS, PERSISTENT_VOLUME_CLAIMS, SERVICES)
"""Kinds whose updates can change what they count for."""


def charge(
    request: AdmissionRequest,
    known: Sequence[Object],
    new: Object | None,
    old: Object | None,
    txn: Transaction,
) -> None:
    """`new` None: the object goes. Raises ForbiddenError when a quota has no room for what is added."""
    resource = request.resource
    if new is not None and old is not None and resource not in _CHANGING:
        return
    for name in sorted(
        meta.name(each)
        for each in known
        if quotas.counts(meta.spec(each).get("hard") or (), resource)
        and not (resource == RESOURCE_QUOTAS and meta.name(each) == request.name)
    ):
        record = txn.get(Key(RESOURCE_QUOTAS.key, request.namespace, name))
        if record is None:
            continue
        quota = record.object()
        before, after = (_usage(quota, resource, each) for each in (old, new))
        delta = {
            each: amount
            for each in before.keys() | after.keys()
            if (amount := after.get(each, Decimal(0)) - before.get(each, Decimal(0))) != 0
        }
        used = _charged(request, quota, delta, new if old is None else None)
        if used is not None:
            quota["status"] = {**meta.status(quota), "used": used}
            txn.put(Key(RESOURCE_QUOTAS.key, request.namespace, name), quota, record)


def _usage(quota: Object, resource: Resource, obj: Object | None) -> Amounts:
    """Of the names that the quota limits."""
    if obj is None or not quotas.in_scope(quota, resource, obj):
        return {}
    hard = meta.spec(quota).get("hard") or {}
    return {name: amount for name, amount in quotas.usage(resource, obj).items() if name in hard}


def _charged(
    request: AdmissionRequest, quota: Object, delta: Amounts, created: Object | None
) -> Object | None:
    """The new `used`, or None when nothing changes."""
    name, hard = meta.name(quota), meta.spec(quota).get("hard") or {}
    is_pod = created is not None and request.resource == PODS and quotas.in_scope(quota, PODS, created)
    if is_pod and created is not None and (lacking := quotas.unset(hard, created)):
        raise refused(request, f"failed quota: {name}: must specify {lacking}")
    if not delta:
        return None
    used = meta.status(quota).get("used") or {}
    unknown = sorted(each for each in delta if each not in used)
    if unknown and any(amount > 0 for amount in delta.values()):
        raise refused(request, f"status unknown for quota: {name}, resources: {','.join(unknown)}")
    new = {each: quantities.parse(used[each]) + amount for each, amount in delta.items() if each in used}
    over = [each for each in new if delta[each] > 0 and new[each] > quantities.parse(hard[each])]
    if over:
        raise refused(request, _exceeded(name, over, delta, used, hard))
    return {**used, **{each: quotas.written(each, max(amount, Decimal(0))) for each, amount in new.items()}}


def _exceeded(name: str, over: Iterable[str], delta: Amounts, used: Object, hard: Object) -> str:
    over = sorted(over)
    requested = quotas.listed({each: delta[each] for each in over})
    so_far = ",".join(f"{each}={used[each]}" for each in over)
    limited = ",".join(f"{each}={hard[each]}" for each in over)
    return f"exceeded quota: {name}, requested: {requested}, used: {so_far}, limited: {limited}"
