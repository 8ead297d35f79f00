"""Rows of the tables of pipelines, versions, runs and recurring runs, from what the API answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.pipelines.ui.states import shown
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
"""The address of a page by its path."""

PIPELINES = (
    Column("name", "Pipeline", sort="display_name"),
    Column("tags", "Tags"),
    Column("latest", "Latest version"),
    Column("versions", "Versions", number=True),
    Column("run", "Last run"),
    Column("created", "Uploaded", sort="created_at"),
    Column("actions", "", narrow=True),
)
VERSIONS = (
    Column("name", "Version", sort="display_name"),
    Column("tags", "Tags"),
    Column("source", "Code"),
    Column("created", "Uploaded", sort="created_at"),
    Column("actions", "", narrow=True),
)
RUNS = (
    Column("name", "Run", sort="name"),
    Column("state", "State"),
    Column("duration", "Duration"),
    Column("created", "Started", sort="created_at"),
)
SCHEDULES = (
    Column("name", "Recurring run"),
    Column("state", "State"),
    Column("created", "Created"),
)


def pipeline(found: Mapping[str, Any], href: Href) -> Row:
    path = f"/pipelines/{found['pipeline_id']}"
    latest, run = found.get("latest_version") or {}, found.get("last_run") or {}
    version_path = f"{path}/versions/{latest.get('pipeline_version_id', '')}"
    return Row(
        found["pipeline_id"],
        {
            "name": cells.link(
                found["display_name"], href(path), second=first_line(found.get("description", ""))
            ),
            "tags": cells.tags(tag_texts(found.get("tags") or {})),
            "latest": cells.link(latest["display_name"], href(version_path)) if latest else "",
            "versions": cells.number(found.get("version_count", 0)),
            "run": run_cell(run, href),
            "created": cells.time(found["created_at"]),
            "actions": cells.actions([("run", "Run", "play_arrow"), ("delete", "Delete", "delete")]),
        },
        name=found["display_name"],
    )


def run_cell(run: Mapping[str, Any], href: Href) -> cells.Cell:
    if not run:
        return ""
    text, _, _ = shown(str(run.get("state", "")))
    return cells.link(run["display_name"], href(f"/runs/{run['run_id']}"), second=text)


def version(found: Mapping[str, Any], href: Href, standard: str) -> Row:
    """`standard` is the id of the version that is taken where none is named."""
    key = found["pipeline_version_id"]
    path = f"/pipelines/{found['pipeline_id']}/versions/{key}"
    is_standard = key == standard
    actions = [] if is_standard else [("default", "Make default", "push_pin")]
    actions += [
        ("run", "Run", "play_arrow"),
        ("compare", "Compare", "difference"),
        ("delete", "Delete", "delete"),
    ]
    tags = (["default"] if is_standard else []) + tag_texts(found.get("tags") or {})
    source = str(found.get("code_source_url", ""))
    return Row(
        key,
        {
            "name": cells.link(
                found["display_name"], href(path), second=first_line(found.get("description", ""))
            ),
            "tags": cells.tags(tags),
            "source": source_cell(source),
            "created": cells.time(found["created_at"]),
            "actions": cells.actions(actions),
        },
        name=found["display_name"],
    )


def run(found: Mapping[str, Any], href: Href) -> Row:
    text, tone, icon = shown(str(found.get("state", "")))
    return Row(
        found["run_id"],
        {
            "name": cells.link(found["display_name"], href(f"/runs/{found['run_id']}")),
            "state": cells.state(text, tone, icon, title=(found.get("error") or {}).get("message", "")),
            "duration": cells.duration(found["created_at"], found.get("finished_at", "")),
            "created": cells.time(found["created_at"]),
        },
        name=found["display_name"],
    )


def schedule(found: Mapping[str, Any], href: Href) -> Row:
    is_on = found.get("status") == "ENABLED"
    key = found["recurring_run_id"]
    return Row(
        key,
        {
            "name": cells.link(found["display_name"], href(f"/recurring-runs/{key}")),
            "state": cells.state("Enabled", "ok") if is_on else cells.state("Paused", "warn", "pause_circle"),
            "created": cells.time(found["created_at"]),
        },
        name=found["display_name"],
    )


def source_cell(address: str) -> cells.Cell:
    """Only a web address leads anywhere; all else is shown as it stands."""
    return cells.link(address, address) if address.startswith(("http://", "https://")) else address


def tag_texts(tags: Mapping[str, str]) -> list[str]:
    return [f"{key}: {value}" if value else key for key, value in sorted(tags.items())]


def first_line(text: str, most: int = 120) -> str:
    line = next((each.strip() for each in text.splitlines() if each.strip()), "")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def predicate(key: str, value: str, operation: str = "EQUALS") -> dict[str, str]:
    return {"key": key, "operation": operation, "string_value": value}


def filter_of(*predicates: Mapping[str, str]) -> str:
    """As the API takes it; nothing where there are none."""
    return json.dumps({"predicates": predicates}) if predicates else ""
