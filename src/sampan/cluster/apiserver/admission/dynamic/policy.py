"""ValidatingAdmissionPolicy with its bindings as their objects say, and what it decides about one write. Pure.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/{validator,dispatcher}.go and policy/generic, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.cluster.apiserver import cel
from sampan.cluster.apiserver.admission.dynamic import expressions
from sampan.cluster.apiserver.admission.dynamic.expressions import Conditions, ExpressionError, Variables
from sampan.cluster.apiserver.admission.dynamic.matching import Matcher
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject, refused
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, Cause, ForbiddenError, InvalidError
from sampan.kube.meta import Object
from sampan.lib.log import get_logger

log = get_logger(__name__)

_MESSAGE_LIMIT = 5120
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    matcher: Matcher | None
    """None where the policy's own constraints are enough."""
    actions: tuple[str, ...]
    params: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Policy:
    name: str
    matcher: Matcher
    conditions: Conditions
    variables: tuple[tuple[str, str], ...]
    validations: tuple[Mapping[str, Any], ...]
    annotations: tuple[str, ...]
    """Expressions of auditAnnotations: nothing is written down, but they may fail."""
    fails_closed: bool
    param_kind: Mapping[str, Any] | None
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Denial:
    message: str
    reason: str = ""


def policies_of(policies: Iterable[Object], bindings: Iterable[Object]) -> Iterator[Policy]:
    """Those that are bound."""
    by_policy: dict[str, list[Binding]] = {}
    for each in bindings:
        spec = meta.spec(each)
        found = _kept(each, lambda spec=spec, each=each: _binding(each, spec))
        if found is not None:
            by_policy.setdefault(str(spec.get("policyName")), []).append(found)
    for each in policies:
        bound = tuple(by_policy.get(meta.name(each), ()))
        policy = _kept(each, lambda each=each, bound=bound: _policy(each, bound)) if bound else None
        if policy is not None:
            yield policy


def _kept(obj: Object, read: Any) -> Any:
    try:
        return read()
    except BadRequestError as error:
        log.warning("a policy cannot be run", kind=obj.get("kind"), name=meta.name(obj), why=str(error))
        return None


def _binding(obj: Object, spec: Mapping[str, Any]) -> Binding:
    raw = spec.get("matchResources")
    return Binding(
        meta.name(obj),
        _matcher(raw) if raw else None,
        tuple(spec.get("validationActions") or ()),
        spec.get("paramRef"),
    )


def _matcher(raw: Mapping[str, Any]) -> Matcher:
    return Matcher.of(raw, raw.get("resourceRules") or (), raw.get("excludeResourceRules") or ())


def _policy(obj: Object, bound: tuple[Binding, ...]) -> Policy:
    spec = meta.spec(obj)
    return Policy(
        meta.name(obj),
        _matcher(spec.get("matchConstraints") or {}),
        Conditions.of(spec.get("matchConditions")),
        tuple((str(each.get("name")), str(each.get("expression"))) for each in spec.get("variables") or ()),
        tuple(spec.get("validations") or ()),
        tuple(str(each.get("valueExpression")) for each in spec.get("auditAnnotations") or ()),
        spec.get("failurePolicy") != "Ignore",
        spec.get("paramKind"),
        bound,
    )


def denials(
    policy: Policy,
    subject: Subject,
    objects: Objects,
    params: Object | None,
    namespace: Object | None,
    authorizer: Any = None,
) -> list[Denial]:
    """What the policy has against the write, with one object of parameters. May take a second of the processor."""
    spent = expressions.budget()
    given = expressions.variables_of(
        subject,
        objects,
        namespaceObject=expressions.namespace_object(namespace),
        authorizer=authorizer,
    )
    if policy.param_kind is not None:
        given["params"] = params
    try:
        if not policy.conditions.hold(given):
            return []
    except ExpressionError as error:
        return [Denial(str(error))] if policy.fails_closed else []
    given["variables"] = Variables(policy.variables, given, spent)
    found = [_validated(policy, each, given, spent) for each in policy.validations]
    found += [_annotated(policy, each, given, spent) for each in policy.annotations]
    return [each for each in found if each is not None]


def _validated(
    policy: Policy, validation: Mapping[str, Any], given: dict[str, Any], spent: cel.Budget
) -> Denial | None:
    text = str(validation.get("expression") or "")
    try:
        if expressions.truth(text, given, spent):
            return None
    except ExpressionError as error:
        return Denial(str(error)) if policy.fails_closed else None
    message = _message(str(validation.get("messageExpression") or ""), given, spent)
    message = message or str(validation.get("message") or "").strip() or f"failed expression: {text.strip()}"
    return Denial(message, str(validation.get("reason") or "Invalid"))


def _message(text: str, given: dict[str, Any], spent: cel.Budget) -> str:
    if not text:
        return ""
    try:
        found = expressions.evaluate(text, given, spent)
    except ExpressionError:
        return ""
    message = found.strip() if isinstance(found, str) else ""
    return "" if "\n" in message or len(message) > _MESSAGE_LIMIT else message


def _annotated(policy: Policy, text: str, given: dict[str, Any], spent: cel.Budget) -> Denial | None:
    try:
        found = expressions.evaluate(text, given, spent)
    except ExpressionError as error:
        return Denial(str(error)) if policy.fails_closed else None
    if found is None or isinstance(found, str) or not policy.fails_closed:
        return None
    return Denial(
        f"valueExpression '{text}' resulted in unsupported return type: {cel.type_name(found)}. "
        "Return type must be either string or null."
    )


def warning(policy: Policy, binding: Binding, denial: Denial) -> str:
    return (
        f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
        f"{denial.message}"
    )


class PolicyError(InvalidError):
    """A refusal under the reason that the policy names."""

    def __init__(self, error: ForbiddenError, reason: str, message: str) -> None:
        super().__init__(error.message, details=error.details, causes=(Cause("", "", message),))
        self.reason = reason  # type: ignore[misc]
        self.code = _CODES.get(reason, 422)  # type: ignore[misc]


def denied(subject: Subject, policy: Policy, binding: Binding | None, denial: Denial) -> PolicyError:
    bound = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{policy.name}'{bound} denied request: {denial.message}"
    return PolicyError(refused(subject, message), denial.reason or "Invalid", message)


def param_namespace(namespaced: bool, reference: Mapping[str, Any], subject: Subject) -> str:
    """Where parameters are looked for. Raises ExpressionError."""
    given = str(reference.get("namespace") or "")
    if not namespaced:
        if given:
            raise ExpressionError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    if not (found := given or subject.namespace):
        raise ExpressionError(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return found


def chosen(reference: Mapping[str, Any], found: Sequence[Object]) -> Sequence[Object]:
    """Raises ExpressionError where none must not be."""
    if not found and reference.get("parameterNotFoundAction") == "Deny":
        raise ExpressionError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found
