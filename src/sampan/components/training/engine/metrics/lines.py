"""Metrics in a line of text: `name=value`, `name: value`, JSON and Python's dicts, as frameworks print them.

`name=value` follows Katib's default filter, `([\\w|-]+)\\s*=\\s*([+-]?\\d*(\\.\\d+)?([Ee][+-]?\\d+)?)`, and JSON its
JSON format (kubeflow/katib 0.19 pkg/metricscollector/v1beta1/common/const.go). Beyond: Keras (`loss: 0.31 - accuracy:
0.9`), tqdm and Lightning (`[00:10<00:10, loss=0.12]`), Hugging Face's Trainer (`{'loss': 0.5, 'epoch': 0.5}`), XGBoost
(`[3]\\ttrain-rmse:0.48`), PyTorch's examples (`Train Epoch: 1 [0/60000 (0%)] Loss: 2.3`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_TEXT = 4096
"""Of a line that is looked at: no line of metrics is longer, and tables and stack traces may be."""
_MOST_NAME = 80

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?|[+-]?(?:nan|inf|NaN|Infinity)"
_END = r"(?![\w/:]|\.\d|%\|)"
"""What follows makes it no number of its own: a unit, a share, an address, a progress bar."""
_EQUALS = re.compile(rf"([A-Za-z_][\w|/.@-]*)\s{{0,8}}=\s{{0,8}}({_NUMBER}){_END}")
_COLON = re.compile(rf"([A-Za-z_][\w|/@-]*):(\s{{0,8}})({_NUMBER}){_END}")
_PAIR = re.compile(
    rf"""['"]([A-Za-z_][\w|/.@ -]*)['"]\s{{0,8}}:\s{{0,8}}['"]?({_NUMBER})['"]?\s{{0,8}}(?=[,}}])"""
)
_STEP = re.compile(
    r"""(?<![\w-])(global[_ ]?step|step|iteration|iter|batch|epoch)['"]?\s{0,4}[=:#]?\s{0,4}\[?"""
    r"""(\d{1,12}(?:\.\d+)?)(?!\w|:\S)""",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[(\d{1,12})\]\s")
"""XGBoost and LightGBM number their rounds so."""
_STEP_NAMES = ("globalstep", "step", "iteration", "iter", "batch", "epoch")
"""The first that a line has counts."""
_NO_METRICS = frozenset(
    [
        "rank",
        "local_rank",
        "global_rank",
        "node_rank",
        "world_size",
        "local_world_size",
        "num_nodes",
        "nnodes",
        "nproc_per_node",
        "port",
        "master_port",
        "pid",
        "seed",
        "v_num",
        "version",
        "line",
        "lineno",
        "ts",
        "timestamp",
        "time",
        "unix_time",
        "level",
        "localhost",
        "exit_code",
        "exitcode",
        "code",
        "args",
        "argc",
    ]
)


@dataclass(frozen=True, slots=True)
class Measured:
    name: str
    value: float
    step: float | None
    """As the line says; None where it says none."""


def measured(text: str) -> list[Measured]:
    """What a line says of metrics; of a name that it has twice the last."""
    if len(text) > MOST_TEXT:
        text = text[-MOST_TEXT:]
    if "=" not in text and ":" not in text:
        return []
    # A progress bar's last state is what stands behind the last carriage return.
    text = text.rstrip("\r").rpartition("\r")[2]
    found = dict(_pairs(text))
    if not found:
        return []
    step = step_of(text)
    return [Measured(name, value, step) for name, value in found.items()]


def step_of(text: str) -> float | None:
    """Which step, iteration or epoch a line is about, in this order of importance."""
    found: dict[str, float] = {}
    for word, number in _STEP.findall(text[-MOST_TEXT:]):
        found.setdefault(word.lower().replace("_", "").replace(" ", ""), float(number))
    for name in _STEP_NAMES:
        if name in found:
            return found[name]
    if rounds := _BRACKETS.match(text):
        return float(rounds[1])
    return None


def _pairs(text: str) -> Iterator[tuple[str, float]]:
    stripped = text.strip()
    # JSON and dicts have names in quotes: looked for there alone, so that texts within are none.
    if stripped.startswith("{") and stripped.endswith("}"):
        for name, value in _PAIR.findall(stripped):
            yield from _named(name, value)
        return
    for name, value in _EQUALS.findall(text):
        yield from _named(name, value)
    for name, blank, value in _COLON.findall(text):
        # Without a blank it is rather a port or a line's number, unless it has a fraction.
        if blank or not value.lstrip("+-").isdigit():
            yield from _named(name, value)


def _named(name: str, value: str) -> Iterator[tuple[str, float]]:
    lower = name.lower()
    if len(name) > _MOST_NAME or lower in _NO_METRICS or lower.replace("_", "") in _STEP_NAMES:
        return
    if name.isupper() and "_" in name:
        # A variable of the environment that is told of.
        return
    yield name, float(value)
