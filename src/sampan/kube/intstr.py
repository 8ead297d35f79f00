"""Fields that take a number or a percentage: `maxSurge: 1`, `maxSurge: 25%`.

Source: k8s.io/apimachinery/pkg/util/intstr/intstr.go, kubernetes/pkg/apis/apps/validation/validation.go, v1.33.
"""

from __future__ import annotations

import re
from typing import Any

_PERCENT = re.compile(r"[0-9]{1,9}%")
_NOT_A_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or '93%', "
    "regex used for validation is '[0-9]+%')"
)


def percentage(value: Any) -> int | None:
    """How many per cent; None for a plain number, and for what is neither."""
    return int(value[:-1]) if isinstance(value, str) and _PERCENT.fullmatch(value) else None


def scaled(value: Any, total: int, *, round_up: bool) -> int:
    """The number that `value` means of `total`. Raises ValueError for what is neither number nor percentage."""
    percent = percentage(value)
    if percent is None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"invalid value for IntOrString: {value!r}")
        return value
    return -(-percent * total // 100) if round_up else percent * total // 100


def problems(value: Any, *, at_most_all: bool = False) -> list[str]:
    """What is wrong with it, in Kubernetes' words: it may not be negative, nor more than 100% if so told."""
    percent = percentage(value)
    if percent is not None:
        return ["must not be greater than 100%"] if at_most_all and percent > 100 else []
    if isinstance(value, str):
        return [_NOT_A_PERCENT]
    if isinstance(value, bool) or not isinstance(value, int):
        return ["must be an integer or percentage (e.g '5%%')"]
    return ["must be greater than or equal to 0"] if value < 0 else []
