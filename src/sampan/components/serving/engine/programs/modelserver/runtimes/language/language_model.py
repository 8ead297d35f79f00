"""A model that writes text: completions and chats as OpenAI has them, streamed too, V1, V2. Made by `huggingface`.

Each answer is a row, written by `steps` with those of other requests, or by `whole`. A request that nobody waits for
any more ends its rows. Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/generative_model.py.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    Metadata,
    ModelError,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.errors import RequestError, told
from sampan.components.serving.engine.programs.modelserver.runtimes.language import (
    answers,
    conversations,
    steps,
    tasks,
    wishes,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.answers import Form, Usage
from sampan.components.serving.engine.programs.modelserver.runtimes.language.encoders import texts_of_tensors
from sampan.components.serving.engine.programs.modelserver.runtimes.language.pretrained import Pretrained
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import (
    LENGTH,
    Chance,
    Piece,
    Row,
    Sampling,
    chance_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.settings import Settings
from sampan.components.serving.engine.programs.modelserver.runtimes.language.whole import Whole

_MAX_ROWS = 1024
"""That are written or wait to be."""
# What a generation_config may say that only `generate` does. With these values it says nothing.
_SPECIAL: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (None, 1), "no_repeat_ngram_size": (None, 0), "encoder_no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1.0), "bad_words_ids": (None,), "min_length": (None, 0),
    "min_new_tokens": (None, 0), "forced_bos_token_id": (None,), "forced_eos_token_id": (None,),
    "exponential_decay_length_penalty": (None,), "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []), "sequence_bias": (None,), "guidance_scale": (None, 1.0),
    "watermarking_config": (None,), "remove_invalid_values": (None, False), "penalty_alpha": (None, 0.0),
    "dola_layers": (None,), "prompt_lookup_num_tokens": (None,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    tokens: list[int]


class LanguageModel:
    speaks_openai = True

    def __init__(self, settings: Settings, task: str, found: Pretrained) -> None:
        self._torch = importlib.import_module("torch")
        self._settings, self._task = settings, task
        self._tokenizer, self._model, self._max_length = found.tokenizer, found.model, found.max_length
        self._tokenizing = threading.Lock()
        self._ends = _ends(self._model.generation_config, self._tokenizer)
        pad = self._tokenizer.pad_token_id
        self._whole = Whole(self._model, pad if pad is not None else min(self._ends, default=0))
        self._steps = self._joining()
        self._rows = 0
        inputs = (TensorSpec("input-0", "BYTES", (-1,)),)
        self.metadata = Metadata(
            settings.name, "huggingface", inputs, (TensorSpec("output-0", "BYTES", (-1,)),)
        )

    def _joining(self) -> steps.Steps | None:
        config = self._model.generation_config
        special = [name for name, plain in _SPECIAL.items() if getattr(config, name, None) not in plain]
        if self._task != tasks.GENERATION or special or not steps.joined(self._model):
            return None
        return steps.Steps(self._model, self._settings.max_sequences)

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        if verb != "predict":
            raise RequestError(501, f"Model with name {self._settings.name} explains nothing.")
        texts = wishes.texts_of(body)
        parameters = body.get("parameters") or {}
        return {
            "predictions": await self._texts(texts, parameters if isinstance(parameters, Mapping) else {})
        }

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        found = await self._texts(texts_of_tensors(inputs), parameters)
        data: Array = np.empty(len(found), dtype=object)
        data[:] = [each.encode() for each in found]
        return [Tensor("output-0", data, "BYTES")]

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        if route == "completions":
            asked, told, echoes = wishes.completion(body)
            if echoes and self._task == tasks.TRANSLATION:
                raise wishes.ParameterError("echo", "'echo' is not supported by encoder-decoder models")
            special = wishes.adds_special(body)
            prompts = await asyncio.to_thread(lambda: [self._prompt(each, special=special) for each in told])
        elif route == "chat/completions":
            asked, echoes = wishes.chat(body), False
            prompts = [await asyncio.to_thread(self._conversation, body)]
        else:
            raise ModelError(f"Model {self._settings.name} does not support {answers.api_of(route)}")
        writing = Writing(self, asked.wish, [each for each in prompts for _ in range(asked.n)], echoes=echoes)
        form = Form(self._settings.name, self.spell, is_chat=route != "completions")
        usage = sum(len(each.tokens) for each in prompts)
        if asked.is_stream:
            return _streamed(writing, form, usage if asked.with_usage else None)
        pieces = await writing.whole()
        return form.whole(pieces, Usage(usage, sum(each.tokens for each in pieces)))

    def close(self) -> None:
        self._whole.close()
        if self._steps is not None:
            self._steps.close()

    # For Writing

    def spell(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))

    def submit(self, row: Row) -> None:
        (self._steps or self._whole).submit(row)

    def take(self, count: int) -> None:
        """Raises RequestError where too many wait."""
        if self._rows + count > _MAX_ROWS and self._rows:
            raise RequestError(503, "too many requests wait for the model: try again later")
        self._rows += count

    def leave(self, count: int) -> None:
        self._rows -= count

    def row(self, prompt: Prompt, wish: wishes.Wish, place: int, say: Any) -> Row:
        if wish.seed is not None and place:
            # Several answers to one prompt are not to be the same.
            wish = replace(wish, seed=wish.seed + place)
        return Row(
            self._torch,
            prompt.tokens,
            wish,
            _sampling(wish, self._model.generation_config),
            self._ends,
            self._limit(prompt, wish),
            lambda tokens: str(self._tokenizer.decode(tokens, skip_special_tokens=wish.skips_special)),
            say,
            reads_along=self._task == tasks.GENERATION,
        )

    def of_prompt(self, prompt: Prompt, top: int) -> list[Chance]:
        """How likely each of its own tokens was."""
        torch = self._torch
        with torch.inference_mode():
            ids = torch.tensor([prompt.tokens], device=self._model.device)
            logits = self._model(input_ids=ids).logits[0].float().cpu()
        rest = zip(prompt.tokens[1:], logits, strict=False)
        first = [Chance(each, None) for each in prompt.tokens[:1]]
        return first + [chance_of(torch, own, token, top) for token, own in rest]

    # What is written about

    async def _texts(self, texts: Sequence[str], parameters: Mapping[str, Any]) -> list[str]:
        wish = wishes.of_parameters(parameters)
        prompts = await asyncio.to_thread(lambda: [self._prompt(each) for each in texts])
        return [each.text for each in await Writing(self, wish, prompts).whole()]

    def _prompt(self, told: str | list[int], *, special: bool = True) -> Prompt:
        with self._tokenizing:
            if isinstance(told, str):
                tokens = list(self._tokenizer(told, add_special_tokens=special)["input_ids"])
                text = told
            else:
                tokens, text = told, str(self._tokenizer.decode(told))
        size = int(self._model.get_input_embeddings().num_embeddings)
        if not tokens or max(tokens) >= size:
            raise wishes.ParameterError(
                "prompt", "the prompt is empty" if not tokens else f"tokens have to be below {size}"
            )
        return Prompt(text, tokens)

    def _conversation(self, body: Mapping[str, Any]) -> Prompt:
        messages, given = conversations.messages_of(body), conversations.template_arguments(body)
        if given["chat_template"] is None and self._tokenizer.chat_template is None:
            raise wishes.ParameterError(
                "chat_template",
                "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat "
                "template if the tokenizer does not define one.",
            )
        try:
            text = self._tokenizer.apply_chat_template(messages, **given)
        except Exception as error:
            raise wishes.ParameterError(
                "messages", f"the chat template does not take them: {told(error)}"
            ) from error
        # The template wrote the special tokens.
        return self._prompt(text, special=False)

    def _limit(self, prompt: Prompt, wish: wishes.Wish) -> int:
        """How many tokens are written at most. Raises ModelError."""
        size = len(prompt.tokens)
        limit = wish.max_tokens if wish.max_tokens is not None else max(self._max_length - size, 0)
        if size + limit > self._max_length or (wish.max_tokens is None and not limit):
            raise ModelError(
                f"This model's maximum context length is {self._max_length} tokens. However, you requested "
                f"{size + limit} tokens ({size} in the messages, {limit} in the completion). Please reduce the length "
                "of the messages or completion."
            )
        return limit


class Writing:
    """One request's rows, and what they say. Whoever leaves it ends them."""

    def __init__(
        self, model: LanguageModel, wish: wishes.Wish, prompts: Sequence[Prompt], *, echoes: bool = False
    ) -> None:
        self._model, self._wish, self._prompts, self._echoes = model, wish, prompts, echoes
        self._said: asyncio.Queue[tuple[int, Piece | BaseException]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.rows = [model.row(each, wish, place, self._hear(place)) for place, each in enumerate(prompts)]

    async def pieces(self) -> AsyncIterator[tuple[int, Piece]]:
        """As they come, with the number of the answer that each is of. Raises what went wrong."""
        self._model.take(len(self.rows))
        try:
            for place, prompt in enumerate(self._prompts):
                if self._echoes:
                    yield place, await asyncio.to_thread(self._echo, prompt)
                self._begin(place)
            left = len(self.rows)
            while left:
                place, said = await self._said.get()
                if isinstance(said, BaseException):
                    raise said
                left -= said.finish is not None
                yield place, said
        finally:
            for row in self.rows:
                row.is_cancelled = True
            self._model.leave(len(self.rows))

    async def whole(self) -> list[Piece]:
        found: list[list[Piece]] = [[] for _ in self.rows]
        pieces = self.pieces()
        try:
            async for place, piece in pieces:
                found[place].append(piece)
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]
        return [answers.joined(each) for each in found]

    def _begin(self, place: int) -> None:
        row = self.rows[place]
        if row.limit:
            self._model.submit(row)
        else:
            row.end(LENGTH)

    def _echo(self, prompt: Prompt) -> Piece:
        top = self._wish.top_logprobs
        return Piece(prompt.text, () if top is None else tuple(self._model.of_prompt(prompt, top)))

    def _hear(self, place: int) -> Any:
        def hear(said: Piece | BaseException) -> None:
            # From another thread, which may outlive the loop.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._said.put_nowait, (place, said))

        return hear


