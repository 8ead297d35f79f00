"""Samples of Prometheus' text with more labels. Pure.

Source: kserve 0.20 qpext/cmd/qpext/main.go (addServerlessLabels); the format: prometheus.io/docs/instrumenting/
exposition_formats, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Mapping


def labelled(text: str, labels: Mapping[str, str]) -> str:
    """What is no sample stays as it is, but for OpenMetrics' end."""
    added = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    lines = [
        _with(line, added) if line and not line.startswith("#") else line
        for line in text.splitlines()
        if line.strip() != "# EOF"
    ]
    return "".join(f"{line}\n" for line in lines)


def _with(sample: str, added: str) -> str:
    """`name value` or `name{labels} value`."""
    name, brace, rest = sample.partition("{")
    if not brace or " " in name.strip():
        name, _, value = sample.strip().partition(" ")
        return f"{name}{{{added}}} {value}"
    end = _end_of_labels(rest)
    held = rest[:end].rstrip().rstrip(",")
    return f"{name}{{{held}{',' if held else ''}{added}}}{rest[end + 1 :]}"


def _end_of_labels(text: str) -> int:
    """Where the brace closes that is in no value."""
    is_quoted, at = False, 0
    while at < len(text):
        if text[at] == "\\" and is_quoted:
            at += 1
        elif text[at] == '"':
            is_quoted = not is_quoted
        elif text[at] == "}" and not is_quoted:
            return at
        at += 1
    return len(text)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
