"""What a write is to rules, webhooks and policies: the attributes of the request, and the objects.

Source: k8s.io/apiserver/pkg/admission/attributes.go, v1.33.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sampan.kube.errors import ForbiddenError, qualified
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.web.guards import User


@dataclass(frozen=True, slots=True)
class Subject:
    operation: str
    """CREATE, UPDATE, DELETE or CONNECT."""
    resource: Resource
    namespace: str
    """Of a Namespace its own name, as Kubernetes has it."""
    name: str
    user: User
    subresource: str = ""
    kind: tuple[str, str, str] = ("", "", "")
    """Group, version and kind of the objects; they may be of another kind than the resource, such as Scale."""
    options: Object = field(default_factory=dict, hash=False)
    dry_run: bool = False

    @property
    def object_kind(self) -> tuple[str, str, str]:
        return self.kind if self.kind[2] else (self.resource.group, self.resource.version, self.resource.kind)

    @property
    def is_namespace(self) -> bool:
        return self.resource.group == "" and self.resource.plural == "namespaces"


@dataclass(slots=True)
class Objects:
    """`new` is None where something is deleted, `old` where it is created."""

    new: Object | None
    old: Object | None


def refused(subject: Subject, why: str) -> ForbiddenError:
    """As upstream's NewForbidden."""
    return ForbiddenError(_text(subject, why), details=_details(subject))


def _text(subject: Subject, why: str) -> str:
    what = qualified(subject.resource.group, subject.resource.plural)
    return f'{what} "{subject.name}" is forbidden: {why}'


def _details(subject: Subject) -> dict[str, Any]:
    details: dict[str, Any] = {"name": subject.name, "kind": subject.resource.plural}
    if subject.resource.group:
        details["group"] = subject.resource.group
    return details
