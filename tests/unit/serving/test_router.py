"""Ways through an inference graph. The expected answers are those of kserve 0.20's cmd/router/main.go."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from sampan.components.serving.engine.programs.router.calls import CallError, patterns_of, propagated
from sampan.components.serving.engine.programs.router.conditions import INVALID, document, holds
from sampan.components.serving.engine.programs.router.execution import (
    Execution,
    GraphError,
    Outcome,
    picked_by_weight,
    with_instances,
)
from sampan.components.serving.engine.programs.router.graph import Graph, Step, read_graph


class Answers:
    """Services by their address: what each was asked, and what it answers."""

    def __init__(self, **answers: tuple[int, Any] | Exception) -> None:
        self.answers, self.asked = answers, []

    async def call(self, url: str, body: bytes, headers: object) -> tuple[bytes, int, str]:
        self.asked.append((url, body))
        found = self.answers[url]
        if isinstance(found, Exception):
            raise found
        status, value = found
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return data, status, "application/json"


def graph(**nodes: Any) -> Graph:
    return read_graph(json.dumps({"nodes": nodes}))


def way(answers: Answers, nodes: dict[str, Any], data: Any = b"{}") -> Outcome:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return asyncio.run(Execution(graph(**nodes), answers, []).node("root", body))


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"root": {"routerType": "Sequence", "steps": list(steps)}}


OK, MISSING_MODEL = (
    (200, {"predictions": [{"message": "SUCCESS"}]}),
    (404, {"detail": "Intentional 404 code"}),
)


def test_a_sequence_hands_on_what_it_is_told_to() -> None:
    answers = Answers(a=(200, {"a": 1}), b=(200, {"b": 2}), c=(200, {"c": 3}))
    nodes = sequence(
        {"serviceUrl": "a", "data": "$response"},
        {"serviceUrl": "b", "data": "$request"},
        {"serviceUrl": "c", "data": "$response"},
    )
    assert json.loads(way(answers, nodes, {"x": 0}).body) == {"c": 3}
    assert [(url, json.loads(body)) for url, body in answers.asked] == [
        ("a", {"x": 0}),
        ("b", {"x": 0}),
        ("c", {"b": 2}),
    ]


@pytest.mark.parametrize(
    ("first", "second", "status", "asked"),
    [
        (("ok", "Soft"), ("no", "Soft"), 404, 2),
        (("no", "Soft"), ("ok", "Soft"), 200, 2),
        (("no", "Hard"), ("ok", "Soft"), 404, 1),
    ],
)
def test_a_hard_step_that_fails_ends_a_sequence(first: Any, second: Any, status: int, asked: int) -> None:
    answers = Answers(ok=OK, no=MISSING_MODEL)
    steps = [{"serviceUrl": url, "dependency": kind} for url, kind in (first, second)]
    outcome = way(answers, sequence(*steps))
    assert (outcome.status, len(answers.asked)) == (status, asked)
    assert json.loads(outcome.body) == (OK if status == 200 else MISSING_MODEL)[1]


def test_an_unmet_condition_ends_a_sequence_with_what_there_is() -> None:
    answers = Answers(a=(201, {"predictions": [{"label": "cat"}]}), b=OK)
    step = {"serviceUrl": "b", "condition": 'predictions.#(label=="dog")'}
    outcome = way(answers, sequence({"serviceUrl": "a"}, step))
    assert (outcome.status, json.loads(outcome.body)) == (200, {"predictions": [{"label": "cat"}]})
    assert len(answers.asked) == 1
    # There is no answer yet in which the first step's condition could be looked for.
    with pytest.raises(GraphError, match="invalid response"):
        way(answers, sequence(step))
    answers.answers["a"] = (200, b"no JSON")
    with pytest.raises(GraphError, match="invalid response"):
        way(answers, sequence({"serviceUrl": "a"}, step))


def test_a_service_that_is_not_reached_fails_the_graph_even_when_soft() -> None:
    with pytest.raises(CallError, match="refused"):
        way(Answers(a=CallError("refused"), b=OK), sequence({"serviceUrl": "a"}, {"serviceUrl": "b"}))


SWITCH = {
    "routerType": "Switch",
    "steps": [
        {"serviceUrl": "no", "condition": "[@this].#(decision_picker==ERROR)"},
        {"serviceUrl": "ok", "condition": "[@this].#(decision_picker==SUCCESS)"},
        {"serviceUrl": "pattern", "condition": "instances.#(strval%*red-server*)"},
        {"serviceUrl": "more", "condition": "instances.#(intval>10)"},
    ],
}


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        ({"decision_picker": "ERROR"}, "no"),
        ({"decision_picker": "SUCCESS"}, "ok"),
        ({"instances": [{"intval": 1}, {"strval": "1red-server1"}]}, "pattern"),
        ({"instances": [{"intval": 11}]}, "more"),
    ],
)
def test_a_switch_takes_the_first_that_matches(data: Any, asked: str) -> None:
    answers = Answers(ok=OK, no=MISSING_MODEL, pattern=OK, more=OK)
    outcome = way(answers, {"root": SWITCH}, data)
    assert [url for url, _ in answers.asked] == [asked]
    assert outcome.status == answers.answers[asked][0]  # type: ignore[index]


@pytest.mark.parametrize(
    "data", [{"decision_picker": "OTHER"}, b"no JSON", b"", b'{"decision_picker": NaN}', b"[" * 90_000]
)
def test_a_switch_without_a_match_is_404_at_the_root_and_500_within(data: Any) -> None:
    with pytest.raises(GraphError, match="None of the routes matched with the switch condition") as caught:
        way(Answers(), {"root": SWITCH}, data)
    assert caught.value.status == 404
    with pytest.raises(GraphError) as within:
        way(Answers(), {**sequence({"nodeName": "n"}), "n": SWITCH}, data)
    assert within.value.status == 500


def test_an_ensemble_is_merged_by_name() -> None:
    answers = Answers(ok=OK, no=MISSING_MODEL)
    steps = [{"name": "one", "serviceUrl": "ok"}, {"serviceUrl": "no"}]
    outcome = way(answers, {"root": {"routerType": "Ensemble", "steps": steps}})
    assert outcome.status == 200
    assert json.loads(outcome.body) == {"one": OK[1], "1": MISSING_MODEL[1]}
    steps[1]["dependency"] = "Hard"
    hard = way(answers, {"root": {"routerType": "Ensemble", "steps": steps}})
    assert (hard.status, json.loads(hard.body)) == MISSING_MODEL


@pytest.mark.parametrize("answer", [(200, [1]), (200, b""), (200, b"text"), CallError("gone"), (500, 5)])
def test_an_ensemble_needs_objects(answer: Any) -> None:
    steps = [{"serviceUrl": "ok"}, {"serviceUrl": "bad"}]
    with pytest.raises((GraphError, CallError)):
        way(Answers(ok=OK, bad=answer), {"root": {"routerType": "Ensemble", "steps": steps}})


def test_an_ensemble_asks_at_the_same_time_and_gives_up_what_nobody_waits_for() -> None:
    ended = []

    class Slow(Answers):
        async def call(self, url: str, body: bytes, headers: object) -> tuple[bytes, int, str]:
            if url == "slow":
                try:
                    await asyncio.sleep(60)
                finally:
                    ended.append(url)
            return await super().call(url, body, headers)

    steps = [{"serviceUrl": "slow"}, {"serviceUrl": "bad"}]
    with pytest.raises(CallError):
        way(Slow(bad=CallError("gone")), {"root": {"routerType": "Ensemble", "steps": steps}})
    assert ended == ["slow"]


def test_a_splitter_splits_by_weight() -> None:
    steps = [Step(url="a", weight=20), Step(url="b", weight=80)]
    assert Counter(picked_by_weight(steps, point).url for point in range(100)) == {"a": 20, "b": 80}
    with pytest.raises(GraphError, match="no route was selected"):
        picked_by_weight([Step(url="a", weight=20)], 20)


def test_nodes_that_lead_to_themselves_end() -> None:
    nodes = {"root": {"routerType": "Sequence", "steps": [{"nodeName": "root"}]}}
    with pytest.raises(GraphError, match="more than 64 deep"):
        way(Answers(), nodes)
    with pytest.raises(GraphError, match="invalid route type"):
        way(Answers(), sequence({"nodeName": "nowhere"}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"predictions": [1, 2], "other": 3}, {"instances": [1, 2]}),
        ({"predictions": [1], "instances": [9]}, {"instances": [1]}),
        ({"predictions": []}, {"predictions": []}),
        ({"predictions": 1}, {"predictions": 1}),
        ([1], [1]),
    ],
)
def test_predictions_become_instances(before: Any, after: Any) -> None:
    assert json.loads(with_instances(json.dumps(before).encode())) == after


def test_what_is_json_is_what_gjson_takes() -> None:
    assert document(b'{"a": 1e999}') is not INVALID
    assert document(b"1" * 5000) is not INVALID
    assert document(b'"\xff"') is not INVALID
    for wrong in (b"", b"{", b"NaN", b"[Infinity]", b"\xff\xfe1\x00", b"1 2"):
        assert document(wrong) is INVALID
    assert not holds({"a": 1}, "a..b(")


def test_headers_go_along_whose_names_match() -> None:
    headers = [
        ("host", "me"), ("authorization", "Bearer x"), ("x-b3-traceid", "1"), ("X-B3-SpanId", "2"),
        ("connection", "x-b3-spanid"), ("content-length", "5"), ("Content-Type", "text/csv"),
    ]  # fmt: skip
    json_only = [("Content-Type", "application/json")]
    assert propagated(headers, ()) == json_only
    patterns, wrong = patterns_of("Authorization,X-B3-.*,(")
    assert propagated(headers, patterns) == [("authorization", "Bearer x"), ("x-b3-traceid", "1"), *json_only]
    assert len(wrong) == 1
    everything, _ = patterns_of("")
    assert propagated(headers, everything)[-1] == ("Content-Type", "text/csv")
    assert patterns_of(None) == ((), ())


def test_a_graph_is_read_leniently() -> None:
    read = read_graph(
        '{"nodes": {"root": {"routerType": "Splitter", "steps": [{"weight": "x"}, 5]}, "b": 7}}'
    )
    assert len(read.nodes["root"].steps) == 2
    timeouts = read_graph('{"routerTimeouts": {"serverWrite": 0, "serviceClient": 7}}').timeouts
    assert (timeouts.server_read, timeouts.server_write, timeouts.service_client) == (60, 0, 7)
    for wrong in ("", "[]", "{", '{"nodes": []}'):
        if wrong != '{"nodes": []}':
            with pytest.raises(ValueError):  # noqa: PT011 - whatever its words
                read_graph(wrong)
