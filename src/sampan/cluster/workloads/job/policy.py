"""`podFailurePolicy` and `successPolicy`. Pure.

Source: pkg/controller/job/pod_failure_policy.go and success_policy.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.job import indexes
from sampan.kube import meta

Rules = Sequence[Mapping[str, Any]]


def is_ignored(pod: Object, rules: Rules) -> bool:
    """Whether the pod's failure does not count."""
    return _matched(pod, rules)[0] == "Ignore"


def fails_index(pod: Object, rules: Rules) -> bool:
    """Whether the failure ends the pod's index at once."""
    return _matched(pod, rules)[0] == "FailIndex"


def failure_message(pods: Iterable[Object], rules: Rules) -> str:
    """Why the job fails because of one of the failed `pods`; empty when no rule says so."""
    for pod in pods:
        action, message = _matched(pod, rules)
        if action == "FailJob":
            return message
    return ""


def success_message(rules: Rules, completed: set[int], completions: int) -> str:
    """Why the job has succeeded before all its indexes did; empty when it has not."""
    for number, rule in enumerate(rules):
        wanted = rule.get("succeededIndexes")
        done = completed & indexes.parse(str(wanted), completions) if wanted else completed
        count = rule.get("succeededCount")
        needed = int(count) if count is not None else len(indexes.parse(str(wanted or ""), completions))
        if needed and len(done) >= needed:
            return f"Matched rules at index {number}"
    return ""


def _matched(pod: Object, rules: Rules) -> tuple[str, str]:
    """The action of the first rule that matches, and what to say about it."""
    where = f"{meta.namespace(pod)}/{meta.name(pod)}"
    for number, rule in enumerate(rules):
        action = str(rule.get("action") or "")
        rest = f"matching {action} rule at index {number}"
        if on_exit := rule.get("onExitCodes"):
            for name, code in _exit_codes(pod, on_exit.get("containerName")):
                if _code_matches(code, on_exit):
                    return action, f"Container {name} for pod {where} failed with exit code {code} {rest}"
        for pattern in rule.get("onPodConditions") or ():
            if _has_condition(pod, pattern):
                return action, f"Pod {where} has condition {pattern.get('type')} {rest}"
    return "", ""


def _exit_codes(pod: Object, container: str | None) -> Iterable[tuple[str, int]]:
    status = meta.status(pod)
    for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        terminated = (each.get("state") or {}).get("terminated")
        if terminated and (container is None or each.get("name") == container):
            yield str(each.get("name")), int(terminated.get("exitCode") or 0)


def _code_matches(code: int, rule: Mapping[str, Any]) -> bool:
    # Success never matches: NotIn is about failures other than those listed.
    if code == 0:
        return False
    values = rule.get("values") or ()
    return code in values if rule.get("operator") == "In" else code not in values


def _has_condition(pod: Object, pattern: Mapping[str, Any]) -> bool:
    return any(
        each.get("type") == pattern.get("type") and each.get("status") == (pattern.get("status") or "True")
        for each in meta.status(pod).get("conditions") or ()
    )
