"""Patterns, placeholders and conditions of triggers: the pure parts."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.event_values import (
    check_placeholders,
    fill,
    roots_asked_for,
    typed,
    unmet,
)
from sampan.components.pipelines.api.events import EventKind
from sampan.components.pipelines.api.globs import is_deep, matches_name, matches_path
from sampan.components.pipelines.api.signatures import proves, sign
from sampan.components.pipelines.engine.triggers.specs import types_in


@pytest.mark.parametrize(
    ("path", "pattern", "is_meant"),
    [
        ("a.csv", "*.csv", True),
        ("sub/a.csv", "*.csv", False),
        ("sub/a.csv", "*/*.csv", True),
        ("a.csv", "**/*.csv", True),
        ("x/y/z/a.csv", "**/*.csv", True),
        ("x/y/a.csv", "x/**", True),
        ("x", "x/**", True),
        ("y/x/a", "x/**", False),
        ("x/1/y/2/z", "x/**/y/**/z", True),
        ("x/y/z", "x/**/y/**/z", True),
        ("a.csv", "?.csv", True),
        ("ab.csv", "?.csv", False),
        ("a[1].csv", "a[1].csv", True),
        ("A.CSV", "*.csv", False),
        (".hidden", "*", True),
        ("", "*", True),
        ("a", "", False),
    ],
)
def test_paths_and_patterns(path: str, pattern: str, is_meant: bool) -> None:
    assert matches_path(path, pattern) is is_meant


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_names_match_as_the_standard_library_says(pattern: str, name: str) -> None:
    assert matches_name(name, pattern) is fnmatch.fnmatchcase(name, pattern)


def test_no_pattern_takes_long() -> None:
    """One that goes back to try again would not end within the age of the universe."""
    assert not matches_name("a" * 5000, "*a" * 400 + "b")
    assert not matches_path("/".join("a" * 1000), "**/a/" * 150 + "b")


def test_which_patterns_look_into_folders() -> None:
    assert [is_deep(each) for each in ("*.csv", "**", "a/*", "**/*.csv")] == [False, True, True, True]


DATA: dict[str, Any] = {
    "body": {"ref": "refs/heads/main", "n": 7, "list": [{"id": "c1"}], "a.b": {"c": 1}, "none": None, "big": 10**20},
    "headers": {"x-github-event": "push"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{event.body.n}}", 7),
        (" {{ event.body.n }} ", 7),
        ("n={{event.body.n}}", "n=7"),
        ("{{event.body.ref}}:{{event.body.n}}", "refs/heads/main:7"),
        ("{{event.body.list.0.id}}", "c1"),
        ("{{event.body.list}}", [{"id": "c1"}]),
        ("{{event.body.a.b.c}}", 1),
        ("{{event.headers.x-github-event}}", "push"),
        ("{{event.body.none}}", None),
        ("{{other.thing}} [[CurrentTime]]", "{{other.thing}} [[CurrentTime]]"),
        ({"deep": ["{{event.body.ref}}", 1]}, {"deep": ["refs/heads/main", 1]}),
    ],
)
def test_placeholders(text: Any, value: Any) -> None:
    assert fill({"p": text}, DATA).parameters == {"p": value}


@pytest.mark.parametrize(
    "path",
    [
        "body.nothing",
        "body.list.1",
        "body.list.-1",
        "body.list.x",
        "body.ref.x",
        "body.list.²",
        "body..n",
        "",
    ],
)
def test_what_the_event_does_not_have_is_named(path: str) -> None:
    with pytest.raises(InvalidArgumentError, match="parameter 'p': the event has no"):
        fill({"p": f"{{{{event.{path}}}}}"}, DATA)


def test_placeholders_are_not_read_in_what_they_stand_for() -> None:
    """What a sender writes is a value: it cannot ask for another part of the event."""
    data = {"body": {"a": "{{event.headers.secret}}", "b": "{{event.body.a}}"}, "headers": {"secret": "s"}}
    assert fill({"p": "{{event.body.b}} {{event.body.a}}"}, data).parameters == {
        "p": "{{event.body.a}} {{event.headers.secret}}"
    }


def test_kinds_of_events_have_their_own_words() -> None:
    check_placeholders({"p": "{{event.path}}"}, EventKind.FILE, "x")
    with pytest.raises(InvalidArgumentError, match=r"x\.p: {{event\.body}} is nothing that a file event has"):
        check_placeholders({"p": [{"q": "{{event.body}}"}]}, EventKind.FILE, "x")
    assert roots_asked_for({"p": ["{{event.outputs.x}}"]}, {"state": "*"}) == {"outputs", "state"}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("NUMBER_INTEGER", "41", 41),
        ("NUMBER_INTEGER", "4.1", "4.1"),
        ("NUMBER_INTEGER", "9" * 5000, "9" * 5000),
        ("NUMBER_DOUBLE", "4.1", 4.1),
        ("BOOLEAN", "True", True),
        ("BOOLEAN", "yes", "yes"),
        ("STRUCT", '{"a": 1}', {"a": 1}),
        ("STRUCT", "[1]", "[1]"),
        ("LIST", "[" * 100_000, "[" * 100_000),
        ("STRING", "41", "41"),
        ("STRING", 41, "41"),
        ("STRING", True, "true"),
        ("STRING", {"a": 1}, '{"a": 1}'),
        ("", 41, 41),
    ],
)
def test_texts_become_the_declared_type(kind: str, text: Any, value: Any) -> None:
    assert typed(text, kind) == value


def test_what_a_workflow_of_argo_takes_is_text() -> None:
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "spec": {"arguments": {"parameters": [{"name": "a"}, {"name": "b", "value": "1"}]}},
    }
    assert types_in(workflow) == {"a": "STRING", "b": "STRING"}
    assert types_in({"pipeline_spec": workflow}) == {"a": "STRING", "b": "STRING"}


def test_conditions() -> None:
    assert unmet({"body.ref": "refs/heads/*", "body.n": "7", "body.list.0.id": "c?"}, DATA) == ""
    assert unmet({"body.n": "8"}, DATA) == "body.n is '7', which does not match '8'"
    assert unmet({"body.x": "*"}, DATA) == "the event has no body.x"


@given(st.text(min_size=1), st.binary())
def test_a_signature_proves_the_secret_and_the_body(secret: str, body: bytes) -> None:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return
    shown = {"x-hub-signature-256": sign(secret, body)}
    assert proves(shown, body, secret)
    assert not proves(shown, body + b"x", secret)
    assert not proves(shown, body, secret + "x")
    assert not proves(shown, body, "")
    assert not proves({}, body, secret)
