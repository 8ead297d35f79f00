"""Lines and what is found in them; sums; rules of early stopping."""

from __future__ import annotations

import random
import re

import pytest

from sampan.components.tuning.api.observing import MetricLog, finite
from sampan.components.tuning.api.suggesting import Objective, Rule
from sampan.components.tuning.controller.collecting.sources import LineSource
from sampan.components.tuning.engine.collecting.exposition import samples
from sampan.components.tuning.engine.collecting.lines import DEFAULT_FILTER, Lines, filter_problem
from sampan.components.tuning.engine.collecting.own import trouble_of
from sampan.components.tuning.engine.collecting.wanted import wanted_of
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.components.tuning.engine.trial.stopping import StopRules

TIME = "2026-01-01T00:00:00.000000001Z"


def lines(*metrics, **how):
    return Lines(wanted(*metrics, **how))


def wanted(*metrics, filters=(), json=False):
    file = {"fileSystemPath": {"path": "/out/metrics", "format": "JSON" if json else "TEXT"}}
    collecting = {
        "collector": {"kind": "File"},
        "source": {**file, "filter": {"metricsFormat": list(filters)}},
    }
    objective = {"objectiveMetricName": metrics[0], "additionalMetricNames": list(metrics[1:])}
    return wanted_of({"spec": {"objective": objective, "metricsCollector": collecting}})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("accuracy=0.9", [("accuracy", "0.9")]),
        ("accuracy = .98, loss=-7.53e-05", [("accuracy", ".98"), ("loss", "-7.53e-05")]),
        ("{accuracy=1E0; loss=1.23E10}", [("accuracy", "1E0"), ("loss", "1.23E10")]),
        ("Validation-accuracy=0.3", []),
        ("accuracy==0.9", []),
        ("accuracy=nan loss=-inf", [("accuracy", "nan"), ("loss", "-inf")]),
        ("accuracy=NaNs", []),
        ("accuracy=high", []),
        ("accuracy=-", []),
        ("accuracy=12%", [("accuracy", "12")]),
        ("nothing of it", []),
    ],
)
def test_values_in_a_line_of_text(line, expected):
    assert list(lines("accuracy", "loss").take(line, TIME).found) == expected


def test_the_default_filter_is_upstreams():
    pattern = re.compile(DEFAULT_FILTER, re.ASCII)
    chosen = random.Random(7)
    for _ in range(3000):
        line = "".join(chosen.choice("ab1.=  |-+eE9\té,") for _ in range(chosen.randint(0, 14)))
        names = {match[1].strip() for match in pattern.finditer(line)}
        for name in names:
            wanted = [m[2] for m in pattern.finditer(line) if m[1] == name and finite(m[2]) is not None]
            found = [value for _, value in lines(name).take(line, TIME).found if finite(value) is not None]
            assert found == wanted, line


def test_a_long_line_takes_no_long_time():
    taken = lines("accuracy").take("accuracy " + "a" * 1_000_000, TIME)
    assert taken.found == ()
    assert lines("accuracy", filters=["(a|a)*(b)"]).take("accuracy" + "a" * 60_000, TIME).found == ()


def test_a_line_may_begin_with_its_time():
    take = lines("accuracy").take
    assert take("2024-05-01T10:00:00.123456789Z accuracy=1", TIME).time == "2024-05-01T10:00:00.123456789Z"
    assert take("2024-05-01T10:00:00+02:00 accuracy=1", TIME).time == "2024-05-01T10:00:00+02:00"
    assert take("2024-05-01 10:00:00 accuracy=1", TIME).time == TIME
    assert take("2024-13-01T10:00:00Z accuracy=1", TIME).time == TIME
    assert take("accuracy=1", TIME).time == TIME


def test_filters_of_users():
    upstreams = r"{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)}"
    take = lines("loss", "accuracy", filters=[upstreams, r"(acc\w+) is (\S+)"]).take
    assert take("{metricName: loss, metricValue: 0.5}", TIME).found == (("loss", "0.5"),)
    assert take("accuracy is 0.25", TIME).found == (("accuracy", "0.25"),)
    assert take("loss=0.3", TIME).found == ()
    assert filter_problem("([") != ""
    assert filter_problem(upstreams) == ""
    # What Go does not have is refused, and one group alone finds nothing.
    assert filter_problem(r"(a)\1") != ""
    assert lines("loss", filters=["(loss)=.*"]).take("loss=1", TIME).found == ()


