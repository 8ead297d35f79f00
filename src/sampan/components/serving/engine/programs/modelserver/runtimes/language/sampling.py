"""At random or not, and how: what a request says, else what the model's configuration or vLLM's defaults say. Pure.

Source: vllm-project/vllm 0.19 vllm/config/model.py (get_diff_sampling_param), vllm/sampling_params.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Sampling
from sampan.components.serving.engine.programs.modelserver.runtimes.language.settings import Settings
from sampan.components.serving.engine.programs.modelserver.runtimes.language.wishes import Wish

_NAMES = ("temperature", "top_p", "top_k", "repetition_penalty", "min_p")


def sampling_of(wish: Wish, config: Any, settings: Settings) -> Sampling:
    """`config` is the model's generation_config."""
    own = _own(config, settings)
    samples = settings.samples or bool(config.do_sample and settings.own_generation)
    drawn = own if samples else {}
    temperature = wish.temperature
    if temperature is None:
        temperature = _or(drawn.get("temperature"), 1.0) if samples else 0.0
        if not samples and (wish.top_p not in (None, 1.0) or wish.top_k):
            temperature = 1.0
    return Sampling(
        temperature=temperature,
        top_p=_or(wish.top_p, _or(drawn.get("top_p"), 1.0)),
        top_k=max(int(_or(wish.top_k, _or(drawn.get("top_k"), 0))), 0),
        min_p=_or(wish.min_p, _or(drawn.get("min_p"), 0.0)),
        repetition_penalty=_or(wish.repetition_penalty, _or(own.get("repetition_penalty"), 1.0)),
    )


def _own(config: Any, settings: Settings) -> Mapping[str, Any]:
    """What the model's configuration says, but for what every configuration says."""
    told: dict[str, Any] = {}
    if settings.own_generation:
        plain = type(config)()
        found = {name: getattr(config, name, None) for name in _NAMES}
        told = {name: value for name, value in found.items() if value != getattr(plain, name, None)}
    return {**told, **{name: settings.generation[name] for name in _NAMES if name in settings.generation}}


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else float(value)
