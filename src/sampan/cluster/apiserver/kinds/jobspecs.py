"""Validation of a Job's spec, which Jobs and the templates of CronJobs share.

Source: kubernetes/pkg/apis/batch/validation/validation.go, v1.33.
"""

from __future__ import annotations

from sampan.cluster.apiserver.kinds.templates import non_negative, validate_template
from sampan.kube import names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_MODES = ("NonIndexed", "Indexed")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_PARALLELISM_LIMIT = 100_000
_FAILED_INDEXES_LIMIT = 100_000
_SOFT_LIMIT = 100_000
"""Completions above which a limit per index costs more, and other limits are lower."""
_LIMIT_ABOVE = 10_000
_RULES_LIMIT = 20
_VALUES_LIMIT = 255
_PATTERNS_LIMIT = 20
_MANAGER_LIMIT = 63
_INDEXES_TEXT_LIMIT = 64 * 1024


def validate_job_spec(spec: Object, path: str, errors: FieldErrors) -> None:
    """All but the selector."""
    numbers = (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    )
    non_negative(spec, numbers, path, errors)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if (manager := spec.get("managedBy")) is not None:
        validate_manager(manager, f"{path}.managedBy", errors)
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        errors.unsupported(f"{path}.completionMode", mode, _MODES)
    elif mode == "Indexed":
        _validate_indexed(spec, path, errors)
    else:
        for key in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(key) is not None:
                errors.invalid(f"{path}.{key}", spec[key], "requires indexed completion mode")
    if (failure := spec.get("podFailurePolicy")) is not None:
        _validate_failure_policy(spec, failure, f"{path}.podFailurePolicy.rules", errors)
    if (success := spec.get("successPolicy")) is not None:
        _validate_success_policy(spec, success, f"{path}.successPolicy", errors)
    _validate_replacement(spec, f"{path}.podReplacementPolicy", errors)
    _validate_pods(spec, f"{path}.template", errors)


