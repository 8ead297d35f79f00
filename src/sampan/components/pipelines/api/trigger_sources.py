"""What a trigger listens to: checked when it is made, and whether an event is one of those it means. Pure.

Webhooks, files and objects come to one trigger; artifacts and ends of runs are told to all, which choose here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.events import EventKind
from sampan.components.pipelines.api.globs import LONGEST, matches_name
from sampan.components.pipelines.api.states import RuntimeState

_SHORTEST_SECRET = 12
_LONGEST_SETTLE = 3600
DEFAULT_SETTLE_SECONDS = 3
_FINAL = tuple(state.value for state in (RuntimeState.SUCCEEDED, RuntimeState.FAILED, RuntimeState.CANCELED))


def read_source(given: Mapping[str, Any]) -> tuple[EventKind, dict[str, Any]]:
    """The one source of a trigger, from a decoded message, with its defaults. Raises InvalidArgumentError."""
    kinds = [kind for kind in EventKind if kind.value in given]
    if len(kinds) != 1:
        raise InvalidArgumentError(
            f"trigger: give exactly one of {', '.join(EventKind)}: what starts its runs"
        )
    kind = kinds[0]
    source, path = dict(given[kind.value]), f"trigger.{kind}"
    _CHECKS[kind](source, path)
    for name in ("glob", "name", "type"):
        if len(source.get(name, "")) > LONGEST:
            raise InvalidArgumentError(f"{path}.{name} has at most {LONGEST} characters")
    return kind, source


def is_meant(source: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether an artifact or the end of a run, as an event tells of it, is one that this source waits for."""
    for name in ("pipeline_id", "experiment_id"):
        if source.get(name) and source[name] != data.get(name):
            return False
    if source.get("states") and data.get("state") not in source["states"]:
        return False
    if source.get("type") and source["type"] != data.get("type"):
        return False
    return not source.get("name") or matches_name(str(data.get("name", "")), source["name"])


def _check_webhook(source: dict[str, Any], path: str) -> None:
    secret = source.get("secret", "")
    if secret and len(secret) < _SHORTEST_SECRET:
        raise InvalidArgumentError(
            f"{path}.secret must have at least {_SHORTEST_SECRET} characters; leave it out, and one is made"
        )
    if "secret_ref" in source:
        check_secret_ref(source["secret_ref"], f"{path}.secret_ref")


def check_secret_ref(reference: Mapping[str, str], path: str) -> None:
    for name in ("name", "key"):
        if not reference.get(name):
            raise InvalidArgumentError(
                f"{path}.{name} must not be empty: name a Secret of the namespace, and its key"
            )


def _check_file(source: dict[str, Any], path: str) -> None:
    folder = source.get("folder", "")
    if not folder.startswith("/") or "\0" in folder:
        raise InvalidArgumentError(f"{path}.folder must be an absolute path, not {folder[:100]!r}")
    _check_watched(source, path)


def _check_object(source: dict[str, Any], path: str) -> None:
    scheme, separator, rest = source.get("uri", "").partition("://")
    if not (separator and scheme and rest.partition("/")[0]) or any(c in rest for c in "?#\0"):
        raise InvalidArgumentError(
            f"{path}.uri must be such as s3://bucket/prefix, not {source.get('uri', '')[:100]!r}"
        )
    _check_watched(source, path)


def _check_watched(source: dict[str, Any], path: str) -> None:
    source["glob"] = source.get("glob") or "*"
    settle = source.setdefault("settle_seconds", DEFAULT_SETTLE_SECONDS)
    if not 0 <= settle <= _LONGEST_SETTLE:
        raise InvalidArgumentError(f"{path}.settle_seconds must be 0 to {_LONGEST_SETTLE}, not {settle}")
    if any(part == ".." for part in source["glob"].split("/")):
        raise InvalidArgumentError(f"{path}.glob must not lead out of the folder")


def _check_artifact(source: dict[str, Any], path: str) -> None:
    if not any(source.get(name) for name in ("type", "name", "pipeline_id", "experiment_id")):
        raise InvalidArgumentError(
            f"{path}: say which: by type (such as system.Model), name, pipeline_id, experiment_id"
        )


def _check_run(source: dict[str, Any], path: str) -> None:
    states = source.get("states") or [RuntimeState.SUCCEEDED.value]
    for state in states:
        if state not in _FINAL:
            raise InvalidArgumentError(f"{path}.states: {state[:40]!r} is not one of {', '.join(_FINAL)}")
    source["states"] = states


_CHECKS = {
    EventKind.WEBHOOK: _check_webhook,
    EventKind.FILE: _check_file,
    EventKind.OBJECT: _check_object,
    EventKind.ARTIFACT: _check_artifact,
    EventKind.RUN: _check_run,
}
