"""HTTP templates: a request by the platform itself. It may go where the platform's users may let it go, no further.

Source: docs/http-template.md, argo-workflows v3.7.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.api.errors import InvalidArgumentError, UnavailableError
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.fetch import FetchLimits, opened
from sampan.kube.errors import ApiError
from sampan.kube.kinds import SECRETS
from sampan.lib.threads import Threads

_DEFAULT_SECONDS = 30.0
_LONGEST_SECONDS = 3600.0
_LONGEST_ANSWER = 16 * 1024 * 1024
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """`turn.Operation`: gives `result` and, for a call that did not succeed, `failure`."""

    task_id: str
    url: str
    method: str
    headers: tuple[Mapping[str, Any], ...]
    body: str
    condition: str
    timeout_seconds: float
    variables: Variables
    allow_private: bool

    @classmethod
    def of(
        cls, task_id: str, template: Mapping[str, Any], variables: Variables, *, allow_private: bool
    ) -> HttpCall:
        """Raises ArgoError."""
        wanted = template["http"]
        plain = substitute(
            {key: value for key, value in wanted.items() if key != "successCondition"}, variables
        )
        method = str(plain.get("method") or "GET").upper()
        if method not in _METHODS:
            raise ArgoError(f"http.method {method!r} is none of {', '.join(_METHODS)}")
        body = plain.get("body") or ""
        return cls(
            task_id=task_id,
            url=str(plain.get("url", "")),
            method=method,
            headers=tuple(plain.get("headers") or ()),
            body=str(body),
            condition=str(wanted.get("successCondition") or ""),
            timeout_seconds=min(seconds(plain.get("timeoutSeconds") or _DEFAULT_SECONDS), _LONGEST_SECONDS),
            variables=variables,
            allow_private=allow_private,
        )

    @property
    def name(self) -> str:
        return "http"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        headers: list[tuple[str, str]] = []
        for item in self.headers:
            value = item.get("value")
            if value is None:
                value = await self._secret(
                    client, namespace, (item.get("valueFrom") or {}).get("secretKeyRef") or {}
                )
            headers.append((str(item.get("name", "")), str(value)))
        try:
            status, answered, text = await asking.run(self._call, headers)
        except (InvalidArgumentError, UnavailableError) as error:
            raise StepError(error.message) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StepError(f"{self.method} {self.url}: {error}") from None
        return self._judged(status, dict(headers), answered, text)

    async def _secret(self, client: Client, namespace: str, reference: Mapping[str, Any]) -> str:
        secret, key = str(reference.get("name", "")), str(reference.get("key", ""))
        try:
            found = await client.get(SECRETS, secret, namespace)
        except ApiError as error:
            raise StepError(f"http.headers: secret {secret}: {error.message}") from None
        encoded = (found.get("data") or {}).get(key)
        if encoded is None:
            raise StepError(f"http.headers: secret {secret} has no key {key}")
        return decoded(encoded)

    def _call(self, headers: list[tuple[str, str]]) -> tuple[int, dict[str, list[str]], str]:
        limits = FetchLimits(_LONGEST_ANSWER, self.allow_private)
        connection, target = opened(self.url, "http.url", limits)
        connection.timeout = self.timeout_seconds
        try:
            body = self.body.encode() if self.body else None
            connection.request(
                self.method, target, body=body, headers={"Host": host_of(self.url), **dict(headers)}
            )
            with connection.getresponse() as response:
                data = response.read(_LONGEST_ANSWER + 1)
                if len(data) > _LONGEST_ANSWER:
                    raise StepError(f"{self.url}: the answer is larger than {_LONGEST_ANSWER // 2**20} MiB")
                answered: dict[str, list[str]] = {}
                for name, value in response.getheaders():
                    answered.setdefault(name, []).append(value)
                return response.status, answered, data.decode(errors="replace")
        finally:
            connection.close()

    def _judged(
        self, status: int, headers: Mapping[str, str], answered: dict[str, list[str]], text: str
    ) -> dict[str, Any]:
        if not self.condition:
            failure = "" if 200 <= status < 400 else f"received non-2xx response code: {status}"
            return {"result": text, "failure": failure}
        layer = {
            "request.method": self.method,
            "request.url": self.url,
            "request.body": self.body,
            "request.headers": {name: [value] for name, value in headers.items()},
            "response.statusCode": status,
            "response.body": text,
            "response.headers": answered,
        }
        try:
            good = self.variables.with_layer(layer).evaluate(str(substitute(self.condition, self.variables)))
        except ArgoError as error:
            raise StepError(f"http.successCondition: {error.message}") from None
        failure = "" if good is True else f"successCondition '{self.condition}' evaluated false"
        return {"result": text, "failure": failure}


def host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition("?")[0]


def decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")
