"""Whether a node is tried once more, and when. Pure.

Source: docs/retries.md and workflow/controller/operator.go (processNodeRetries), argo-workflows v3.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.node import ArgoNode, Phase

_TRANSIENT = re.compile(
    r"timeout|timed out|connection (refused|reset)|too many requests|transient|TLS handshake|i/o|temporar"
    r"|exceeded quota|unavailable",
    re.IGNORECASE,
)
_POLICIES = ("Always", "OnFailure", "OnError", "OnTransientError")


@dataclass(frozen=True, slots=True)
class Last:
    """The attempt that has just failed."""

    phase: Phase
    message: str
    exit_code: str
    duration_seconds: float

    def variables(self) -> dict[str, str]:
        """What an expression may name of it."""
        return {
            "lastRetry.exitCode": self.exit_code,
            "lastRetry.status": self.phase.value,
            "lastRetry.duration": str(int(self.duration_seconds)),
            "lastRetry.message": self.message,
        }


def last_of(node: ArgoNode) -> Last:
    took = max(node.finished_at - node.started_at, 0) / 1e6
    return Last(node.phase, node.message, node.outputs.exit_code or "-1", took)


@dataclass(frozen=True, slots=True)
class Decision:
    """`delay_seconds` after the end of the last attempt; or, where it is None, why there is no other one."""

    delay_seconds: float | None
    message: str = ""


def decide(
    strategy: Mapping[str, Any], last: Last, attempts: int, elapsed: float, variables: Variables
) -> Decision:
    """`attempts` there were so far, the first one `elapsed` seconds ago. Raises ArgoError for a bad strategy."""
    backoff = strategy.get("backoff") or {}
    limit = strategy.get("limit")
    delay = _delay(backoff, attempts)
    if (longest := backoff.get("maxDuration")) and elapsed + delay > seconds(longest):
        return Decision(None, f"Max duration limit exceeded: {last.message}")
    if limit is not None and limit != "" and attempts > _number(limit):
        return Decision(None, f"No more retries left: {last.message}")
    expression = str(strategy.get("expression") or "")
    policy = str(strategy.get("retryPolicy") or ("Always" if expression else "OnFailure"))
    if not _allows(policy, last):
        return Decision(None, last.message)
    if expression:
        known = variables.with_layer(last.variables())
        # Tags within an expression are replaced first, whatever they give is part of its text.
        again = known.evaluate(str(substitute(expression, known)))
        if not isinstance(again, bool):
            raise ArgoError(f"retryStrategy.expression {expression!r} gives {again!r}, not true or false")
        if not again:
            return Decision(None, f"retryStrategy.expression evaluated to false: {last.message}")
    return Decision(delay)


def _allows(policy: str, last: Last) -> bool:
    if policy not in _POLICIES:
        raise ArgoError(f"retryStrategy.retryPolicy {policy!r} is none of {', '.join(_POLICIES)}")
    if policy == "OnFailure":
        return last.phase is Phase.FAILED
    if policy == "OnError":
        return last.phase is Phase.ERROR
    if policy == "OnTransientError":
        return last.phase.is_bad and _TRANSIENT.search(last.message) is not None
    return True


def _delay(backoff: Mapping[str, Any], attempts: int) -> float:
    if not backoff.get("duration"):
        return 0.0
    first = seconds(backoff["duration"])
    factor = backoff.get("factor")
    if factor is not None and factor != "":
        first *= float(_number(factor)) ** min(attempts - 1, 60)
    longest = [seconds(backoff[name]) for name in ("cap",) if backoff.get(name)]
    return min([first, *longest])


def _number(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ArgoError(f"retryStrategy: {value!r} is not a whole number") from None
