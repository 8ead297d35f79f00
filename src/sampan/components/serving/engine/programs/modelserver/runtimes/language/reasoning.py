"""What a model thinks before it answers, told apart from the answer. Pure; used by `speaking`.

Families of models mark it each in their way; `--reasoning_parser` says which. Source: vllm-project/vllm 0.19
docs/features/reasoning_outputs.md, vllm/reasoning/{basic_parsers,deepseek_r1_reasoning_parser,
qwen3_reasoning_parser,granite_reasoning_parser,mistral_reasoning_parser}.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.texts import beginning

_START, _INSIDE, _OUTSIDE = "start", "inside", "outside"


@dataclass(frozen=True, slots=True)
class Marks:
    begin: str
    end: str
    is_begun: bool = True
    """The chat template has begun it already: a text thinks, though it does not say so, until it says that it ends."""
    switch: str = ""
    """Of the chat template's arguments, which one says whether there is any; empty where none does."""
    is_usual: bool = True
    """Whether there is where that says nothing."""


_THINK = Marks("<think>", "</think>")
PARSERS: Mapping[str, Marks] = {
    **dict.fromkeys(
        ("deepseek_r1", "nemotron_v3", "ernie45", "kimi_k2", "minimax_m2", "olmo3", "step3"), _THINK
    ),
    **dict.fromkeys(("qwen3", "glm45", "holo2"), Marks("<think>", "</think>", switch="enable_thinking")),
    "deepseek_v3": Marks("<think>", "</think>", switch="thinking", is_usual=False),
    "seed_oss": Marks("<seed:think>", "</seed:think>"),
    "mistral": Marks("[THINK]", "[/THINK]", is_begun=False),
    "granite": Marks("Here is my thought process:", "Here is my response:", is_begun=False),
}
"""Those that may be asked for."""


def thoughts(parser: str, body: Mapping[str, Any]) -> Thoughts | None:
    """Of one text that is to have a form; None where all of it has."""
    if not parser:
        return None
    marks = PARSERS[parser]
    return Thoughts(marks, is_begun=_is_begun(marks, body))


def thinking(parser: str, body: Mapping[str, Any]) -> Thinking | None:
    """Of one text that a request wants; None where nothing is told apart."""
    if not parser:
        return None
    marks = PARSERS[parser]
    return Thinking(marks, is_begun=_is_begun(marks, body))


def _is_begun(marks: Marks, body: Mapping[str, Any]) -> bool:
    told = body.get("chat_template_kwargs")
    said = told.get(marks.switch, marks.is_usual) if isinstance(told, Mapping) else marks.is_usual
    return marks.is_begun and (bool(said) or not marks.switch)


class Thoughts:
    """How far one text is from its answer, which alone has a form."""

    def __init__(self, marks: Marks, *, is_begun: bool) -> None:
        self._marks, self._is_begun = marks, is_begun
        self._heard = ""

    def may_go_on(self, text: str) -> bool:
        """Whether it thinks, or may be about to, where that comes next."""
        if self._is_begun:
            return True
        begin, mark = (self._heard + text).lstrip(), self._marks.begin
        return mark.startswith(begin) or begin.startswith(mark)

    def hear(self, text: str) -> bool:
        """Whether it has ended."""
        self._heard += text
        self._is_begun = self._is_begun or self._heard.lstrip().startswith(self._marks.begin)
        return self._is_begun and self._marks.end in self._heard


class Thinking:
    """One text, as it comes."""

    def __init__(self, marks: Marks, *, is_begun: bool) -> None:
        self._marks, self._is_begun = marks, is_begun
        self._state, self._held = _START, ""

    def add(self, text: str) -> tuple[str, str]:
        """What of it is thought, and what is said; what may be the beginning of a mark is kept back."""
        self._held += text
        if self._state == _START and not self._begin():
            return "", ""
        thought = self._inside() if self._state == _INSIDE else ""
        if self._state != _OUTSIDE:
            return thought, ""
        said, self._held = self._held, ""
        return thought, said

    def rest(self) -> tuple[str, str]:
        left, self._held = self._held, ""
        is_thought = self._state == _INSIDE or (self._state == _START and self._is_begun)
        return (left, "") if is_thought else ("", left)

    def _begin(self) -> bool:
        """Whether it is clear by now how the text begins."""
        begin, mark = self._held.lstrip(), self._marks.begin
        if begin != mark and mark.startswith(begin):
            return False
        if begin.startswith(mark):
            self._state, self._held = _INSIDE, begin[len(mark) :]
        else:
            self._state = _INSIDE if self._is_begun else _OUTSIDE
        return True

    def _inside(self) -> str:
        thought, found, rest = self._held.partition(self._marks.end)
        if found:
            self._state, self._held = _OUTSIDE, rest
            return thought
        kept = beginning(self._held, self._marks.end)
        thought, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return thought
