"""The form of a new run: what typed texts mean, what may be sent, and what is sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import Parameter, ParameterType
from sampan.components.pipelines.ui.new_run import prefill, request, values
from sampan.components.pipelines.ui.new_run.request import Schedule, Start
from sampan.components.pipelines.ui.spec.reading import Input
from sampan.ui.api import ApiFailureError

T = ParameterType


def given(type_: ParameterType, **about: Any) -> Input:
    return Input("x", Parameter(type_, **about))


@pytest.mark.parametrize(
    ("each", "text", "value"),
    [
        (given(T.STRING), "a ", "a "),
        (given(T.STRING, has_default=True, default="d"), "", ""),
        (given(T.STRING, optional=True), "", None),
        (given(T.NUMBER_INTEGER), "3", 3),
        (given(T.NUMBER_INTEGER), "3.0", 3),
        (given(T.NUMBER_INTEGER), "9007199254740993", 9007199254740993),
        (given(T.NUMBER_DOUBLE), " 1e-3 ", 0.001),
        (given(T.NUMBER_DOUBLE, has_default=True, default=1), "", None),
        (given(T.BOOLEAN), "true", True),
        (given(T.BOOLEAN), "false", False),
        (given(T.LIST), "[1]", [1]),
        (given(T.STRUCT), '{"a": null}', {"a": None}),
        (given(T.NUMBER_INTEGER, literals=(1, 2)), "2", 2),
        (Input("x", Parameter(T.NUMBER_INTEGER), is_text=True), "3", "3"),
    ],
)
def test_what_a_typed_text_means(each: Input, text: str, value: Any) -> None:
    assert values.problem(each, text) == ""
    assert values.read(each, text) == value


@pytest.mark.parametrize(
    ("each", "text", "problem"),
    [
        (given(T.STRING), "", "This is needed"),
        (given(T.NUMBER_INTEGER), "", "This is needed"),
        (given(T.NUMBER_INTEGER), "1.5", "whole number"),
        (given(T.NUMBER_INTEGER), "one", "number"),
        (given(T.NUMBER_DOUBLE), "nan", "NaN"),
        (given(T.BOOLEAN), "", "This is needed"),
        (given(T.LIST), '{"a": 1}', "JSON list"),
        (given(T.STRUCT), "[1]", "JSON object"),
        (given(T.STRUCT), "{a}", "line 1"),
        (given(T.STRING, literals=("a", "b")), "c", "not one of the allowed values: a, b"),
    ],
)
def test_what_may_not_be_sent_is_said(each: Input, text: str, problem: str) -> None:
    assert problem in values.problem(each, text)


def test_every_default_may_be_sent_as_it_is_shown() -> None:
    for type_, default in (
        (T.STRING, "a\nb"),
        (T.STRING, ""),
        (T.NUMBER_INTEGER, 7),
        (T.NUMBER_DOUBLE, 0.25),
        (T.BOOLEAN, False),
        (T.LIST, list(range(40))),
        (T.STRUCT, {"ä": {"b": [1, None]}}),
    ):
        each = given(type_, has_default=True, default=default)
        shown = values.standard(each)
        assert shown is not None
        assert values.problem(each, shown) == ""
        assert values.read(each, shown) == default


def test_what_is_not_set_is_not_sent() -> None:
    inputs = [Input("a", Parameter(T.STRING)), Input("b", Parameter(T.BOOLEAN, optional=True))]
    assert values.parameters(inputs, {"a": "x", "b": ""}) == {"a": "x"}
    assert values.options(inputs[1])[0] == ("", "Not set")


def test_recent_values_are_offered_once_newest_first() -> None:
    runs = [{"runtime_config": {"parameters": {"x": number}}} for number in (1, 2, 1, 3, 4, 5, 6)]
    assert values.recent(given(T.NUMBER_INTEGER), [{}, *runs]) == ["1", "2", "3", "4"]


def test_a_run_names_its_version_or_brings_its_specification() -> None:
    body = Start(pipeline_id="p", version_id="v", name="n", parameters={"a": 1}).body()
    assert body["pipeline_version_reference"] == {"pipeline_id": "p", "pipeline_version_id": "v"}
    assert body["runtime_config"]["parameters"] == {"a": 1}
    assert "trigger" not in body
    assert "pipeline_version_reference" not in Start(source={"root": {}}).body()


def test_a_recurring_run_has_its_trigger() -> None:
    cron = Schedule(cron="0 0 9 * * *", zone="Europe/Berlin", start="2026-01-01T00:00:00Z", most="3")
    body = Start(name="n", schedule=cron).body()
    expected = {"cron": "CRON_TZ=Europe/Berlin 0 0 9 * * *", "start_time": "2026-01-01T00:00:00Z"}
    assert body["trigger"] == {"cron_schedule": expected}
    assert (body["mode"], body["max_concurrency"], body["no_catchup"]) == ("ENABLE", "3", False)
    interval = Start(schedule=Schedule(is_cron=False, every="2", unit="hours")).body()
    assert interval["trigger"] == {"periodic_schedule": {"interval_second": "7200"}}


def test_the_next_five_ticks() -> None:
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    ticks = Schedule(cron="0 0 9 * * *", zone="Europe/Berlin").ticks(now)
    # The clock goes forward in the night before the first of them.
    assert ticks[:2] == ["2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"]
    assert len(ticks) == 5
    ended = Schedule(is_cron=False, every="1", unit="days", end="2026-03-30T13:00:00Z")
    assert len(ended.ticks(now)) == 2
    with pytest.raises(InvalidArgumentError, match="cron"):
        Schedule(cron="no").ticks(now)
    with pytest.raises(InvalidArgumentError, match="whole number"):
        Schedule(is_cron=False, every="x").ticks(now)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron="0 30 * * * *", zone="Asia/Tokyo", catch_up=False, most="2"),
        Schedule(is_cron=False, every="90", unit="minutes", end="2030-01-01T00:00:00Z"),
        Schedule(is_cron=False, every="7", unit="seconds"),
    ],
)
def test_a_cloned_schedule_says_the_same(schedule: Schedule) -> None:
    body = Start(name="n", schedule=schedule).body()
    found = request.cloned_schedule(body).schedule
    assert found is not None
    assert found.trigger() == schedule.trigger()
    assert (found.catch_up, found.most) == (schedule.catch_up, schedule.most)


def test_a_cloned_run_begins_with_all_that_the_run_had() -> None:
    run = {
        "display_name": "r",
        "pipeline_version_reference": {"pipeline_id": "p", "pipeline_version_id": "v"},
        "runtime_config": {"parameters": {"a": [1]}, "pipeline_root": "s3://b"},
        "service_account": "sa",
        "experiment_id": "e",
        "pause_on_failure": True,
    }
    start = request.cloned(run)
    assert (start.name, start.pipeline_id, start.version_id) == ("Clone of r", "p", "v")
    assert (start.parameters, start.pipeline_root) == ({"a": [1]}, "s3://b")
    assert start.pause_on_failure


class _Api:
    """A run, and a version that is there or not."""

    def __init__(self, is_there: bool) -> None:
        self._is_there = is_there

    async def get(self, path: str, query: Any = None) -> Any:
        if "/versions/" in path:
            if self._is_there:
                return {}
            raise ApiFailureError(404, "gone")
        if query == {"view": "SPEC"}:
            return {"pipeline_spec": {"root": {}}}
        reference = {"pipeline_id": "p", "pipeline_version_id": "v"}
        return {"display_name": "r", "pipeline_version_reference": reference}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_clone_runs_the_copy_of_the_run_where_its_version_is_deleted(is_there: bool) -> None:
    page: Any = SimpleNamespace(api=_Api(is_there), query={"clone": "r", "experiment": "e"})
    start = asyncio.run(prefill.start_of(page))
    assert start.experiment_id == "e"
    assert (start.source is None) is is_there
    assert start.version_id == ("v" if is_there else "")