async def _streamed(writing: Writing, form: Form, prompt_tokens: int | None) -> AsyncIterator[bytes]:
    written = 0
    pieces = writing.pieces()
    try:
        for event in form.opening(len(writing.rows)):
            yield event
        async for place, piece in pieces:
            written += piece.tokens
            if piece.text or piece.finish or piece.chances:
                yield form.part(place, piece)
        if prompt_tokens is not None:
            yield form.closing(Usage(prompt_tokens, written))
    except Exception as problem:
        # The code has been sent: it is said as vLLM says it.
        yield form.failure(told(problem))
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]
    yield answers.DONE


def _sampling(wish: wishes.Wish, config: Any) -> Sampling:
    own = _or(config.temperature, 1.0) if config.do_sample else 0.0
    temperature = wish.temperature if wish.temperature is not None else own
    if wish.temperature is None and (wish.top_p not in (None, 1.0) or wish.top_k) and not own:
        temperature = 1.0
    return Sampling(
        temperature=temperature,
        top_p=_or(wish.top_p, _or(config.top_p, 1.0) if config.do_sample else 1.0),
        top_k=int(_or(wish.top_k, _or(config.top_k, 0) if config.do_sample else 0)),
        repetition_penalty=_or(wish.repetition_penalty, _or(config.repetition_penalty, 1.0)),
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _ends(config: Any, tokenizer: Any) -> frozenset[int]:
    told = config.eos_token_id
    found = set(told if isinstance(told, list | tuple) else [told])
    return frozenset({*found, tokenizer.eos_token_id} - {None})
