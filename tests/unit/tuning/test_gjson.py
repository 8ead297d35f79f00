"""GJSON paths. The expected values are those of tidwall/gjson's documentation (README.md, SYNTAX.md)."""

from __future__ import annotations

import pytest

from sampan.components.tuning.engine.trial.judging import FAILED, RUNNING, SUCCEEDED, judge
from sampan.lib.gjson.paths import MISSING, PathError, get, problem

DOCUMENT = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "children": ["Sara", "Alex", "Jack"],
    "fav.movie": "Deer Hunter",
    "friends": [
        {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb", "tw"]},
        {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb", "tw"]},
        {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig", "tw"]},
    ],
    "vals": [{"a": 1, "b": True}, {"a": 2, "b": False}, {"a": 3}, {"a": 4, "b": "0"}, {"a": 5, "b": None}],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name.last", "Anderson"),
        ("age", 37),
        ("children", ["Sara", "Alex", "Jack"]),
        ("children.#", 3),
        ("children.1", "Alex"),
        ("child*.2", "Jack"),
        ("c?ildren.0", "Sara"),
        (r"fav\.movie", "Deer Hunter"),
        ("friends.#.first", ["Dale", "Roger", "Jane"]),
        ("friends.1.last", "Craig"),
        ('friends.#(last=="Murphy").first', "Dale"),
        ('friends.#(last=="Murphy")#.first', ["Dale", "Jane"]),
        ("friends.#(age>45)#.last", ["Craig", "Murphy"]),
        ('friends.#(first%"D*").last', "Murphy"),
        ('friends.#(first!%"D*").last', "Craig"),
        ('friends.#(nets.#(=="fb"))#.first', ["Dale", "Roger"]),
        ('children.#(!%"*a*")', "Alex"),
        ('children.#(%"*a*")#', ["Sara", "Jack"]),
        ("friends.#.nets.#", [3, 2, 2]),
        ("friends.#.nets|#", 3),
        ('friends.#(last="Murphy")#|first', MISSING),
        ('friends.#(last="Murphy")#|0', DOCUMENT["friends"][0]),
        ('friends.#(last="Murphy")#|#', 2),
        ('friends.#(last="Murphy")#|#.first', ["Dale", "Jane"]),
        ("children|@reverse|0", "Jack"),
        ("children.@reverse.0", "Jack"),
        ('{name.first,age,"the_last":name.last}', {"first": "Tom", "age": 37, "the_last": "Anderson"}),
        ("[name.first,age]", ["Tom", 37]),
        ("vals.#(b==~true)#.a", [1]),
        ("vals.#(b==~false)#.a", [2, 3, 4, 5]),
        ("vals.#(b==~null)#.a", [3, 5]),
        ("vals.#(b==~*)#.a", [1, 2, 4, 5]),
        ("vals.#(a>=4)#|#", 2),
        ("nothing.at.all", MISSING),
        # An object is a document of one line.
        ("..#", 1),
        ("..0.age", 37),
        ("..1", MISSING),
        ("..#.name.first", ["Tom"]),
        ("..#(age>40)#", []),
        ("..#(age=37).name.last", "Anderson"),
        ("name|..0.first", "Tom"),
        ("@dig:first", ["Tom", "Dale", "Roger", "Jane"]),
        ("@dig:first|0", "Tom"),
        ("friends.@dig:nets.0", ["ig", "fb", "ig"]),
        ("friends.@dig:nets.0|#", 3),
        ('@dig:#(first="Roger").age|0', 68),
        ("name.@dig:nothing", []),
        ("@dig", []),
        ("children.9", MISSING),
        ("name.#", MISSING),
    ],
)
def test_a_path_finds_what_gjson_finds(path, expected):
    assert get(DOCUMENT, path) == expected
    assert problem(path) == ""


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("", "empty"),
        ("..", "nothing beside it"),
        ("a|..", "nothing beside it"),
        ("@dig:a..b", "nothing beside it"),
        ("@dig:#(a.@dig:b)", "within @dig"),
        ("a..b", "nothing beside it"),
        ("a|", "nothing beside it"),
        ('a.#(b=="c"', "never closes"),
        ('a.#(b=="c)', "never closes"),
        ("a.@nope", "no modifier @nope"),
        ("a.#x", "after # comes"),
        ("a.#(b==)#", "compares with nothing"),
        ("[a,b]c", "comes a dot or a pipe"),
        ("!nonsense", "no literal"),
        ("#(a.#(" * 40 + ")" * 80, "nested"),
        ("a" * 3000, "characters"),
    ],
)
def test_what_is_no_path_is_told_of(path, word):
    assert word in problem(path)


def test_a_hostile_path_ends():
    with pytest.raises(PathError):
        get({"a": [1]}, "[" * 60 + "a" + "]" * 60)
    assert get({"a" * 2000: 1}, "*a" * 500 + "b") is MISSING


JOB = {
    "status": {
        "conditions": [
            {"type": "SuccessCriteriaMet", "status": "True"},
            {"type": "Complete", "status": "True", "reason": "Done", "message": "all of it"},
        ]
    }
}
COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
FAILURE = 'status.conditions.#(type=="Failed")#|#(status=="True")#'
WORKFLOW = ('status.[@this].#(phase=="Succeeded")#', 'status.[@this].#(phase=="Failed")#')


def test_conditions_of_upstream_judge_a_run():
    state = judge(JOB, COMPLETE, FAILURE)
    assert (state.condition, state.reason, state.message) == (SUCCEEDED, "Done", "all of it")
    # A failure comes first.
    assert judge(JOB, COMPLETE, COMPLETE).condition == FAILED
    assert judge({}, COMPLETE, FAILURE).condition == RUNNING
    assert judge({"status": {"phase": "Failed"}}, *WORKFLOW).condition == FAILED
    assert judge({"status": {"phase": "Running"}}, *WORKFLOW).condition == RUNNING
    # One object is as good as a list of them; a condition of another status is none.
    assert judge(JOB, 'status.conditions.#(type=="Complete")', FAILURE).condition == SUCCEEDED
    assert judge(JOB, COMPLETE.replace("True", "False"), FAILURE).condition == RUNNING


def test_a_condition_that_can_never_count_is_told_of():
    state = judge({"status": {"phase": "Succeeded"}}, "status.phase", FAILURE)
    assert state.condition == RUNNING
    assert "successCondition finds 'Succeeded', which counts for nothing" in state.note
    assert "failureCondition is no GJSON path" in judge({}, COMPLETE, "a..b").note


@pytest.mark.parametrize(
    "path",
    ["|".join(["@tostr"] * 250), "|".join(["[@this,@this]"] * 120), "|".join(['{"a":@this,"b":@this}'] * 70)],
    ids=["texts", "lists", "objects"],
)
def test_a_path_that_doubles_what_it_finds_finds_nothing(path: str) -> None:
    run = {"status": {"conditions": [{"type": "Complete", "status": "True", "message": 'said "done"'}]}}
    assert problem(path) == ""
    with pytest.raises(PathError, match="more than"):
        get(run, path)
    assert judge(run, path, "").condition == RUNNING


def test_digging_in_what_is_deep_ends() -> None:
    deep: dict[str, object] = {"a": "x" * 100_000}
    for _ in range(400):
        deep = {"b": deep}
    assert get(deep, "@dig:a") == ["x" * 100_000]
    with pytest.raises(PathError, match="more than"):
        get(deep, "@dig:@this.@tostr")
