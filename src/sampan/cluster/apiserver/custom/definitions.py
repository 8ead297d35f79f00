"""The kind CustomResourceDefinition itself: its defaults, its validation, its columns. What it makes: `registration`.

Source: apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go} and
pkg/registry/customresourcedefinition/{strategy,etcd}.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sampan.cluster.apiserver.custom import jsonpath, schemas
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import NAME
from sampan.kube import conditions, meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
    singular="customresourcedefinition",
    short_names=("crd", "crds"),
    categories=("api-extensions",),
)
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
APPROVAL = "api-approved.kubernetes.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MAX_SELECTABLE = 8


def _default(definition: Object) -> None:
    spec = definition.setdefault("spec", {})
    named = spec.setdefault("names", {})
    if kind := named.get("kind"):
        named.setdefault("singular", kind.lower())
        named.setdefault("listKind", f"{kind}List")
    conversion = spec.setdefault("conversion", {})
    conversion.setdefault("strategy", "None")
    if isinstance(
        service := ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service"), dict
    ):
        service.setdefault("port", 443)
    if spec.get("preserveUnknownFields") is False:
        del spec["preserveUnknownFields"]


def stored_version(definition: Mapping[str, Any]) -> str:
    for version in meta.spec(definition).get("versions") or ():
        if version.get("storage") is True:
            return str(version.get("name"))
    return ""


def _prepare_create(definition: Object) -> None:
    definition["status"] = {
        "conditions": [],
        "acceptedNames": {"kind": "", "plural": ""},
        "storedVersions": [stored_version(definition)],
    }


def _prepare_update(new: Object, old: Object, _now: str) -> None:
    status = dict(meta.status(old))
    stored = list(status.get("storedVersions") or ())
    if (version := stored_version(new)) and version not in stored:
        status["storedVersions"] = [*stored, version]
    new["status"] = status


def _prepare_delete(definition: Object, now: str) -> None:
    """Its instances go first: `finalizing` takes the finalizer away."""
    if not meta.is_deleting(definition):
        meta.add_finalizer(definition, CLEANUP)
        conditions.put(
            definition,
            "Terminating",
            "True",
            now=now,
            reason="InstanceDeletionPending",
            message="CustomResourceDefinition marked for deletion; CustomResource deletion will be initiated soon",
        )


def validator(check_rule: schemas.RuleCheck) -> Callable[[Object, FieldErrors], None]:
    def validate(definition: Object, errors: FieldErrors) -> None:
        spec = meta.spec(definition)
        wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
        if meta.name(definition) != wanted:
            errors.invalid("metadata.name", meta.name(definition), 'must be spec.names.plural+"."+spec.group')
        _validate_group(definition, errors)
        _validate_names(spec.get("names") or {}, "spec.names", errors)
        if not spec.get("scope"):
            errors.required("spec.scope")
        elif spec["scope"] not in ("Cluster", "Namespaced"):
            errors.unsupported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
        if spec.get("preserveUnknownFields") is True:
            errors.invalid(
                "spec.preserveUnknownFields",
                True,
                "cannot set to true, set x-preserve-unknown-fields to true in spec.versions[*].schema instead",
            )
        _validate_conversion(spec.get("conversion") or {}, errors)
        _validate_versions(spec.get("versions") or [], errors, check_rule)

    return validate


def _validate_group(definition: Object, errors: FieldErrors) -> None:
    group = meta.spec(definition).get("group") or ""
    if not group:
        errors.required("spec.group")
        return
    problems = names.dns_subdomain(group)
    errors.each("spec.group", group, problems)
    if not problems and "." not in group:
        errors.invalid("spec.group", group, "should be a domain with at least one dot")
    if is_protected(group):
        approved = meta.annotations(definition).get(APPROVAL) or ""
        if not approved:
            errors.required(
                f"metadata.annotations[{APPROVAL}]",
                f'protected groups must have approval annotation "{APPROVAL}", '
                "see https://github.com/kubernetes/enhancements/pull/1111",
            )
        elif not approved.startswith(("https://", "http://", "unapproved")):
            errors.invalid(
                f"metadata.annotations[{APPROVAL}]",
                approved,
                'protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a '
                'reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
            )


def is_protected(group: str) -> bool:
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def _validate_names(named: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    for key in ("plural", "singular", "kind", "listKind"):
        value = named.get(key) or ""
        if not value:
            errors.required(f"{path}.{key}")
        else:
            shown = value.lower() if key in ("kind", "listKind") else value
            problems = names.dns_1035_label(shown)
            prefix = "may have mixed case, but should otherwise match: " if shown is not value else ""
            errors.each(f"{path}.{key}", value, [prefix + each for each in problems])
    for key in ("shortNames", "categories"):
        for at, value in enumerate(named.get(key) or ()):
            errors.each(f"{path}.{key}[{at}]", value, names.dns_1035_label(value))
    if named.get("kind") and named.get("kind") == named.get("listKind"):
        errors.invalid(f"{path}.listKind", named["listKind"], "kind and listKind may not be the same")


def _validate_conversion(conversion: Mapping[str, Any], errors: FieldErrors) -> None:
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook")
    if strategy not in ("None", "Webhook"):
        errors.unsupported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    elif strategy == "None" and webhook:
        errors.forbidden("spec.conversion.webhook", "should not be set when strategy is not set to Webhook")
    elif strategy == "Webhook":
        client = (webhook or {}).get("clientConfig")
        if not client:
            errors.required("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook")
        elif bool(client.get("url")) == bool(client.get("service")):
            errors.required(
                "spec.conversion.webhookClientConfig", "exactly one of url or service is required"
            )
        if not (webhook or {}).get("conversionReviewVersions"):
            errors.required("spec.conversion.conversionReviewVersions")


def _validate_versions(versions: list[Any], errors: FieldErrors, check_rule: schemas.RuleCheck) -> None:
    seen: set[str] = set()
    unique = True
    for at, version in enumerate(versions):
        path, name = f"spec.versions[{at}]", version.get("name") or ""
        errors.each(f"{path}.name", name, names.dns_1035_label(name))
        unique = unique and name not in seen
        seen.add(name)
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            errors.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
        if version.get("deprecationWarning") and not version.get("deprecated"):
            errors.invalid(
                f"{path}.deprecationWarning",
                version["deprecationWarning"],
                "can only be set for deprecated versions",
            )
        _validate_selectable(version.get("selectableFields") or (), f"{path}.selectableFields", errors)
    if not unique:
        errors.invalid(
            "spec.versions", [each.get("name") for each in versions], "must contain unique version names"
        )
    if sum(each.get("storage") is True for each in versions) != 1:
        errors.invalid(
            "spec.versions",
            [each.get("name") for each in versions],
            "must have exactly one version marked as storage version",
        )
    for where, raw in _shared(versions, "schema", "validation"):
        if raw and raw.get("openAPIV3Schema") is not None:
            schemas.check(raw["openAPIV3Schema"], f"{where}.openAPIV3Schema", errors, check_rule)
    for where, subresources in _shared(versions, "subresources", "subresources"):
        _validate_subresources(subresources or {}, where, errors)
    for where, columns in _shared(versions, "additionalPrinterColumns", "additionalPrinterColumns"):
        _validate_columns(columns or (), where, errors)


def _shared(versions: list[Any], key: str, top: str) -> list[tuple[str, Any]]:
    """(path, value): what all versions share is told of once, where Kubernetes' internal version keeps it."""
    found = [version.get(key) for version in versions]
    if found and all(each == found[0] for each in found):
        return [(f"spec.{top}", found[0])]
    return [(f"spec.versions[{at}].{key}", each) for at, each in enumerate(found)]


