"""Asking an endpoint, through the gateway of the platform's own port. Blocking."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sampan.client.sending import Request
from sampan.client.session import Session
from sampan.components.serving.api import models
from sampan.components.serving.api.models import V1, V2
from sampan.components.serving.api.reading import mapping, mappings
from sampan.components.serving.api.summary import model_name
from sampan.components.serving.sdk import payloads
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.payloads import Given
from sampan.kube import meta

WAIT_SECONDS = 300.0
"""For an answer: the first one may have to wait for a pod."""
_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    body: Any
    """JSON, as the model has answered."""
    seconds: float

    @property
    def values(self) -> Any:
        """What was predicted."""
        return payloads.values(self.body)


@dataclass(frozen=True, slots=True)
class Asked:
    """By which names and protocol a model is asked."""

    ref: Ref
    model: str
    protocol: str
    inputs: Sequence[Mapping[str, Any]] = ()
    """Of its metadata, where it has any."""

    @property
    def base(self) -> str:
        return f"/serving/{quote(self.ref.namespace)}/{quote(self.ref.name)}"

    @property
    def path(self) -> str:
        return f"{self.base}{verb_path(self.model, self.protocol)}"


def verb_path(model: str, protocol: str) -> str:
    name = quote(model, safe="")
    return f"/v2/models/{name}/infer" if protocol == V2 else f"/v1/models/{name}:predict"


class Predictor:
    """For any thread. Raises ServingError for what the model or the gateway refuses, ApiError without an answer."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._session: Session = endpoints.session

    def asked(self, ref: Ref, protocol: str = "", model: str = "", *, looks: bool = False) -> Asked:
        """By default the protocol that it is served by. `looks`: with the model's metadata, which wakes it."""
        isvc = self._endpoints.get(ref)
        own = models.protocol(models.model(mapping(meta.spec(isvc).get("predictor"))))
        spoken = protocol or (own if own in (V1, V2) else V1)
        if spoken not in (V1, V2):
            raise ServingError(f"protocol {protocol!r}: it is v1 or v2")
        found = Asked(ref, model or model_name(isvc), spoken)
        return Asked(ref, found.model, spoken, self.inputs(found)) if looks else found

    def inputs(self, asked: Asked) -> Sequence[Mapping[str, Any]]:
        """What the model says it takes; nothing where it does not say."""
        path = f"{asked.base}/v2/models/{quote(asked.model, safe='')}"
        answer = self._session.exchange(Request("GET", path), _LOOK_SECONDS)
        try:
            return mappings(json.loads(answer.content).get("inputs")) if answer.status < 400 else ()
        except (ValueError, AttributeError):
            return ()

    def predict(self, asked: Asked, given: Given, seconds: float = WAIT_SECONDS) -> Reply:
        protocol = given.protocol or asked.protocol
        if protocol == V2 and given.request is None and not asked.inputs:
            asked = Asked(asked.ref, asked.model, V2, self.inputs(asked))
        body = payloads.request(given, protocol, asked.inputs)
        path = f"{asked.base}{verb_path(asked.model, protocol)}"
        try:
            content = json.dumps(body).encode()
        except (TypeError, ValueError) as error:
            raise ServingError(f"what was given cannot be written as JSON: {error}") from error
        began = time.perf_counter()
        answer = self._session.exchange(Request("POST", path, content=content), seconds)
        took = time.perf_counter() - began
        if answer.status >= 400:
            raise ServingError(f"{asked.ref.name} answered {answer.status}: {_said(answer.content)}")
        try:
            return Reply(json.loads(answer.content), took)
        except ValueError as error:
            raise ServingError(
                f"{asked.ref.name} did not answer with JSON ({answer.content_type})"
            ) from error


def _said(content: bytes) -> str:
    """The words of an error, whoever has written it."""
    try:
        body = json.loads(content)
    except ValueError:
        return content[:1000].decode("utf-8", "replace").strip() or "nothing"
    if isinstance(body, dict):
        for key in ("error", "message", "detail"):
            found = body.get(key)
            if isinstance(found, str) and found:
                return found
    return json.dumps(body)[:1000]
