"""Quantities of Kubernetes as people read them: `24684084Ki` is 23.5 GiB, `250m` of CPU a quarter core. Pure."""

from __future__ import annotations

from decimal import Decimal

from sampan.kube import quantities

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def parsed(text: object) -> Decimal:
    """Nought for what is none."""
    try:
        return quantities.parse(text) if isinstance(text, str | int | float) else Decimal(0)
    except ValueError:
        return Decimal(0)


def is_bytes(resource: str) -> bool:
    name = resource.rpartition(".")[2] if resource.startswith(("requests.", "limits.")) else resource
    return name in ("memory", "storage", "ephemeral-storage") or name.startswith("hugepages-")


def shown(resource: str, value: Decimal) -> str:
    """An amount of a resource, with its unit where it has one."""
    if is_bytes(resource):
        return in_bytes(value)
    text = _short(value)
    if resource.endswith("cpu"):
        return f"{text} core" if text == "1" else f"{text} cores"
    return text


def in_bytes(value: Decimal) -> str:
    amount, unit = value, 0
    while abs(amount) >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{_short(amount)} {_UNITS[unit]}"


def _short(value: Decimal) -> str:
    if value == value.to_integral_value():
        return f"{int(value):,}"
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return text if text not in ("0", "-0") else f"{value:.3g}"


def resource_word(resource: str) -> str:
    """`nvidia.com/gpu` as people say it."""
    known = {
        "cpu": "CPU",
        "memory": "memory",
        "ephemeral-storage": "disk",
        "storage": "storage",
        "pods": "pods",
    }
    if resource in known:
        return known[resource]
    if resource.endswith("/gpu"):
        return "GPUs"
    return resource
