"""The functions by which an expression asks whether somebody may do something. Who decides is handed in.

Source: k8s.io/apiserver/pkg/cel/library/authz.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.cluster.apiserver.cel.data import Budget, CelError, no_overload
from sampan.cluster.apiserver.cel.registry import function, need_text

_COST = 3500
"""As Kubernetes counts a check, in a hundredth of its units."""


@dataclass(frozen=True, slots=True)
class Answer:
    allowed: bool
    reason: str

    cel_type = "kubernetes.authorization.Decision"


Decide = Callable[["Question"], Answer]


@dataclass(frozen=True, slots=True)
class Question:
    decide: Decide
    account: tuple[str, str] | None = None
    """Namespace and name of a service account; None for who has sent the request."""
    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    kind: str = "group"
    """What it asks about so far: `path`, `group` or `resource`."""
    cel_type: str = field(default="kubernetes.authorization.Check", compare=False)


class Authorizer(dict[str, Any]):
    """The variable `authorizer`. As a map it has what is declared below its name."""

    cel_type = "kubernetes.authorization.Authorizer"

    def __init__(self, decide: Decide, request: Question, account: tuple[str, str] | None = None) -> None:
        super().__init__(requestResource=request)
        self.blank = Question(decide, account)


def _blank(name: str, value: Any) -> Question:
    if not isinstance(value, Authorizer):
        raise no_overload(name, value)
    return value.blank


def _question(name: str, value: Any, kind: str) -> Question:
    if not isinstance(value, Question) or value.kind != kind:
        raise no_overload(name, value)
    return value


def _answer(name: str, value: Any) -> Answer:
    if not isinstance(value, Answer):
        raise no_overload(name, value)
    return value


@function(".serviceAccount")
def _service_account(_: Budget, value: Any, namespace: Any, name: Any) -> Authorizer:
    blank = _blank("serviceAccount", value)
    need_text("serviceAccount", namespace, name)
    if not namespace or not name:
        raise CelError("Invalid service account name")
    return Authorizer(blank.decide, value["requestResource"], (namespace, name))


@function(".path")
def _path(_: Budget, value: Any, path: Any) -> Question:
    need_text("path", path)
    if not path:
        raise CelError("path must not be empty")
    return replace(_blank("path", value), path=path, kind="path")


@function(".group")
def _group(_: Budget, value: Any, group: Any) -> Question:
    need_text("group", group)
    return replace(_blank("group", value), group=group)


@function(".resource")
def _resource(_: Budget, value: Any, resource: Any) -> Question:
    need_text("resource", resource)
    return replace(_question("resource", value, "group"), resource=resource, kind="resource")


@function(".subresource")
def _subresource(_: Budget, value: Any, subresource: Any) -> Question:
    need_text("subresource", subresource)
    return replace(_question("subresource", value, "resource"), subresource=subresource)


@function(".namespace")
def _namespace(_: Budget, value: Any, namespace: Any) -> Question:
    need_text("namespace", namespace)
    return replace(_question("namespace", value, "resource"), namespace=namespace)


@function(".name")
def _name(_: Budget, value: Any, name: Any) -> Question:
    need_text("name", name)
    return replace(_question("name", value, "resource"), name=name)


@function(".check")
def _check(budget: Budget, value: Any, verb: Any) -> Answer:
    need_text("check", verb)
    if not isinstance(value, Question) or value.kind == "group":
        raise no_overload("check", value)
    budget.spend(_COST)
    return value.decide(replace(value, verb=verb))


@function(".allowed")
def _allowed(_: Budget, value: Any) -> bool:
    return _answer("allowed", value).allowed


@function(".reason")
def _reason(_: Budget, value: Any) -> str:
    return _answer("reason", value).reason


@function(".errored")
def _errored(_: Budget, value: Any) -> bool:
    _answer("errored", value)
    return False


@function(".error")
def _error(_: Budget, value: Any) -> str:
    _answer("error", value)
    return ""
