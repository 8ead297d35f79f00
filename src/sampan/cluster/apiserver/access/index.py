"""Roles and bindings, compiled and indexed by subject: what `authorizer` looks rights up in.

Kept by the storage's observers: a right holds, or is gone, the moment the write that changed it is acknowledged. The
event loop changes it; the writer thread may read it, hence everything in it is replaced and nothing changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.changes import Change
from sampan.cluster.apiserver.storage import Storage
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.kube.rbac import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Rule, rules_of
from sampan.lib.log import get_logger
from sampan.web.guards import User

log = get_logger(__name__)

_KINDS = (ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)


@dataclass(frozen=True, slots=True)
class RoleKey:
    """A Role of a namespace, or a ClusterRole where it is empty."""

    namespace: str
    name: str

    @property
    def kind(self) -> str:
        return "Role" if self.namespace else "ClusterRole"


@dataclass(frozen=True, slots=True)
class Binding:
    namespace: str
    name: str
    role: RoleKey
    subjects: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        return "RoleBinding" if self.namespace else "ClusterRoleBinding"


class RbacIndex:
    def __init__(self) -> None:
        self._roles: dict[RoleKey, tuple[Rule, ...]] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}
        self._by_subject: dict[tuple[str, tuple[str, str]], tuple[Binding, ...]] = {}

    def follow(self, storage: Storage) -> None:
        """Reads what is stored, and everything that is written from now on."""
        for resource in _KINDS:
            storage.observe(resource.key, self._on_change)
        storage.on_doubt(lambda: self._load(storage))
        self._load(storage)

    def _load(self, storage: Storage) -> None:
        self._roles, self._bindings, self._by_subject = {}, {}, {}
        for resource in _KINDS:
            for record in storage.current(resource.key):
                self.put(record.object())

    def put(self, obj: Object) -> None:
        """What nobody can read gives no right, and takes away what it gave before."""
        try:
            self._put(obj)
        except Exception as error:
            self.remove(obj)
            log.error("gives no rights", kind=obj.get("kind"), name=meta.name(obj), error=repr(error))

    def _put(self, obj: Object) -> None:
        namespace, name = meta.namespace(obj), meta.name(obj)
        if obj["kind"] in ("Role", "ClusterRole"):
            self._roles[RoleKey(namespace, name)] = rules_of(obj)
        else:
            self._unbind(namespace, name)
            self._bind(_binding(obj))

    def remove(self, obj: Object) -> None:
        namespace, name = meta.namespace(obj), meta.name(obj)
        if obj["kind"] in ("Role", "ClusterRole"):
            self._roles.pop(RoleKey(namespace, name), None)
        else:
            self._unbind(namespace, name)

    def role(self, key: RoleKey) -> tuple[Rule, ...] | None:
        return self._roles.get(key)

    def bound(self, user: User, namespace: str) -> Iterator[tuple[Binding, tuple[str, str]]]:
        """The bindings that give `user` rights everywhere, then those that do in `namespace`."""
        subjects = (("User", user.name), *(("Group", group) for group in user.groups))
        for where in ("", namespace) if namespace else ("",):
            for subject in subjects:
                for binding in self._by_subject.get((where, subject), ()):
                    yield binding, subject

    def rules(self, user: User, namespace: str) -> Iterator[Rule]:
        for binding, _ in self.bound(user, namespace):
            yield from self._roles.get(binding.role, ())

    def _on_change(self, change: Change) -> None:
        (self.remove if change.deleted else self.put)(change.object)

    def _bind(self, binding: Binding) -> None:
        self._bindings[binding.namespace, binding.name] = binding
        for subject in binding.subjects:
            key = (binding.namespace, subject)
            self._by_subject[key] = (*self._by_subject.get(key, ()), binding)

    def _unbind(self, namespace: str, name: str) -> None:
        binding = self._bindings.pop((namespace, name), None)
        for subject in binding.subjects if binding is not None else ():
            key = (namespace, subject)
            left = tuple(each for each in self._by_subject[key] if each is not binding)
            if left:
                self._by_subject[key] = left
            else:
                del self._by_subject[key]


def role_key(binding: Object) -> RoleKey:
    """What a RoleBinding or ClusterRoleBinding refers to."""
    reference = binding.get("roleRef") or {}
    namespace = meta.namespace(binding) if reference.get("kind") == "Role" else ""
    return RoleKey(namespace, str(reference.get("name") or ""))


def _binding(obj: Object) -> Binding:
    namespace = meta.namespace(obj)
    subjects = dict.fromkeys(_subjects(obj.get("subjects") or (), namespace))
    return Binding(namespace, meta.name(obj), role_key(obj), tuple(subjects))


def _subjects(subjects: Iterable[Object], namespace: str) -> Iterator[tuple[str, str]]:
    for subject in subjects:
        name = str(subject.get("name") or "")
        match subject.get("kind"):
            case "User" | "Group" as kind:
                yield kind, name
            case "ServiceAccount":
                where = str(subject.get("namespace") or namespace)
                if where:
                    yield "User", identity.account_name(where, name)