def test_filters_that_look_for_texts():
    genotype = r"([\w-]+)=(Genotype.*)"
    found = lines("Best-Genotype", filters=[genotype])
    text = "Genotype(normal=[[('max_pooling_3x3',0)]])"
    assert found.take(f"Best-Genotype={text}", TIME).found == (("Best-Genotype", text),)
    assert found.complaint is None
    # One that takes numbers, and whatever else there is, is not meant for texts.
    for each in (r"([\w-]+)=(.*)", r"([\w-]+)=(\w+)", r"([\w-]+)=(\d*)"):
        found = lines("accuracy", filters=[each])
        assert found.take("accuracy=high", TIME).found == ()
        assert str(found.complaint) == "line 1 says 'accuracy=high', where accuracy has no number for a value"
        assert found.take("accuracy=1", TIME).found == (("accuracy", "1"),)


def test_lines_of_json():
    take = lines("accuracy", "loss", json=True).take
    values = take('{"accuracy": "0.9", "loss": 0.25, "timestamp": 1700000000.5}', TIME)
    assert values.found == (("accuracy", "0.9"), ("loss", "0.25"))
    assert values.time == "2023-11-14T22:13:20.500000Z"
    assert (
        take('{"accuracy": 1e-3, "timestamp": "2024-05-01T10:00:00Z"}', TIME).time == "2024-05-01T10:00:00Z"
    )
    assert take('{"accuracy": NaN}', TIME).found == (("accuracy", "NaN"),)
    assert "not JSON" in take("accuracy=1", TIME).oddity
    assert "no JSON object" in take("[1]", TIME).oddity
    assert "no number" in take('{"accuracy": true}', TIME).oddity
    assert take("", TIME).oddity == ""
    assert "not JSON" in take("[" * 60_000, TIME).oddity


def test_complaints_name_the_line():
    found = lines("accuracy")
    for line in ("begin", "accuracy=0.5", "accuracy=high"):
        found.take(line, TIME)
    assert str(found.complaint) == "line 3 says 'accuracy=high', where accuracy has no number for a value"
    assert found.is_last_odd
    found.take("accuracy=0.6", TIME)
    assert not found.is_last_odd


def test_lines_that_name_the_objective_are_told_of_where_nothing_is_found():
    source = LineSource(wanted("accuracy", filters=[r"{name: (\w+), value: (\d+\.\d+)}"]), "key", "there")

    def take(line):
        list(source.taken(source.lines.take(line, TIME), "origin"))

    take("INFO {name: accuracy, value: .333}")
    assert str(source.complaint) == (
        "line 1 says 'INFO {name: accuracy, value: .333}', which no filter finds a value of accuracy in"
    )
    assert not source.is_last_odd
    take("the accuracy is good")
    assert source.complaint.number == 1
    take("INFO {name: accuracy, value: 0.5}")
    take("8 more steps have the same accuracy as step 9")
    assert source.complaint is None
    assert not source.is_last_odd


def test_a_line_may_begin_with_a_time_beyond_the_calendar():
    found = lines("accuracy").take("0001-01-01T00:00:00+09:00 accuracy=1", TIME)
    assert (found.time, found.found) == (TIME, (("accuracy", "1"),))


def sums(*values, **objective):
    found = Sums(Objective(objective.pop("type", "maximize"), "accuracy", **objective))
    for number, value in enumerate(values):
        found.take(MetricLog(f"2026-01-01T00:00:00.{number:09d}Z", "accuracy", value))
    return found


def numbers(found):
    metric = found.observation["metrics"][0]
    return metric["min"], metric["max"], metric["latest"]


def test_a_custom_collector_of_upstreams_image_is_done_as_if_it_were_not_custom():
    container = {"name": "mine", "image": "docker.io/kubeflowkatib/file-metrics-collector:v0.15@sha256:0"}
    args = ["-m", "accuracy", "-s-db", "x:1", "-path", "/out/log", "-format", "JSON", "-f", "(a) (b);(c) (d)"]
    collecting = {"collector": {"kind": "Custom", "customCollector": {**container, "args": args}}}
    spec = {"objective": {"objectiveMetricName": "accuracy"}, "metricsCollector": collecting}
    found = wanted_of({"spec": spec})
    assert (found.kind, found.path, found.format, found.folder) == ("File", "/out/log", "JSON", "/out")
    assert found.filters == ("(a) (b)", "(c) (d)")
    assert found.shown["name"] == "mine"
    collecting["collector"]["customCollector"]["command"] = ["sh"]
    assert wanted_of({"spec": spec}).kind == "Custom"


