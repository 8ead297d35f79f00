"""OpenAI's answers: completions, chats, their streams, embeddings; and rerank as vLLM has it. Pure.

A stream's pieces have `finish_reason` null until the last, as OpenAI has it (upstream's have one each). Source:
openai/openai-openapi openapi.yaml; kserve 0.20 python/kserve/kserve/protocol/rest/openai; vllm-project/vllm
vllm/entrypoints/pooling/{scoring,classify}/protocol.py.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from sampan.components.serving.engine.programs.modelserver.contract import FormError
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Chance, Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import Call

DONE = b"data: [DONE]\n\n"
ASSISTANT = "assistant"
TOOL_CALLS = "tool_calls"
Spell = Callable[[int], str]
"""A token as text."""
_APIS = {
    "completions": "Completions API",
    "chat/completions": "Chat Completion API",
    "embeddings": "Embeddings API",
    "rerank": "Rerank API",
    "responses": "Responses API",
    "classify": "Classification API",
    "score": "Score API",
}


def api_of(route: str) -> str:
    return _APIS.get(route, f"the route {route}")


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    written: int

    def document(self) -> dict[str, int]:
        total = self.prompt + self.written
        return {"prompt_tokens": self.prompt, "completion_tokens": self.written, "total_tokens": total}


class Form:
    """Of a completion's or a chat's answers: all have its id and time."""

    def __init__(self, model: str, spell: Spell, *, is_chat: bool, tells_thoughts: bool = False) -> None:
        prefix = "chatcmpl" if is_chat else "cmpl"
        self._head = {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._spell, self._is_chat, self._tells_thoughts = spell, is_chat, tells_thoughts
        self._offsets: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self.of_prompts: Sequence[Sequence[Chance]] = ()
        """How likely the tokens of the prompts were, where that is wanted."""
        self.counted: int | None = None
        """The prompt's tokens, where each piece of a stream says how many there were."""

    def whole(
        self, texts: Sequence[Piece], usage: Usage, calls: Sequence[Sequence[Call]] = ()
    ) -> dict[str, Any]:
        kind = "chat.completion" if self._is_chat else "text_completion"
        choices = [self._choice(index, piece) for index, piece in enumerate(texts)]
        for choice, own in zip(choices, calls, strict=False):
            if own:
                message = choice["message"]
                # A function that had to be called is: then there is a text, and it is empty, as vLLM has it.
                message["content"] = message["content"] or (
                    None if choice["finish_reason"] == TOOL_CALLS else ""
                )
                message["tool_calls"] = [each.document() for each in own]
        made = {**self._head, "object": kind, "choices": choices, "usage": usage.document()}
        prompts = [[self._of_prompt(each) for each in one] for one in self.of_prompts]
        if self._is_chat:
            return {**made, "prompt_logprobs": prompts[0] if prompts else None}
        each = len(choices) // len(prompts) if prompts else 1
        for index, choice in enumerate(choices):
            choice["prompt_logprobs"] = prompts[index // each] if prompts else None
        return made

    def opening(self, count: int) -> list[bytes]:
        """What a chat's stream begins with: who speaks."""
        if not self._is_chat:
            return []
        delta = {"role": ASSISTANT, "content": ""}
        return [
            self._event([{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}])
            for index in range(count)
        ]

    def part(self, index: int, piece: Piece) -> list[bytes]:
        choice = self._choice(index, piece)
        if self._is_chat:
            message = choice.pop("message")
            delta: dict[str, Any] = {}
            if piece.thought:
                delta = {"reasoning": piece.thought, "reasoning_content": piece.thought}
            if piece.text or not (piece.finish or piece.thought):
                delta["content"] = message["content"]
            choice["delta"] = delta
        self._written[index] = self._written.get(index, 0) + piece.tokens
        return [self._event([choice])]

    def calls(self, index: int, calls: Sequence[Call]) -> list[bytes]:
        told = [{"index": place, **each.document()} for place, each in enumerate(calls)]
        choice = {"index": index, "delta": {"tool_calls": told}, "logprobs": None, "finish_reason": None}
        return [self._event([choice])]

    def closing(self, usage: Usage, *, is_wanted: bool) -> list[bytes]:
        """`is_wanted`: the client asks how many tokens there were."""
        return [self._event([], usage=usage.document())] if is_wanted else []

    def failure(self, message: str) -> list[bytes]:
        told = {"message": message, "type": "InternalServerError", "param": None, "code": "500"}
        return [b"data: " + orjson.dumps({"error": told}) + b"\n\n"]

    def ending(self) -> list[bytes]:
        return [DONE]

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        kind = "chat.completion.chunk" if self._is_chat else "text_completion"
        if self.counted is not None and choices:
            written = self._written.get(choices[0]["index"], 0)
            more["usage"] = Usage(self.counted, written).document()
        return b"data: " + orjson.dumps({**self._head, "object": kind, "choices": choices, **more}) + b"\n\n"

    def _choice(self, index: int, piece: Piece) -> dict[str, Any]:
        made: dict[str, Any] = {
            "index": index,
            "finish_reason": piece.finish,
            "stop_reason": piece.stopped_by,
            "logprobs": None,
        }
        if self._is_chat:
            message: dict[str, Any] = {"role": ASSISTANT, "content": piece.text}
            if self._tells_thoughts:
                # vLLM's word of today, and the one of before, which KServe's clients read.
                thought = piece.thought or None
                message |= {"content": piece.text or None, "reasoning": thought, "reasoning_content": thought}
            made["message"] = message
            if piece.chances:
                made["logprobs"] = {"content": [self._of_chat(each) for each in piece.chances]}
        else:
            made["text"] = piece.text
            if piece.chances:
                made["logprobs"] = self._of_completion(index, piece.chances)
        return made

    def _of_chat(self, chance: Chance) -> dict[str, Any]:
        top = [self._named(token, logprob) for token, logprob in chance.top]
        return {**self._named(chance.token, chance.logprob), "top_logprobs": top}

    def _named(self, token: int, logprob: float | None) -> dict[str, Any]:
        text = self._spell(token)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    def _of_completion(self, index: int, chances: Sequence[Chance]) -> dict[str, Any]:
        texts = [self._spell(each.token) for each in chances]
        offsets, at = [], self._offsets.get(index, 0)
        for text in texts:
            offsets.append(at)
            at += len(text)
        self._offsets[index] = at
        return {
            "text_offset": offsets,
            "token_logprobs": [each.logprob for each in chances],
            "tokens": texts,
            "top_logprobs": [self._top(each) for each in chances],
        }

    def _top(self, chance: Chance) -> dict[str, float] | None:
        """The chosen one is among them, as OpenAI has it: there may be one more than was asked for."""
        if chance.logprob is None:
            return None
        found = {self._spell(token): value for token, value in chance.top}
        return {**found, self._spell(chance.token): chance.logprob}

    def _of_prompt(self, chance: Chance) -> dict[str, Any] | None:
        """As vLLM has it: by the numbers of tokens, its own and the likeliest."""
        if chance.logprob is None:
            return None
        told = {token: (value, place) for place, (token, value) in enumerate(chance.top, 1)}
        told[chance.token] = (chance.logprob, chance.rank)
        return {
            str(token): {"logprob": value, "rank": rank, "decoded_token": self._spell(token)}
            for token, (value, rank) in told.items()
        }


def joined(pieces: Sequence[Piece]) -> Piece:
    """A text's pieces as one."""
    chances = tuple(each for piece in pieces for each in piece.chances)
    tokens = sum(piece.tokens for piece in pieces)
    text = "".join(piece.text for piece in pieces)
    last = pieces[-1] if pieces else Piece("")
    return Piece(text, chances, tokens, last.finish, last.stopped_by)


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    texts: list[str] | list[list[int]]
    """Or the model's own tokens."""
    encoding: str
    """How numbers are to be written."""
    dimensions: int | None = None


def embedding_request(body: Mapping[str, Any], *, takes_tokens: bool = False) -> EmbeddingRequest:
    """Raises ModelError and RequestError."""
    told = body.get("input")
    if told is None:
        raise FormError("input", "'input' is a required property")
    texts = [told] if isinstance(told, str) else told
    if not isinstance(texts, list) or not texts:
        raise FormError("input", "'input' has to be a text or a list of texts")
    if isinstance(texts[0], int | list):
        texts = _token_lists(texts, takes_tokens=takes_tokens)
    elif not all(isinstance(each, str) for each in texts):
        raise FormError("input", "'input' has to be a text or a list of texts")
    dimensions = body.get("dimensions")
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise FormError("dimensions", "'dimensions' has to be a whole number above 0")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise FormError("encoding_format", "'encoding_format' has to be float or base64")
    return EmbeddingRequest(texts, encoding, dimensions)


def _token_lists(told: list[Any], *, takes_tokens: bool) -> list[list[int]]:
    """As upstream, KServe's own program takes none: tokens that a client made of texts are often another model's."""
    if not takes_tokens:
        raise RequestError(501, "'input' as token lists is not supported")
    lists = told if isinstance(told[0], list) else [told]
    if not all(
        isinstance(each, list) and each and all(type(one) is int and one >= 0 for one in each)
        for each in lists
    ):
        raise FormError("input", "'input' has to be texts, or lists of tokens")
    return lists


def embeddings(model: str, rows: Sequence[Sequence[float]], encoding: str, tokens: int) -> dict[str, Any]:
    written = [_in_base64(row) if encoding == "base64" else row for row in rows]
    data = [{"index": place, "object": "embedding", "embedding": each} for place, each in enumerate(written)]
    return _listed("embd", model, data, tokens)


def rerank_request(body: Mapping[str, Any]) -> tuple[str, list[str], int]:
    """The query, documents, and how many are wanted. Raises ModelError."""
    query, documents, top = body.get("query"), body.get("documents"), body.get("top_n")
    if not isinstance(query, str):
        raise FormError("query", "'query' has to be a text")
    if not isinstance(documents, list) or not documents:
        raise FormError("documents", "'documents' has to be a list of texts")
    texts = [each.get("text") if isinstance(each, Mapping) else each for each in documents]
    if not all(isinstance(each, str) for each in texts):
        raise FormError("documents", "'documents' has to be a list of texts")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 0):
        raise FormError("top_n", "'top_n' has to be a whole number")
    return query, [str(each) for each in texts], top or len(texts)


