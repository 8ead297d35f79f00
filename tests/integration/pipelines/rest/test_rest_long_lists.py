"""Long lists are searched on indexes: what SQLite says it will do, for every list that people sort and filter."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from sampan.components.pipelines.store import runs, task_pages
from sampan.components.pipelines.store.listing import ListRequest
from sampan.components.pipelines.store.task_pages import LinkFilter


def plans(api: Any, read: Any) -> list[str]:
    """How each statement of `read` is executed, but for those that fetch the page's rows by key."""
    found: list[str] = []

    def explain(connection: sa.Connection) -> None:
        seen: list[tuple[str, Any]] = []
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _cursor, sql, given, *_: seen.append((sql, given))
        )
        read(connection)
        for sql, given in [each for each in seen if each[0].startswith(("SELECT", "WITH"))]:
            steps = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}", given)
            found.append("\n".join(step[-1] for step in steps))

    api.database.read_now(explain)
    return found


def filtered(key: str, operation: str, **value: Any) -> str:
    return json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})


LISTS = {
    "newest": ("created_at desc", ""),
    "by name": ("name", ""),
    "by end": ("finished_at desc", ""),
    "by name, failed": ("name", filtered("state", "EQUALS", string_value="FAILED")),
    "holds text": ("created_at", filtered("name", "IS_SUBSTRING", string_value="x")),
    "since": ("created_at", filtered("created_at", "GREATER_THAN", timestamp_value="2026-01-01T00:00:00Z")),
}


@pytest.fixture
def sqlite(api: Any) -> Any:
    if api.database.dialect != "sqlite":
        pytest.skip("plans are compared on SQLite")
    return api


@pytest.mark.parametrize("name", LISTS)
def test_runs_are_searched_on_an_index_alone(sqlite: Any, name: str) -> None:
    sort, text = LISTS[name]
    request = ListRequest(sort_by=sort, filter=text)
    count, keys = plans(sqlite, lambda connection: runs.list_page(connection, request, "default"))[:2]
    for plan in (count, keys):
        assert "USING COVERING INDEX kfp_runs_" in plan
        assert "SCAN kfp_runs" not in plan.replace("SCAN kfp_runs USING COVERING INDEX", "")


def test_runs_by_metric_need_no_search_for_each_run(sqlite: Any) -> None:
    request = ListRequest(sort_by="metric:accuracy desc")
    keys = plans(sqlite, lambda connection: runs.list_page(connection, request, "default"))[1]
    assert "CORRELATED" not in keys
    assert "kfp_runs USING COVERING INDEX" in keys
    assert "kfp_artifacts USING COVERING INDEX kfp_artifacts_by_name" in keys


def test_tasks_artifacts_and_links_are_found_on_indexes(sqlite: Any) -> None:
    request = ListRequest()
    tasks = plans(sqlite, lambda connection: task_pages.list_tasks(connection, request, "run"))[1]
    assert "COVERING INDEX kfp_tasks_by_run" in tasks
    assert "TEMP B-TREE" not in tasks
    artifacts = plans(sqlite, lambda connection: task_pages.list_artifacts(connection, request, "default"))[1]
    assert "COVERING INDEX kfp_artifacts_by_age" in artifacts
    assert "TEMP B-TREE" not in artifacts
    wanted = LinkFilter(run_ids=["run"])
    links = plans(sqlite, lambda connection: task_pages.list_links(connection, request, "default", wanted))[1]
    assert "INDEX kfp_artifact_tasks_by_run" in links
