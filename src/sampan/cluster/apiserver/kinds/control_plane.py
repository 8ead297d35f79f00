"""Kinds about the API itself: APIService, CertificateSigningRequest, RuntimeClass, FlowSchema and priority levels.

Stored and served. APIServices of what is served here are made by `apiservices`; requests are neither forwarded to
others, signed, nor queued by priority. Source: k8s.io/kube-aggregator/pkg/apis/apiregistration,
kubernetes/pkg/apis/{certificates,node,flowcontrol}, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Strategy, selectable
from sampan.cluster.apiserver.tables import AGE, NAME, human_duration
from sampan.kube import conditions, meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import API_SERVICES, Resource
from sampan.kube.meta import Object

_FLOW = "flowcontrol.apiserver.k8s.io"
_REQUESTS = Resource(
    "certificates.k8s.io",
    "v1",
    "CertificateSigningRequest",
    "certificatesigningrequests",
    namespaced=False,
    singular="certificatesigningrequest",
    short_names=("csr",),
    subresources=("status", "approval"),
)
_RUNTIME_CLASSES = Resource(
    "node.k8s.io",
    "v1",
    "RuntimeClass",
    "runtimeclasses",
    namespaced=False,
    singular="runtimeclass",
    subresources=(),
)
_FLOW_SCHEMAS = Resource(_FLOW, "v1", "FlowSchema", "flowschemas", namespaced=False, singular="flowschema")
_PRIORITY_LEVELS = Resource(
    _FLOW,
    "v1",
    "PriorityLevelConfiguration",
    "prioritylevelconfigurations",
    namespaced=False,
    singular="prioritylevelconfiguration",
)


def _default_service(service: Object) -> None:
    reference = service.setdefault("spec", {}).get("service")
    if reference:
        reference.setdefault("port", 443)


def _prepare_service(service: Object) -> None:
    """What is served here is available; what another server would have to serve is not."""
    local = not service["spec"].get("service")
    service["status"] = {
        "conditions": [
            {
                "type": "Available",
                "status": "True" if local else "False",
                "lastTransitionTime": service["metadata"]["creationTimestamp"],
                "reason": "Local" if local else "FailedDiscoveryCheck",
                "message": "Local APIServices are always available"
                if local
                else "requests are not forwarded to other API servers",
            }
        ]
    }


def _validate_service(service: Object, errors: FieldErrors) -> None:
    spec, name = service["spec"], meta.name(service)
    wanted = f"{spec.get('version') or ''}.{spec.get('group') or ''}"
    if name != wanted:
        errors.invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"')
    for key in ("groupPriorityMinimum", "versionPriority"):
        if (spec.get(key) or 0) <= 0:
            errors.invalid(f"spec.{key}", spec.get(key) or 0, "must be positive")
    if not spec.get("service") and spec.get("caBundle"):
        errors.invalid("spec.caBundle", "", "local APIServices may not have a caBundle")


def _served_by(service: Object, _: datetime) -> str:
    reference = meta.spec(service).get("service")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else "Local"


def _available(service: Object, _: datetime) -> str:
    found = conditions.find(service, "Available")
    if found is None:
        return "Unknown"
    status = str(found.get("status"))
    return status if status == "True" else f"{status} ({found.get('reason', '')})"


def _default_request(request: Object) -> None:
    request.setdefault("spec", {})


def _prepare_request(request: Object) -> None:
    request["status"] = {}


def _validate_request(request: Object, errors: FieldErrors) -> None:
    spec = request["spec"]
    if not spec.get("request"):
        errors.required("spec.request")
    if not spec.get("usages"):
        errors.required("spec.usages")
    signer = spec.get("signerName") or ""
    if not signer:
        errors.required("spec.signerName")
    elif "/" not in signer:
        errors.invalid(
            "spec.signerName",
            signer,
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        )
    expiration = spec.get("expirationSeconds")
    if expiration is not None and expiration < 600:
        errors.invalid(
            "spec.expirationSeconds",
            expiration,
            "may not specify a duration less than 600 seconds (10 minutes)",
        )


def _validate_request_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new["spec"] != old["spec"]:
        errors.invalid("spec", "", "field is immutable")


def _duration(request: Object, _: datetime) -> str:
    asked = meta.spec(request).get("expirationSeconds")
    return "<none>" if asked is None else human_duration(timedelta(seconds=asked))


def _condition(request: Object, _: datetime) -> str:
    status = meta.status(request)
    types = [str(each.get("type")) for each in status.get("conditions") or ()]
    words: list[str] = [word for word in ("Approved", "Denied", "Failed") if word in types] or ["Pending"]
    return ",".join([*words, *(["Issued"] if status.get("certificate") else [])])


def _validate_runtime_class(runtime_class: Object, errors: FieldErrors) -> None:
    handler = runtime_class.get("handler") or ""
    errors.each("handler", handler, names.dns_label(handler))


def _validate_runtime_class_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new.get("handler") != old.get("handler"):
        errors.invalid("handler", new.get("handler"), "field is immutable")


def _default_flow(flow: Object) -> None:
    flow.setdefault("spec", {}).setdefault("matchingPrecedence", 1000)


def _validate_flow(flow: Object, errors: FieldErrors) -> None:
    spec = flow["spec"]
    if not 1 <= spec["matchingPrecedence"] <= 10_000:
        errors.invalid(
            "spec.matchingPrecedence",
            spec["matchingPrecedence"],
            "must be less than or equal to 10000"
            if spec["matchingPrecedence"] > 0
            else "must be a positive value",
        )
    if not (spec.get("priorityLevelConfiguration") or {}).get("name"):
        errors.required("spec.priorityLevelConfiguration.name", "must reference a priority level")


def _missing_level(flow: Object, _: datetime) -> str:
    found = conditions.find(flow, "Dangling")
    return "?" if found is None else str(found.get("status"))


def _default_level(level: Object) -> None:
    spec = level.setdefault("spec", {})
    limited = spec.get("limited")
    if limited is not None:
        limited.setdefault("nominalConcurrencyShares", 30)
        limited.setdefault("lendablePercent", 0)
        response = limited.setdefault("limitResponse", {})
        if response.get("type") == "Queue":
            queuing = response.setdefault("queuing", {})
            for key, value in (("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)):
                queuing.setdefault(key, value)
    elif spec.get("type") == "Exempt":
        exempt = spec.setdefault("exempt", {})
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)


def _validate_level(level: Object, errors: FieldErrors) -> None:
    spec = level["spec"]
    kind = spec.get("type")
    if kind not in ("Exempt", "Limited"):
        errors.unsupported("spec.type", kind or "", ("Exempt", "Limited"))
    elif kind == "Limited" and spec.get("limited") is None:
        errors.required("spec.limited", "must not be empty when type is Limited")
    elif kind == "Exempt" and spec.get("limited") is not None:
        errors.forbidden("spec.limited", "must be nil if the type is not Limited")


STRATEGIES = (
    Strategy(
        resource=API_SERVICES,
        # Names of the core group end with a dot.
        name_rule=names.path_segment,
        default=_default_service,
        prepare_create=_prepare_service,
        validate=_validate_service,
        columns=(NAME, Column("Service", _served_by), Column("Available", _available), AGE),
    ),
    Strategy(
        resource=_REQUESTS,
        default=_default_request,
        prepare_create=_prepare_request,
        validate=_validate_request,
        validate_update=_validate_request_update,
        fields=selectable("spec.signerName"),
        columns=(
            NAME,
            AGE,
            Column("SignerName", read("spec.signerName", "<none>")),
            Column("Requestor", read("spec.username", "")),
            Column("RequestedDuration", _duration),
            Column("Condition", _condition),
        ),
    ),
    Strategy(
        resource=_RUNTIME_CLASSES,
        validate=_validate_runtime_class,
        validate_update=_validate_runtime_class_update,
        columns=(NAME, Column("Handler", read("handler", "")), AGE),
    ),
    Strategy(
        resource=_FLOW_SCHEMAS,
        default=_default_flow,
        validate=_validate_flow,
        generations=True,
        columns=(
            NAME,
            Column("PriorityLevel", read("spec.priorityLevelConfiguration.name", "")),
            Column("MatchingPrecedence", read("spec.matchingPrecedence"), type="integer"),
            Column("DistinguisherMethod", read("spec.distinguisherMethod.type", "<none>")),
            AGE,
            Column("MissingPL", _missing_level),
        ),
    ),
    Strategy(
        resource=_PRIORITY_LEVELS,
        default=_default_level,
        validate=_validate_level,
        generations=True,
        columns=(
            NAME,
            Column("Type", read("spec.type", "")),
            Column("NominalConcurrencyShares", read("spec.limited.nominalConcurrencyShares", "<none>")),
            Column("Queues", read("spec.limited.limitResponse.queuing.queues", "<none>")),
            Column("HandSize", read("spec.limited.limitResponse.queuing.handSize", "<none>")),
            Column("QueueLengthLimit", read("spec.limited.limitResponse.queuing.queueLengthLimit", "<none>")),
            AGE,
        ),
    ),
)
