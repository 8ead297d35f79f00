"""Sampan's own paths for keeping order: the cache's entries, what artifacts take, and what retention rules delete."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api import wire_messages as messages
from sampan.components.pipelines.api.errors import InvalidArgumentError, UnavailableError
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.engine.retention import Doomed, Retention
from sampan.components.pipelines.rest import scopes
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Call, Endpoint, answer, answer_from
from sampan.components.pipelines.store import cache_entries, task_pages, usage
from sampan.components.pipelines.store.cache_entries import CacheEntry, EntryFilter
from sampan.components.pipelines.store.usage import By, Usage
from sampan.store.artifacts.measuring import folder_size

_V2 = "/apis/v2beta1"
_PAGE, _MOST = 20, 200
_FOLDERS = ("artifacts", "s3", "cache", "logs", "pipelines", "pods", "volumes", "envs")
_RULES = ("keep_last", "max_age_days", "max_disk_gib")


def endpoints() -> list[Endpoint]:
    kind, requested = Resource.RUNS, scopes.requested
    one = f"{_V2}/cache/{{task_id}}"
    of_task = scopes.of_row("task", "task_id", task_pages.namespace_of_task)
    run = f"{_V2}/runs/{{run_id}}"
    empty = messages.EMPTY
    return [
        Endpoint("GET", f"{_V2}/cache", Verb.LIST, kind, requested, list_cache),
        Endpoint("DELETE", one, Verb.DELETE, kind, of_task, forget_entry),
        Endpoint("DELETE", f"{_V2}/cache", Verb.DELETE, kind, requested, clear_cache),
        Endpoint("GET", f"{_V2}/usage", Verb.LIST, kind, requested, get_usage),
        Endpoint("GET", f"{_V2}/retention", Verb.LIST, kind, requested, show_plan),
        Endpoint("POST", f"{_V2}/retention:collect", Verb.DELETE, kind, requested, collect, empty),
        Endpoint("POST", f"{run}:pin", Verb.UPDATE, kind, scopes.of_run, pin, empty),
        Endpoint("POST", f"{run}:unpin", Verb.UPDATE, kind, scopes.of_run, unpin, empty),
    ]


async def list_cache(call: Call) -> Response:
    wanted = _filter(call)
    size = min(max(call.query_int("page_size") or _PAGE, 1), _MOST)
    offset = max(call.query_int("page_token"), 0)

    def read(connection: Any) -> dict[str, Any]:
        found, total = cache_entries.list_entries(connection, wanted, offset, size)
        following = str(offset + size) if offset + size < total else ""
        return present(entries=[_entry(each) for each in found], total_size=total, next_page_token=following)

    return await answer_from(call, read)


async def forget_entry(call: Call) -> Response:
    task_id, namespace = call.params["task_id"], call.namespace
    count = await call.backend.database.write(
        lambda connection: cache_entries.forget(connection, namespace, task_id)
    )
    if not count:
        raise scopes.not_found("cache entry", task_id)
    return answer({"removed": count})


async def clear_cache(call: Call) -> Response:
    wanted = _filter(call)
    count = await call.backend.database.write(lambda connection: cache_entries.forget_all(connection, wanted))
    return answer({"removed": count})


async def get_usage(call: Call) -> Response:
    given = call.query.get("by", "") or By.RUN.value
    if given not in set(By):
        raise InvalidArgumentError(f"by must be one of {', '.join(By)}, not {given[:40]!r}")
    size, namespace = min(max(call.query_int("page_size") or _PAGE, 1), _MOST), call.namespace
    items, total = await call.backend.database.read(
        lambda connection: usage.of_namespace(connection, namespace, By(given), size)
    )
    shown = {"size_bytes": total, "items": [_usage(each) for each in items]}
    if call.query_flag("disk") and not call.backend.multi_user:
        home = call.backend.home
        sizes = {name: (await asyncio.to_thread(folder_size, home / name))[0] for name in _FOLDERS}
        shown["folders"] = {name: size for name, size in sizes.items() if size}
    return answer(shown)


async def show_plan(call: Call) -> Response:
    doomed = await _retention(call).planned(_rules(call))
    return answer(_doomed(call, doomed))


async def collect(call: Call) -> Response:
    """The configured rules apply to all namespaces, so this is for who may delete there."""
    if call.backend.multi_user:
        raise InvalidArgumentError("with many users retention rules are carried out by the platform alone")
    return answer(_doomed(call, await _retention(call).collect(_rules(call))))


async def pin(call: Call) -> Response:
    return await _pin(call, pinned=True)


async def unpin(call: Call) -> Response:
    return await _pin(call, pinned=False)


async def _pin(call: Call, *, pinned: bool) -> Response:
    run_id = call.params["run_id"]
    await call.backend.database.write(lambda connection: usage.pin(connection, run_id, pinned=pinned))
    return answer({})


def _retention(call: Call) -> Retention:
    found = call.backend.retention
    if found is None:
        raise UnavailableError("retention is not at work on this server")
    return found


def _rules(call: Call) -> Any:
    """The settings, with what the query puts in their place."""
    rules = _retention(call).rules
    given = {name: call.query_int(name) for name in _RULES if name in call.query}
    if any(value < 0 for value in given.values()):
        raise InvalidArgumentError(f"{', '.join(_RULES)} must not be negative")
    return replace(rules, **given)


def _filter(call: Call) -> EntryFilter:
    age = call.query_int("older_than_seconds")
    return EntryFilter(
        call.namespace,
        pipeline=call.query.get("pipeline", ""),
        task=call.query.get("task", ""),
        before=call.backend.now_micros() - age * 1_000_000 if age > 0 else 0,
    )


def _entry(entry: CacheEntry) -> dict[str, Any]:
    shown = asdict(entry)
    created, hit = shown.pop("created_at"), shown.pop("last_hit_at")
    return present(**shown, created_at=time_of(created), last_hit_at=time_of(hit) if hit else "")


def _usage(item: Usage) -> dict[str, Any]:
    return present(**asdict(item))


def _doomed(call: Call, doomed: list[Doomed]) -> dict[str, Any]:
    ours = [each for each in doomed if not call.backend.multi_user or each.run.namespace == call.namespace]
    return {
        "runs": [
            present(run_id=each.run.run_id, size_bytes=each.run.size_bytes, reason=each.why) for each in ours
        ],
        "size_bytes": sum(each.run.size_bytes for each in ours),
    }
