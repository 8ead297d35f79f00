"""Ways through a predictor's graph. What is expected is seldon-core 1.18.2's executor (predictor_process_test.go)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sampan.components.serving.engine.programs.seldon_executor import rest_calls, units
from sampan.components.serving.engine.programs.seldon_executor.execution import (
    CallError,
    Execution,
    graph_metadata,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Unit, read
from sampan.components.serving.engine.programs.seldon_executor.rest_calls import Payload, RestCalls
from sampan.components.serving.engine.programs.wire.client import Pool

Told = dict[str, Any]


class Caller:
    """Each unit writes its name into what it gets."""

    def __init__(self, routes: Mapping[str, int] | None = None, fails: str = "") -> None:
        self.routes, self.fails, self.asked = routes or {}, fails, []

    async def ask(self, unit: Unit, method: str, given: Told | None) -> Told:
        self.asked.append((unit.name, method))
        await asyncio.sleep(0)
        if unit.name == self.fails:
            raise CallError(f"{unit.name} fails", 418, {"why": unit.name})
        if method == "route":
            return {"route": self.routes[unit.name]}
        return {"way": [*(given or {}).get("way", ()), unit.name]}

    async def combine(self, unit: Unit, given: Sequence[Told]) -> Told:
        return {"way": [[each["way"] for each in given], unit.name]}

    def chained(self, given: Told, unit: Unit) -> Told:
        return given

    def to_json(self, given: Told) -> Told:
        return given

    def from_json(self, value: Mapping[str, Any]) -> Told:
        return dict(value)

    def route_of(self, answer: Told) -> int:
        return int(answer["route"])

    def routing_of(self, feedback: Told, unit: str) -> int:
        return int(feedback.get("routing", {}).get(unit, -1))

    def with_routing(self, answer: Told, routing: Mapping[str, int]) -> Told:
        return {**answer, "routing": dict(routing)}


def graph(told: Mapping[str, Any]) -> Unit:
    text = base64.b64encode(json.dumps({"name": "p", "graph": told}).encode()).decode()
    return read(text).graph


def way(
    told: Mapping[str, Any], caller: Caller | None = None, given: Told | None = None, **more: Any
) -> Told:
    execution = Execution(caller or Caller(), more.pop("tell", lambda *_: None), **more)
    return asyncio.run(execution.predict(graph(told), given or {}))


MODEL = {"name": "m", "type": "MODEL"}
ABOUT = [{"name": "a", "type": "MODEL"}, {"name": "b", "type": "MODEL"}]


def test_what_goes_in_is_transformed_on_both_ways() -> None:
    out = {"name": "out", "type": "OUTPUT_TRANSFORMER", "children": [MODEL]}
    assert way({"name": "in", "type": "TRANSFORMER", "children": [out]})["way"] == ["in", "m", "out"]


def test_a_router_asks_one_child_and_its_choice_is_told() -> None:
    caller = Caller({"r": 1})
    found = way({"name": "r", "type": "ROUTER", "children": ABOUT}, caller, injects_routing=True)
    assert found["way"] == ["b"]
    assert found["routing"] == {"r": 1, "b": -1}


@pytest.mark.parametrize(("route", "expected"), [(-1, ["a"]), (-2, [])])
def test_a_router_may_choose_all_children_or_none(route: int, expected: list[str]) -> None:
    found = way({"name": "r", "type": "ROUTER", "children": ABOUT}, Caller({"r": route}))
    assert found.get("way", []) == expected


def test_a_route_that_is_none_is_an_error() -> None:
    with pytest.raises(CallError, match="routes to child 7"):
        way({"name": "r", "type": "ROUTER", "children": ABOUT}, Caller({"r": 7}))


def test_a_combiner_gets_all_answers_in_order() -> None:
    found = way({"name": "c", "type": "COMBINER", "children": ABOUT})
    assert found["way"] == [[["a"], ["b"]], "c"]


def test_methods_count_as_types_do() -> None:
    unit = {"name": "u", "methods": ["TRANSFORM_INPUT", "TRANSFORM_OUTPUT"], "children": [MODEL]}
    assert way(unit)["way"] == ["u", "m", "u"]


def test_the_first_that_fails_is_the_answer() -> None:
    with pytest.raises(CallError) as caught:
        way({"name": "c", "type": "COMBINER", "children": ABOUT}, Caller(fails="b"))
    assert (caught.value.status, caught.value.payload) == (418, {"why": "b"})


def test_feedback_goes_the_way_of_the_answer() -> None:
    caller = Caller()
    unit = graph({"name": "r", "type": "ROUTER", "children": ABOUT})
    given = {"routing": {"r": 1}}
    asyncio.run(Execution(caller, lambda *_: None).feedback(unit, given))
    assert caller.asked == [("b", "send-feedback"), ("r", "send-feedback")]


def test_requests_and_answers_are_told_of_where_a_logger_wants_them() -> None:
    told: list[tuple[str, str]] = []
    unit = {**MODEL, "logger": {"mode": "all", "url": "http://x"}}
    way(unit, tell=lambda unit, kind, _payload: told.append((unit.name, kind)))
    assert told == [("m", "request"), ("m", "response")]


# Built-in units.


def test_simple_model_answers_three_classes() -> None:
    found = way({"name": "s", "implementation": "SIMPLE_MODEL"}, given={"meta": {"puid": "1"}})
    assert found["data"]["tensor"] == {"shape": [1, 3], "values": [0.1, 0.9, 0.5]}
    assert found["meta"]["puid"] == "1"


def test_averages_keep_form_and_names() -> None:
    unit = Unit("c")
    first = {"data": {"names": ["x"], "ndarray": [[1, 2], [3, 4]]}, "meta": {"tags": {"a": 1}}}
    second = {"data": {"ndarray": [[3, 4], [5, 6]]}, "meta": {"tags": {"b": 2}}}
    found = units.averaged(unit, [first, second])
    assert found["data"] == {"names": ["x"], "ndarray": [[2, 3], [4, 5]]}
    assert found["meta"]["tags"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "data", [{"ndarray": [[1]]}, {"ndarray": [[1, "x"]]}, {"tensor": {"shape": [3], "values": [1]}}]
)
def test_what_cannot_be_averaged_is_said(data: Told) -> None:
    with pytest.raises(units.UnitError):
        units.averaged(Unit("c"), [{"data": {"ndarray": [[1, 2]]}}, {"data": data}])


@pytest.mark.parametrize(
    ("parameters", "point", "child"),
    [({"ratioA": "0.7"}, 0.69, 0), ({"ratioA": "0.7"}, 0.7, 1), ({}, 0.5, 1)],
)
def test_an_ab_test_splits_by_its_ratio(parameters: dict[str, str], point: float, child: int) -> None:
    children = (Unit("a"), Unit("b"))
    assert units.chosen(Unit("r", parameters=parameters, children=children), point) == child


def test_the_graphs_metadata_are_those_of_its_edges() -> None:
    unit = graph({"name": "c", "type": "COMBINER", "children": ABOUT})
    models = {name: {"inputs": f"{name}-in", "outputs": f"{name}-out"} for name in "abc"}
    found = graph_metadata("p", unit, models)
    assert (found["graphinputs"], found["graphoutputs"]) == ("a-in", "c-out")


# Messages over HTTP.


def calls(protocol: str = "seldon") -> RestCalls:
    return RestCalls(Pool(), protocol, [])


@pytest.mark.parametrize(
    ("answer", "route"),
    [
        ({"data": {"ndarray": [[1]]}}, 1),
        ({"data": {"ndarray": [2]}}, 2),
        ({"data": {"tensor": {"shape": [1, 1], "values": [3]}}}, 3),
        ([4], 4),
        ({"strData": "x"}, -1),
    ],
)
def test_routes_are_read_in_every_form(answer: Any, route: int) -> None:
    assert calls().route_of(Payload(json.dumps(answer).encode())) == route


@pytest.mark.parametrize(
    ("protocol", "given", "chained"),
    [
        ("tensorflow", {"predictions": [1]}, {"instances": [1]}),
        ("tensorflow", {"instances": [1]}, {"instances": [1]}),
        ("v2", {"outputs": [1], "id": "x"}, {"inputs": [1], "id": "x"}),
        ("kfserving", {"inputs": [1]}, {"inputs": [1]}),
        ("seldon", {"data": 1}, {"data": 1}),
    ],
)
def test_answers_become_requests_by_protocol(protocol: str, given: Told, chained: Told) -> None:
    found = calls(protocol).chained(Payload(json.dumps(given).encode()), Unit("m"))
    assert json.loads(found.body) == chained


@pytest.mark.parametrize(
    ("refusals", "error", "tries"),
    [(2, ConnectionRefusedError, 3), (99, ConnectionRefusedError, 5), (1, ConnectionResetError, 1)],
)
def test_who_refuses_to_be_asked_is_asked_again(
    refusals: int, error: type[Exception], tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        asked = 0

        async def request(self, *_: Any) -> Any:
            self.asked += 1
            if self.asked <= refusals:
                raise error("no")
            return Found()

    class Found:
        status = 200

        async def read(self, _most: int) -> bytes:
            return b"{}"

        def get(self, _name: str, default: str = "") -> str:
            return default

    monkeypatch.setattr(rest_calls, "_PAUSES", (0, 0, 0, 0))
    pool: Any = Refusing()
    unit = Unit("m", host="h", http_port=1)
    asked = RestCalls(pool, "seldon", []).ask(unit, "predict", Payload(b"{}"))
    if refusals == 2:
        assert asyncio.run(asked).body == b"{}"
    else:
        with pytest.raises(CallError):
            asyncio.run(asked)
    assert pool.asked == tries


@pytest.mark.parametrize("text", ["", "no base64", base64.b64encode(b"[]").decode()])
def test_what_is_no_predictor_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="ENGINE_PREDICTOR"):
        read(text)
