"""ResourceQuota: what a namespace may hold, counted in the same transaction as the write that adds to it.

What goes away is taken off by a controller, which recounts (`cluster/workloads`): so an object never slips past a
full quota, and for a moment one may be refused that just would fit again.

Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sampan.cluster.apiserver.admission.refusal import refused
from sampan.cluster.apiserver.storage import Key, Transaction
from sampan.kube import meta, quantities, quotas
from sampan.kube.admission import AdmissionRequest
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES
from sampan.kube.meta import Object
from sampan.kube.quotas import Amounts

_GROWING = (PERSISTENT_VOLUME_CLAIMS, SERVICES)
"""Kinds whose updates can cost more than before."""


def charge(
    request: AdmissionRequest,
    known: Sequence[Object],
    obj: Object,
    old: Object | None,
    txn: Transaction,
) -> None:
    """Adds the object to every quota that is about it. Raises ForbiddenError when one has no room."""
    if request.resource == RESOURCE_QUOTAS and old is not None:
        return
    if old is not None and request.resource not in _GROWING:
        return
    if not any(quotas.counts(meta.spec(each).get("hard") or (), request.resource) for each in known):
        return
    added = quotas.usage(request.resource, obj)
    if old is not None:
        before = quotas.usage(request.resource, old)
        added = {name: amount - before.get(name, Decimal(0)) for name, amount in added.items()}
    for each in sorted(known, key=meta.name):
        if quotas.in_scope(each, request.resource, obj):
            _charge(request, meta.name(each), added, obj, txn)


def _charge(request: AdmissionRequest, name: str, added: Amounts, obj: Object, txn: Transaction) -> None:
    key = Key(RESOURCE_QUOTAS.key, request.namespace, name)
    record = txn.get(key)
    if record is None:
        return
    quota = record.object()
    hard = meta.spec(quota).get("hard") or {}
    if request.resource == PODS and request.operation == "CREATE" and (lacking := quotas.unset(hard, obj)):
        raise refused(request, f"failed quota: {name}: must specify {lacking}")
    delta = {each: amount for each, amount in added.items() if each in hard and amount != 0}
    if not delta:
        return
    used = meta.status(quota).get("used") or {}
    if unknown := sorted(each for each in delta if each not in used):
        raise refused(request, f"status unknown for quota: {name}, resources: {','.join(unknown)}")
    new = {each: quantities.parse(used[each]) + amount for each, amount in delta.items()}
    over = [each for each in new if delta[each] > 0 and new[each] > quantities.parse(hard[each])]
    if over:
        raise refused(request, _exceeded(name, over, delta, used, hard))
    quota["status"] = {
        **meta.status(quota),
        "used": {**used, **{each: quotas.written(each, amount) for each, amount in new.items()}},
    }
    txn.put(key, quota, record)


def _exceeded(name: str, over: Iterable[str], delta: Amounts, used: Object, hard: Object) -> str:
    over = sorted(over)
    requested = quotas.listed({each: delta[each] for each in over})
    so_far = ",".join(f"{each}={used[each]}" for each in over)
    limited = ",".join(f"{each}={hard[each]}" for each in over)
    return f"exceeded quota: {name}, requested: {requested}, used: {so_far}, limited: {limited}"
