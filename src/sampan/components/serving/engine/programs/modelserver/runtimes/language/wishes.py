"""What a request wants: its texts, how long and how random answers are, where they stop. Read from bodies; pure.

Fields are OpenAI's, and those of vLLM's that upstream's requests have. As upstream, a request that says nothing of
randomness gets the likeliest words, unless the model's own generation_config says `do_sample`.
Source: openai/openai-openapi openapi.yaml (CreateCompletionRequest, CreateChatCompletionRequest); vllm-project/vllm
vllm/entrypoints/openai/{completion,chat_completion}/protocol.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    FormError,
    ModelError,
    ParameterError,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language import structure
from sampan.components.serving.engine.programs.modelserver.runtimes.language.structure import Guide, Tools

MAX_CHOICES = 128
MAX_TOP = 20
MAX_STOPS = 16
_EXACT = 1 << 53
"""From here on a float may stand for another number than was written."""
COMPLETION_TOKENS = 16
"""What a completion that does not say gets, as OpenAI has it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Of each of a request's answers. None is for what the model's own configuration says."""

    max_tokens: int | None = None
    """As many as the model takes where it is None."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    keeps_stop: bool = False
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float | None = None
    bias: Mapping[int, float] = field(default_factory=dict)
    top_logprobs: int | None = None
    """How many beside the chosen one; None where none are wanted."""
    prompt_logprobs: int | None = None
    """Likewise of the prompt's own tokens."""
    min_tokens: int = 0
    ignores_end: bool = False
    skips_special: bool = True
    guide: Guide | None = None
    searches: bool = False
    """The answers are the likeliest texts as a whole, found by beams: as many as there are answers."""
    length_penalty: float = 1.0
    prompt_tokens: int | None = None
    """So many are read of the prompt's end; -1 for as many as the model takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    wish: Wish
    n: int
    is_stream: bool
    with_usage: bool
    """A stream's last piece says how many tokens there were."""
    with_every_usage: bool = False
    """And so does each before it."""
    tools: Tools = field(default_factory=Tools)


def completion(body: Mapping[str, Any]) -> tuple[Asked, list[str | list[int]], bool]:
    """Prompts, each a text or numbers of tokens, and whether answers begin with them. Raises ModelError."""
    _refused(body, "suffix", "logits_processors", "prompt_embeds")
    if body.get("best_of") not in (None, body.get("n", 1), 1):
        raise ParameterError("best_of", "'best_of' is not supported: ask for 'n'")
    asked = _asked(body, _integer(body, "logprobs", 0, MAX_TOP), body.get("max_tokens", COMPLETION_TOKENS))
    return asked, prompts_of(body.get("prompt")), _flag(body, "echo")


def chat(body: Mapping[str, Any]) -> Asked:
    """Raises ModelError."""
    _refused(body, "functions", "audio", "prediction")
    top = _integer(body, "top_logprobs", 0, MAX_TOP)
    if _flag(body, "logprobs"):
        top = top or 0
    elif top:
        raise FormError("top_logprobs", "'top_logprobs' needs 'logprobs' to be true")
    else:
        top = None
    limit = body.get("max_completion_tokens")
    asked = _asked(body, top, body.get("max_tokens") if limit is None else limit)
    tools = structure.tools_of(body)
    if (guide := tools.guide()) is not None:
        asked = replace(asked, wish=replace(asked.wish, guide=guide))
    return replace(asked, tools=tools)


def prompts_of(told: Any) -> list[str | list[int]]:
    """A text, texts, tokens, or lists of tokens. Raises ModelError."""
    if isinstance(told, str):
        return [told]
    if isinstance(told, list) and told:
        if all(isinstance(each, str) for each in told):
            return list(told)
        if _are_tokens(told):
            return [list(told)]
        if all(isinstance(each, list) and each and _are_tokens(each) for each in told):
            return [list(each) for each in told]
    if told is None:
        raise FormError("prompt", "'prompt' is a required property")
    raise FormError("prompt", "'prompt' has to be a text, a list of texts, of tokens, or of lists of tokens")


def texts_of(body: Any) -> list[str]:
    """Of V1's instances. Raises ModelError."""
    if not isinstance(body, Mapping):
        raise ModelError('the body has to be an object with "instances"')
    found = body.get("inputs", body.get("instances"))
    if not isinstance(found, list) or not found:
        raise ModelError('Expected "instances" to be a list of texts')
    texts = [_text_of(each) for each in found]
    if any(each is None for each in texts):
        raise ModelError('Expected "instances" to be a list of texts')
    return [each for each in texts if each is not None]


def adds_special(body: Mapping[str, Any]) -> bool:
    """Whether a completion's prompt gets the tokens that texts of the model begin with. Raises ModelError."""
    return _flag(body, "add_special_tokens", True)


def truncation_of(body: Mapping[str, Any]) -> int:
    """How many tokens are read of each text: -1 for as many as the model takes, 0 for all. Raises ModelError."""
    return _integer(body, "truncate_prompt_tokens", -1, 1 << 31) or 0


def of_parameters(parameters: Mapping[str, Any]) -> Wish:
    """V1's and V2's `parameters`, with OpenAI's names, and Transformers' for how many tokens. Raises ModelError."""
    limit = parameters.get("max_tokens", parameters.get("max_new_tokens", COMPLETION_TOKENS))
    return _asked(parameters, None, limit).wish


def _text_of(instance: Any) -> str | None:
    if isinstance(instance, str):
        return instance
    if isinstance(instance, Mapping) and len(instance) == 1:
        value = next(iter(instance.values()))
        return value if isinstance(value, str) else None
    return None


