"""The list of experiments and the page of one: what is shown, in which order, and what they wait for."""

from __future__ import annotations

from typing import Any

from tests.unit.tuning.ui.tuning_objects import at, columns, experiment

from sampan.components.tuning.api.ending import is_stopped
from sampan.components.tuning.api.summary import summarise
from sampan.components.tuning.ui import search, states, steering, trials
from sampan.components.tuning.ui.experiment_list import rows
from sampan.components.tuning.ui.experiment_list.query import NARROWING
from sampan.components.tuning.ui.experiment_page import network, searched, trial_rows, waiting
from sampan.components.tuning.ui.experiment_page.trial_rows import Wanted as WantedTrials
from sampan.ui.objects import copies
from sampan.ui.table.narrowing import Wanted

RUNNING = [
    ("Created", "ExperimentCreated", "Experiment is created"),
    ("Running", "ExperimentRunning", "Experiment is running"),
]


def _best(value: str) -> dict[str, Any]:
    metrics = [{"name": "loss", "min": value, "max": value, "latest": value}]
    return {"currentOptimalTrial": {"bestTrialName": "t", "observation": {"metrics": metrics}}}


def test_what_is_wanted_is_said_in_the_address_and_read_back() -> None:
    wanted = Wanted("dig", ("Running", "Failed"), "tpe", "best", False)
    assert NARROWING.from_address(NARROWING.to_address(wanted)) == wanted
    assert NARROWING.from_address({"state": "Nonsense", "sort": "colour"}) == Wanted()


def test_experiments_are_narrowed_and_sorted_and_those_without_a_value_are_last() -> None:
    found = [
        summarise(experiment("low", RUNNING, _best("0.1"))),
        summarise(experiment("none", RUNNING)),
        summarise(experiment("high", RUNNING, _best("0.9"), algorithm={"algorithmName": "grid"})),
    ]
    names = lambda wanted: [each.name for each in NARROWING.chosen(found, wanted)]  # noqa: E731
    assert names(Wanted(sort="best")) == ["high", "low", "none"]
    assert names(Wanted(sort="best", descending=False)) == ["low", "high", "none"]
    assert names(Wanted(kind="grid")) == ["high"]
    assert names(Wanted("lr")) == ["none", "low", "high"]
    assert names(Wanted(states=("Failed",))) == []


def test_a_row_says_how_far_it_is() -> None:
    status = {"trialsSucceeded": 3, "trialsRunning": 1, "trials": 4, **_best("0.25")}
    row = rows.row(summarise(experiment("search", RUNNING, status)), lambda path: f"/ui{path}")
    assert row.cells["trials"] == {"t": "bar", "value": 0.25, "text": "3 / 12"}
    assert row.cells["best"]["text"] == "0.25"
    assert row.cells["name"]["href"] == "/ui/tuning/experiments/default/search"
    assert row.cells["parameters"] == "lr, kind"


def test_why_it_ended_is_said_in_short() -> None:
    reached = [*RUNNING, ("Succeeded", "ExperimentGoalReached", "…")]
    assert states.short(summarise(experiment("a", reached))) == "goal reached"
    failed = [*RUNNING, ("Failed", "ExperimentFailed", "max failed trial count has reached")]
    assert states.short(summarise(experiment("a", failed))) == "max failed trial count has reached"


def test_a_trial_is_found_sorted_and_shown_by_what_it_was_given() -> None:
    found = trials.of_columns(
        columns(
            [
                ("t-1", "Succeeded", 0.5, {"lr": "0.01", "kind": "a"}),
                ("t-2", "Failed", None, {"lr": "0.1", "kind": "b"}),
                ("t-3", "Running", None, {"lr": "9e-5", "kind": "a"}),
                ("t-4", "EarlyStopped", 0.2, {"lr": "0.02"}),
            ],
            best="t-4",
        )
    )
    names = lambda wanted: [each.name for each in trial_rows.chosen(found, wanted)]  # noqa: E731
    assert names(WantedTrials()) == ["t-4", "t-3", "t-2", "t-1"]
    assert names(WantedTrials(sort="p:lr", descending=False)) == ["t-3", "t-1", "t-4", "t-2"]
    assert names(WantedTrials(sort="m:loss", descending=False)) == ["t-4", "t-1", "t-2", "t-3"]
    assert names(WantedTrials("kind=b")) == ["t-2"]
    assert names(WantedTrials(names=("t-1", "t-2"), states=("Failed",))) == ["t-2"]
    assert [column.label for column in trial_rows.columns(found)] == [
        "Trial",
        "State",
        "loss",
        "lr",
        "kind",
        "Created",
        "Took",
    ]
    row = trial_rows.row(found.by_name["t-4"], found, "default", lambda path: path)
    assert row.cells["name"]["second"] == "best so far"
    assert row.cells["m:loss"]["text"] == "0.2"
    assert row.cells["p:kind"] == ""
    assert trial_rows.from_address(
        trial_rows.to_address(WantedTrials("x", ("Failed",), None, "p:lr", False))
    ) == (WantedTrials("x", ("Failed",), None, "p:lr", False))


