"""vLLM's routes: OpenAI's below /v1, health, version, tokens as numbers, its metrics' names. An Extension.

Routes that are none of vLLM's are the model server's own, V2 among them. Source: vllm-project/vllm 0.19
vllm/entrypoints/openai/api_server.py, vllm/entrypoints/serve/{tokenize,instrumentator}/api_router.py,
vllm/entrypoints/pooling, vllm/v1/metrics/loggers.py.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver.errors import NoRouteError, RequestError, bad
from sampan.components.serving.engine.programs.modelserver.extension import Metrics
from sampan.components.serving.engine.programs.modelserver.http.messages import (
    Reply,
    Request,
    Response,
    Stream,
)
from sampan.components.serving.engine.programs.modelserver.openai import OpenAI, failed
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.vllm.adapters import Adapters
from sampan.components.serving.engine.programs.modelserver.vllm.arguments import VERSION

_OWNER = "vllm"
_EMPTY = Response(200, b"")
_POOLING = {
    **dict.fromkeys(("/rerank", "/v1/rerank", "/v2/rerank"), "rerank"),
    **dict.fromkeys(("/score", "/v1/score"), "score"),
    "/classify": "classify",
}
_OPENAI = ("completions", "chat/completions", "responses", "embeddings")
_CHANGES = ("/v1/load_lora_adapter", "/v1/unload_lora_adapter")
_NUMBERS = {
    "num_requests_running": ("gauge", "running"),
    "num_requests_waiting": ("gauge", "waiting"),
    "kv_cache_usage_perc": ("gauge", "cache_usage"),
    "prompt_tokens_total": ("counter", "prompt_tokens"),
    "generation_tokens_total": ("counter", "written_tokens"),
}


@dataclass(slots=True)
class Cards:
    """What a list of models says beside their names."""

    root: str
    max_length: int
    adapters: dict[str, str] = field(default_factory=dict)
    """Their folders."""


class VLLM:
    """For one event loop."""

    def __init__(
        self, repository: Repository, cards: Cards, keys: Sequence[str], *, changes_adapters: bool = False
    ) -> None:
        self._repository, self._cards = repository, cards
        self._keys = [each.encode() for each in keys]
        self._adapters = Adapters(repository, cards.adapters) if changes_adapters else None
        self._since = int(time.time())
        self._metrics: Metrics = lambda _reply: None
        self._tasks: set[asyncio.Task[None]] = set()
        self._openai = OpenAI(repository, self._spawn, _OWNER, of_form=400)

    def bind(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def start(self) -> None:
        """Nothing runs beside the requests."""

    def services(self) -> Sequence[Any]:
        return ()

    def close(self) -> None:
        """Its tasks end with their clients."""

    def route(self, request: Request, reply: Reply) -> bool:
        handle = self._handler(request.path.rstrip("/") or "/")
        if handle is None:
            return False
        try:
            if request.path.startswith("/v1") and not self._is_let_in(request):
                raise RequestError(401, "Unauthorized")
            handle(request, reply)
        except Exception as problem:
            reply(failed(problem))
        return True

    def _handler(self, path: str) -> Callable[[Request, Reply], None] | None:
        if path in ("/health", "/ping"):
            return self._health
        if path in _POOLING:
            return lambda request, reply: self._ask(request, _POOLING[path], reply)
        if path.startswith("/v1/") and path[4:] in _OPENAI:
            return lambda request, reply: self._ask(request, path[4:], reply)
        if (adapters := self._adapters) is not None and path in _CHANGES:
            change = adapters.load if path == _CHANGES[0] else adapters.unload
            return lambda request, reply: self._change(change, request, reply)
        known: Mapping[str, Callable[[Request, Reply], None]] = {
            "/version": lambda _request, reply: reply(_json({"version": VERSION})),
            "/v1/models": self._models,
            "/tokenize": self._tokenize,
            "/detokenize": self._detokenize,
            "/metrics": self._measure,
        }
        return known.get(path)

    def _is_let_in(self, request: Request) -> bool:
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        given = told.strip().encode() if scheme.lower() == "bearer" else b""
        return not self._keys or any(hmac.compare_digest(each, given) for each in self._keys)

    def _health(self, _request: Request, reply: Reply) -> None:
        reply(_EMPTY if self._repository.is_ready() else Response(503, b""))

    def _models(self, request: Request, reply: Reply) -> None:
        if request.method not in ("GET", "HEAD"):
            raise NoRouteError(405, "Method Not Allowed")
        names = [*self._repository.names(), *self._repository.aliases]
        # The model's own come first: clients take the first.
        names.sort(key=lambda name: name in self._cards.adapters)
        reply(_json({"object": "list", "data": [self._card(each) for each in names]}))

    def _card(self, name: str) -> dict[str, Any]:
        folder = self._cards.adapters.get(name)
        return {
            "id": name,
            "object": "model",
            "created": self._since,
            "owned_by": _OWNER,
            "root": folder or self._cards.root,
            "parent": self._repository.names()[0] if folder else None,
            "max_model_len": None if folder else self._cards.max_length,
            "permission": [],
        }

    def _ask(self, request: Request, route: str, reply: Reply) -> None:
        """The model's name may be left out."""
        if request.method == "POST":
            body = _body(request)
            name = body.get("model")
            if name in (None, ""):
                body["model"] = self._repository.names()[0]
                request.body = orjson.dumps(body)
            elif isinstance(name, str) and not self._repository.knows(name):
                raise RequestError(404, f"The model `{name}` does not exist.")
        self._openai.handle(request, route, reply)

    def _change(
        self,
        change: Callable[[Mapping[str, Any]], Coroutine[Any, Any, str]],
        request: Request,
        reply: Reply,
    ) -> None:
        body = _body(request)

        async def work() -> None:
            reply(Response(200, (await change(body)).encode(), "text/plain; charset=utf-8"))

        self._spawn(work(), reply)

    def _tokenize(self, request: Request, reply: Reply) -> None:
        body = _body(request)
        model = self._writer(body)

        async def work() -> None:
            tokens, texts = await asyncio.to_thread(model.tokenized, body)
            told = {"count": len(tokens), "max_model_len": model.max_length, "tokens": tokens}
            reply(_json({**told, "token_strs": texts if body.get("return_token_strs") else None}))

        self._spawn(work(), reply)

    def _detokenize(self, request: Request, reply: Reply) -> None:
        body = _body(request)
        model, tokens = self._writer(body), body.get("tokens")
        if not isinstance(tokens, list) or not all(type(each) is int and each >= 0 for each in tokens):
            raise bad("'tokens' has to be a list of numbers")

        async def work() -> None:
            reply(_json({"prompt": await asyncio.to_thread(model.text_of, tokens)}))

        self._spawn(work(), reply)

    def _writer(self, body: Mapping[str, Any]) -> Any:
        model = self._repository.ready(body.get("model") or self._repository.names()[0]).model
        if not hasattr(model, "tokenized"):
            raise RequestError(501, "The model has no tokens to be asked for")
        return model

    def _measure(self, _request: Request, reply: Reply) -> None:
        def with_own(answer: Response | Stream) -> None:
            if isinstance(answer, Response):
                answer.body += self._numbers()
            reply(answer)

        self._metrics(with_own)

    def _numbers(self) -> bytes:
        models: list[tuple[str, Any]] = [(each.name, each.model) for each in self._repository.models()]
        told = [(name, model.numbers()) for name, model in models if hasattr(model, "numbers")]
        lines: list[str] = []
        for name, (kind, key) in _NUMBERS.items():
            lines.append(f"# TYPE vllm:{name} {kind}")
            lines += [f'vllm:{name}{{engine="0",model_name="{model}"}} {found[key]}' for model, found in told]
        return ("\n".join(lines) + "\n").encode()

    def _spawn(self, work: Coroutine[Any, Any, None], reply: Reply | None = None) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except Exception as problem:
                if reply is None:
                    raise
                reply(failed(problem))

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _body(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        raise NoRouteError(405, "Method Not Allowed")
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as problem:
        raise bad(f"Unrecognized request format: {problem}") from None
    if not isinstance(body, dict):
        raise bad("the body has to be an object")
    return body


def _json(document: Any) -> Response:
    return Response(200, orjson.dumps(document))
