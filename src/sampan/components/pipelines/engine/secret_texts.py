"""Texts out of Kubernetes Secrets: what triggers and notifications name by reference, and what must not be shown.

Called when a webhook is checked and when a notification is made up. Values go nowhere but to the caller.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from sampan.client.protocol import Client, ListOptions
from sampan.components.pipelines.api.errors import FailedPreconditionError, UnavailableError
from sampan.kube.errors import ApiError
from sampan.kube.kinds import SECRETS

_SHORTEST = 6
"""Shorter texts would black out half of what there is to read."""
_MOST_SECRETS = 500
MASK = "***"


async def read_reference(client: Client, namespace: str, reference: Mapping[str, str]) -> str:
    """The text under `key` of the Secret `name`. Raises FailedPreconditionError, UnavailableError."""
    name, key = reference.get("name", ""), reference.get("key", "")
    try:
        secret = await client.get(SECRETS, name, namespace)
    except ApiError as error:
        if error.code == 404:
            raise FailedPreconditionError(f"the Secret {namespace}/{name} does not exist") from error
        raise UnavailableError(f"the Secret {namespace}/{name} cannot be read: {error.message}") from error
    text = _decoded((secret.get("data") or {}).get(key))
    if not text:
        raise FailedPreconditionError(f"the Secret {namespace}/{name} has no text under the key {key!r}")
    return text


async def texts_to_hide(client: Client, namespace: str) -> list[str] | None:
    """Every value of every Secret in the namespace, the longest first; None where they cannot be known."""
    try:
        found = await client.list(SECRETS, namespace, ListOptions(limit=_MOST_SECRETS))
    except ApiError:
        return None
    texts: set[str] = set()
    for secret in found.items:
        for encoded in (secret.get("data") or {}).values():
            text = _decoded(encoded)
            # A log may show the whole, a line of it, or how the Secret writes it.
            texts.update(part.strip() for part in (text, encoded, *text.splitlines()))
    return sorted((text for text in texts if len(text) >= _SHORTEST), key=len, reverse=True)


def hide(text: str, texts: list[str]) -> str:
    for each in texts:
        text = text.replace(each, MASK)
    return text


def _decoded(encoded: object) -> str:
    try:
        return base64.b64decode(str(encoded or "")).decode()
    except (binascii.Error, ValueError):
        return ""