def test_values_of_failed_trials_do_not_count() -> None:
    rows = [("t-1", "Failed", 0.0, {}), ("t-2", "MetricsUnavailable", 0.0, {}), ("t-3", "Running", 0.7, {})]
    assert [each.name for each in trials.of_columns(columns(rows)).measured] == ["t-3"]


def test_ten_thousand_trials_and_none() -> None:
    rows = [(f"t-{each}", "Succeeded", float(each), {"lr": str(each)}) for each in range(10_000)]
    found = trials.of_columns(columns(rows))
    assert (len(found.items), found.items[-1].number, found.items[7].parameters) == (
        10_000,
        10_000,
        {"lr": "7"},
    )
    nothing = trials.of_columns(columns([]))
    assert (nothing.items, nothing.goal.metric) == ([], "loss")
    assert trials.of_columns({}).items == []


def test_an_experiment_that_nobody_acts_on_says_so() -> None:
    found = waiting.notices(summarise(experiment("a")), {}, trials.Trials())
    assert [each.title for each in found] == ["Nobody has taken it up yet"]


def test_what_the_suggestion_says_is_said_while_there_is_no_trial() -> None:
    suggestion = {
        "status": {
            "conditions": [
                {"type": "Running", "status": "True", "message": "no answer from 10.0.0.1 since 10:00"}
            ]
        }
    }
    found = waiting.notices(summarise(experiment("a", RUNNING)), suggestion, trials.Trials())
    assert found[0].title == "Waits for what tpe suggests first"
    assert "no answer from 10.0.0.1" in found[0].text


def test_pending_and_failing_trials_are_named_with_what_they_say() -> None:
    answer = columns([("t-1", "Failed", None, {}), ("t-2", "Failed", None, {}), ("t-3", "Created", None, {})])
    answer["columns"]["message"] = ["no such file", "no such file", "no node has 8 cores free"]
    shown = trials.of_columns(answer)
    running = summarise(experiment("a", RUNNING, {"trials": 3, "trialsFailed": 2, "trialsPending": 1}))
    failing, pending = waiting.notices(running, {}, shown)
    assert (failing.title, failing.text, failing.trials) == (
        "No trial has succeeded yet, 2 have failed",
        "no such file",
        ("t-1", "t-2"),
    )
    assert failing.hint == "At 3 failed trials it ends."
    assert (pending.title, pending.text) == ("1 trial waits to begin", "no node has 8 cores free")
    failed = summarise(
        experiment(
            "a", [*RUNNING, ("Failed", "ExperimentFailed", "too many")], {"trials": 3, "trialsFailed": 2}
        )
    )
    (one,) = waiting.notices(failed, {}, shown)
    assert one.tone == "bad"
    assert "no such file" in one.text


def test_why_most_trials_fail_is_said_although_some_succeed() -> None:
    rows = [("t-0", "Succeeded", 1.0, {}), *((f"t-{n}", "Failed", None, {}) for n in range(1, 4))]
    answer = columns(rows)
    answer["columns"]["message"] = ["", "no such file", "no such file", "out of memory"]
    counts = {"trials": 4, "trialsFailed": 3, "trialsSucceeded": 1}
    done = [*RUNNING, ("Succeeded", "ExperimentMaxTrialsReached", "")]
    for told in (RUNNING, done):
        (one,) = waiting.notices(summarise(experiment("a", told, counts)), {}, trials.of_columns(answer))
        assert (one.tone, one.title) == ("warn", "3 of 4 trials have failed")
        assert one.text == "Most said: no such file"
    few = {**counts, "trialsSucceeded": 4}
    assert waiting.notices(summarise(experiment("a", done, few)), {}, trials.of_columns(answer)) == []


def test_what_a_pending_trial_says_is_said_once() -> None:
    answer = columns([("t-1", "Created", None, {}), ("t-2", "Created", None, {})])
    answer["columns"]["message"] = ["no room for t-1", "no room for t-2"]
    shown = trials.of_columns(answer)
    said = "Experiment is running: no trial runs; t-2: no room for t-2"
    for more, titles in (
        ("", ["2 trials wait to begin"]),
        ("; none has succeeded", ["2 trials wait to begin", "What it waits for"]),
    ):
        told = [*RUNNING[:-1], ("Running", "ExperimentRunning", said + more)]
        found = waiting.notices(
            summarise(experiment("a", told, {"trials": 2, "trialsPending": 2})), {}, shown
        )
        assert [each.title for each in found] == titles


def test_all_is_well_says_nothing() -> None:
    shown = trials.of_columns(columns([("t-1", "Succeeded", 1.0, {}), ("t-2", "Running", None, {})]))
    running = summarise(experiment("a", RUNNING, {"trials": 2, "trialsSucceeded": 1}))
    assert waiting.notices(running, {}, shown) == []


