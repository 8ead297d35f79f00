"""A model that writes text: completions and chats as OpenAI has them, streamed too, V1, V2. Made by `huggingface`.

Each answer is a row, written by `steps` with those of other requests, or by `whole`. A request that nobody waits for
any more ends its rows. Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/generative_model.py.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    Metadata,
    ModelError,
    ParameterError,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.errors import RequestError, not_ready, told
from sampan.components.serving.engine.programs.modelserver.runtimes.language import (
    answers,
    conversations,
    reasoning,
    responses,
    speaking,
    steps,
    tasks,
    tools,
    wishes,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.adapters import with_adapter
from sampan.components.serving.engine.programs.modelserver.runtimes.language.answers import Form
from sampan.components.serving.engine.programs.modelserver.runtimes.language.batch import tried
from sampan.components.serving.engine.programs.modelserver.runtimes.language.encoders import texts_of_tensors
from sampan.components.serving.engine.programs.modelserver.runtimes.language.guiding import Guided, Guiding
from sampan.components.serving.engine.programs.modelserver.runtimes.language.pretrained import Pretrained
from sampan.components.serving.engine.programs.modelserver.runtimes.language.responses import ResponseForm
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import (
    Chance,
    Row,
    chance_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.sampling import sampling_of
from sampan.components.serving.engine.programs.modelserver.runtimes.language.settings import Settings
from sampan.components.serving.engine.programs.modelserver.runtimes.language.structure import AUTO
from sampan.components.serving.engine.programs.modelserver.runtimes.language.whole import Whole
from sampan.components.serving.engine.programs.modelserver.runtimes.language.writing import Prompt, Writing

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


class LanguageModel:
    speaks_openai = True

    def __init__(self, settings: Settings, task: str, found: Pretrained) -> None:
        self._torch = importlib.import_module("torch")
        self._settings, self._task = settings, task
        self._found = found
        self._tokenizer, self._model, self._max_length = found.tokenizer, found.model, found.max_length
        self._tokenizing = threading.Lock()
        self._ends = _ends(self._model.generation_config, self._tokenizer)
        self._guiding = Guiding(self._tokenizer, self._size, self._ends)
        self._special = tuple(map(str, self._tokenizer.all_special_tokens))
        self._template = settings.chat_template or _own_template(self._tokenizer)
        self._parser = tools.parser_of(settings.tool_parser, self._template)
        pad = self._tokenizer.pad_token_id
        self._whole = Whole(self._model, pad if pad is not None else min(self._ends, default=0))
        self._steps = self._joining()
        self._rows = self._read_tokens = self._written_tokens = 0
        self._is_retired = False
        inputs = (TensorSpec("input-0", "BYTES", (-1,)),)
        self.metadata = Metadata(
            settings.name, "huggingface", inputs, (TensorSpec("output-0", "BYTES", (-1,)),)
        )

    def _joining(self) -> steps.Steps | None:
        config = self._model.generation_config
        special = [name for name, plain in _SPECIAL.items() if getattr(config, name, None) not in plain]
        if self._task != tasks.GENERATION or special:
            return None
        abilities = tried(self._model)
        return steps.Steps(self._model, self._settings.max_sequences, abilities) if abilities.joins else None

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
                raise ParameterError("echo", "'echo' is not supported by encoder-decoder models")
            special = wishes.adds_special(body)
            prompts = await asyncio.to_thread(lambda: [self._prompt(each, special=special) for each in told])
            return await self._answer(asked, prompts, self._form(is_chat=False), echoes=echoes)
        if route == "chat/completions":
            asked = self._with_marks(wishes.chat(body))
            prompt = await asyncio.to_thread(self._conversation, body)
            return await self._answer(asked, [prompt], self._form(is_chat=True), body)
        if route == "responses":
            chat = responses.chat_of(body)
            asked = self._with_marks(wishes.chat(chat))
            prompt = await asyncio.to_thread(self._conversation, chat)
            return await self._answer(asked, [prompt], ResponseForm(self._settings.name, body), chat)
        raise ModelError(f"Model {self._settings.name} does not support {answers.api_of(route)}")

    async def _answer(
        self,
        asked: wishes.Asked,
        prompts: Sequence[Prompt],
        form: Form | ResponseForm,
        chat: Mapping[str, Any] | None = None,
        *,
        echoes: bool = False,
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        """`chat`: the request, of a chat."""
        prompts = [self._cut(each, asked.wish) for each in prompts]
        every = [each for each in prompts for _ in range(asked.n)]
        parser = self._settings.reasoning_parser if chat is not None else ""
        thoughts = [reasoning.thoughts(parser, chat or {}) for _ in every]
        guided = await self._guided(asked.wish, thoughts)
        writing = Writing(self, asked.wish, every, guided, echoes=echoes, each=asked.n)
        usage = sum(len(each.tokens) for each in prompts)
        readers = self._readers(asked, len(every))
        listeners = [speaking.Listener(reasoning.thinking(parser, chat or {}), reader) for reader in readers]
        if asked.is_stream:
            if isinstance(form, Form) and asked.with_every_usage:
                form.counted = usage
            return speaking.streamed(writing, form, usage, listeners, with_usage=asked.with_usage)
        if isinstance(form, Form) and (top := asked.wish.prompt_logprobs) is not None:
            form.of_prompts = await asyncio.to_thread(lambda: [self.of_prompt(each, top) for each in prompts])
        return await speaking.whole(writing, form, usage, listeners)

    def _form(self, *, is_chat: bool) -> Form:
        tells = is_chat and bool(self._settings.reasoning_parser)
        return Form(self._settings.name, self.spell, is_chat=is_chat, tells_thoughts=tells)

    def close(self) -> None:
        """As soon as the texts that are being written are: there will be no others."""
        self._is_retired = True
        if not self._rows:
            self._end()

    def _end(self) -> None:
        self._whole.close()
        if self._steps is not None:
            self._steps.close()

    # For vLLM's API

    @property
    def max_length(self) -> int:
        return self._max_length

    def with_adapter(self, name: str, folder: str) -> LanguageModel:
        """Raises LoadError."""
        model = with_adapter(self._model, name, folder)
        found = replace(self._found, model=model)
        return LanguageModel(replace(self._settings, name=name), self._task, found)

    def named(self, name: str) -> LanguageModel:
        """The same weights, answering under another name."""
        return LanguageModel(replace(self._settings, name=name), self._task, self._found)

    def tokenized(self, body: Mapping[str, Any]) -> tuple[list[int], list[str]]:
        """Of a prompt or a chat, with each as a text. Raises ModelError."""
        if "messages" in body:
            tokens = self._conversation(body).tokens
        else:
            told = body.get("prompt")
            if not isinstance(told, str):
                raise ParameterError("prompt", "'prompt' has to be a text")
            tokens = self._prompt(told, special=wishes.adds_special(body)).tokens
        return tokens, [str(each) for each in self._tokenizer.convert_ids_to_tokens(tokens)]

    def text_of(self, tokens: Sequence[int]) -> str:
        """Raises ModelError."""
        return self._prompt(list(tokens)).text

    def numbers(self) -> dict[str, float]:
        """How much is being written."""
        here = self._steps
        room = max(self._settings.max_sequences * self._max_length, 1)
        return {
            "running": here.running if here is not None else self._rows,
            "waiting": here.waiting if here is not None else 0,
            "cache_usage": round(here.remembered / room, 6) if here is not None else 0.0,
            "prompt_tokens": self._read_tokens,
            "written_tokens": self._written_tokens,
        }

    # For Writing

    def spell(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))

    def submit(self, row: Row) -> None:
        (self._steps or self._whole).submit(row)

    def search(self, rows: Sequence[Row]) -> None:
        self._whole.search(rows)

    def take(self, count: int) -> None:
        """Raises RequestError where too many wait, or nothing is written any more."""
        if self._is_retired:
            raise not_ready(self._settings.name)
        if self._rows + count > _MAX_ROWS and self._rows:
            raise RequestError(503, "too many requests wait for the model: try again later")
        self._rows += count

    def leave(self, rows: Sequence[Row]) -> None:
        self._rows -= len(rows)
        if self._is_retired and not self._rows:
            self._end()
        self._read_tokens += sum(len(each.prompt) for each in rows)
        self._written_tokens += sum(len(each.tokens) for each in rows)

    def row(self, prompt: Prompt, wish: wishes.Wish, place: int, guided: Guided | None, say: Any) -> Row:
        if wish.seed is not None and place:
            # Several answers to one prompt are not to be the same.
            wish = replace(wish, seed=wish.seed + place)
        return Row(
            self._torch,
            prompt.tokens,
            wish,
            sampling_of(wish, self._model.generation_config, self._settings),
            (frozenset() if wish.ignores_end else self._ends) | wish.stop_tokens,
            self._limit(prompt, wish),
            lambda tokens: str(self._tokenizer.decode(tokens, skip_special_tokens=wish.skips_special)),
            say,
            reads_along=self._task == tasks.GENERATION,
            guided=guided,
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

    @property
    def _size(self) -> int:
        return int(self._model.get_input_embeddings().num_embeddings)

    async def _guided(self, wish: wishes.Wish, thoughts: Sequence[reasoning.Thoughts | None]) -> list[Guided]:
        """Of each text. Raises ModelError."""
        guide = wish.guide
        if guide is None:
            return []
        return await asyncio.to_thread(lambda: [self._guiding.guided(guide, each) for each in thoughts])

    def _with_marks(self, asked: wishes.Asked) -> wishes.Asked:
        """Where a call, or a thought, begins or ends with a token that texts are told without."""
        marks = reasoning.PARSERS.get(self._settings.reasoning_parser)
        thinks = marks is not None and {marks.begin, marks.end} & set(self._special)
        calls = asked.tools.choice == AUTO and tools.needs_special(self._parser)
        if not (thinks or calls):
            return asked
        return replace(asked, wish=replace(asked.wish, skips_special=False))

    def _readers(self, asked: wishes.Asked, count: int) -> list[speaking.Reader | None]:
        told = () if asked.wish.skips_special else self._special
        special = tuple(each for each in told if each not in tools.MARKS)
        return [asked.tools.reader(self._parser, special) for _ in range(count)]

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
                self._check(tokens)
            else:
                tokens = told
                self._check(tokens)
                text = str(self._tokenizer.decode(told))
        return Prompt(text, tokens)

    def _cut(self, prompt: Prompt, wish: wishes.Wish) -> Prompt:
        """Its end alone, where the request says how long it may be."""
        most = self._max_length if wish.prompt_tokens == -1 else wish.prompt_tokens
        if most is None or len(prompt.tokens) <= most:
            return prompt
        return self._prompt(prompt.tokens[-most:])

    def _check(self, tokens: Sequence[int]) -> None:
        """Raises ParameterError."""
        if not tokens or max(tokens) >= self._size:
            raise ParameterError(
                "prompt", "the prompt is empty" if not tokens else f"tokens have to be below {self._size}"
            )

    def _conversation(self, body: Mapping[str, Any]) -> Prompt:
        messages, given = conversations.messages_of(body), conversations.template_arguments(body)
        if "developer" not in self._template:
            messages = conversations.without_developers(messages)
        given["chat_template"] = given["chat_template"] or self._settings.chat_template or None
        if given["chat_template"] is None and self._tokenizer.chat_template is None:
            raise ParameterError(
                "chat_template",
                "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat "
                "template if the tokenizer does not define one.",
            )
        try:
            text = self._tokenizer.apply_chat_template(messages, **given)
        except Exception as error:
            raise ParameterError(
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


def _own_template(tokenizer: Any) -> str:
    """Several have names: that for tools speaks of calls."""
    found = tokenizer.chat_template or ""
    return "\n".join(map(str, found.values())) if isinstance(found, dict) else str(found)


def _ends(config: Any, tokenizer: Any) -> frozenset[int]:
    told = config.eos_token_id
    found = set(told if isinstance(told, list | tuple) else [told])
    return frozenset({*found, tokenizer.eos_token_id} - {None})