def _validate_pods(spec: Object, path: str, errors: FieldErrors) -> None:
    validate_template(spec["template"], path, errors)
    policy = spec["template"]["spec"].get("restartPolicy")
    where = f"{path}.spec.restartPolicy"
    # Always is what Kubernetes fills in: said or not, it is no answer for a Job.
    if policy in (None, "", "Always"):
        errors.required(where, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        errors.unsupported(where, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        errors.invalid(where, policy, 'only "Never" is supported when podFailurePolicy is specified')


def validate_manager(manager: str, path: str, errors: FieldErrors) -> None:
    """The name of a controller: a domain and a path."""
    prefix, slash, rest = manager.partition("/")
    if not slash or not prefix or not rest:
        errors.invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        errors.each(path, prefix, names.dns_subdomain(prefix))
    if len(manager) > _MANAGER_LIMIT:
        errors.too_long(path, _MANAGER_LIMIT)


def _validate_indexed(spec: Object, path: str, errors: FieldErrors) -> None:
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    failed, per_index = spec.get("maxFailedIndexes"), spec.get("backoffLimitPerIndex")
    if completions is None:
        errors.required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > _PARALLELISM_LIMIT:
        detail = f"must be less than or equal to {_PARALLELISM_LIMIT} when completion mode is Indexed"
        errors.invalid(f"{path}.parallelism", parallelism, detail)
    if completions is not None and failed is not None and failed > completions:
        errors.invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > _FAILED_INDEXES_LIMIT:
        detail = f"must be less than or equal to {_FAILED_INDEXES_LIMIT}"
        errors.invalid(f"{path}.maxFailedIndexes", failed, detail)
    if completions is None or completions <= _SOFT_LIMIT or per_index is None:
        return
    if failed is None:
        detail = f"must be specified when completions is above {_SOFT_LIMIT}"
        errors.required(f"{path}.maxFailedIndexes", detail)
    for key, value in (("parallelism", parallelism), ("maxFailedIndexes", failed)):
        if value is not None and value > _LIMIT_ABOVE:
            detail = (
                f"must be less than or equal to {_LIMIT_ABOVE} when completions are above {_SOFT_LIMIT} and used "
                "with backoff limit per index"
            )
            errors.invalid(f"{path}.{key}", value, detail)


def _validate_replacement(spec: Object, path: str, errors: FieldErrors) -> None:
    policy = spec.get("podReplacementPolicy")
    allowed = ("Failed",) if spec.get("podFailurePolicy") is not None else _REPLACEMENTS
    if policy is not None and policy not in allowed:
        errors.unsupported(path, policy, allowed)


def _validate_failure_policy(spec: Object, policy: Object, path: str, errors: FieldErrors) -> None:
    rules = policy.get("rules") or ()
    if len(rules) > _RULES_LIMIT:
        errors.too_many(path, len(rules), _RULES_LIMIT)
    pod_spec = spec["template"]["spec"]
    containers = {
        each.get("name") for key in ("containers", "initContainers") for each in pod_spec.get(key) or ()
    }
    for at, rule in enumerate(rules):
        where = f"{path}[{at}]"
        _validate_action(spec, rule.get("action"), f"{where}.action", errors)
        on_exit, on_conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
        if on_exit is not None:
            _validate_exit_codes(on_exit, f"{where}.onExitCodes", containers, errors)
        _validate_patterns(on_conditions, f"{where}.onPodConditions", errors)
        if on_exit is not None and on_conditions:
            errors.invalid_as_a_whole(
                where, "specifying both OnExitCodes and OnPodConditions is not supported"
            )
        if on_exit is None and not on_conditions:
            errors.invalid_as_a_whole(where, "specifying one of OnExitCodes and OnPodConditions is required")


def _validate_action(spec: Object, action: str | None, path: str, errors: FieldErrors) -> None:
    if not action:
        listed = " ".join(f'"{each}"' for each in _ACTIONS)
        errors.required(path, f"valid values: [{listed}]")
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            errors.invalid(path, action, "requires the backoffLimitPerIndex to be set")
    elif action not in _ACTIONS:
        errors.unsupported(path, action, _ACTIONS)


def _validate_exit_codes(rule: Object, path: str, containers: set[object], errors: FieldErrors) -> None:
    operator, name, values = rule.get("operator"), rule.get("containerName"), rule.get("values") or []
    if not operator:
        errors.required(f"{path}.operator", 'valid values: ["In" "NotIn"]')
    elif operator not in _OPERATORS:
        errors.unsupported(f"{path}.operator", operator, _OPERATORS)
    if name is not None and name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        errors.invalid(f"{path}.containerName", name, detail)
    if not values:
        errors.invalid(f"{path}.values", values, "at least one value is required")
    elif len(values) > _VALUES_LIMIT:
        errors.too_many(f"{path}.values", len(values), _VALUES_LIMIT)
    for at, value in enumerate(values):
        if operator == "In" and value == 0:
            errors.invalid(f"{path}.values[{at}]", value, "must not be 0 for the In operator")
        if value in values[:at]:
            errors.duplicate(f"{path}.values[{at}]", value)
    if values != sorted(values):
        errors.invalid(f"{path}.values", values, "must be ordered")


def _validate_patterns(patterns: object, path: str, errors: FieldErrors) -> None:
    assert isinstance(patterns, list | tuple)
    if len(patterns) > _PATTERNS_LIMIT:
        errors.too_many(path, len(patterns), _PATTERNS_LIMIT)
    for at, pattern in enumerate(patterns):
        kind, status = pattern.get("type") or "", pattern.get("status")
        errors.each(f"{path}[{at}].type", kind, names.qualified_name(kind))
        if not status:
            errors.required(f"{path}[{at}].status", 'valid values: ["False" "True" "Unknown"]')
        elif status not in _STATUSES:
            errors.unsupported(f"{path}[{at}].status", status, _STATUSES)


def _validate_success_policy(spec: Object, policy: Object, path: str, errors: FieldErrors) -> None:
    if spec.get("completionMode") != "Indexed":
        errors.invalid_as_a_whole(path, "requires indexed completion mode")
        return
    rules = policy.get("rules") or ()
    if not rules:
        errors.required(
            f"{path}.rules", "at least one rules must be specified when the successPolicy is specified"
        )
    if len(rules) > _RULES_LIMIT:
        errors.too_many(f"{path}.rules", len(rules), _RULES_LIMIT)
    for at, rule in enumerate(rules):
        _validate_success_rule(spec, rule, f"{path}.rules[{at}]", errors)


def _validate_success_rule(spec: Object, rule: Object, path: str, errors: FieldErrors) -> None:
    count, indexes, completions = (
        rule.get("succeededCount"),
        rule.get("succeededIndexes"),
        spec.get("completions"),
    )
    if count is None and indexes is None:
        errors.required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = None
    if indexes is not None:
        where = f"{path}.succeededIndexes"
        if len(indexes) > _INDEXES_TEXT_LIMIT:
            errors.too_long(where, _INDEXES_TEXT_LIMIT)
        elif completions is not None:
            try:
                total = _count_indexes(indexes, completions)
            except ValueError as error:
                errors.invalid(where, indexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    where = f"{path}.succeededCount"
    if count < 0:
        errors.invalid(where, count, "must be greater than or equal to 0")
    if completions is not None and count > completions:
        detail = f"must be less than or equal to {completions} (the number of specified completions)"
        errors.invalid(where, count, detail)
    if total is not None and count > total:
        of = "the number of indexes in the specified succeededIndexes field"
        detail = f"must be less than or equal to {total} ({of})"
        errors.invalid(where, count, detail)


def _count_indexes(text: str, completions: int) -> int:
    """How many indexes `1,3-5` names. Raises ValueError."""
    total, last = 0, -1
    for part in text.split(",") if text else ():
        numbers = part.split("-")
        if len(numbers) > 2:
            rule = "an index interval can have at most two parts separated by '-'"
            raise ValueError(f'the fragment "{part}" violates the requirement that {rule}')
        first, final = _index(numbers[0], completions), _index(numbers[-1], completions)
        if len(numbers) == 2 and first >= final:
            raise ValueError(f"non-increasing order, previous: {first}, current: {final}")
        if first <= last:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + final - first + 1, final
    return total


def _index(text: str, completions: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)