def test_a_copy_keeps_what_people_wrote_and_names_stay_short() -> None:
    given = experiment("search", RUNNING)
    given["metadata"]["annotations"] = {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    made = copies.copy_of(given, "search-2")
    assert made["metadata"] == {"name": "search-2", "namespace": "default", "annotations": {"note": "x"}}
    assert "status" not in made
    assert copies.next_name("search", set()) == "search"
    assert copies.next_name("search", {"search", "search-2"}) == "search-3"
    assert len(copies.next_name("x" * 40, {"x" * 40}, 40)) == 40


def test_only_what_upstream_lets_go_on_goes_on() -> None:
    done = [*RUNNING, ("Succeeded", "ExperimentMaxTrialsReached", "")]
    assert steering.can_go_on(summarise(experiment("a", RUNNING))) == ""
    assert "Never" in steering.can_go_on(summarise(experiment("a", done)))
    assert steering.can_go_on(summarise(experiment("a", done, resumePolicy="LongRunning"))) == ""
    goal = [*RUNNING, ("Succeeded", "ExperimentGoalReached", "")]
    assert steering.can_go_on(summarise(experiment("a", goal, resumePolicy="LongRunning")))


def test_a_stop_is_the_controllers_and_a_stopped_one_goes_on() -> None:
    given = experiment("a", RUNNING)
    annotations = steering.stop()["metadata"]["annotations"]
    assert is_stopped({**given, "metadata": {**given["metadata"], "annotations": annotations}})
    ended = [*RUNNING, ("Succeeded", "ExperimentStopped", "")]
    found = summarise(experiment("a", ended, {"trials": 4}, resumePolicy="LongRunning"))
    assert (found.state.value, states.short(found), found.trials) == ("Succeeded", "stopped", 4)
    assert steering.can_go_on(found) == ""
    more = steering.patch({"maxTrialCount": 9})
    assert more["spec"] == {"maxTrialCount": 9}
    assert more["metadata"]["annotations"] == dict.fromkeys(annotations)


def test_what_is_searched_in_words() -> None:
    found = summarise(experiment("a", RUNNING))
    lr, kind = searched.rows(found)
    assert (lr.cells["space"], lr.cells["distribution"]) == ("0.0001 to 1", "evenly by logarithm")
    assert kind.cells["space"] == "a, b"
    facts = searched.facts(
        experiment(
            "a",
            RUNNING,
            metricsCollectorSpec={
                "collector": {"kind": "File"},
                "source": {"fileSystemPath": {"path": "/x"}},
            },
        ),
        found,
    )
    assert facts["Are found in"] == "a file /x"
    assert facts["Each trial is"] == "a Job"
    assert facts["Metrics"] == "loss (min), accuracy (max)"
    assert "Further objectives" not in facts
    called = experiment("a", RUNNING)
    called["metadata"]["annotations"] = {
        "sampan.dev/trials": "in-process",
        "sampan.dev/objectives": '{"latency": "minimize"}',
        "sampan.dev/constraints": '{"size": "<= 5"}',
    }
    facts = searched.facts(called, summarise(called))
    assert facts["Each trial is"] == "a call of a function"
    assert facts["Are found in"] == "what it reports and returns"
    assert (facts["Further objectives"], facts["Bounds"]) == ("lowest latency", "size <= 5")


def test_an_architecture_is_read_as_katibs_web_api_writes_it() -> None:
    lines = (
        "digraph G {",
        "\t0->1;",
        '\t1->2 [ label="sep_conv_3x3" ];',
        '\t0 [ label="Input" ];',
        '\t1 [ label="3x3 conv\\n32 channels" ];',
        '\t2 [ label="a \\"b\\" [c]" ];',
        "}",
    )
    dot = "\n".join(lines)
    graph = network.read(dot)
    assert [(node.label, node.detail) for node in graph.nodes] == [
        ("Input", ""),
        ("3x3 conv", "32 channels"),
        ('a "b" [c]', ""),
    ]
    assert [(edge.source, edge.target, edge.label) for edge in graph.edges] == [
        ("0", "1", ""),
        ("1", "2", "sep_conv_3x3"),
    ]
    answer = [
        {
            "TrialName": "t",
            "Architecture": dot,
            "MetricsName": ["acc", "acc"],
            "MetricsValue": ["0.1", "0.25"],
        },
        {"Architecture": ""},
    ]
    assert [(each.trial, each.measured) for each in network.architectures(answer)] == [("t", {"acc": "0.25"})]


def test_it_is_found_by_name_metric_and_parameter_and_told_of() -> None:
    given = experiment(
        "search",
        [*RUNNING, ("Succeeded", "ExperimentGoalReached", "")],
        {"completionTime": at(9), "startTime": at(1), **_best("0.5")},
    )
    assert all(search.fits(given, word) for word in ("sear", "loss", "kind", "tpe", "uid-search"))
    assert not search.fits(given, "nothing")
    assert search.hit(summarise(given)).detail == "Succeeded · tpe · loss 0.5"
    assert [each.text for each in search.activities(given)] == [
        "Tuning experiment search started",
        "Tuning experiment search succeeded: loss 0.5",
    ]
