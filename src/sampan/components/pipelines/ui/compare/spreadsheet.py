"""A comparison as CSV: a row for each run, so that it sorts and plots in whatever opens it. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from sampan.components.pipelines.ui.compare import model
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.components.pipelines.ui.compare.rows import value_text

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def text(runs: Sequence[ComparedRun]) -> str:
    parameters, metrics, steps = (model.names(runs, of) for of in ("parameters", "metrics", "steps"))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    heads = ["run_id", "name", "state", "started", "finished", "seconds", "pipeline", "version", "experiment"]
    heads += [f"parameter {name}" for name in parameters] + [f"metric {name}" for name in metrics]
    writer.writerow([_safe(head) for head in [*heads, *(f"seconds {path}" for path in steps)]])
    for run in runs:
        facts = [run.id, run.name, run.state, run.created_at, run.finished_at, run.seconds]
        origin = [run.origin.get(key, "") for key in ("pipeline", "pipeline_version", "experiment")]
        values = [run.parameters.get(name) for name in parameters]
        numbers = [run.metrics.get(name) for name in metrics]
        times = [run.steps[path].seconds if path in run.steps else None for path in steps]
        writer.writerow([_safe(each) for each in [*facts, *origin, *values, *numbers, *times]])
    return out.getvalue()


def _safe(value: Any) -> str:
    """Texts that a spreadsheet would take for a formula begin with an apostrophe."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    found = value_text(value)
    return f"'{found}" if found.startswith(_FORMULAS) else found
