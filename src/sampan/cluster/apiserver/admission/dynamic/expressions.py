"""CEL with the variables of admission: compiled once, run within a budget (docs/decisions/0007-rules-have-a-budget.md).

Source: k8s.io/apiserver/pkg/admission/plugin/{cel,webhook/matchconditions}, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sampan.cluster.apiserver import cel
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.kube.meta import Object

_NAMESPACE_METADATA = (
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "resourceVersion",
    "finalizers",
)


class ExpressionError(Exception):
    """An expression that has no value, or not the one it should have."""


@lru_cache(maxsize=1024)
def program(text: str) -> cel.Program:
    """Raises CelError."""
    return cel.compile_expression(text)


def budget() -> cel.Budget:
    """Of one policy or webhook over one object. For the thread that runs it."""
    return cel.Budget()


def evaluate(text: str, variables: Mapping[str, Any], spent: cel.Budget) -> Any:
    """Raises ExpressionError."""
    try:
        return program(text).run(variables, spent)
    except cel.OverBudgetError as error:
        raise ExpressionError(
            "validation failed due to running out of cost budget, no further validation rules will be run"
        ) from error
    except cel.CelError as error:
        raise ExpressionError(f"expression '{text.strip()}' resulted in error: {error}") from error


def truth(text: str, variables: Mapping[str, Any], spent: cel.Budget) -> bool:
    """Raises ExpressionError."""
    found = evaluate(text, variables, spent)
    if not isinstance(found, bool):
        raise ExpressionError(f"expression '{text.strip()}' resulted in error: cel expression is not a bool")
    return found


@dataclass(frozen=True, slots=True)
class Conditions:
    """matchConditions: all must hold."""

    expressions: tuple[str, ...]

    @classmethod
    def of(cls, raw: Iterable[Mapping[str, Any]] | None) -> Conditions:
        return cls(tuple(str(each.get("expression") or "") for each in raw or ()))

    def hold(self, variables: Mapping[str, Any]) -> bool:
        """One that is false decides, whatever fails beside it. Raises ExpressionError."""
        spent, problems = budget(), []
        for text in self.expressions:
            try:
                if not truth(text, variables, spent):
                    return False
            except ExpressionError as error:
                problems.append(str(error))
        if problems:
            raise ExpressionError(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
        return True


def request_of(subject: Subject) -> Object:
    """`request` without the objects: what AdmissionReview and CEL share. Empty words are left out, as in JSON."""
    group, version, kind = subject.object_kind
    resource = subject.resource
    request: Object = {
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        "requestKind": {"group": group, "version": version, "kind": kind},
        "requestResource": {
            "group": resource.group,
            "version": resource.version,
            "resource": resource.plural,
        },
    }
    if subject.subresource:
        request["subResource"] = request["requestSubResource"] = subject.subresource
    if subject.name:
        request["name"] = subject.name
    if subject.namespace:
        request["namespace"] = subject.namespace
    request["operation"] = subject.operation
    request["userInfo"] = _user_info(subject)
    request["dryRun"] = subject.dry_run
    request["options"] = dict(subject.options) or None
    return request


def _user_info(subject: Subject) -> Object:
    user = subject.user
    found: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        found["uid"] = user.uid
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def variables_of(subject: Subject, objects: Objects, **more: Any) -> dict[str, Any]:
    return {"object": objects.new, "oldObject": objects.old, "request": request_of(subject), **more}


def namespace_object(namespace: Object | None) -> Object | None:
    """What expressions may know of the request's namespace."""
    if namespace is None:
        return None
    metadata = namespace["metadata"]
    return {
        "metadata": {key: metadata[key] for key in _NAMESPACE_METADATA if key in metadata},
        "spec": namespace.get("spec") or {},
        "status": namespace.get("status") or {},
    }


class Variables(dict[str, Any]):
    """`variables`: each is worked out when an expression first asks for it, from those before it."""

    def __init__(
        self, expressions: Sequence[tuple[str, str]], given: dict[str, Any], spent: cel.Budget
    ) -> None:
        super().__init__()
        self._expressions = dict(expressions)
        self._given = given
        self._spent = spent
        self._open: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        text = self._expressions.get(name)
        if text is None:
            return default
        if name in self._open:
            raise cel.CelError(f"variable '{name}' refers to itself")
        self._open.add(name)
        try:
            found = self[name] = program(text).run(self._given, self._spent)
        except cel.CelError as error:
            raise cel.CelError(f'composited variable "{name}" fails to evaluate: {error}') from error
        finally:
            self._open.discard(name)
        return found
