"""What CustomResourceDefinitions make of the server: kinds come, change and go with them, while it runs.

`Definitions` hears of every committed change of a definition before who wrote it is answered, and changes at once the
registry of kinds and the strategies, which discovery, OpenAPI, the verbs and the controllers read. `server` owns it.

Source: apiextensions-apiserver/pkg/controller/{status,establish}, pkg/apiserver/customresource_handler.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sampan.client.calls import NoPoster, Poster
from sampan.cluster.apiserver.changes import Change
from sampan.cluster.apiserver.custom import converting, rules
from sampan.cluster.apiserver.custom.definitions import APPROVAL, DEFINITIONS, is_protected, strategy
from sampan.cluster.apiserver.custom.kind import CustomKind
from sampan.cluster.apiserver.custom.references import References
from sampan.cluster.apiserver.custom.remote import RemoteConverter
from sampan.cluster.apiserver.custom.structural import Types
from sampan.cluster.apiserver.discovery import version_order
from sampan.cluster.apiserver.storage import ListQuery, Storage, decode
from sampan.cluster.apiserver.strategy import Strategies
from sampan.kube import conditions, meta
from sampan.kube.kinds import KindRegistry, Resource
from sampan.kube.meta import Object
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger

log = get_logger(__name__)


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    """All of a version but its schema, which may be megabytes and is read when it is needed."""

    name: str
    served: bool = False
    storage: bool = False
    subresources: dict[str, Any] | None = None
    additional_printer_columns: list[dict[str, Any]] | None = None
    selectable_fields: list[dict[str, Any]] | None = None
    deprecated: bool = False
    deprecation_warning: str | None = None


class _Names(msgspec.Struct, frozen=True, rename="camel"):
    plural: str
    kind: str
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    group: str
    names: _Names
    scope: str
    versions: list[_Version]
    conversion: dict[str, Any] | None = None


class _Definition(msgspec.Struct, frozen=True, rename="camel"):
    metadata: dict[str, Any]
    spec: _Spec
    status: dict[str, Any] = {}


_read = msgspec.json.Decoder(_Definition).decode


class Definitions:
    """For one event loop. `created` and `updated` run in the writer thread and only read."""

    def __init__(
        self,
        registry: KindRegistry,
        strategies: Strategies,
        storage: Storage,
        clock: Clock,
        converters: Mapping[tuple[str, str], converting.Converter] | None = None,
        poster: Callable[[], Poster] = NoPoster,
    ) -> None:
        """`poster` gives what conversion webhooks are called with."""
        self._poster = poster
        self._registry = registry
        self._strategies = strategies
        self._storage = storage
        self._clock = clock
        self._converters = dict(converters or {})
        self._types = Types(References(strategies.schema))
        self._served: dict[str, tuple[Resource, ...]] = {}
        """By definition: the kinds that it has made."""
        self._names: dict[str, _Definition] = {}
        """The definitions whose names are accepted."""
        self.waiting: set[str] = set()
        """Those whose names others have."""
        self.on_change: Callable[[str], None] = lambda _name: None
        """Called with the name of a definition that has changed or gone."""
        strategies.put(strategy(rules.check, created=self.created, updated=self.updated))
        registry.add(DEFINITIONS)

    async def start(self) -> None:
        """Serves what is defined already, then follows. `storage` has started."""
        self._storage.observe(DEFINITIONS.key, self._observe)
        page = await self._storage.page(ListQuery(DEFINITIONS.key))
        for data in page.items:
            self._try_to_take(meta.name(decode(data)), data, fresh=False)

    # In the writer thread: what a write of a definition says about itself.

    def created(self, definition: Object) -> None:
        self._judge(definition)

    def updated(self, definition: Object) -> None:
        if not meta.is_deleting(definition):
            self._judge(definition)

    def _judge(self, definition: Object) -> None:
        """Sets the conditions, and the names that are accepted."""
        now = rfc3339(self._clock.now())
        names = (meta.spec(definition).get("names")) or {}
        found = self._conflict(meta.name(definition), meta.spec(definition).get("group") or "", names)
        if found:
            reason, message = found
            _put(definition, "NamesAccepted", now, reason, message, holds=False)
            if not conditions.is_true(definition, "Established"):
                _put(definition, "Established", now, "NotAccepted", "not all names are accepted", holds=False)
        else:
            definition["status"]["acceptedNames"] = dict(names)
            _put(definition, "NamesAccepted", now, "NoConflicts", "no conflicts found", holds=True)
            accepted = "the initial names have been accepted"
            _put(definition, "Established", now, "InitialNamesAccepted", accepted, holds=True)
        if is_protected(meta.spec(definition).get("group") or ""):
            approved = meta.annotations(definition).get(APPROVAL, "")
            _put(
                definition,
                "KubernetesAPIApprovalPolicyConformant",
                now,
                "ApprovedAnnotation" if approved.startswith("http") else "UnapprovedAnnotation",
                f"approved in {approved}" if approved.startswith("http") else f"not approved: {approved!r}",
                holds=approved.startswith("http"),
            )

    def _conflict(self, name: str, group: str, names: Mapping[str, Any]) -> tuple[str, str] | None:
        """(reason, message): which of the names another definition of the group, or this server, has."""
        plural = names.get("plural")
        # Kinds of ours that are custom ones elsewhere may have their own definition applied: it changes nothing.
        kubernetes = is_protected(group) or "." not in group
        for resource in list(self._registry) if kubernetes else ():
            if (resource.group, resource.plural) == (group, plural) and self._is_built_in(resource):
                return "PluralConflict", f'"{plural}" is built into this server and cannot be defined anew'
        others = [
            each for other, each in list(self._names.items()) if other != name and each.spec.group == group
        ]
        taken = {
            word
            for each in others
            for word in (each.spec.names.plural, each.spec.names.singular, *each.spec.names.short_names)
        }
        kinds = {word for each in others for word in (each.spec.names.kind, each.spec.names.list_kind)}
        for key, reason, used in (
            ("plural", "PluralConflict", taken),
            ("singular", "SingularConflict", taken),
            ("kind", "KindConflict", kinds),
            ("listKind", "ListKindConflict", kinds),
        ):
            if names.get(key) and names[key] in used:
                return reason, f'"{names[key]}" is already in use'
        for word in names.get("shortNames") or ():
            if word in taken:
                return "ShortNamesConflict", f'"{word}" is already in use'
        return None

    def _is_built_in(self, resource: Resource) -> bool:
        return self._strategies.of(resource).built_in

    # In the event loop: what it changes.

    def _observe(self, change: Change) -> None:
        if change.deleted:
            self._drop(change.name)
        else:
            self._try_to_take(change.name, change.data, fresh=change.previous is None)
        self.on_change(change.name)

    def _try_to_take(self, name: str, data: bytes, *, fresh: bool) -> None:
        """A definition that cannot be read must not stop the others."""
        try:
            self._take(data, fresh=fresh)
        except Exception as error:
            self._drop(name)
            log.error("a definition cannot be served", name=name, exc=error)

    def _take(self, data: bytes, *, fresh: bool) -> None:
        definition = _read(data)
        name = str(definition.metadata["name"])
        status = {"status": definition.status}
        if conditions.is_true(status, "NamesAccepted"):
            self.waiting.discard(name)
        else:
            self.waiting.add(name)
        if not conditions.is_true(status, "Established"):
            self._withdraw(name)
            return
        self._names[name] = definition
        kinds = [] if self._is_ours(name, definition) else self._kinds(definition, data)
        self._serve(name, definition, kinds, fresh=fresh)

    def _is_ours(self, name: str, definition: _Definition) -> bool:
        """Whether a component or a controller of ours serves the kind already: it keeps its own strategy."""
        own = {_path(each) for each in self._served.get(name, ())}
        wanted = (definition.spec.group, definition.spec.names.plural)
        return any((each.group, each.plural) == wanted and _path(each) not in own for each in self._registry)

    def _kinds(self, definition: _Definition, data: bytes) -> list[CustomKind]:
        names, group = definition.spec.names, definition.spec.group
        found = []
        for at, version in sorted(
            enumerate(definition.spec.versions), key=lambda each: version_order(each[1].name)
        ):
            if not version.served:
                continue
            resource = Resource(
                group,
                version.name,
                names.kind,
                names.plural,
                namespaced=definition.spec.scope == "Namespaced",
                singular=names.singular,
                short_names=names.short_names,
                categories=names.categories,
                subresources=tuple(
                    each for each in ("status", "scale") if each in (version.subresources or {})
                ),
                list_kind=names.list_kind,
            )
            warning = version.deprecation_warning or f"{resource.api_version} {names.kind} is deprecated"
            found.append(
                CustomKind(
                    resource,
                    _schema_reader(data, at),
                    self._strategies.schema,
                    self._types,
                    {
                        "subresources": version.subresources,
                        "additionalPrinterColumns": version.additional_printer_columns,
                        "selectableFields": version.selectable_fields,
                    },
                    warning if version.deprecated else "",
                    f"{definition.metadata.get('uid')} {definition.metadata.get('generation')} {at}",
                )
            )
        return found

    def _serve(self, name: str, definition: _Definition, kinds: list[CustomKind], *, fresh: bool) -> None:
        storage = next((each.name for each in definition.spec.versions if each.storage), "")
        spec = definition.spec
        converter = self._converters.get((spec.group, spec.names.kind))
        remote = None
        if (spec.conversion or {}).get("strategy") == "Webhook":
            remote = RemoteConverter(spec.conversion or {}, self._poster)
        stored = definition.status.get("storedVersions") or [storage]
        terminating = conditions.is_true({"status": definition.status}, "Terminating")
        alone = len(spec.versions) == 1 and stored == [storage]
        # Of a new definition nothing is stored that an older schema has let in.
        untouched = alone and (fresh or definition.metadata.get("generation") == 1)
        before = self._served.get(name, ())
        for kind in kinds:
            conversion = None
            if not untouched:
                conversion = converting.conversion(kind, f"{spec.group}/{storage}", converter, remote)
            self._registry.add(kind.resource)
            self._strategies.put(kind.strategy(conversion, terminating=terminating))
        now = {_path(kind.resource) for kind in kinds}
        for resource in before:
            if _path(resource) not in now:
                self._remove(resource)
        self._served[name] = tuple(kind.resource for kind in kinds)

    def _drop(self, name: str) -> None:
        self.waiting.discard(name)
        self._withdraw(name)

    def _withdraw(self, name: str) -> None:
        self._names.pop(name, None)
        for resource in self._served.pop(name, ()):
            self._remove(resource)

    def _remove(self, resource: Resource) -> None:
        self._registry.remove(resource)
        self._strategies.remove(resource)
        self._storage.end_watches(resource.key)

    def resources(self, name: str) -> Iterable[Resource]:
        """The kinds that a definition has made. The stored version comes first, as nobody needs to convert it."""
        definition = self._names.get(name)
        stored = {each.name for each in definition.spec.versions if each.storage} if definition else set()
        return sorted(self._served.get(name, ()), key=lambda each: each.version not in stored)


def _put(definition: Object, type_: str, now: str, reason: str, message: str, *, holds: bool) -> None:
    conditions.put(definition, type_, "True" if holds else "False", now=now, reason=reason, message=message)


def _schema_reader(data: bytes, at: int) -> Callable[[], dict[str, Any] | None]:
    def read() -> dict[str, Any] | None:
        version = decode(data)["spec"]["versions"][at]
        schema: dict[str, Any] | None = (version.get("schema") or {}).get("openAPIV3Schema")
        return schema

    return read


def _path(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural
