"""Secrets of type kubernetes.io/service-account-token: filled in, and gone when their account is.

Source: pkg/controller/serviceaccount/tokens_controller.go, v1.33.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.kube import meta
from sampan.kube.errors import ConflictError, NotFoundError
from sampan.kube.kinds import SECRETS, SERVICE_ACCOUNTS
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.reconciler import DONE, Request, Result

TYPE = "kubernetes.io/service-account-token"
_NAME = "kubernetes.io/service-account.name"
_UID = "kubernetes.io/service-account.uid"


@dataclass(frozen=True, slots=True)
class Trust:
    """What pods are given to trust the API, and to be trusted by it."""

    root_ca: str = ""
    """PEM text; empty when there is no TLS."""
    sign: Callable[[Object, Object], str] | None = None
    """(account, secret) to a token that does not expire."""


NO_TRUST = Trust()


class TokenReconciler:
    """Reconciles a Secret."""

    def __init__(self, client: Client, caches: Caches, trust: Trust) -> None:
        self._client = client
        self._trust = trust
        self._accounts = caches.of(SERVICE_ACCOUNTS)
        # Not the shared cache: other Secrets are none of its business.
        self._secrets = Cache(client, SECRETS, selector=ListOptions(field_selector=f"type={TYPE}"))

    def controller(self) -> Controller[Request]:
        sources = [own(self._secrets), mapped(self._accounts, self._of_account)]
        return Controller("serviceaccount-token", self.reconcile, sources, workers=1)

    async def reconcile(self, request: Request) -> Result:
        secret = self._secrets.get(request.namespace, request.name)
        if secret is None or meta.is_deleting(secret) or self._trust.sign is None:
            return DONE
        annotations = meta.annotations(secret)
        # Asked of the server: a Secret may be created right after its account.
        account = await self._account(request.namespace, annotations.get(_NAME, ""))
        if account is None or annotations.get(_UID, meta.uid(account)) != meta.uid(account):
            await self._delete(secret)
            return DONE
        wanted = {
            "ca.crt": _encoded(self._trust.root_ca),
            "namespace": _encoded(request.namespace),
        }
        data = secret.get("data") or {}
        if not data.get("token"):
            wanted["token"] = _encoded(self._trust.sign(account, secret))
        missing = {key: value for key, value in wanted.items() if data.get(key) != value}
        if missing or _UID not in annotations:
            patch = {
                "metadata": {
                    "annotations": {_UID: meta.uid(account)},
                    "resourceVersion": meta.resource_version(secret),
                },
                "data": missing,
            }
            try:
                await self._client.patch(SECRETS, request.name, patch, request.namespace)
            except (ConflictError, NotFoundError):
                return DONE  # it has changed: reconciled again
        return DONE

    def _of_account(self, account: Object) -> Iterable[Request]:
        namespace, name = meta.namespace(account), meta.name(account)
        for secret in self._secrets.list(namespace):
            if meta.annotations(secret).get(_NAME) == name:
                yield Request(namespace, meta.name(secret))

    async def _account(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(SERVICE_ACCOUNTS, name, namespace) if name else None
        except NotFoundError:
            return None

    async def _delete(self, secret: Object) -> None:
        options = DeleteOptions(uid=meta.uid(secret))
        try:
            await self._client.delete(SECRETS, meta.name(secret), meta.namespace(secret), options)
        except (ConflictError, NotFoundError):
            return


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
