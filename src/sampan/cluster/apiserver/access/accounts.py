"""Tokens of service accounts: issued for a TokenRequest or a Secret, and turned back into a user.

A token is good as long as its account is the same one, and so is the pod or Secret that it is bound to.

Source: pkg/serviceaccount/{claims,legacy,util}.go, pkg/registry/core/serviceaccount/storage/token.go,
pkg/apis/authentication/validation/validation.go, v1.33.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any, NamedTuple

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.signing import Signer
from sampan.cluster.apiserver.storage import Key, Storage
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, conflict, invalid, not_found
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from sampan.kube.meta import Object
from sampan.lib import ids
from sampan.lib.clock import Clock, parse_rfc3339, rfc3339
from sampan.web.guards import User

ISSUER = "https://kubernetes.default.svc.cluster.local"
_LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY = "kubernetes.io/serviceaccount"
_API = "authentication.k8s.io"
_DEFAULT_SECONDS = 3600
_LEAST_SECONDS = 600
_MOST_SECONDS = 1 << 32
_GRACE = timedelta(seconds=60)
"""How long a token outlives the request to delete what it is bound to: programs that end may still say so."""

_BINDABLE: dict[str, Resource] = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}


class Verified(NamedTuple):
    user: User
    audiences: tuple[str, ...]


class AccountTokens:
    def __init__(self, storage: Storage, signer: Signer, clock: Clock) -> None:
        self._storage = storage
        self.signer = signer
        self._clock = clock

    def request(self, namespace: str, name: str, body: Any) -> Object:
        """The TokenRequest with its answer. NotFoundError, InvalidError, ConflictError, BadRequestError."""
        account = self._stored(SERVICE_ACCOUNTS, namespace, name)
        if account is None:
            raise not_found("", SERVICE_ACCOUNTS.plural, name)
        request = _checked(body, namespace, name)
        spec = request["spec"]
        now = int(self._clock.now().timestamp())
        seconds = int(spec["expirationSeconds"])
        claims: dict[str, Any] = {
            "aud": spec["audiences"],
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": ids.new_uid(),
            "sub": identity.account_name(namespace, name),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": meta.uid(account)},
            },
        }
        if reference := spec.get("boundObjectRef"):
            claims["kubernetes.io"] |= self._bound(account, reference)
        expires = self._clock.now() + timedelta(seconds=seconds)
        request["status"] = {"token": self.signer.sign(claims), "expirationTimestamp": rfc3339(expires)}
        return request

    def for_secret(self, account: Object, secret: Object) -> str:
        """The token that a Secret of type kubernetes.io/service-account-token holds. It does not expire."""
        namespace, name = meta.namespace(account), meta.name(account)
        return self.signer.sign(
            {
                "iss": _LEGACY_ISSUER,
                "sub": identity.account_name(namespace, name),
                f"{_LEGACY}/namespace": namespace,
                f"{_LEGACY}/secret.name": meta.name(secret),
                f"{_LEGACY}/service-account.name": name,
                f"{_LEGACY}/service-account.uid": meta.uid(account),
            }
        )

    def verify(self, token: str) -> Verified | str:
        """Whose token it is and whom it is for, or why it counts for nothing."""
        claims = self.signer.claims(token)
        if claims is None:
            return "invalid bearer token"
        try:
            return self._legacy(claims, token) if claims.get("iss") == _LEGACY_ISSUER else self._user(claims)
        except (KeyError, TypeError, AttributeError, ValueError):
            return "invalid bearer token, its claims are not those of a service account"

    def _user(self, claims: dict[str, Any]) -> Verified | str:
        now = self._clock.now().timestamp()
        if claims["iss"] != ISSUER or now < claims["nbf"]:
            return "invalid bearer token"
        if now >= claims["exp"]:
            return "invalid bearer token, service account token has expired"
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        if not self._lives(SERVICE_ACCOUNTS, namespace, account["name"], account["uid"]):
            return "invalid bearer token, service account token has been invalidated"
        extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims['jti']}",)}
        for claim, resource in (("pod", PODS), ("secret", SECRETS)):
            if (bound := private.get(claim)) is None:
                continue
            if not self._lives(resource, namespace, bound["name"], bound["uid"]):
                return "invalid bearer token, service account token has been invalidated"
            if claim == "pod":
                extra["authentication.kubernetes.io/pod-name"] = (bound["name"],)
                extra["authentication.kubernetes.io/pod-uid"] = (bound["uid"],)
        if (node := private.get("node")) is not None:
            extra["authentication.kubernetes.io/node-name"] = (node["name"],)
            if node.get("uid"):
                extra["authentication.kubernetes.io/node-uid"] = (node["uid"],)
        user = User(
            identity.account_name(namespace, account["name"]),
            identity.account_groups(namespace),
            account["uid"],
            extra,
        )
        return Verified(user, tuple(claims["aud"]))

    def _legacy(self, claims: dict[str, Any], token: str) -> Verified | str:
        namespace, name = claims[f"{_LEGACY}/namespace"], claims[f"{_LEGACY}/service-account.name"]
        uid = claims[f"{_LEGACY}/service-account.uid"]
        secret = self._stored(SECRETS, namespace, claims[f"{_LEGACY}/secret.name"])
        if secret is None or _decoded((secret.get("data") or {}).get("token")) != token:
            return "invalid bearer token, service account token has been invalidated"
        if not self._lives(SERVICE_ACCOUNTS, namespace, name, uid):
            return "invalid bearer token, service account token has been invalidated"
        user = User(identity.account_name(namespace, name), identity.account_groups(namespace), uid)
        return Verified(user, (ISSUER,))

    def _bound(self, account: Object, reference: Object) -> dict[str, Any]:
        """The claims about the object that a token is to be bound to."""
        kind, name, uid = reference["kind"], reference["name"], str(reference.get("uid") or "")
        resource = _BINDABLE[kind]
        found = self._stored(resource, meta.namespace(account) if resource.namespaced else "", name)
        if found is None:
            raise not_found("", resource.plural, name)
        if uid and uid != meta.uid(found):
            raise conflict(
                "",
                resource.plural,
                name,
                f"the UID in the bound object reference ({uid}) does not match the UID in record. The object might "
                "have been deleted and then recreated",
            )
        claims = {kind.lower(): {"name": name, "uid": meta.uid(found)}}
        if kind == "Pod":
            if meta.spec(found).get("serviceAccountName") != meta.name(account):
                raise BadRequestError(
                    f'cannot bind token for serviceaccount "{meta.name(account)}" to pod running with different '
                    "serviceaccount name."
                )
            if node := meta.spec(found).get("nodeName"):
                known = self._stored(NODES, "", str(node))
                claims["node"] = {"name": str(node), **({"uid": meta.uid(known)} if known else {})}
        return claims

    def _stored(self, resource: Resource, namespace: str, name: str) -> Object | None:
        record = self._storage.get(Key(resource.key, namespace, name))
        return None if record is None else record.object()

    def _lives(self, resource: Resource, namespace: str, name: str, uid: str) -> bool:
        found = self._stored(resource, namespace, name)
        if found is None or meta.uid(found) != uid:
            return False
        deleted = found["metadata"].get("deletionTimestamp")
        return not deleted or self._clock.now() < parse_rfc3339(deleted) + _GRACE


def _checked(body: Any, namespace: str, name: str) -> Object:
    """With its defaults. Raises BadRequestError, InvalidError."""
    if not isinstance(body, dict) or body.get("kind", "TokenRequest") != "TokenRequest":
        raise BadRequestError("the body of the request must be a TokenRequest of authentication.k8s.io/v1")
    given = body.get("spec") or {}
    audiences, seconds = given.get("audiences") or [ISSUER], given.get("expirationSeconds")
    seconds = _DEFAULT_SECONDS if seconds is None else seconds
    reference = given.get("boundObjectRef")
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise BadRequestError("spec.audiences must be an array of strings")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise BadRequestError("spec.expirationSeconds must be a number")
    if reference is not None and not isinstance(reference, dict):
        raise BadRequestError("spec.boundObjectRef must be an object")
    errors = FieldErrors()
    if seconds < _LEAST_SECONDS:
        errors.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    elif seconds > _MOST_SECONDS:
        errors.invalid(
            "spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"
        )
    if reference is not None:
        if reference.get("kind") not in _BINDABLE or reference.get("apiVersion") not in ("v1", None, ""):
            errors.unsupported("spec.boundObjectRef.kind", reference.get("kind"), _BINDABLE)
        elif not isinstance(reference.get("name"), str) or not reference["name"]:
            errors.required("spec.boundObjectRef.name")
    if errors:
        raise invalid(_API, "TokenRequest", name, errors.causes)
    return {
        "kind": "TokenRequest",
        "apiVersion": f"{_API}/v1",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
    }


def _decoded(data: Any) -> str:
    return base64.b64decode(data or "").decode()
