"""admissionregistration.k8s.io/v1: webhooks and admission policies, as objects. `admission.dynamic` goes by them.

Source: kubernetes/pkg/apis/admissionregistration/v1/defaults.go, pkg/apis/admissionregistration/validation,
pkg/registry/admissionregistration/*/strategy.go, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sampan.cluster.apiserver.kinds import expressions
from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_GROUP = "admissionregistration.k8s.io"
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_FAILURE_POLICIES = ("Fail", "Ignore")
_MATCH_POLICIES = ("Equivalent", "Exact")
_OPERATIONS = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")
_SCOPES = ("*", "Cluster", "Namespaced")
_REASONS = ("Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge")
_LISTS = (
    ("apiGroups", "API groups"),
    ("apiVersions", "API versions"),
    ("operations", "operations"),
    ("resources", ""),
)
_WEBHOOK_NAMES = ("object", "oldObject", "request", "authorizer")


def _resource(kind: str, plural: str, subresources: tuple[str, ...] = ()) -> Resource:
    return Resource(
        _GROUP, "v1", kind, plural, namespaced=False, singular=kind.lower(), subresources=subresources
    )


def _default_webhooks(*, mutating: bool) -> Callable[[Object], None]:
    def default(configuration: Object) -> None:
        for hook in configuration.get("webhooks") or ():
            hook.setdefault("failurePolicy", "Fail")
            _default_match(hook)
            hook.setdefault("timeoutSeconds", 10)
            if mutating:
                hook.setdefault("reinvocationPolicy", "Never")
            _default_rules(hook.get("rules"))
            service = (hook.get("clientConfig") or {}).get("service")
            if service:
                service.setdefault("port", 443)

    return default


def _default_match(holder: Object) -> None:
    holder.setdefault("matchPolicy", "Equivalent")
    holder.setdefault("namespaceSelector", {})
    holder.setdefault("objectSelector", {})


def _default_rules(rules: Any) -> None:
    for rule in rules or ():
        rule.setdefault("scope", "*")


def _validate_webhooks(configuration: Object, errors: FieldErrors) -> None:
    seen: set[str] = set()
    for at, hook in enumerate(configuration.get("webhooks") or ()):
        where, name = f"webhooks[{at}]", hook.get("name") or ""
        errors.each(f"{where}.name", name, names.dns_subdomain(name))
        if name and name.count(".") < 2:
            errors.invalid(
                f"{where}.name", name, "should be a domain with at least three segments separated by dots"
            )
        if name in seen:
            errors.duplicate(f"{where}.name", name)
        seen.add(name)
        if not hook.get("sideEffects"):
            errors.required(f"{where}.sideEffects", "must specify one of None, NoneOnDryRun")
        elif hook["sideEffects"] not in _SIDE_EFFECTS:
            errors.unsupported(f"{where}.sideEffects", hook["sideEffects"], _SIDE_EFFECTS)
        if not hook.get("admissionReviewVersions"):
            errors.required(f"{where}.admissionReviewVersions", "must specify one of v1, v1beta1")
        _choose(hook, "failurePolicy", _FAILURE_POLICIES, where, errors)
        _choose(hook, "matchPolicy", _MATCH_POLICIES, where, errors)
        if not 1 <= hook["timeoutSeconds"] <= 30:
            errors.invalid(
                f"{where}.timeoutSeconds",
                hook["timeoutSeconds"],
                "the timeout value must be between 1 and 30 seconds",
            )
        config = hook.get("clientConfig") or {}
        if ("url" in config) == ("service" in config):
            errors.required(f"{where}.clientConfig", "exactly one of url or service is required")
        elif config.get("url"):
            _validate_url(str(config["url"]), f"{where}.clientConfig.url", errors)
        expressions.check_conditions(hook.get("matchConditions") or (), where, _WEBHOOK_NAMES, errors)
        for number, each in enumerate(hook.get("rules") or ()):
            _validate_rule(each, f"{where}.rules[{number}]", errors)


def _validate_url(url: str, path: str, errors: FieldErrors) -> None:
    """As upstream's ValidateWebhookURL."""
    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        errors.required(path, f"url must be a valid URL: {error}{form}")
        return
    if parts.scheme != "https":
        errors.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.netloc:
        errors.invalid(path, parts.netloc, f"host must be specified{form}")
    if "@" in parts.netloc:
        errors.invalid(path, parts.username or "", "user information is not permitted in the URL")
    if parts.fragment:
        errors.invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        errors.invalid(path, parts.query, "query parameters are not permitted in the URL")


