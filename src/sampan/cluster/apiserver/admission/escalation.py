"""RBAC's own guard: nobody grants what they do not have, unless they may `escalate` or `bind`.

Source: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased/storage.go,
pkg/registry/rbac/validation/rule.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.authorizer import Authorizer
from sampan.cluster.apiserver.access.index import role_key
from sampan.cluster.apiserver.access.request import Attributes
from sampan.cluster.apiserver.admission.refusal import refused
from sampan.kube import rbac
from sampan.kube.admission import AdmissionRequest
from sampan.kube.errors import not_found
from sampan.kube.meta import Object
from sampan.kube.rbac import Rule, missing, rules_of, shown
from sampan.web.guards import User

_EVERYTHING = (
    Rule(frozenset("*"), groups=frozenset("*"), resources=frozenset("*")),
    Rule(frozenset("*"), urls=frozenset("*")),
)


class Escalation:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, request: AdmissionRequest, obj: Object, old: Object | None) -> None:
        """Raises ForbiddenError, NotFoundError."""
        user = identity.current.get()
        if user.is_master:
            return
        if "roleRef" in obj or obj["kind"].endswith("Binding"):
            self._check_binding(request, obj, old, user)
        else:
            self._check_role(request, obj, old, user)

    def _check_role(self, request: AdmissionRequest, role: Object, old: Object | None, user: User) -> None:
        fields = ("rules", "aggregationRule")
        if old is not None and all(old.get(field) == role.get(field) for field in fields):
            return
        wanted = Attributes(
            "escalate",
            group=rbac.GROUP,
            resource=request.resource.plural,
            namespace=request.namespace,
            name=request.name,
        )
        if self._authorizer.decide(user, wanted).allowed:
            return
        if role.get("aggregationRule") is not None and self._lacking(user, "", _EVERYTHING):
            raise refused(request, "must have cluster-admin privileges to use the aggregationRule")
        self._confirm(request, user, rules_of(role))

    def _check_binding(
        self, request: AdmissionRequest, binding: Object, old: Object | None, user: User
    ) -> None:
        fields = ("subjects", "roleRef")
        if old is not None and all(old.get(field) == binding.get(field) for field in fields):
            return
        key = role_key(binding)
        plural = rbac.ROLES.plural if key.namespace else rbac.CLUSTER_ROLES.plural
        wanted = Attributes(
            "bind",
            group=rbac.GROUP,
            resource=plural,
            namespace=request.namespace,
            name=key.name,
        )
        if self._authorizer.decide(user, wanted).allowed:
            return
        rules = self._authorizer.index.role(key)
        if rules is None:
            raise not_found(rbac.GROUP, plural.removesuffix("s"), key.name)
        self._confirm(request, user, rules)

    def _confirm(self, request: AdmissionRequest, user: User, rules: Iterable[Rule]) -> None:
        lacking = self._lacking(user, request.namespace, rules)
        if not lacking:
            return
        groups = " ".join(f'"{group}"' for group in user.groups)
        listed = "\n".join(sorted(shown(rule) for rule in lacking))
        raise refused(
            request,
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
            f"{listed}",
        )

    def _lacking(self, user: User, namespace: str, rules: Iterable[Rule]) -> list[Rule]:
        return missing(self._authorizer.index.rules(user, namespace), rules)
