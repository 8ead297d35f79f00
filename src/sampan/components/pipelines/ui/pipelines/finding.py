"""Pipelines and versions in the search of the dashboard, and their uploads in its feed of what happened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui.pipelines.rows import filter_of, first_line, predicate
from sampan.ui.api import Api, segment
from sampan.ui.contract import Activity, Hit

_PIPELINES = "/apis/v2beta1/pipelines"
_VERSIONS = "/apis/v2beta1/pipeline_versions"
_MOST = 10
_LABEL = re.compile(r"([^\s:=.]{1,63})\s*[:=]\s*(\S.{0,62})")
_ID = re.compile(r"[0-9a-f-]{4,36}")


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """By name, by the beginning of the id, and by a tag as `team: ml`."""
    text = text.strip()
    pipelines, versions = await asyncio.gather(
        _found(api, _PIPELINES, namespace, predicates(text, "pipeline_id")),
        _found(api, _VERSIONS, namespace, predicates(text, "pipeline_version_id")),
    )
    # The first version has its pipeline's name, which is found already.
    named = {each["display_name"] for each in pipelines}
    further = [each for each in versions if each["display_name"] not in named]
    return [*map(pipeline_hit, pipelines[:_MOST]), *map(version_hit, further[:_MOST])]


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """Uploads, the newest first."""
    versions = await _listed(api, _VERSIONS, namespace, [], most)
    return [activity(each) for each in versions]


def predicates(text: str, key: str) -> list[dict[str, str]]:
    """What is asked for, one after the other, `key` being the id's. Pure."""
    found = [predicate("display_name", text, "IS_SUBSTRING")]
    if _ID.fullmatch(text.lower()):
        found.insert(0, predicate(key, text.lower(), "IS_SUBSTRING"))
    if (tag := tagged(text)) is not None:
        found.append(tag)
    return found


def tagged(text: str) -> dict[str, str] | None:
    """For a text such as `team: ml`: what has this tag. Pure."""
    label = _LABEL.fullmatch(text)
    return predicate(f"tags.{label[1]}", label[2].strip()) if label is not None else None


def pipeline_hit(found: Mapping[str, Any]) -> Hit:
    path = f"/pipelines/{segment(found['pipeline_id'])}"
    detail = first_line(found.get("description", ""), 80) or found["pipeline_id"][:8]
    return Hit("Pipeline", found["display_name"], path, "account_tree", detail)


def version_hit(found: Mapping[str, Any]) -> Hit:
    words = [found.get("pipeline_name", ""), found["pipeline_version_id"][:8]]
    return Hit("Version", found["display_name"], _path(found), "history", " · ".join(filter(None, words)))


def activity(found: Mapping[str, Any]) -> Activity:
    name, pipeline = found["display_name"], found.get("pipeline_name", "")
    text = f"Pipeline {name} uploaded" if name == pipeline else f"Version {name} of {pipeline} uploaded"
    return Activity(found["created_at"], text, "upload", _path(found), kind="Pipeline")


def _path(version: Mapping[str, Any]) -> str:
    pipeline_id, version_id = version["pipeline_id"], version["pipeline_version_id"]
    return f"/pipelines/{segment(pipeline_id)}/versions/{segment(version_id)}"


async def _found(
    api: Api, path: str, namespace: str, wanted: Sequence[Mapping[str, str]]
) -> list[Mapping[str, Any]]:
    answers = await asyncio.gather(*(_listed(api, path, namespace, [each], _MOST) for each in wanted))
    key = "pipeline_version_id" if path == _VERSIONS else "pipeline_id"
    return list({each[key]: each for listed in answers for each in listed}.values())


async def _listed(
    api: Api, path: str, namespace: str, wanted: Sequence[Mapping[str, str]], most: int
) -> list[Mapping[str, Any]]:
    query = {
        "namespace": namespace,
        "page_size": str(most),
        "sort_by": "created_at desc",
        "filter": filter_of(*wanted),
    }
    return list((await api.get(path, query)).get(path.rpartition("/")[2], ()))