def _asked(body: Mapping[str, Any], top_logprobs: int | None, max_tokens: Any) -> Asked:
    limit = _integer({"max_tokens": max_tokens}, "max_tokens", 0, 1 << 31)
    top_k = _integer(body, "top_k", -1, 1 << 31)
    penalty = _number(body, "length_penalty", -100.0, 100.0)
    wish = Wish(
        max_tokens=limit,
        temperature=_number(body, "temperature", 0.0, 2.0),
        top_p=_number(body, "top_p", 0.0, 1.0),
        top_k=0 if top_k == -1 else top_k,
        min_p=_number(body, "min_p", 0.0, 1.0),
        seed=_integer(body, "seed", -(1 << 63), (1 << 63) - 1),
        stop=_stops(body),
        stop_tokens=_stop_tokens(body),
        keeps_stop=_flag(body, "include_stop_str_in_output"),
        frequency_penalty=_number(body, "frequency_penalty", -2.0, 2.0) or 0.0,
        presence_penalty=_number(body, "presence_penalty", -2.0, 2.0) or 0.0,
        repetition_penalty=_number(body, "repetition_penalty", 0.01, 100.0),
        bias=_bias(body),
        top_logprobs=top_logprobs,
        min_tokens=_integer(body, "min_tokens", 0, 1 << 31) or 0,
        ignores_end=_flag(body, "ignore_eos"),
        skips_special=_flag(body, "skip_special_tokens", True),
        guide=structure.guide_of(body),
        prompt_logprobs=_integer(body, "prompt_logprobs", 0, MAX_TOP),
        prompt_tokens=truncation_of(body) or None,
        searches=_flag(body, "use_beam_search"),
        length_penalty=1.0 if penalty is None else penalty,
    )
    is_stream = _flag(body, "stream")
    _check_together(wish, is_stream=is_stream)
    options = _stream_options(body, is_stream=is_stream)
    with_usage = bool(options.get("include_usage"))
    every = with_usage and bool(options.get("continuous_usage_stats"))
    return Asked(wish, _integer(body, "n", 1, MAX_CHOICES) or 1, is_stream, with_usage, every)


def _check_together(wish: Wish, *, is_stream: bool) -> None:
    if is_stream and wish.prompt_logprobs is not None:
        raise FormError("prompt_logprobs", "'prompt_logprobs' are not available when 'stream' is true")
    if wish.searches and (is_stream or wish.guide is not None or wish.top_logprobs is not None):
        raise ParameterError(
            "use_beam_search",
            "'use_beam_search' finds whole texts: it is not supported with 'stream', 'logprobs' or a form",
        )


def _stream_options(body: Mapping[str, Any], *, is_stream: bool) -> Mapping[str, Any]:
    found = body.get("stream_options") or {}
    if not isinstance(found, Mapping):
        raise FormError("stream_options", "'stream_options' has to be an object")
    if found and not is_stream:
        raise FormError("stream_options", "Stream options can only be defined when `stream=True`.")
    return found


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    told = body.get("stop")
    found = [told] if isinstance(told, str) else told if told is not None else []
    if (
        not isinstance(found, list)
        or not all(isinstance(each, str) for each in found)
        or len(found) > MAX_STOPS
    ):
        raise FormError("stop", f"'stop' has to be a text, or a list of {MAX_STOPS} texts at most")
    return tuple(each for each in found if each)


def _stop_tokens(body: Mapping[str, Any]) -> frozenset[int]:
    told = body.get("stop_token_ids") or []
    if not isinstance(told, list) or not _are_tokens(told):
        raise FormError("stop_token_ids", "'stop_token_ids' has to be a list of numbers of tokens")
    return frozenset(told)


def _bias(body: Mapping[str, Any]) -> dict[int, float]:
    told = body.get("logit_bias") or {}
    try:
        found = {int(key): float(value) for key, value in told.items()}
    except (AttributeError, TypeError, ValueError):
        raise FormError("logit_bias", "'logit_bias' has to be numbers by numbers of tokens") from None
    if not all(-100.0 <= each <= 100.0 for each in found.values()):
        raise FormError("logit_bias", "values of 'logit_bias' are between -100 and 100")
    return found


def _refused(body: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if body.get(name):
            raise ParameterError(name, f"'{name}' is not supported")


def _flag(body: Mapping[str, Any], name: str, otherwise: bool = False) -> bool:
    told = body.get(name)
    if told is None:
        return otherwise
    if not isinstance(told, bool):
        raise FormError(name, f"'{name}' has to be true or false")
    return told


def _number(body: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    told = body.get(name)
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or not low <= told <= high:
        raise FormError(
            name, f"'{name}' has to be a number between {low:g} and {high:g}{_beyond(told, low, high)}"
        )
    return float(told)


def _integer(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    told = body.get(name)
    if told is None:
        return None
    if isinstance(told, float) and told.is_integer() and abs(told) < _EXACT:
        # Of clients that know one kind of number.
        told = int(told)
    if isinstance(told, bool) or not isinstance(told, int) or not low <= told <= high:
        raise FormError(
            name, f"'{name}' has to be a whole number between {low} and {high}{_beyond(told, low, high)}"
        )
    return told


def _beyond(told: Any, low: float, high: float) -> str:
    """Which bound it is, in the words that clients of Pydantic's look for."""
    if isinstance(told, bool) or not isinstance(told, int | float):
        return ""
    is_long = isinstance(told, float) and abs(told) >= _EXACT
    if told < low or (is_long and told == low):
        return " [type=greater_than_equal]"
    return " [type=less_than_equal]" if told > high or (is_long and told >= high) else ""


def _are_tokens(told: Sequence[Any]) -> bool:
    return all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in told)