def reranked(
    model: str, documents: Sequence[str], scores: Sequence[float], top: int, tokens: int
) -> dict[str, Any]:
    best = sorted(range(len(scores)), key=lambda place: -scores[place])[:top]
    results = [
        {"index": place, "document": {"text": documents[place]}, "relevance_score": scores[place]}
        for place in best
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"id": f"rerank-{uuid.uuid4().hex}", "model": model, "usage": usage, "results": results}


def classes_request(body: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Texts, and whether shares are wanted, not the classifier's own numbers. Raises ModelError."""
    told = body.get("input")
    texts = [told] if isinstance(told, str) else told
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        raise FormError("input", "'input' has to be a text or a list of texts")
    wanted = body.get("use_activation", body.get("activation"))
    return texts, wanted is not False


def classified(
    model: str, rows: Sequence[Sequence[float]], labels: Mapping[int, str], tokens: int
) -> dict[str, Any]:
    data = []
    for place, row in enumerate(rows):
        best = max(range(len(row)), key=row.__getitem__)
        told = {"index": place, "label": labels.get(best), "probs": list(row), "num_classes": len(row)}
        data.append(told)
    return _listed("classify", model, data, tokens)


def score_request(body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Pairs of texts: one to all others, or each to its own. Raises ModelError."""
    sides = []
    for new, old in (("queries", "text_1"), ("documents", "text_2")):
        told = body.get(new, body.get(old))
        texts = [told] if isinstance(told, str) else told
        if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
            raise FormError(old, f"'{old}' has to be a text or a list of texts")
        sides.append(texts)
    first, second = sides
    if len(first) == 1:
        first = first * len(second)
    if len(first) != len(second):
        raise FormError("text_1", f"'text_1' has {len(first)} texts, and 'text_2' {len(second)}")
    return first, second


def scored(model: str, scores: Sequence[float], tokens: int) -> dict[str, Any]:
    data = [{"index": place, "object": "score", "score": each} for place, each in enumerate(scores)]
    return _listed("score", model, data, tokens)


def _listed(prefix: str, model: str, data: Sequence[Any], tokens: int) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0},
    }


def _in_base64(row: Sequence[float]) -> str:
    return base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode()