def test_sums_are_of_finite_numbers_as_they_were_written():
    assert numbers(sums("0.50", "1e0", "0.7")) == ("0.50", "1e0", "0.7")
    assert numbers(sums("nan", "2", "inf")) == ("2", "2", "inf")
    assert numbers(sums()) == ("unavailable",) * 3
    assert sums("nan").problem == "no value of accuracy is a finite number, the last was nan"
    assert sums("0.5", "nan").problem == ""
    assert "the latest value" in sums("0.5", "nan", strategies={"accuracy": "latest"}).problem
    assert sums("unavailable").problem == "nothing was reported for accuracy"


def test_an_objective_that_is_a_text_is_its_latest():
    found = Sums(Objective("maximize", "cell"))
    found.take_all([MetricLog(TIME, "cell", "Genotype(a)"), MetricLog(TIME, "cell", "Genotype(b)")])
    assert numbers(found) == ("unavailable", "unavailable", "Genotype(b)")
    assert found.problem == ""
    found = Sums(Objective("maximize", "cell"))
    found.take(MetricLog(TIME, "cell", "nan"))
    assert found.problem


def test_the_latest_is_the_latest_by_time_and_sums_add_up():
    one, other = sums("5"), Sums(Objective("maximize", "accuracy"))
    other.take(MetricLog("2025-01-01T00:00:00+01:00", "accuracy", "9"))
    one.add(other)
    assert numbers(one) == ("5", "9", "5")
    one.take(MetricLog("2026-01-01T00:00:00Z", "accuracy", "1"))
    assert numbers(one) == ("1", "9", "1")


def stops(rules, values, type_="maximize", name="accuracy"):
    found = StopRules(rules, Objective(type_, "accuracy"))
    for number, value in enumerate(values, 1):
        found.take(name, value)
        if found.are_met:
            return number
    return 0


def test_a_rule_counts_from_its_start_step_on():
    rule = Rule("accuracy", "0.5", "less", 3)
    assert stops([rule], ["0.1", "0.2", "0.3"]) == 3
    assert stops([rule], ["0.1", "0.2"]) == 0
    # Of the objective the best so far counts.
    assert stops([rule], ["0.9", "0.2", "0.3", "0.1"]) == 0
    assert stops([Rule("accuracy", "0.5", "greater", 2)], ["0.9", "0.8"], "minimize") == 2
    assert stops([Rule("accuracy", "0.5", "greater", 2)], ["0.4", "0.8"], "minimize") == 0
    assert stops([Rule("accuracy", "0.5", "equal")], ["0.5"]) == 1
    assert stops([Rule("loss", "2", "greater", 2)], ["5", "1", "3"], name="loss") == 3
    assert stops([], ["1"]) == 0
    assert stops([Rule("accuracy", "high", "less")], ["0.1"]) == 0
    assert stops([Rule("accuracy", "0.5", "less", 2)], ["nan", "0.1", "0.2"]) == 3


def test_all_rules_must_be_met():
    found = StopRules(
        [Rule("accuracy", "0.5", "less"), Rule("loss", "1", "greater")], Objective("maximize", "accuracy")
    )
    found.take("accuracy", "0.1")
    assert not found.are_met
    found.take("accuracy", "0.9")
    found.take("loss", "2")
    assert found.are_met
    assert found.why == "accuracy 0.1 is less than 0.5, loss 2 is greater than 1"


def test_lines_that_are_made_to_take_long_do_not() -> None:
    found = lines("a", filters=[r"(a)=([a-z]+)"]).take("a=b " * 16_000, TIME).found
    assert found[:2] == (("a", "b"), ("a", "b"))
    assert list(samples("a" + " " * 16_000 + "\na 1", ["a"])) == [("a", "1")]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"terminated": {"exitCode": 0}}, ""),
        ({"running": {}}, ""),
        ({"terminated": {"exitCode": 3}}, "its collector own ended with exit code 3; its log says more"),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
            "its collector own never ran: ImagePullBackOff: no such image",
        ),
    ],
)
def test_what_became_of_a_collector_of_ones_own_is_told(state, said):
    custom = {"collector": {"kind": "Custom", "customCollector": {"name": "own", "image": "mine/own:1"}}}
    found = {"status": {"containerStatuses": [{"name": "main", "state": {"waiting": {}}}]}}
    found["status"]["containerStatuses"].append({"name": "own", "state": state})
    assert trouble_of({"spec": {"metricsCollector": custom}}, [found]) == said
    assert trouble_of({"spec": {"metricsCollector": {}}}, [found]) == ""
