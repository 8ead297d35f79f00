"""The order of admission: built-in mutations, components', validation by the kind, components', the last checks.

Runs in the writer thread. A kind that no plugin is about costs one look-up.

Source: pkg/kubeapiserver/options/plugins.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.authorizer import Authorizer
from sampan.cluster.apiserver.admission import (
    escalation,
    limitranger,
    priority,
    resourcequota,
    serviceaccount,
    storageclass,
    tolerations,
)
from sampan.cluster.apiserver.admission.judging import Judge
from sampan.cluster.apiserver.admission.mirror import Mirror
from sampan.cluster.apiserver.kinds import jobsetclaims
from sampan.cluster.apiserver.storage import Key, Storage, Transaction
from sampan.kube import rbac
from sampan.kube.admission import AdmissionRequest, Hook, MutatingHook, Operation, ValidatingHook
from sampan.kube.errors import BadRequestError
from sampan.kube.kinds import (
    JOB_SETS,
    LIMIT_RANGES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_QUOTAS,
    STORAGE_CLASSES,
    Resource,
)
from sampan.kube.meta import Object

Mutate = Callable[[AdmissionRequest, Object, "TransactionReader"], None]
Check = Callable[[AdmissionRequest, Object, Object | None], None]


class TransactionReader:
    """`sampan.kube.admission.Reader` on the transaction under way."""

    def __init__(self, txn: Transaction, pipeline: Pipeline) -> None:
        self._txn = txn
        self._pipeline = pipeline

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        record = self._txn.get(Key(resource.key, namespace if resource.namespaced else "", name))
        return None if record is None else record.object()

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        found = self._txn.all(resource.key, namespace if resource.namespaced else "")
        return [record.object() for _, record in found]

    def wrong_with(self, obj: Object) -> str:
        judge = self._pipeline.judge
        return "" if judge is None else judge.wrong_with(obj)


class Pipeline:
    def __init__(self, authorizer: Authorizer) -> None:
        self.judge: Judge | None = None
        """Of objects in templates. Given once the kinds are known."""
        self._limits = Mirror(LIMIT_RANGES)
        self._quotas = Mirror(RESOURCE_QUOTAS)
        self._priorities = Mirror(PRIORITY_CLASSES)
        self._classes = Mirror(STORAGE_CLASSES)
        self._hooks: dict[str, tuple[MutatingHook, ...]] = {}
        self._validating: dict[str, tuple[ValidatingHook, ...]] = {
            JOB_SETS.key: (ValidatingHook("jobset-claims", (JOB_SETS,), jobsetclaims.admit, ("CREATE",)),)
        }
        self._on_create: dict[str, tuple[Mutate, ...]] = {
            PODS.key: (
                serviceaccount.admit,
                lambda request, pod, _: limitranger.default(self._limits.of(request.namespace), pod),
                lambda _, pod, __: tolerations.admit(pod),
                lambda request, pod, _: priority.admit(request, self._priorities.of(""), pod),
            ),
            PERSISTENT_VOLUME_CLAIMS.key: (
                lambda _, claim, __: storageclass.admit(self._classes.of(""), claim),
            ),
        }
        check = escalation.Escalation(authorizer).check
        limits: Check = lambda request, obj, old: limitranger.check(  # noqa: E731
            request, self._limits.of(request.namespace), obj, old
        )
        self._checks: dict[str, tuple[Check, ...]] = {
            PODS.key: (limits,),
            PERSISTENT_VOLUME_CLAIMS.key: (limits,),
            PRIORITY_CLASSES.key: (
                lambda request, obj, _: priority.check(request, self._priorities.of(""), obj),
            ),
            rbac.ROLES.key: (check,),
            rbac.CLUSTER_ROLES.key: (check,),
            rbac.ROLE_BINDINGS.key: (check,),
            rbac.CLUSTER_ROLE_BINDINGS.key: (check,),
        }

    def follow(self, storage: Storage, examine: Callable[[Resource, Object], None]) -> None:
        """Reads the few objects that admission goes by, and keeps them. For start-up.

        `examine` raises what today's validation finds wrong with a stored object.
        """
        for mirror in (self._limits, self._quotas, self._priorities, self._classes):
            mirror.follow(storage, partial(examine, mirror.resource))

    def add(self, hooks: Iterable[Hook]) -> None:
        for hook in hooks:
            for key in {resource.key for resource in hook.resources}:
                if isinstance(hook, ValidatingHook):
                    self._validating[key] = (*self._validating.get(key, ()), hook)
                else:
                    self._hooks[key] = (*self._hooks.get(key, ()), hook)

    def concerns(self, resource: Resource, namespace: str) -> bool:
        """Whether anything here is about objects of this kind, in this namespace."""
        key = resource.key
        return (
            key in self._on_create
            or key in self._checks
            or key in self._hooks
            or key in self._validating
            or bool(namespace and self._quotas.of(namespace))
        )

    def mutate(self, request: AdmissionRequest, obj: Object, old: Object | None, txn: Transaction) -> Object:
        """Before the kind's validation. Raises ForbiddenError."""
        reader = TransactionReader(txn, self)
        own = self._on_create.get(request.resource.key, ()) if request.operation == "CREATE" else ()
        for mutate in own:
            mutate(request, obj, reader)
        hooks = [each for each in self._hooks.get(request.resource.key, ()) if each.concerns(request)]
        for hook in hooks:
            obj = _same_object(hook, obj, hook.admit(request, obj, old, reader))
        if hooks:
            # What a hook has added is defaulted as if the client had sent it.
            for mutate in own:
                mutate(request, obj, reader)
        return obj

    def complete(self, request: AdmissionRequest, obj: Object, txn: Transaction) -> Object:
        """Again, what webhooks have changed meanwhile. Components' hooks have had their turn."""
        reader = TransactionReader(txn, self)
        for mutate in self._on_create.get(request.resource.key, ()):
            mutate(request, obj, reader)
        return obj

    def check(
        self, request: AdmissionRequest, obj: Object, old: Object | None, txn: Transaction
    ) -> tuple[str, ...]:
        """After it, on the object as it will be stored. Returns warnings; raises ForbiddenError, InvalidError."""
        warnings = self._validate(request, obj, old, txn)
        if request.subresource == "":
            for check in self._checks.get(request.resource.key, ()):
                check(request, obj, old)
        # Last, because it counts what nothing refuses any more.
        if request.namespace and (quotas := self._quotas.of(request.namespace)):
            resourcequota.charge(request, quotas, obj, old, txn)
        return warnings

    def check_deletion(self, resource: Resource, obj: Object, txn: Transaction) -> None:
        """Of what somebody asks to delete. Raises ForbiddenError, InvalidError."""
        if resource.key in self._validating:
            self._validate(request_for("DELETE", resource, obj), obj, obj, txn)

    def _validate(
        self, request: AdmissionRequest, obj: Object, old: Object | None, txn: Transaction
    ) -> tuple[str, ...]:
        warnings: list[str] = []
        for hook in self._validating.get(request.resource.key, ()):
            if hook.concerns(request):
                warnings += hook.validate(request, obj, old, TransactionReader(txn, self)) or ()
        return tuple(warnings)

    def released(self, resource: Resource, obj: Object, txn: Transaction) -> None:
        """That an object is gone."""
        namespace = str(obj["metadata"].get("namespace") or "")
        if namespace and (quotas := self._quotas.of(namespace)):
            resourcequota.charge(request_for("UPDATE", resource, obj), quotas, None, obj, txn)


def request_for(
    operation: Operation, resource: Resource, obj: Object, subresource: str = ""
) -> AdmissionRequest:
    user, metadata = identity.current.get(), obj["metadata"]
    return AdmissionRequest(
        operation,
        resource,
        str(metadata.get("namespace") or "") if resource.namespaced else "",
        str(metadata.get("name") or ""),
        subresource,
        user.name,
        user.groups,
    )


def _same_object(hook: MutatingHook, before: Object, after: object) -> Object:
    """A hook changes an object; it does not swap it for another."""
    if isinstance(after, dict) and isinstance(after.get("metadata"), dict):
        kept = ("name", "namespace", "uid")
        same = all(after["metadata"].get(key) == before["metadata"].get(key) for key in kept)
        if same and all(after.get(key) == before.get(key) for key in ("kind", "apiVersion")):
            return after
    raise BadRequestError(f"the admission hook {hook.name} returned another object than it was given")