def _validate_rule(rule: Object, path: str, errors: FieldErrors) -> None:
    for key, word in _LISTS:
        values = rule.get(key) or ()
        if not values:
            errors.required(f"{path}.{key}")
        elif word and "*" in values and len(values) > 1:
            errors.invalid(f"{path}.{key}", list(values), f"if '*' is present, must not specify other {word}")
    for at, each in enumerate(rule.get("operations") or ()):
        if each not in _OPERATIONS:
            errors.unsupported(f"{path}.operations[{at}]", each, _OPERATIONS)
    if rule.get("scope") not in _SCOPES:
        errors.unsupported(f"{path}.scope", rule.get("scope"), _SCOPES)


def _choose(holder: Object, key: str, choices: tuple[str, ...], path: str, errors: FieldErrors) -> None:
    if holder.get(key) not in choices:
        errors.unsupported(f"{path}.{key}", holder.get(key), choices)


def _default_policy(policy: Object) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    match = spec.get("matchConstraints")
    if match is not None:
        _default_match(match)
        _default_rules([*(match.get("resourceRules") or ()), *(match.get("excludeResourceRules") or ())])


def _validate_policy(policy: Object, errors: FieldErrors) -> None:
    spec = policy["spec"]
    _choose(spec, "failurePolicy", _FAILURE_POLICIES, "spec", errors)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        errors.required("spec.validations", "validations or auditAnnotations must contain at least one item")
    for at, validation in enumerate(spec.get("validations") or ()):
        if not str(validation.get("expression") or "").strip():
            errors.required(f"spec.validations[{at}].expression", "expression is not specified")
        if validation.get("reason") not in (None, *_REASONS):
            errors.unsupported(f"spec.validations[{at}].reason", validation["reason"], _REASONS)
    expressions.check_policy(spec, errors)
    if not spec.get("matchConstraints"):
        errors.required("spec.matchConstraints")
    elif not spec["matchConstraints"].get("resourceRules"):
        errors.required("spec.matchConstraints.resourceRules")


def _default_binding(binding: Object) -> None:
    match = binding.setdefault("spec", {}).get("matchResources")
    if match is not None:
        _default_match(match)
        _default_rules([*(match.get("resourceRules") or ()), *(match.get("excludeResourceRules") or ())])


def _validate_binding(binding: Object, errors: FieldErrors) -> None:
    spec = binding["spec"]
    if not spec.get("policyName"):
        errors.required("spec.policyName")
    if not spec.get("validationActions"):
        errors.required("spec.validationActions")
    for at, action in enumerate(spec.get("validationActions") or ()):
        if action not in ("Audit", "Deny", "Warn"):
            errors.unsupported(f"spec.validationActions[{at}]", action, ("Audit", "Deny", "Warn"))


def _count(*path: str) -> Callable[[Object, datetime], int]:
    return lambda obj, _: len(meta.lookup(obj, ".".join(path)) or ())


def _param_kind(policy: Object, _: datetime) -> str:
    kind = meta.spec(policy).get("paramKind")
    return f"{kind['apiVersion']}/{kind['kind']}" if kind else "<unset>"


def _param_ref(binding: Object, _: datetime) -> str:
    reference = meta.spec(binding).get("paramRef")
    if not reference:
        return "<unset>"
    if reference.get("name"):
        namespace = reference.get("namespace")
        return f"{namespace}/{reference['name']}" if namespace else str(reference["name"])
    return "*"


_WEBHOOKS = (NAME, Column("Webhooks", _count("webhooks"), type="integer"), AGE)
STRATEGIES = (
    Strategy(
        resource=_resource("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
        default=_default_webhooks(mutating=True),
        validate=_validate_webhooks,
        generations=True,
        columns=_WEBHOOKS,
    ),
    Strategy(
        resource=_resource("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
        default=_default_webhooks(mutating=False),
        validate=_validate_webhooks,
        generations=True,
        columns=_WEBHOOKS,
    ),
    Strategy(
        resource=_resource("ValidatingAdmissionPolicy", "validatingadmissionpolicies", ("status",)),
        default=_default_policy,
        validate=_validate_policy,
        generations=True,
        columns=(
            NAME,
            Column("Validations", _count("spec", "validations"), type="integer"),
            Column("ParamKind", _param_kind),
            AGE,
        ),
    ),
    Strategy(
        resource=_resource("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
        default=_default_binding,
        validate=_validate_binding,
        generations=True,
        columns=(
            NAME,
            Column("PolicyName", read("spec.policyName", "")),
            Column("ParamRef", _param_ref),
            AGE,
        ),
    ),
)
