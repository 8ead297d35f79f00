"""Kubernetes quantities, exactly: `250m`, `1.5Gi`, `2e3`.

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go, v1.31.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_UP, Decimal

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,2}))?")

_FINEST, _LARGEST = Decimal("1e-9"), Decimal(2**63 - 1)

PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
"""What Kubernetes names in its error."""


def parse(text: str | int | float) -> Decimal:
    """The exact value. Raises ValueError, in Kubernetes' words."""
    match = _FORM.fullmatch(str(text).strip()) if isinstance(text, str | int | float) else None
    if match is None or isinstance(text, bool):
        raise ValueError(f"quantities must match the regular expression '{PATTERN}'")
    number, binary, suffix, exponent = match.groups()
    value = Decimal(number)
    if binary:
        return value * (Decimal(1024) ** _BINARY[binary])
    return value.scaleb(int(exponent) if exponent else _DECIMAL[suffix or ""])


def canonical(text: str | int | float) -> str:
    """As Kubernetes writes it back: `0.5` is `500m`, `1024Mi` is `1Gi`, `1000` is `1k`. Raises ValueError."""
    value = parse(text)
    if value == 0:
        return "0"
    match = _FORM.fullmatch(str(text).strip())
    _, binary, _, exponent = match.groups() if match else (None,) * 4
    # Finer than a billionth is rounded away from zero, larger than a 64-bit integer cut off.
    value = min(max(value, -_LARGEST), _LARGEST).quantize(_FINEST, ROUND_UP)
    if binary and abs(value) >= 1024:
        return _in_binary(value)
    power, suffixes = 18, {each: suffix for suffix, each in _DECIMAL.items()}
    while value % Decimal(10) ** power:
        power -= 3
    suffix = suffixes[power] if exponent is None else f"e{power}" if power else ""
    return f"{int(value.scaleb(-power))}{suffix}"


def _in_binary(value: Decimal) -> str:
    whole = int(value.to_integral_value(ROUND_UP))
    suffix = ""
    for each in _BINARY:
        if whole % 1024:
            break
        whole, suffix = whole // 1024, each
    return f"{whole}{suffix}"


def millis(text: str | int | float) -> int:
    """Thousandths, rounded up: how CPU is counted."""
    return int((parse(text) * 1000).to_integral_value(ROUND_CEILING))


def whole(text: str | int | float) -> int:
    """Units (bytes, pods, GPUs), rounded up."""
    return int(parse(text).to_integral_value(ROUND_CEILING))


def compare(left: str | int | float, right: str | int | float) -> int:
    """-1, 0 or 1."""
    difference = parse(left) - parse(right)
    return (difference > 0) - (difference < 0)


def format_decimal(value: Decimal) -> str:
    """The canonical form with a decimal suffix: `1500m`, `2k`."""
    if value == 0:
        return "0"
    for suffix, exponent in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        scaled = value.scaleb(-exponent)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return f"{int(value.scaleb(9).to_integral_value(ROUND_CEILING))}n"


def format_binary(value: int) -> str:
    """The canonical form with a binary suffix: `512Mi`; plain where it is no multiple of 1024."""
    for suffix, power in sorted(_BINARY.items(), key=lambda item: -item[1]):
        if value and value % (1024**power) == 0:
            return f"{value // 1024**power}{suffix}"
    return str(value)
