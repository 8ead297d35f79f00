"""The names of users and groups that mean something, and the user whose request is being served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sampan.web.guards import User

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"
_ACCOUNT_PREFIX = "system:serviceaccount:"

ADMIN = User("sampan:admin", (MASTERS, AUTHENTICATED))
"""The single user of a server on loopback."""
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
SYSTEM = User("system:sampan", (MASTERS, AUTHENTICATED))
"""Our own controllers, and components, through the in-process client."""

current: ContextVar[User] = ContextVar("current user", default=SYSTEM)
"""Set by `http` for each request to the Kubernetes API; what nobody set it for is our own."""


@contextmanager
def acting(user: User) -> Iterator[None]:
    token = current.set(user)
    try:
        yield
    finally:
        current.reset(token)


def account_name(namespace: str, name: str) -> str:
    return f"{_ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    return (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}")


def split_account(user: str) -> tuple[str, str] | None:
    """(namespace, name) of a service account's user name."""
    namespace, colon, name = user.removeprefix(_ACCOUNT_PREFIX).partition(":")
    if not user.startswith(_ACCOUNT_PREFIX) or not colon or not namespace or not name or ":" in name:
        return None
    return namespace, name
