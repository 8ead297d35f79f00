"""Which route a request belongs to."""

from __future__ import annotations

from sampan.components.serving.api.routing import Backend, Route, Rule
from sampan.components.serving.controller.gateway.rules import Ways
from sampan.components.serving.engine.gateway.table import Entry, Table


def entry(name: str, namespace: str, host: str, age: str = "2026", tag: str = "", number: int = 0) -> Entry:
    rules = (Rule((Backend(namespace, name, tag=tag),)),)
    prefixes = (f"/serving/{namespace}/{name}",)
    return Entry(
        Route("InferenceService", namespace, name, (host,), prefixes, rules), (age, name), number=number
    )


def found(table: Table, host: str) -> tuple[str, str] | None:
    match = table.by_host(host.encode(), b"/")
    return (match.entry.route.name, match.tag) if match else None


def test_the_older_object_keeps_a_name_that_two_claim() -> None:
    table = Table()
    newer, older = (
        entry("a-b", "c", "a-b-c.localhost", "2026-02"),
        entry("a", "b-c", "a-b-c.localhost", "2026-01"),
    )
    for order in ((newer, older), (older, newer)):
        for each in order:
            table.put(each)
        assert found(table, "a-b-c.localhost") == ("a", "")
        assert table.shadowed(newer) == ["a-b-c.localhost"]
        assert table.shadowed(older) == []
        table.remove(older.key)
        assert found(table, "a-b-c.localhost") == ("a-b", "")
        table.remove(newer.key)
        assert not table.has_host(b"a-b-c.localhost")


def test_a_whole_host_comes_before_one_with_a_tag() -> None:
    table = Table()
    table.put(entry("iris", "default", "iris-default.localhost", "2025", tag="canary"))
    assert found(table, "canary-iris-default.localhost") == ("iris", "canary")
    table.put(entry("canary-iris", "default", "canary-iris-default.localhost", "2026"))
    assert found(table, "canary-iris-default.localhost") == ("canary-iris", "")


def test_an_object_may_have_several_routes() -> None:
    table = Table()
    table.put(entry("iris", "default", "iris-default.localhost"))
    table.put(entry("iris", "default", "iris-predictor-default.localhost", number=1))
    assert (
        found(table, "iris-default.localhost")
        == found(table, "iris-predictor-default.localhost")
        == ("iris", "")
    )


def test_prefixes_of_all_depths_are_found_for_as_long_as_somebody_has_one() -> None:
    table = Table()
    entries = [entry(name, "default", f"{name}.h") for name in ("one", "two")]
    for each in (*entries, entries[0]):
        table.put(each)
    table.remove(entries[0].key)
    assert table.by_path(b"/serving/default/one/v1") is None
    assert table.by_path(b"/serving/default/two/v1") is not None
    table.remove(entries[1].key)
    assert table.by_path(b"/serving/default/two/v1") is None
    table.put(entries[0])
    assert table.by_path(b"/serving/default/one/v1") is not None


def test_prefixes_are_whole_parts_of_a_path_as_it_was_sent() -> None:
    table = Table()
    table.put(entry("iris", "default", "h"))
    cases = {
        b"/serving/default/iris": b"/",
        b"/serving/default/iris/": b"/",
        b"/serving/default/iris/v1/models": b"/v1/models",
        b"/serving/default/iris?a=/serving/x": b"/?a=/serving/x",
        b"/serving/default/iris2/v1": None,
        b"/serving/default": None,
        b"//serving/default/iris": None,
        b"/serving/default/../default/iris": None,
        b"/serving/default/iri%73/v1": None,
    }
    for target, left in cases.items():
        match = table.by_path(target)
        assert (match.target if match else None) == left


def test_rules_are_tried_in_turn() -> None:
    explain, predict = Backend("d", "explainer"), Backend("d", "predictor")
    rules = (Rule((explain,), path=r"/v1/models/[\w.-]+:explain$"), Rule((predict,), headers={"A": "b"}))
    ways = Ways(Route("InferenceService", "d", "iris", (), (), rules))
    for path, service in (
        (b"/v1/models/iris:explain", "explainer"),
        (b"/v1/models/iris:explain?x=1", "explainer"),
        (b"/v1/models/iris:explained", "predictor"),
        (b"/x/v1/models/iris:explain", "predictor"),
    ):
        way = ways.choose(path, "")
        assert way is not None
        assert way.backend.service == service


def test_a_rule_may_put_something_in_place_of_what_matched() -> None:
    rules = (Rule((Backend("d", "one"),), path="/seldon/api", rewrite="/api"),)
    ways = Ways(Route("SeldonDeployment", "d", "x", (), (), rules))
    way = ways.choose(b"/seldon/api/v1?q", "")
    assert way is not None
    assert way.target == b"/api/v1?q"
    assert ways.choose(b"/other", "") is None


def test_an_expression_that_cannot_be_read_matches_nothing() -> None:
    ways = Ways(Route("InferenceService", "d", "x", (), (), (Rule((Backend("d", "one"),), path="/a("),)))
    assert ways.choose(b"/a(", "") is None
