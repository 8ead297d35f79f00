"""Service account tokens of pods: asked for once, kept while they are young, renewed before they end.

Called by `references` for each volume that wants one. Source: kubernetes/pkg/kubelet/token/token_manager.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sampan.client.protocol import Object
from sampan.kube import meta
from sampan.lib.clock import Clock, parse_rfc3339

DEFAULT_SECONDS = 3600
_OLDEST_SECONDS = 24 * 3600.0
"""A token is renewed after a day, however long it would be good for."""
_YOUNG = 0.8

Key = tuple[str, str, int]
"""Of a token within its pod: service account, audience, lifetime."""


@runtime_checkable
class TokenSource(Protocol):
    """What this needs of the client."""

    async def create_token(self, account: str, namespace: str, request: Object) -> Object: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str
    renew_at: float


class Tokens:
    """For all pods of the node and one event loop."""

    def __init__(self, source: TokenSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._kept: dict[str, dict[Key, _Kept]] = {}

    async def get(self, pod: Object, wanted: Mapping[str, Any]) -> str:
        """For a `serviceAccountToken` source of a projected volume. Raises ApiError."""
        key, uid = key_of(pod, wanted), meta.uid(pod)
        kept = self._kept.get(uid, {}).get(key)
        if kept is None or kept.renew_at <= self._clock.monotonic():
            kept = await self._ask(pod, key)
            self._kept.setdefault(uid, {})[key] = kept
        return kept.token

    def is_due(self, uid: str) -> bool:
        """Whether a token of this pod is to be renewed."""
        now = self._clock.monotonic()
        return any(kept.renew_at <= now for kept in self._kept.get(uid, {}).values())

    def forget(self, uid: str) -> None:
        self._kept.pop(uid, None)

    async def _ask(self, pod: Object, key: Key) -> _Kept:
        account, audience, seconds = key
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta.name(pod), "uid": meta.uid(pod)}
        spec: dict[str, Any] = {"expirationSeconds": seconds, "boundObjectRef": bound}
        if audience:
            spec["audiences"] = [audience]
        answer = await self._source.create_token(account, meta.namespace(pod), {"spec": spec})
        status = meta.status(answer)
        life = float(seconds)
        if ends := status.get("expirationTimestamp"):
            life = (parse_rfc3339(str(ends)) - self._clock.now()).total_seconds()
        return _Kept(
            str(status["token"]), self._clock.monotonic() + min(max(life, 0.0) * _YOUNG, _OLDEST_SECONDS)
        )


def key_of(pod: Object, wanted: Mapping[str, Any]) -> Key:
    account = str(meta.spec(pod).get("serviceAccountName") or "default")
    return account, str(wanted.get("audience") or ""), int(wanted.get("expirationSeconds") or DEFAULT_SECONDS)
