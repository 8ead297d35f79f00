"""Whether a token lets its holder tell of a TrainJob's progress: one of that very purpose, of a pod of that job.

For `reports`. A token that is bound to no pod counts too, as upstream: who may make one in the namespace may do more.
Source: kubeflow/trainer pkg/statusserver/auth.go, v2.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sampan.client.protocol import Client
from sampan.components.training.api import labels, reporting
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.rbac import TOKEN_REVIEWS
from sampan.lib.clock import Clock

_USER_PREFIX = "system:serviceaccount:"
_POD_NAME, _POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
_TRUSTED_SECONDS = 60.0
_MOST_TRUSTED = 4096
_LONGEST_TOKEN = 16 * 1024


class Callers:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._trusted: dict[tuple[str, str], float] = {}

    async def may_report(self, authorization: str, namespace: str, name: str) -> bool:
        """Raises ApiError where the cluster cannot be asked."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            return False
        audience = reporting.audience(namespace, name)
        key, now = (audience, hashlib.sha256(token.encode()).hexdigest()), self._clock.monotonic()
        if self._trusted.get(key, now) > now:
            return True
        review = {"spec": {"token": token, "audiences": [audience]}}
        answer = await self._client.create(TOKEN_REVIEWS, review)
        if not await self._is_of_job(meta.status(answer), audience, namespace, name):
            return False
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
        self._trusted[key] = now + _TRUSTED_SECONDS
        return True

    async def _is_of_job(self, status: Mapping[str, Any], audience: str, namespace: str, name: str) -> bool:
        user = status.get("user") or {}
        # A server that knows no audiences answers without them, and has not looked at ours.
        if not status.get("authenticated") or audience not in (status.get("audiences") or ()):
            return False
        if not str(user.get("username") or "").startswith(f"{_USER_PREFIX}{namespace}:"):
            return False
        extra = user.get("extra") or {}
        pod_name = next(iter(extra.get(_POD_NAME) or ()), "")
        if not pod_name:
            return True
        try:
            pod = await self._client.get(PODS, str(pod_name), namespace)
        except NotFoundError:
            return False
        is_same = meta.uid(pod) == next(iter(extra.get(_POD_UID) or ()), "")
        return is_same and meta.labels(pod).get(labels.JOB_SET_NAME) == name
