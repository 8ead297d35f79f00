"""Whose a gRPC request is, and of which namespaces' trials it may speak: requests name a trial and nothing more.

A pod is known by its address, which the launcher gave it (docs/decisions/0012), elsewhere by the token of its service
account in the metadata `authorization`; either may speak of its own namespace. Who comes from the machine itself
without a token is its user, as at the plain HTTP port (docs/decisions/0008, 0054).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api.kinds import TRIALS
from sampan.kube import meta, pods
from sampan.kube.errors import ForbiddenError, NotFoundError, UnauthorizedError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.kube.rbac import TOKEN_REVIEWS
from sampan.web.grpc_server import Call
from sampan.web.guards import User
from sampan.web.reviews import is_allowed

_MACHINE = ("127.0.0.1", "::1")
_ACCOUNT = "system:serviceaccount:"
_MASTERS = "system:masters"
_MOST_KNOWN = 4096
_LOOKS = 20
"""A pod may speak before its address stands in its status."""
_LOOK_SECONDS = 0.1
_LONGEST_TOKEN = 16 * 1024
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Caller:
    namespace: str = ""
    """The only one whose trials it may speak of; empty where rules decide."""
    user: User | None = None
    """Whom rules are asked about; None where nothing has to be asked."""


class GrpcCallers:
    """For one event loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: OrderedDict[str, tuple[str, str, str]] = OrderedDict()
        """By address, of the pod that had it last: namespace, name, uid."""

    async def of(self, call: Call) -> Caller:
        """Raises UnauthorizedError, ForbiddenError, ApiError."""
        scheme, _, token = call.authorization.partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not token.strip() or len(token) > _LONGEST_TOKEN:
                raise UnauthorizedError("the metadata `authorization` must be `Bearer TOKEN`")
            return await self._of_token(token.strip())
        if call.address in _MACHINE:
            return Caller()
        namespace = await self._namespace_of(call.address)
        if not namespace:
            raise ForbiddenError(
                "nobody is known by the address that this request comes from: call from a pod, or send a token as the "
                "metadata `authorization: Bearer TOKEN`"
            )
        return Caller(namespace)

    async def place(self, caller: Caller, named: str, verb: str) -> tuple[str, str]:
        """Namespace and name of the trial that is meant: `NAME`, or `NAMESPACE/NAME`.

        Raises ForbiddenError, NotFoundError where it cannot be told, ValueError, ApiError.
        """
        namespace, slash, name = named.rpartition("/")
        if not name or len(name) > _LONGEST_NAME or (slash and not namespace) or "/" in namespace:
            raise ValueError(f"trial_name {named[:100]!r} must be the name of a trial, or NAMESPACE/NAME")
        if caller.namespace:
            if namespace not in ("", caller.namespace):
                raise ForbiddenError(
                    f'the trial "{name}" of namespace "{namespace[:63]}" is not yours: you are of "{caller.namespace}"'
                )
            return caller.namespace, name
        namespace = namespace or await self._only_namespace(name)
        if caller.user is not None and not await is_allowed(
            self._client, caller.user, (TRIALS, "status" if verb == "update" else "", name, verb), namespace
        ):
            raise ForbiddenError(
                f'User "{caller.user.name}" cannot {verb} trials of kubeflow.org in the namespace "{namespace}"'
            )
        return namespace, name

    async def _of_token(self, token: str) -> Caller:
        review = await self._client.create(TOKEN_REVIEWS, {"spec": {"token": token}})
        status = meta.status(review)
        found = status.get("user") or {}
        if not status.get("authenticated") or not found.get("username"):
            raise UnauthorizedError("the token in the metadata `authorization` is not valid")
        name, groups = str(found["username"]), tuple(str(each) for each in found.get("groups") or ())
        if _MASTERS in groups:
            return Caller()
        if name.startswith(_ACCOUNT):
            return Caller(name.removeprefix(_ACCOUNT).partition(":")[0])
        return Caller(user=User(name, groups, str(found.get("uid") or "")))

    async def _namespace_of(self, address: str) -> str:
        """Of the pod that has this address now; empty where none has."""
        known = self._known.get(address)
        if known is not None and await self._still_has(known, address):
            return known[0]
        for _ in range(_LOOKS):
            if pod := await self._find(address):
                self._known[address] = meta.namespace(pod), meta.name(pod), meta.uid(pod)
                self._known.move_to_end(address)
                if len(self._known) > _MOST_KNOWN:
                    self._known.popitem(last=False)
                return meta.namespace(pod)
            await asyncio.sleep(_LOOK_SECONDS)
        return ""

    async def _still_has(self, known: tuple[str, str, str], address: str) -> bool:
        """One object is read where looking for it would read all: an address is another pod's soon."""
        namespace, name, uid = known
        try:
            pod = await self._client.get(PODS, name, namespace)
        except NotFoundError:
            return False
        has_it = meta.status(pod).get("podIP") == address and not pods.is_terminal(pod)
        return has_it and meta.uid(pod) == uid

    async def _find(self, address: str) -> Object | None:
        options = ListOptions(field_selector=f"status.podIP={address}")
        found = await self._client.list(PODS, None, options)
        alive = [each for each in found.items if not pods.is_terminal(each)]
        return alive[0] if len(alive) == 1 else None

    async def _only_namespace(self, name: str) -> str:
        options = ListOptions(field_selector=f"metadata.name={name}")
        found = await self._client.list(TRIALS, None, options)
        namespaces = sorted(meta.namespace(each) for each in found.items)
        if len(namespaces) > 1:
            raise ValueError(
                f"trial_name {name!r} is the name of trials of {', '.join(namespaces)}: say NAMESPACE/NAME"
            )
        if not namespaces:
            raise NotFoundError(f'there is no trial "{name}"')
        return namespaces[0]
