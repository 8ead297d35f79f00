"""What a Prometheus endpoint exposes, as far as trials' metrics go. Pure.

Source: prometheus/docs content/docs/instrumenting/exposition_formats.md (text format 0.0.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SAMPLE = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(\{.*\})?\s+(\S+)", re.ASCII)
MAX_BYTES = 4 * 1024 * 1024
_MAX_LINE = 16 * 1024


def samples(text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names with values, of the metrics that are asked for, whatever labels they have."""
    wanted = set(names)
    for line in text.splitlines():
        # Found by its first word, so that no expression looks at lines of others.
        if line.startswith("#") or len(line) > _MAX_LINE:
            continue
        # Without spaces at its end, where the expression would look for a value in all ways that there are.
        if (found := _SAMPLE.match(line.rstrip())) is not None and found[1] in wanted:
            yield found[1], found[3]
