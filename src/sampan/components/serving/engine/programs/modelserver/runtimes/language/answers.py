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

from sampan.components.serving.engine.programs.modelserver.contract import ParameterError
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Chance, Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import Call

DONE = b"data: [DONE]\n\n"
ASSISTANT = "assistant"
Spell = Callable[[int], str]
"""A token as text."""
_APIS = {
    "completions": "Completions API",
    "chat/completions": "Chat Completion API",
    "embeddings": "Embeddings API",
    "rerank": "Rerank API",
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
    """Of a request's answers: all have its id and time."""

    def __init__(self, model: str, spell: Spell, *, is_chat: bool) -> None:
        prefix = "chatcmpl" if is_chat else "cmpl"
        self._head = {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._spell, self._is_chat = spell, is_chat
        self._offsets: dict[int, int] = {}

    def whole(
        self, texts: Sequence[Piece], usage: Usage, calls: Sequence[Sequence[Call]] = ()
    ) -> dict[str, Any]:
        kind = "chat.completion" if self._is_chat else "text_completion"
        choices = [self._choice(index, piece) for index, piece in enumerate(texts)]
        for choice, own in zip(choices, calls, strict=False):
            if own:
                message = choice["message"]
                message["content"] = message["content"] or None
                message["tool_calls"] = [each.document() for each in own]
        return {**self._head, "object": kind, "choices": choices, "usage": usage.document()}

    def opening(self, count: int) -> list[bytes]:
        """What a chat's stream begins with: who speaks."""
        if not self._is_chat:
            return []
        delta = {"role": ASSISTANT, "content": ""}
        return [
            self._event([{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}])
            for index in range(count)
        ]

    def part(self, index: int, piece: Piece) -> bytes:
        choice = self._choice(index, piece)
        if self._is_chat:
            message = choice.pop("message")
            choice["delta"] = {"content": message["content"]} if piece.text or not piece.finish else {}
        return self._event([choice])

    def calls(self, index: int, calls: Sequence[Call]) -> bytes:
        told = [{"index": place, **each.document()} for place, each in enumerate(calls)]
        choice = {"index": index, "delta": {"tool_calls": told}, "logprobs": None, "finish_reason": None}
        return self._event([choice])

    def closing(self, usage: Usage) -> bytes:
        return self._event([], usage=usage.document())

    def failure(self, message: str) -> bytes:
        told = {"message": message, "type": "InternalServerError", "param": None, "code": "500"}
        return b"data: " + orjson.dumps({"error": told}) + b"\n\n"

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        kind = "chat.completion.chunk" if self._is_chat else "text_completion"
        return b"data: " + orjson.dumps({**self._head, "object": kind, "choices": choices, **more}) + b"\n\n"

    def _choice(self, index: int, piece: Piece) -> dict[str, Any]:
        made: dict[str, Any] = {"index": index, "finish_reason": piece.finish, "logprobs": None}
        if self._is_chat:
            made["message"] = {"role": ASSISTANT, "content": piece.text}
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
        tops = [{self._spell(token): value for token, value in each.top} or None for each in chances]
        return {
            "text_offset": offsets,
            "token_logprobs": [each.logprob for each in chances],
            "tokens": texts,
            "top_logprobs": tops,
        }


def joined(pieces: Sequence[Piece]) -> Piece:
    """A text's pieces as one."""
    chances = tuple(each for piece in pieces for each in piece.chances)
    tokens = sum(piece.tokens for piece in pieces)
    return Piece(
        "".join(piece.text for piece in pieces), chances, tokens, pieces[-1].finish if pieces else None
    )


def embedding_request(body: Mapping[str, Any]) -> tuple[list[str], str]:
    """Texts, and how numbers are to be written. Raises ModelError and RequestError."""
    told = body.get("input")
    if told is None:
        raise ParameterError("input", "'input' is a required property")
    texts = [told] if isinstance(told, str) else told
    if not isinstance(texts, list) or not texts:
        raise ParameterError("input", "'input' has to be a text or a list of texts")
    if isinstance(texts[0], int | list):
        # Tokens that a client made of texts are another model's.
        raise RequestError(501, "'input' as token lists is not supported")
    if not all(isinstance(each, str) for each in texts):
        raise ParameterError("input", "'input' has to be a text or a list of texts")
    if body.get("dimensions") is not None:
        raise ParameterError("dimensions", "'dimensions' is not supported")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise ParameterError("encoding_format", "'encoding_format' has to be float or base64")
    return texts, encoding


def embeddings(model: str, rows: Sequence[Sequence[float]], encoding: str, tokens: int) -> dict[str, Any]:
    written = [_in_base64(row) if encoding == "base64" else row for row in rows]
    data = [{"index": place, "object": "embedding", "embedding": each} for place, each in enumerate(written)]
    return _listed("embd", model, data, tokens)


def rerank_request(body: Mapping[str, Any]) -> tuple[str, list[str], int]:
    """The query, documents, and how many are wanted. Raises ModelError."""
    query, documents, top = body.get("query"), body.get("documents"), body.get("top_n")
    if not isinstance(query, str):
        raise ParameterError("query", "'query' has to be a text")
    if not isinstance(documents, list) or not documents:
        raise ParameterError("documents", "'documents' has to be a list of texts")
    texts = [each.get("text") if isinstance(each, Mapping) else each for each in documents]
    if not all(isinstance(each, str) for each in texts):
        raise ParameterError("documents", "'documents' has to be a list of texts")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 0):
        raise ParameterError("top_n", "'top_n' has to be a whole number")
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
        raise ParameterError("input", "'input' has to be a text or a list of texts")
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
            raise ParameterError(old, f"'{old}' has to be a text or a list of texts")
        sides.append(texts)
    first, second = sides
    if len(first) == 1:
        first = first * len(second)
    if len(first) != len(second):
        raise ParameterError("text_1", f"'text_1' has {len(first)} texts, and 'text_2' {len(second)}")
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
