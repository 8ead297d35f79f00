"""Files of events in a store of objects: gathered, written in a format, put under names that tell whose they are.

Source: kserve 0.20 pkg/logger/store.go (names of objects), batch_immediate.go, batch_size.go, batch_timed.go,
marshaller_{json,csv,parquet,http}.go. Here only S3 and what speaks it is written to: other stores are refused when
the agent starts.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import os
import posixpath
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sampan.components.serving.engine.programs.agent import parquet
from sampan.components.serving.engine.programs.agent.arguments import OWN_MARSHALLER, LoggerOptions
from sampan.components.serving.engine.programs.agent.events import COLUMNS, Event, record, row
from sampan.components.serving.engine.programs.initializer import s3, signing
from sampan.components.serving.engine.programs.initializer.addresses import Reach
from sampan.components.serving.engine.programs.initializer.errors import StorageError, UnreachableError
from sampan.components.serving.engine.programs.initializer.web import Ask, Web
from sampan.components.serving.engine.programs.wire.client import Pool, TooLargeError, origin_of
from sampan.components.serving.engine.programs.wire.heads import HeadError

SCHEMES = ("s3", "s3a")
_TRUTH = "tlsSkipVerify"
"""The column that is no text, where a format knows others."""
_PAUSES = (0.5, 1.0, 2.0)
_MOST_BYTES = 256 * 1024 * 1024
_MARSHALLER_SECONDS = 30.0


def is_store(url: str) -> bool:
    """Whether events go to files. What is none of upstream's stores is asked by HTTP."""
    return url.startswith(("s3", "gs", "abfs"))


class Store:
    """For one event loop. `deliver` returns when the event is in a file, or in the batch of one to come."""

    def __init__(self, options: LoggerOptions, environ: Mapping[str, str] = os.environ) -> None:
        """Raises ValueError for what cannot be written to."""
        parts = urlsplit(options.url)
        if parts.scheme not in SCHEMES:
            raise ValueError(
                f"requests are logged to S3 (s3://BUCKET/PATH) or by HTTP, not to {parts.scheme}://"
            )
        if not options.store_path:
            raise ValueError("logger.storage.path: say below which folder the files are to be")
        self._options, self._web = options, Web(Reach(), environ=environ)
        try:
            self._bucket = s3.bucket_of(parts.netloc, environ, self._web)
        except StorageError as error:
            raise ValueError(str(error)) from error
        self._prefix = parts.path.lstrip("/")
        self._pool = Pool()
        self._batch: list[Event] = []
        self._timer: asyncio.Task[None] | None = None
        self._timers: set[asyncio.Task[None]] = set()
        """One waits for more events; others write what there was when their time had come."""

    async def deliver(self, event: Event) -> None:
        if self._options.batch_size <= 1:
            await self._write([event])
            return
        self._batch.append(event)
        if len(self._batch) >= self._options.batch_size:
            await self._flush()
        elif self._options.batch_seconds > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().create_task(self._later())
            self._timers.add(self._timer)
            self._timer.add_done_callback(self._timers.discard)

    async def close(self) -> None:
        await self._flush()
        await asyncio.gather(*self._timers, return_exceptions=True)
        await self._pool.close()

    async def _later(self) -> None:
        await asyncio.sleep(self._options.batch_seconds)
        self._timer = None
        await self._flush()

    async def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._batch = self._batch, []
        if batch:
            await self._write(batch)

    async def _write(self, batch: Sequence[Event]) -> None:
        problem = ""
        for pause in (0.0, *_PAUSES):
            await asyncio.sleep(pause)
            try:
                data, extension = await self._marshalled(batch)
                await asyncio.to_thread(self._put, self._key(batch[0], extension), data)
                return
            except UnreachableError as error:
                problem = str(error)
            except (StorageError, OSError, HeadError, TooLargeError, TimeoutError, ValueError) as error:
                problem = str(error) or type(error).__name__
                break
        print(f"{len(batch)} events were not stored: {problem}", file=sys.stderr, flush=True)

    async def _marshalled(self, batch: Sequence[Event]) -> tuple[bytes, str]:
        """The file, and how its name ends."""
        if self._options.marshaller_url != OWN_MARSHALLER:
            return await self._by_service(batch)
        return written(batch, self._options), self._options.store_format

    async def _by_service(self, batch: Sequence[Event]) -> tuple[bytes, str]:
        origin, target = origin_of(self._options.marshaller_url)
        body = json.dumps([record(event, self._options) for event in batch]).encode()
        async with asyncio.timeout(_MARSHALLER_SECONDS):
            sent = [("Content-Type", "application/json")]
            answer = await self._pool.request("POST", origin, target, sent, body)
            data = await answer.read(_MOST_BYTES)
        if not 200 <= answer.status < 300:
            raise ValueError(f"the marshaller answered with {answer.status}")
        return data, answer.get("x-log-marshal-extension") or "json"

    def _key(self, first: Event, extension: str) -> str:
        """Of the file: upstream names it by the first of its events."""
        options = self._options
        parts = [
            self._prefix,
            options.namespace,
            options.inference_service,
            options.component,
            options.store_path,
        ]
        kind = first.kind.rpartition(".")[2]
        # An id that a caller gives must not lead elsewhere.
        own = first.id.replace("/", "_")
        folder = posixpath.normpath(posixpath.join(*(each.strip("/") for each in parts if each)))
        return f"{folder}/{own}-{kind}.{extension}"

    def _put(self, key: str, data: bytes) -> None:
        """Raises StorageError."""
        bucket = self._bucket
        url = bucket.url(key)
        headers: dict[str, str] = {signing.CONTENT: hashlib.sha256(data).hexdigest()}
        if bucket.keys is not None:
            headers = signing.signed("PUT", url, headers, bucket.keys, bucket.region)
        answer, text = self._web.text(Ask(url, "PUT", headers, data, bucket.trust, follow=False))
        if answer.status in (429, 500, 502, 503, 504):
            raise UnreachableError(f"S3 answered {answer.status}")
        if not 200 <= answer.status < 300:
            raise StorageError(f"S3 answered {answer.status} for {bucket.name}/{key}: {text[:300]}")


def written(batch: Sequence[Event], options: LoggerOptions) -> bytes:
    """JSON of one event is the object itself, of several a list."""
    if options.store_format == "csv":
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row(event, options) for event in batch)
        return lines.getvalue().encode()
    if options.store_format == "parquet":
        rows = [row(event, options) for event in batch]
        texts: dict[str, Any] = {name: [each[at] for each in rows] for at, name in enumerate(COLUMNS)}
        return parquet.written({**texts, _TRUTH: [each == "true" for each in texts[_TRUTH]]})
    records = [record(event, options) for event in batch]
    return json.dumps(records[0] if len(records) == 1 else records).encode()
