"""Conversion by a webhook: ConversionReview out and back, batched, remembered.

Objects are converted in the event loop before they are needed (`convert`). Where they are needed in another thread,
within a transaction or a selector, what is not remembered ends the attempt with NeededError: who made it resolves that
and tries again.

Source: apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go, v1.33.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.client.calls import CallError, Endpoint, Poster, endpoint_of
from sampan.cluster.apiserver.storage import decode, encode
from sampan.cluster.apiserver.strategy import NeededError
from sampan.kube.errors import InternalError
from sampan.kube.meta import Object
from sampan.lib import ids

_GROUP = "apiextensions.k8s.io"
_SECONDS = 30.0
_BATCH = 500
_MEMORY_BYTES = 8 * 1024 * 1024
_IGNORED = (
    "resourceVersion",
    "managedFields",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""Of the metadata nothing but labels and annotations is taken from an answer; these change with every write."""


class RemoteConverter:
    """Of one definition. `converted` may be called in any thread, `convert` in the event loop."""

    def __init__(self, conversion: Mapping[str, Any], poster: Callable[[], Poster]) -> None:
        webhook = conversion.get("webhook") or {}
        self._endpoint: Endpoint = endpoint_of(webhook.get("clientConfig") or {})
        accepted = webhook.get("conversionReviewVersions") or ()
        self._version = next((each for each in accepted if each in ("v1", "v1beta1")), "")
        self._poster = poster
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0

    def converted(self, obj: Object, api_version: str) -> Object:
        """Raises NeededError."""
        found = self._remembered(_key(obj, api_version))
        if found is None:
            raise NeededError(self, obj, api_version)
        return _restored(found, obj, api_version)

    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """Raises InternalError."""
        results: list[Object | None] = []
        missing: list[int] = []
        for at, obj in enumerate(objects):
            if obj.get("apiVersion") == api_version:
                results.append(obj)
                continue
            found = self._remembered(_key(obj, api_version))
            results.append(None if found is None else _restored(found, obj, api_version))
            if found is None:
                missing.append(at)
        for start in range(0, len(missing), _BATCH):
            places = missing[start : start + _BATCH]
            batch = [objects[at] for at in places]
            for at, obj, raw in zip(places, batch, await self._ask(batch, api_version), strict=True):
                results[at] = _restored(raw, obj, api_version)
                self._remember(_key(obj, api_version), raw)
        return [each for each in results if each is not None]

    async def _ask(self, batch: list[Object], api_version: str) -> list[bytes]:
        first = batch[0]
        what = f"conversion webhook for {first.get('apiVersion')}, Kind={first.get('kind')}"
        if not self._version:
            raise InternalError(f"{what} failed: no supported conversion review versions")
        uid = ids.new_uid()
        request = {"uid": uid, "desiredAPIVersion": api_version, "objects": batch}
        review = {"apiVersion": f"{_GROUP}/{self._version}", "kind": "ConversionReview", "request": request}
        try:
            async with asyncio.timeout(_SECONDS):
                raw = await self._poster().post(self._endpoint, encode(review), _SECONDS)
            found = _objects_of(raw, uid, self._version)
        except TimeoutError as error:
            raise InternalError(f"{what} failed: context deadline exceeded") from error
        except (CallError, _AnswerError) as error:
            raise InternalError(f"{what} failed: {error}") from error
        if len(found) != len(batch):
            raise InternalError(f"{what} returned {len(found)} objects, expected {len(batch)}")
        for at, (obj, given) in enumerate(zip(batch, found, strict=True)):
            if why := _problem(obj, given, api_version):
                raise InternalError(f"{what} returned invalid object at index {at}: {why}")
            if why := _metadata_problem(given):
                raise InternalError(f"{what} returned invalid metadata in object at index {at}: {why}")
        return [encode(each) for each in found]

    def _remembered(self, key: bytes) -> bytes | None:
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
            return found

    def _remember(self, key: bytes, raw: bytes) -> None:
        with self._lock:
            self._size += len(raw) - len(self._known.get(key, b""))
            self._known[key] = raw
            # The newest stays, however large: an attempt is waiting for it.
            while self._size > _MEMORY_BYTES and len(self._known) > 1:
                self._size -= len(self._known.popitem(last=False)[1])


class _AnswerError(Exception):
    """An answer that is none."""


def _key(obj: Object, api_version: str) -> bytes:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _IGNORED}
    digest = hashlib.sha256(encode({**obj, "metadata": metadata}))
    digest.update(api_version.encode())
    return digest.digest()


def _objects_of(raw: bytes, uid: str, version: str) -> list[Any]:
    try:
        answer = decode(raw)
    except ValueError as error:
        raise _AnswerError(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(answer, dict):
        raise _AnswerError("no response provided")
    expected = (f"{_GROUP}/{version}", "ConversionReview")
    given = (answer.get("apiVersion") or "", answer.get("kind") or "")
    # v1beta1 promised neither.
    if version == "v1" and given != expected:
        raise _AnswerError(
            f"expected webhook response of {expected[0]}, Kind={expected[1]}, got {given[0]}, Kind={given[1]}"
        )
    response = answer.get("response")
    if not isinstance(response, dict):
        raise _AnswerError("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise _AnswerError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result")
    status = result.get("status") if isinstance(result, dict) else ""
    if status != "Success":
        message = result.get("message") if isinstance(result, dict) else ""
        raise _AnswerError(str(message or f"response.result.status was '{status or ''}', not 'Success'"))
    found = response.get("convertedObjects")
    return found if isinstance(found, list) else []


def _problem(obj: Object, given: Any, api_version: str) -> str:
    if not isinstance(given, dict):
        return "it is not an object"
    if given.get("apiVersion") != api_version:
        return f"invalid groupVersion (expected {api_version}, received {given.get('apiVersion') or ''})"
    if given.get("kind") != obj.get("kind"):
        return f"invalid kind (expected {obj.get('kind')}, received {given.get('kind') or ''})"
    before, after = obj["metadata"], given.get("metadata")
    if not isinstance(after, dict):
        return "missing metadata in converted object"
    for key, word in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        expected, received = before.get(key) or "", after.get(key) or ""
        if expected != received:
            return f"must have the same {word}: {expected} != {received}"
    return ""


def _metadata_problem(given: Object) -> str:
    for key in ("labels", "annotations"):
        value = given["metadata"].get(key)
        if value is None:
            continue
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            return f"metadata.{key}: Invalid value: must be a map of strings"
    return ""


def _restored(raw: bytes, obj: Object, api_version: str) -> Object:
    """What was converted, as the object it was: only labels and annotations may be others."""
    found: Object = decode(raw)
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("labels", "annotations")}
    for key in ("labels", "annotations"):
        if found["metadata"].get(key) is not None:
            metadata[key] = found["metadata"][key]
    found["metadata"] = metadata
    found["apiVersion"] = api_version
    return found
