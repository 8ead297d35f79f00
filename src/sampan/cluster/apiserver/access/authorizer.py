"""Whether a user may: RBAC's decision and Kubernetes' words for it. Pure but for the index it reads.

Source: plugin/pkg/auth/authorizer/rbac/rbac.go, k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go,
v1.33.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.index import Binding, RbacIndex
from sampan.cluster.apiserver.access.request import Attributes
from sampan.kube.errors import ForbiddenError, qualified
from sampan.kube.rbac import Rule
from sampan.web.guards import User


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""


class Authorizer:
    """Denies by default."""

    def __init__(self, index: RbacIndex) -> None:
        self.index = index

    def decide(self, user: User, wanted: Attributes) -> Decision:
        if user.is_master:
            return Decision(True)
        problems: dict[str, None] = {}
        for binding, subject in self.index.bound(user, wanted.namespace):
            rules = self.index.role(binding.role)
            if rules is None:
                problems[_no_role(binding)] = None
            elif any(_allows(rule, wanted) for rule in rules):
                return Decision(True, _because(binding, subject))
        found = list(problems)
        text = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        return Decision(False, f"RBAC: {text}" if found else "")

    def require(self, user: User, wanted: Attributes) -> None:
        """Raises ForbiddenError."""
        if user.is_master:
            return
        decision = self.decide(user, wanted)
        if not decision.allowed:
            raise forbidden(user, wanted, decision.reason)


def _allows(rule: Rule, wanted: Attributes) -> bool:
    if wanted.resource:
        return rule.allows(wanted.verb, wanted.group, wanted.resource, wanted.subresource, wanted.name)
    return rule.allows_url(wanted.verb, wanted.path)


def forbidden(user: User, wanted: Attributes, reason: str = "") -> ForbiddenError:
    """The 403 of a request."""
    who = f'User "{user.name}" cannot {wanted.verb}'
    if not wanted.resource:
        text = f'{who} path "{wanted.path}"'
    else:
        where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
        text = f'{who} resource "{wanted.combined}" in API group "{wanted.group}" {where}'
    if reason:
        text += f": {reason}"
    details: dict[str, Any] = {}
    if not wanted.resource:
        return ForbiddenError(f"forbidden: {text}")
    what = qualified(wanted.group, wanted.resource)
    if wanted.name:
        what, details["name"] = f'{what} "{wanted.name}"', wanted.name
    if wanted.group:
        details["group"] = wanted.group
    details["kind"] = wanted.resource
    return ForbiddenError(f"{what} is forbidden: {text}", details=details)


def _because(binding: Binding, subject: tuple[str, str]) -> str:
    where = f"/{binding.namespace}" if binding.namespace else ""
    kind, name = subject
    return (
        f'RBAC: allowed by {binding.kind} "{binding.name}{where}" of {binding.role.kind} '
        f'"{binding.role.name}" to {_subject(kind, name)}'
    )


def _subject(kind: str, name: str) -> str:
    account = identity.split_account(name) if kind == "User" else None
    return f'ServiceAccount "{account[1]}/{account[0]}"' if account else f'{kind} "{name}"'


def _no_role(binding: Binding) -> str:
    resource = "role" if binding.role.namespace else "clusterrole"
    return f'{resource}.rbac.authorization.k8s.io "{binding.role.name}" not found'
