"""Admission hooks: how a part of the platform changes or refuses objects before they are stored. Components have them.

A hook is a pure function. It runs inside the write, for every client alike. What a mutating one returns is validated as
if the client had sent it; a validating one comes after that, and sees the object as it will be stored. Both read
through the `Reader` they are given and do nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

Operation = Literal["CREATE", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What is known about a write besides the objects."""

    operation: Operation
    resource: Resource
    namespace: str
    name: str
    """As it will be stored: generated names are known by now."""
    subresource: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()


class Reader(Protocol):
    """The objects as the write under way sees them."""

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None: ...

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Of one namespace, or of a kind that lives in none."""
        ...

    def wrong_with(self, obj: Object) -> str:
        """Why the server would not take an object, of any kind, that is going to be made later, in words for people:
        its kind is not served, it has a field that its kind has not, or a value that may not be. Empty where nothing
        is amiss as far as the object alone tells. It must have a name and, if its kind has one, a namespace."""
        ...


Admit = Callable[[AdmissionRequest, Object, Object | None, Reader], Object]
"""(request, object, the stored one or None, reader) to the object that is wanted. May raise ForbiddenError.

The object is the hook's own to change.
"""


@dataclass(frozen=True, slots=True)
class MutatingHook:
    """One that changes objects of some kinds, in the order of declaration."""

    name: str
    resources: tuple[Resource, ...]
    admit: Admit
    operations: tuple[Operation, ...] = ("CREATE",)
    subresources: tuple[str, ...] = ("",)

    def concerns(self, request: AdmissionRequest) -> bool:
        return request.operation in self.operations and request.subresource in self.subresources


Validate = Callable[[AdmissionRequest, Object, Object | None, Reader], Sequence[str] | None]
"""(request, object, the stored one or None, reader) to what the client is warned of, if anything. Raises InvalidError
or ForbiddenError for what may not be. Of a deletion both are the object that is to go."""


@dataclass(frozen=True, slots=True)
class ValidatingHook:
    """One that refuses objects of some kinds."""

    name: str
    resources: tuple[Resource, ...]
    validate: Validate
    operations: tuple[Operation, ...] = ("CREATE", "UPDATE")
    subresources: tuple[str, ...] = ("", "scale")

    def concerns(self, request: AdmissionRequest) -> bool:
        return request.operation in self.operations and request.subresource in self.subresources


Hook = MutatingHook | ValidatingHook


def forbidden_details(request: AdmissionRequest) -> dict[str, Any]:
    """For the Status of a write that admission refuses."""
    details: dict[str, Any] = {"name": request.name, "kind": request.resource.plural}
    if request.resource.group:
        details["group"] = request.resource.group
    return details