def _validate_subresources(subresources: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    scale = subresources.get("scale")
    if scale is None:
        return
    for key, below in (
        ("specReplicasPath", (".spec",)),
        ("statusReplicasPath", (".status",)),
        ("labelSelectorPath", (".spec", ".status")),
    ):
        value = scale.get(key) or ""
        if not value:
            if key != "labelSelectorPath":
                errors.required(f"{path}.scale.{key}")
        elif "[" in value or not value.startswith("."):
            errors.invalid(f"{path}.scale.{key}", value, "must be a simple json path starting with .")
        elif not value.startswith(tuple(f"{each}." for each in below)):
            under = below[0] if len(below) == 1 else f"either {' or '.join(below)}"
            errors.invalid(f"{path}.scale.{key}", value, f"should be a json path under {under}")


def _validate_columns(columns: Iterable[Any], path: str, errors: FieldErrors) -> None:
    for at, column in enumerate(columns):
        where = f"{path}[{at}]"
        if not column.get("name"):
            errors.required(f"{where}.name")
        if not column.get("type"):
            errors.required(f"{where}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif column["type"] not in _COLUMN_TYPES:
            errors.invalid(f"{where}.type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}")
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            errors.invalid(f"{where}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}")
        _validate_path(column.get("jsonPath") or "", f"{where}.JSONPath", errors)


def _validate_selectable(fields: Any, path: str, errors: FieldErrors) -> None:
    if len(fields) > _MAX_SELECTABLE:
        errors.too_many(path, len(fields), _MAX_SELECTABLE)
    for at, field in enumerate(fields):
        value = field.get("jsonPath") or ""
        _validate_path(value, f"{path}[{at}].jsonPath", errors)
        if value and ("[" in value or value.startswith(".metadata.")):
            errors.invalid(
                f"{path}[{at}].jsonPath", value, "is an invalid path: must be a simple field outside metadata"
            )


def _validate_path(value: str, path: str, errors: FieldErrors) -> None:
    if not value:
        errors.required(path)
        return
    try:
        if not value.startswith("."):
            errors.invalid(path, value, "must be a simple json path starting with .")
        else:
            jsonpath.parse(value)
    except ValueError as error:
        errors.invalid(path, value, f"is an invalid jsonpath: {error}")


def _validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if conditions.is_true(old, "Established"):
        for path in ("scope", "names.kind", "names.plural", "group"):
            if (value := meta.lookup(new, f"spec.{path}")) != meta.lookup(old, f"spec.{path}"):
                errors.invalid(f"spec.{path}", value, "field is immutable")
    declared = {each.get("name") for each in meta.spec(new).get("versions") or ()}
    for at, version in enumerate(meta.status(old).get("storedVersions") or ()):
        if version not in declared:
            errors.invalid(f"status.storedVersions[{at}]", version, "must appear in spec.versions")


def strategy(check_rule: schemas.RuleCheck, **hooks: Callable[..., Any]) -> Strategy:
    """`hooks`: what the live registry adds to `prepare_create` and `prepare_update`."""
    created, updated = hooks["created"], hooks["updated"]

    def prepare_create(definition: Object) -> None:
        _prepare_create(definition)
        created(definition)

    def prepare_update(new: Object, old: Object, now: str) -> None:
        _prepare_update(new, old, now)
        updated(new)

    return Strategy(
        resource=DEFINITIONS,
        generations=True,
        default=_default,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        prepare_delete=_prepare_delete,
        validate=validator(check_rule),
        validate_update=_validate_update,
        unconditional_update=False,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Created At", lambda crd, _: meta.metadata(crd).get("creationTimestamp"), type="date"),
        ),
    )
