"""Recurring runs: through the REST API, and ticking on a clock that the test moves."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.api.triggers import read_zone
from sampan.components.pipelines.engine.scheduler import Scheduler
from sampan.components.pipelines.rest import Api, Backend
from sampan.components.pipelines.store import runs, schedules

START = "2026-03-01T00:00:00Z"


class Clock:
    """Moves when it is told to."""

    def __init__(self, text: str) -> None:
        self.moment = datetime.fromisoformat(text).astimezone(UTC)
        self.passed = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed

    def move(self, **by: float) -> None:
        delta = timedelta(**by)
        self.moment += delta
        self.passed += max(delta.total_seconds(), 0)


class CrashError(BaseException):
    """Ends everything in the middle, as `kill -9` does."""


class Timed:
    """The API and a scheduler on a clock of their own."""

    def __init__(self, api: Any, spec: Any) -> None:
        self.api, self.spec = api, spec
        self.clock = Clock(START)
        self.backend: Backend = dataclasses.replace(api.app._backend, clock=self.clock)
        api.app = Api(self.backend)
        self.restart()

    def restart(self) -> None:
        """A new process on the same database."""
        self.scheduler = Scheduler(self.api.database, self.clock, self.backend.creator, read_zone("UTC"))
        self.api.run(self.scheduler.recalculate())

    def made(self, cron: str = "", **fields: Any) -> dict[str, Any]:
        body = {
            "display_name": "Nightly report",
            "pipeline_spec": self.spec(day="STRING"),
            "runtime_config": {"parameters": {"day": "[[ScheduledTime.2006-01-02 15:04:05]] #[[Index]]"}},
            "trigger": {"cron_schedule": {"cron": cron or "0 0 * * * *"}},
            "max_concurrency": "10",
            "mode": "ENABLE",
        } | fields
        answer = self.api.post("/v2/recurringruns", body)
        assert answer.status == 200, answer.content
        return dict(answer.json)

    def turn(self) -> float:
        """Everything that is due now. How long until the next."""
        while (pause := self.api.run(self.scheduler.turn())) == 0:
            pass
        return float(pause)

    def at(self, **by: float) -> list[str]:
        """What has run once that time has passed."""
        self.clock.move(**by)
        self.turn()
        return self.ticks()

    def ticks(self, recurring_run_id: str = "") -> list[str]:
        """The scheduled times of all runs, in the order they were made; none may be there twice."""
        found = [
            run for run in self.runs() if not recurring_run_id or run["recurring_run_id"] == recurring_run_id
        ]
        times = [(run["recurring_run_id"], run["scheduled_at"]) for run in found]
        assert len(set(times)) == len(times)
        return [run["scheduled_at"].removeprefix("2026-").removesuffix(":00Z") for run in found]

    def runs(self) -> list[dict[str, Any]]:
        listed = self.api.get("/v2/runs", page_size=200).json.get("runs", [])
        order = self.api.engine.submitted
        return sorted(listed, key=lambda run: order.index(run["run_id"]) if run["run_id"] in order else -1)

    def end_runs(self) -> None:
        for run in self.runs():
            self.api.write(
                lambda c, run_id=run["run_id"]: runs.set_state(c, run_id, RuntimeState.SUCCEEDED, 1)
            )

    def get(self, schedule: dict[str, Any]) -> dict[str, Any]:
        return dict(self.api.get(f"/v2/recurringruns/{schedule['recurring_run_id']}").json)

    def switch(self, schedule: dict[str, Any], verb: str) -> None:
        answer = self.api.post(f"/v2/recurringruns/{schedule['recurring_run_id']}:{verb}")
        assert answer.status == 200, answer.content
        self.scheduler.wake()


@pytest.fixture
def timed(api: Any, spec: Any) -> Timed:
    return Timed(api, spec)


# The API


def test_a_recurring_run_is_read_back_as_it_was_made(timed: Timed) -> None:
    made = timed.made(
        description="every hour",
        no_catchup=True,
        service_account="robot",
        trigger={"periodic_schedule": {"interval_second": 3600, "start_time": "2026-04-01T00:00:00Z"}},
        plugins_input={"mlflow": {"experiment": "x"}},
    )
    read = timed.get(made)
    assert read == made
    assert read["trigger"] == {
        "periodic_schedule": {"interval_second": "3600", "start_time": "2026-04-01T00:00:00Z"}
    }
    assert (read["max_concurrency"], read["status"], read["mode"]) == ("10", "ENABLED", "ENABLE")
    assert read["created_at"] == read["updated_at"] == START
    assert read["no_catchup"] is True
    assert read["plugins_input"] == {"mlflow": {"experiment": "x"}}
    assert json.dumps(read["pipeline_spec"]) == json.dumps(timed.spec(day="STRING"))
    assert timed.api.get(f"/v2/experiments/{read['experiment_id']}").json["display_name"] == "Default"


def test_the_list_is_filtered_sorted_and_paged(timed: Timed) -> None:
    experiment = timed.api.post("/v2/experiments", {"display_name": "other"}).json["experiment_id"]
    for index in range(5):
        timed.clock.move(seconds=1)
        timed.made(
            display_name=f"s{index}",
            mode="ENABLE" if index % 2 else "DISABLE",
            **({"experiment_id": experiment} if index == 4 else {}),
        )

    def listed(**query: Any) -> list[str]:
        page = timed.api.get("/v2/recurringruns", **query).json
        return [each["display_name"] for each in page.get("recurringRuns", [])]

    assert listed(sort_by="created_at desc") == ["s4", "s3", "s2", "s1", "s0"]
    assert listed(experiment_id=experiment) == ["s4"]
    predicate = {"operation": "EQUALS", "key": "status", "string_value": "ENABLED"}
    assert listed(filter=json.dumps({"predicates": [predicate]})) == ["s1", "s3"]
    first = timed.api.get("/v2/recurringruns", page_size=3).json
    assert first["total_size"] == 5
    assert listed(page_size=3, page_token=first["next_page_token"]) == ["s3", "s4"]
    wrong = {"operation": "EQUALS", "key": "spec", "string_value": "x"}
    assert timed.api.get("/v2/recurringruns", filter=json.dumps({"predicates": [wrong]})).status == 400


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"display_name": ""}, "recurring_run.display_name"),
        ({"max_concurrency": 0}, "recurring_run.max_concurrency must be at least 1 and at most 10, not 0"),
        ({"max_concurrency": "11"}, "not 11"),
        ({"max_concurrency": "many"}, "max_concurrency must be a 64-bit integer"),
        ({"mode": "PAUSED"}, "mode must be one of MODE_UNSPECIFIED, ENABLE, DISABLE"),
        ({"trigger": {"cron_schedule": {"cron": "0 9"}}}, "recurring_run.trigger.cron_schedule.cron: '0 9'"),
        ({"trigger": {"periodic_schedule": {}}}, "interval_second must be at least 1 second"),
        (
            {"trigger": {"cron_schedule": {"cron": "@daily"}, "periodic_schedule": {"interval_second": 1}}},
            "give only one of cron_schedule and periodic_schedule",
        ),
        ({"runtime_config": {"parameters": {"nobody": 1}}}, '"nobody"'),
        ({"pipeline_spec": None}, "give pipeline_spec, or a pipeline_version_reference"),
        ({"experiment_id": "nowhere"}, "experiment 'nowhere' not found"),
        ({"surprise": 1}, "unknown field 'surprise' in RecurringRun"),
    ],
)
def test_what_is_no_recurring_run_is_refused(timed: Timed, fields: dict[str, Any], words: str) -> None:
    body = {
        "display_name": "x",
        "pipeline_spec": timed.spec(day="STRING"),
        "runtime_config": {"parameters": {"day": "x"}},
        "trigger": {"cron_schedule": {"cron": "@daily"}},
        "max_concurrency": 1,
    } | fields
    answer = timed.api.post("/v2/recurringruns", body)
    assert answer.status in (400, 404)
    assert words in answer.message
    assert timed.api.get("/v2/recurringruns").json == {}


@pytest.mark.parametrize("verb", ["", ":enable", ":disable"])
def test_an_unknown_recurring_run_is_not_found(timed: Timed, verb: str) -> None:
    call = timed.api.post if verb else timed.api.get
    answer = call(f"/v2/recurringruns/nobody{verb}")
    assert (answer.status, answer.message) == (404, "recurring run 'nobody' not found")
    assert timed.api.delete("/v2/recurringruns/nobody").status == 404


def test_the_next_ticks_are_told(timed: Timed) -> None:
    made = timed.made("TZ=Europe/Berlin 0 30 2 * * *", no_catchup=True)
    timed.clock.move(days=27)
    timed.turn()
    told = timed.api.get(f"/v2/recurringruns/{made['recurring_run_id']}:ticks", count=2).json
    # On 29 March half past two does not happen.
    assert told == {
        "ticks": ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"],
        "time_zone": "Europe/Berlin",
    }


# Ticking


def test_what_became_of_past_ticks_is_told(timed: Timed) -> None:
    made = timed.made(no_catchup=True)
    path = f"/v2/recurringruns/{made['recurring_run_id']}"
    timed.at(hours=1)
    timed.at(hours=2)
    past = timed.api.get(f"{path}:ticks", past=9).json["past"]
    assert [each["state"] for each in past] == ["PENDING", "MISSED", "PENDING"]
    assert "catch-up is off" in past[1]["reason"]
    timed.api.post(f"{path}:disable")
    timed.clock.move(hours=1)
    assert timed.api.get(f"{path}:ticks", past=1).json["past"][0]["reason"] == "the recurring run was paused"
    full = timed.api.get(path, view="FULL").json
    assert [run["run_id"] for run in full["recent_runs"]] == [past[0]["run_id"], past[2]["run_id"]]
    assert "next_tick_at" not in full


def test_one_can_be_run_now_beside_its_ticks(timed: Timed) -> None:
    made = timed.made(mode="DISABLE")
    run = timed.api.post(f"/v2/recurringruns/{made['recurring_run_id']}:run").json
    assert run["runtime_config"]["parameters"]["day"] == "2026-03-01 00:00:00 #1"
    shown = timed.api.get("/v2/recurringruns", view="FULL").json["recurringRuns"][0]
    assert (shown["runs_started"], shown["recent_runs"][0]["run_id"]) == ("1", run["run_id"])


def test_a_tick_makes_a_run_that_knows_its_schedule(timed: Timed) -> None:
    made = timed.made()
    assert timed.turn() > 0
    assert timed.at(minutes=59) == []
    assert timed.at(minutes=1, seconds=3) == ["03-01T01:00"]
    (run,) = timed.runs()
    assert timed.api.engine.submitted == [run["run_id"]]
    assert run["recurring_run_id"] == made["recurring_run_id"]
    assert run["experiment_id"] == made["experiment_id"]
    assert run["created_at"] == "2026-03-01T01:00:03Z"
    assert run["runtime_config"]["parameters"] == {"day": "2026-03-01 01:00:00 #1"}
    assert run["display_name"].startswith("nightlyreport")
    assert "-1-" in run["display_name"]
    assert timed.at(hours=1) == ["03-01T01:00", "03-01T02:00"]


def test_words_in_the_name_name_the_runs(timed: Timed) -> None:
    timed.made(display_name="report of [[ScheduledTime.2006-01-02]], number [[Index]]")
    timed.at(hours=1)
    assert timed.runs()[0]["display_name"] == "report of 2026-03-01, number 1"


def test_it_sleeps_until_the_next_tick(timed: Timed) -> None:
    timed.made("0 0 12 * * *")
    timed.made("0 0 6 1 4 *")
    assert timed.turn() == 12 * 3600


def test_missed_ticks_are_caught_up_one_after_another(timed: Timed) -> None:
    timed.made(max_concurrency=2)
    assert timed.at(hours=5) == ["03-01T01:00", "03-01T02:00"]
    assert timed.at(seconds=5) == ["03-01T01:00", "03-01T02:00"]
    timed.end_runs()
    assert timed.at(seconds=5) == ["03-01T01:00", "03-01T02:00", "03-01T03:00", "03-01T04:00"]
    timed.end_runs()
    timed.clock.move(seconds=5)
    timed.turn()
    assert timed.ticks()[4:] == ["03-01T05:00"]


def test_without_catching_up_the_latest_missed_tick_is_left(timed: Timed) -> None:
    timed.made(no_catchup=True)
    assert timed.at(hours=5, minutes=30) == ["03-01T05:00"]
    assert timed.at(minutes=30) == ["03-01T05:00", "03-01T06:00"]


def test_intervals_without_catching_up_keep_their_grid(timed: Timed) -> None:
    timed.made(trigger={"periodic_schedule": {"interval_second": 600}}, no_catchup=True)
    assert timed.at(minutes=47) == ["03-01T00:40"]
    assert timed.at(minutes=3) == ["03-01T00:40", "03-01T00:50"]


def test_a_start_in_the_past_is_caught_up_with(timed: Timed) -> None:
    timed.made(trigger={"cron_schedule": {"cron": "0 0 0 * * *", "start_time": "2026-02-26T00:00:00Z"}})
    timed.turn()
    assert timed.ticks() == ["02-27T00:00", "02-28T00:00", "03-01T00:00"]


def test_the_time_while_it_was_disabled_is_not_replayed(timed: Timed) -> None:
    made = timed.made()
    timed.at(hours=1)
    timed.switch(made, "disable")
    assert timed.get(made)["status"] == "DISABLED"
    assert timed.at(hours=5) == ["03-01T01:00"]
    timed.clock.move(minutes=30)
    timed.switch(made, "enable")
    timed.switch(made, "enable")
    assert timed.get(made)["updated_at"] == "2026-03-01T06:30:00Z"
    assert timed.at(minutes=10) == ["03-01T01:00"]
    assert timed.at(minutes=20) == ["03-01T01:00", "03-01T07:00"]


def test_one_made_disabled_waits_to_be_enabled(timed: Timed) -> None:
    made = timed.made(mode="DISABLE")
    assert timed.at(hours=3) == []
    timed.switch(made, "enable")
    assert timed.at(hours=1) == ["03-01T04:00"]


def test_without_a_trigger_there_is_one_run(timed: Timed) -> None:
    made = timed.made(trigger=None, mode="DISABLE")
    assert timed.at(hours=1) == []
    timed.switch(made, "enable")
    assert timed.at(hours=1) == ["03-01T00:00"]
    timed.switch(made, "disable")
    timed.switch(made, "enable")
    assert timed.at(hours=1) == ["03-01T00:00"]


def test_a_deleted_one_leaves_its_runs(timed: Timed) -> None:
    made = timed.made()
    timed.at(hours=1)
    path = f"/v2/recurringruns/{made['recurring_run_id']}"
    assert timed.api.delete(path, propagation_policy="SIDEWAYS").status == 400
    assert timed.api.delete(path, propagation_policy="ORPHAN").json == {}
    assert timed.api.get(path).status == 404
    assert timed.at(hours=5) == ["03-01T01:00"]


def test_archiving_an_experiment_disables_its_schedules(timed: Timed) -> None:
    made, experiment = timed.made(), timed.api.post("/v2/experiments", {"display_name": "other"}).json
    other = timed.made(experiment_id=experiment["experiment_id"])
    path = f"/v2/experiments/{experiment['experiment_id']}"
    timed.api.post(f"{path}:archive")
    assert (timed.get(made)["status"], timed.get(other)["status"]) == ("ENABLED", "DISABLED")
    refused = timed.api.post(f"/v2/recurringruns/{other['recurring_run_id']}:enable")
    assert (refused.status, "un-archive it first" in refused.message) == (400, True)
    timed.api.post(f"{path}:unarchive")
    assert timed.get(other)["status"] == "DISABLED"
    timed.switch(other, "enable")
    assert timed.get(other)["status"] == "ENABLED"


# Pipelines and versions


def uploaded(api: Any, spec: Any) -> dict[str, Any]:
    content = json.dumps(spec(day="STRING")).encode()
    pipeline = api.upload("/v2/pipelines/upload", "p.json", content, name="daily").json
    version = api.get(f"/v2/pipelines/{pipeline['pipeline_id']}/versions").json["pipeline_versions"][0]
    return dict(version)


def test_a_pipeline_without_a_version_means_the_latest_at_each_tick(timed: Timed) -> None:
    first = uploaded(timed.api, timed.spec)
    reference = {"pipeline_id": first["pipeline_id"]}
    latest = timed.made(pipeline_spec=None, pipeline_version_reference=reference)
    pinned = timed.made(
        pipeline_spec=None,
        pipeline_version_reference={**reference, "pipeline_version_id": first["pipeline_version_id"]},
    )
    assert timed.get(latest)["pipeline_version_reference"] == reference
    timed.at(hours=1)
    content = json.dumps(timed.spec("second", day="STRING")).encode()
    second = timed.api.upload(
        "/v2/pipelines/upload_version", "p.json", content, name="v2", pipelineid=first["pipeline_id"]
    ).json
    timed.clock.move(hours=1)
    timed.turn()
    versions = {
        schedule["recurring_run_id"]: [
            run["pipeline_version_reference"]["pipeline_version_id"]
            for run in sorted(timed.runs(), key=lambda run: run["scheduled_at"])
            if run["recurring_run_id"] == schedule["recurring_run_id"]
        ]
        for schedule in (latest, pinned)
    }
    one, two = first["pipeline_version_id"], second["pipeline_version_id"]
    assert versions == {latest["recurring_run_id"]: [one, two], pinned["recurring_run_id"]: [one, one]}


def test_a_version_that_is_deleted_still_runs_where_it_was_pinned(timed: Timed) -> None:
    version = uploaded(timed.api, timed.spec)
    ids = {key: version[key] for key in ("pipeline_id", "pipeline_version_id")}
    made = timed.made(pipeline_spec=None, pipeline_version_reference=ids)
    timed.api.delete(f"/v2/pipelines/{version['pipeline_id']}", cascade="true")
    assert timed.at(hours=1) == ["03-01T01:00"]
    assert (
        timed.runs()[0]["pipeline_version_reference"] == ids == timed.get(made)["pipeline_version_reference"]
    )
    assert "pipeline_spec" not in timed.get(made)


def test_one_whose_runs_cannot_be_made_says_why_and_goes_on_trying(timed: Timed) -> None:
    version = uploaded(timed.api, timed.spec)
    made = timed.made(pipeline_spec=None, pipeline_version_reference={"pipeline_id": version["pipeline_id"]})
    healthy = timed.made()
    timed.api.delete(f"/v2/pipelines/{version['pipeline_id']}", cascade="true")
    timed.clock.move(hours=1)
    pause = timed.turn()
    assert timed.ticks(made["recurring_run_id"]) == []
    assert timed.ticks(healthy["recurring_run_id"]) == ["03-01T01:00"]
    read = timed.get(made)
    assert (read["status"], read["error"]["code"]) == ("ENABLED", 5)
    assert version["pipeline_id"] in read["error"]["message"]
    # The pauses between tries grow.
    assert pause == 10
    timed.clock.move(seconds=10)
    assert timed.turn() == 20

    timed.api.write(
        lambda c: c.exec_driver_sql(
            "UPDATE kfp_schedules SET pipeline_id = '', spec = "
            "(SELECT spec FROM kfp_schedules WHERE spec <> '') WHERE spec = ''"
        )
    )
    timed.clock.move(seconds=20)
    timed.turn()
    assert timed.ticks(made["recurring_run_id"]) == ["03-01T01:00"]
    assert "error" not in timed.get(made)


def test_one_that_cannot_be_read_any_more_does_not_stop_the_others(timed: Timed) -> None:
    made, healthy = timed.made("TZ=Europe/Berlin 0 0 * * * *"), timed.made()
    zone = "UPDATE kfp_schedules SET trigger = replace(trigger, 'Berlin', 'Atlantis')"
    timed.api.write(lambda connection: connection.exec_driver_sql(zone))
    timed.restart()
    timed.clock.move(hours=1)
    timed.turn()
    assert timed.ticks() == timed.ticks(healthy["recurring_run_id"]) == ["03-01T01:00"]
    assert "unknown time zone 'Europe/Atlantis'" in timed.get(made)["error"]["message"]


# Crashes and clocks


@pytest.mark.parametrize("point", ["before", "run stored", "progress stored", "committed"])
def test_a_crash_at_any_point_of_a_tick_leaves_one_run(
    timed: Timed, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed.made()
    timed.clock.move(hours=1)
    original = schedules.record_tick

    def crash(*_: Any) -> None:
        raise CrashError

    def record(*given: Any) -> None:
        if point == "progress stored":
            original(*given)
        crash()

    with monkeypatch.context() as patch:
        match point:
            case "before":
                patch.setattr("sampan.components.pipelines.engine.scheduler.run_name", crash)
            case "committed":
                patch.setattr(timed.api.engine, "submit", crash)
            case _:
                patch.setattr(schedules, "record_tick", record)
        with pytest.raises(CrashError):
            timed.turn()
    assert len(timed.runs()) == (1 if point == "committed" else 0)
    timed.restart()
    timed.turn()
    assert timed.ticks() == ["03-01T01:00"]
    assert timed.at(hours=1) == ["03-01T01:00", "03-01T02:00"]


def test_a_clock_that_goes_back_makes_no_second_run(timed: Timed) -> None:
    timed.made()
    timed.at(hours=2)
    assert timed.at(hours=-2) == ["03-01T01:00", "03-01T02:00"]
    timed.restart()
    assert timed.at(hours=1, minutes=30) == ["03-01T01:00", "03-01T02:00"]
    assert timed.at(hours=1, minutes=30) == ["03-01T01:00", "03-01T02:00", "03-01T03:00"]


def test_a_clock_that_went_far_ahead_and_back_is_mended_by_switching_off_and_on(timed: Timed) -> None:
    made = timed.made("0 0 0 1 * *", no_catchup=True)
    assert timed.at(days=100) == ["06-01T00:00"]
    timed.clock.move(days=-100)
    timed.switch(made, "disable")
    timed.switch(made, "enable")
    assert timed.at(days=31) == ["06-01T00:00", "04-01T00:00"]
    # June has had its run.
    assert timed.at(days=30) == ["06-01T00:00", "04-01T00:00", "05-01T00:00"]
    assert timed.at(days=31) == ["06-01T00:00", "04-01T00:00", "05-01T00:00"]
    assert timed.at(days=30)[-1] == "07-01T00:00"


def test_one_that_is_switched_off_while_its_tick_is_worked_on_makes_no_run(
    timed: Timed, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = timed.made()
    timed.clock.move(hours=1)
    original = schedules.get
    looks = []

    def switched_off(connection: Any, schedule_id: str) -> Any:
        looks.append(schedule_id)
        if len(looks) == 2:
            schedules.disable(connection, schedule_id, 1)
        return original(connection, schedule_id)

    monkeypatch.setattr(schedules, "get", switched_off)
    timed.turn()
    assert (len(looks) > 1, timed.runs()) == (True, [])
    assert timed.get(made)["recurring_run_id"]


def test_another_time_zone_of_the_server_moves_the_ticks(timed: Timed) -> None:
    timed.made("0 0 9 * * *")
    timed.scheduler = Scheduler(
        timed.api.database, timed.clock, timed.backend.creator, read_zone("America/New_York")
    )
    timed.api.run(timed.scheduler.recalculate())
    assert timed.at(hours=10) == []
    assert timed.at(hours=5) == ["03-01T14:00"]


def test_runs_of_a_schedule_are_counted_on_an_index(api: Any) -> None:
    if api.database.dialect != "sqlite":
        pytest.skip("asks SQLite for its plan")
    statements: list[str] = []

    def explain(connection: Any) -> str:
        sa.event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
        schedules.unfinished_runs(connection, "x")
        states = ["x"] * (statements[-1].count("?") - 1)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[-1]}", ("x", *states))
        return " ".join(str(row) for row in plan)

    assert "kfp_runs_by_schedule" in api.database.read_now(explain)


def test_a_thousand_schedules_of_which_few_are_due(timed: Timed) -> None:
    first = timed.made("0 0 12 * * *")
    row = timed.api.database.read_now(lambda c: schedules.get(c, first["recurring_run_id"]))

    def more(connection: Any) -> None:
        for index in range(1000):
            schedules.insert(
                connection,
                dataclasses.replace(
                    row,
                    recurring_run_id=f"s{index}",
                    next_tick=row.next_tick + (index - 5) * 60_000_000,
                    progress=row.next_tick + (index - 65) * 60_000_000,
                    trigger='{"cron_schedule": {"cron": "0 * * * * *"}}',
                    max_concurrency=1,
                ),
            )

    timed.api.write(more)
    timed.clock.move(hours=11, minutes=55, seconds=30)
    pause = timed.turn()
    assert 0 < pause <= 30
    assert {run["recurring_run_id"] for run in timed.runs()} == {"s0"}
