"""Runs the policies that are bound to a write: finds their parameters, decides in a thread, tells or refuses.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go, v1.33.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sampan.cluster.apiserver.admission.dynamic import policy as rules
from sampan.cluster.apiserver.admission.dynamic.expressions import ExpressionError
from sampan.cluster.apiserver.admission.dynamic.matching import Equivalents, NamespaceOf
from sampan.cluster.apiserver.admission.dynamic.policy import Binding, Denial, Policy
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.kube.errors import ApiError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object


class Params(Protocol):
    """Reads what policies are parametrised with."""

    def kind(self, api_version: str, kind: str) -> Resource | None: ...

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None: ...

    async def select(
        self, resource: Resource, namespace: str, selector: Mapping[str, Any]
    ) -> Sequence[Object]: ...


AuthorizerOf = Callable[[Subject], Any]
See = Callable[[Subject, Resource, Objects], Objects]
"""The objects in the version that a policy's rules name."""


@dataclass(frozen=True, slots=True)
class Runner:
    params: Params
    namespace_of: NamespaceOf
    equivalents: Equivalents
    authorizer_of: AuthorizerOf
    see: See

    async def validate(
        self, policies: Sequence[Policy], subject: Subject, objects: Objects, warnings: list[str]
    ) -> None:
        """Raises ApiError for the first denial; all are looked at first, for what they warn of."""
        first: ApiError | None = None
        for policy in policies:
            matched = policy.matcher.resource(subject, self.equivalents)
            if matched is None or not policy.matcher.selects(subject, objects, self.namespace_of):
                continue
            seen = self.see(subject, matched, objects)
            for binding in policy.bindings:
                found = await self._bound(policy, binding, subject, seen)
                if found and "Warn" in binding.actions:
                    warnings += [rules.warning(policy, binding, each) for each in found]
                if found and "Deny" in binding.actions and first is None:
                    first = rules.denied(subject, policy, binding, found[0])
        if first is not None:
            raise first

    async def _bound(
        self, policy: Policy, binding: Binding, subject: Subject, objects: Objects
    ) -> list[Denial]:
        matcher = binding.matcher
        if matcher is not None:
            if matcher.rules and matcher.resource(subject, self.equivalents) is None:
                return []
            if matcher.is_excluded(subject, self.equivalents):
                return []
            if not matcher.selects(subject, objects, self.namespace_of):
                return []
        try:
            params = await self._params(policy, binding, subject)
        except (ExpressionError, ApiError) as error:
            return [Denial(f"failed to configure binding: {error}")] if policy.fails_closed else []
        namespace = None
        if subject.namespace and not subject.is_namespace:
            namespace = self.namespace_of(subject.namespace)
        authorizer = self.authorizer_of(subject)

        def decide() -> list[Denial]:
            return [
                denial
                for each in params
                for denial in rules.denials(policy, subject, objects, each, namespace, authorizer)
            ]

        return await asyncio.to_thread(decide)

    async def _params(self, policy: Policy, binding: Binding, subject: Subject) -> Sequence[Object | None]:
        """Raises ExpressionError, ApiError."""
        kind, reference = policy.param_kind, binding.params
        if not kind or not reference:
            return [None]
        resource = self.params.kind(str(kind.get("apiVersion")), str(kind.get("kind")))
        if resource is None:
            shown = f"{kind.get('apiVersion')}, Kind={kind.get('kind')}"
            raise ExpressionError(f"paramKind kind `{shown}` not known")
        namespace = rules.param_namespace(resource.namespaced, reference, subject)
        if name := reference.get("name"):
            one = await self.params.get(resource, namespace, str(name))
            return rules.chosen(reference, [] if one is None else [one])
        if reference.get("selector") is None:
            raise ExpressionError("one of name or selector must be provided")
        return rules.chosen(reference, await self.params.select(resource, namespace, reference["selector"]))
