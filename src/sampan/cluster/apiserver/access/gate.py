"""The one place that decides about a request: whose it is, on whose behalf, and whether they may. Deny by default.

Called for every request to every route, by the web guards, or by `http` where there are none before it.

Source: k8s.io/apiserver/pkg/endpoints/filters/{authentication,authorization,impersonation}.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from urllib.parse import unquote

from starlette.types import Scope

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.accounts import ISSUER, AccountTokens
from sampan.cluster.apiserver.access.authorizer import Authorizer
from sampan.cluster.apiserver.access.request import Attributes, read
from sampan.kube.errors import BadRequestError, ForbiddenError, UnauthorizedError
from sampan.kube.kinds import Resource
from sampan.web.guards import User

_IMPERSONATE = b"impersonate-"
_EXTRA = "extra-"
_INTO_A_POD = frozenset({"exec", "attach", "portforward"})


class Gate:
    def __init__(self, token: str, tokens: AccountTokens, authorizer: Authorizer) -> None:
        """`token` is the single user's; empty where none was made."""
        self._token = token.encode()
        self._reviewed: dict[str, tuple[str, ...]] = {}
        self.own_address: tuple[str, int] | None = None
        """Where this server answers those without a token as the single user."""
        self.tokens = tokens
        self.authorizer = authorizer

    def let_through(self, paths: Sequence[str], audiences: Sequence[str] = ()) -> None:
        """Every known user comes to what is below `paths`: whoever serves it asks for a review of each request.

        Tokens shown there may be meant for one of `audiences`.
        """
        for path in paths:
            self._reviewed[path] = (ISSUER, *audiences)

    def admit(self, scope: Scope) -> User:
        """Raises UnauthorizedError, ForbiddenError."""
        authorization = b""
        impersonation: list[tuple[str, str]] = []
        for key, value in scope["headers"]:
            if key == b"authorization":
                authorization = authorization or value
            elif key.startswith(_IMPERSONATE):
                impersonation.append((key[len(_IMPERSONATE) :].decode("latin-1"), value.decode("latin-1")))
        user = self._authenticate(authorization, scope)
        if impersonation:
            user = self._impersonate(user, impersonation)
        if not user.is_master:
            self._authorize(user, scope)
        return user

    def check_backend(self, user: User, host: str, port: int) -> None:
        """Whether a request may be passed on to an address. Raises ForbiddenError.

        Passed on to this server itself, without its token, it would be the single user's.
        """
        if (host, port) == self.own_address and not user.is_master:
            raise ForbiddenError("requests are not passed on to this server itself: send them to it")

    def who(self, authorization: str) -> User | None:
        """`components.Reviewer`: of a header Authorization; None for what is no token of ours."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self.user_of(token.strip())[0]
        except UnauthorizedError:
            return None

    def may(self, user: User, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        """`components.Reviewer`."""
        wanted = Attributes(
            verb,
            group=resource.group,
            version=resource.version,
            resource=resource.plural,
            namespace=namespace,
            name=name,
        )
        return self.authorizer.decide(user, wanted).allowed

    def user_of(self, token: str, audiences: tuple[str, ...] = (ISSUER,)) -> tuple[User, tuple[str, ...]]:
        """Whose token it is, and for which of `audiences`. Raises UnauthorizedError, which says why."""
        if self._token and compare_digest(token.encode(), self._token):
            return identity.ADMIN, audiences
        found = self.tokens.verify(token)
        if isinstance(found, str):
            raise UnauthorizedError(found)
        meant = tuple(each for each in audiences if each in found.audiences)
        if not meant:
            raise UnauthorizedError(
                f"invalid bearer token, token audiences {list(found.audiences)!r} is invalid for the target "
                f"audiences {list(audiences)!r}"
            )
        return _authenticated(found.user), meant

    def _authenticate(self, authorization: bytes, scope: Scope) -> User:
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            # Without a token, plain HTTP is the single user on this machine. Pods are given the port with TLS, and
            # there nobody is anybody without a token.
            return identity.ANONYMOUS if scope.get("scheme") in ("https", "wss") else identity.ADMIN
        if not self._token and scope.get("scheme") not in ("https", "wss") and token.count(".") != 2:
            return identity.ADMIN
        try:
            return self.user_of(token.strip(), self._audiences(scope) or (ISSUER,))[0]
        except UnauthorizedError as error:
            # Why is nobody's business who has no token.
            raise UnauthorizedError("Unauthorized") from error

    def _impersonate(self, user: User, headers: list[tuple[str, str]]) -> User:
        names = [value for key, value in headers if key == "user" and value]
        groups = [value for key, value in headers if key == "group"]
        uids = [value for key, value in headers if key == "uid" and value]
        extra: dict[str, tuple[str, ...]] = {}
        for key, value in headers:
            if key.startswith(_EXTRA):
                name = unquote(key[len(_EXTRA) :]).lower()
                extra[name] = (*extra.get(name, ()), value)
        if not names:
            raise BadRequestError("requested impersonation of a group, uid or extra without a user")
        account = identity.split_account(names[0])
        if account is None:
            self._may_impersonate(user, Attributes("impersonate", resource="users", name=names[0]))
        else:
            namespace, name = account
            self._may_impersonate(
                user, Attributes("impersonate", resource="serviceaccounts", namespace=namespace, name=name)
            )
        for group in groups:
            self._may_impersonate(user, Attributes("impersonate", resource="groups", name=group))
        api = {"group": "authentication.k8s.io", "version": "v1"}
        for uid in uids:
            self._may_impersonate(user, Attributes("impersonate", resource="uids", name=uid, **api))
        for key, values in extra.items():
            for value in values:
                wanted = Attributes("impersonate", resource="userextras", subresource=key, name=value, **api)
                self._may_impersonate(user, wanted)
        if account is not None and not groups:
            groups = list(identity.account_groups(account[0]))
        uid = uids[0] if uids else ""
        return _authenticated(User(names[0], tuple(groups), uid, extra))

    def _may_impersonate(self, user: User, wanted: Attributes) -> None:
        self.authorizer.require(user, wanted)

    def _audiences(self, scope: Scope) -> tuple[str, ...]:
        """Whom tokens may be meant for, where reviews are asked for elsewhere; nothing for other paths."""
        path = str(scope["path"])
        return next((found for prefix, found in self._reviewed.items() if _is_below(path, prefix)), ())

    def _authorize(self, user: User, scope: Scope) -> None:
        wanted = read(scope)
        if identity.AUTHENTICATED in user.groups and self._audiences(scope):
            return
        self.authorizer.require(user, wanted)
        if wanted.resource == "pods" and wanted.subresource in _INTO_A_POD and wanted.verb == "get":
            # A WebSocket is opened with GET, and who may only read pods may not run programs in them.
            create = Attributes(
                "create",
                wanted.path,
                resource="pods",
                subresource=wanted.subresource,
                namespace=wanted.namespace,
                name=wanted.name,
            )
            self.authorizer.require(user, create)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _authenticated(user: User) -> User:
    """With the group that tells whether the user is known."""
    known = user.name != identity.ANONYMOUS.name
    added = identity.AUTHENTICATED if known else identity.UNAUTHENTICATED
    if added in user.groups:
        return user
    return User(user.name, (*user.groups, added), user.uid, user.extra)
