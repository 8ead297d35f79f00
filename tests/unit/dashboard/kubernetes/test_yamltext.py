"""YAML that people edit: its form, its errors, and where what the API refuses stands."""

from __future__ import annotations

import pytest

from sampan.dashboard.kubernetes import saving
from sampan.ui.objects import yamltext
from sampan.ui.objects.yamltext import Problem, YamlError

POD = """apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations:
    example.com/note: "1"
spec:
  containers:
    - name: x
      image: a:1
    - name: y
      imag: 3
      ports:
        - containerPort: "80"
"""


def test_an_object_comes_back_as_it_was() -> None:
    obj = {
        "kind": "ConfigMap",
        "status": {"a": None},
        "data": {
            "text": "a\nb\n",
            "when": "2026-01-01T00:00:00Z",
            "yes": "on",
            "odd": "a \nb",
            "ümlaut": "ß",
        },
        "metadata": {"name": "n", "managedFields": [{"manager": "m"}]},
        "apiVersion": "v1",
    }
    text = yamltext.dump(obj)
    assert text.startswith("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: n\n")
    assert "managedFields" not in text
    assert "text: |\n    a\n    b\n" in text
    assert text.rstrip().endswith("a: null")
    (document,) = yamltext.parse(text)
    assert document.value == {**obj, "metadata": {"name": "n"}}


@pytest.mark.parametrize(
    ("path", "kind", "line"),
    [
        ("metadata.name", "", 4),
        ("metadata.annotations[example.com/note]", "", 6),
        ("metadata.annotations.example.com/note", "", 6),
        ("spec.containers[1].imag", "", 12),
        ("spec.containers[1].ports[0].containerPort", "", 14),
        ("spec.containers.ports.containerPort", "string", 14),
        ("spec.containers.image", "string", 10),
        ("spec.containers.imag", "number", 12),
        ("spec.containers[0].ports", "", 9),
        ("spec.nodeName", "", 7),
        ("nothing", "", 1),
        ("", "", 1),
    ],
)
def test_a_field_is_found_or_the_nearest_above_it(path: str, kind: str, line: int) -> None:
    (document,) = yamltext.parse(POD)
    assert document.line_of(path, kind) == line


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: [", 2, "not YAML"),
        ("a:\n\t- b", 2, "not YAML"),
        ("a: 1\nb: 2\na: 3", 3, "stands here twice"),
        ("- a\n- b", 1, "mapping"),
        ("a: &x [1]\nb: *x", 2, "Aliases"),
        ("? [a]\n: b", 1, "key"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(YamlError) as raised:
        yamltext.parse(text)
    assert raised.value.problem.line == line
    assert said in raised.value.problem.message


def test_several_documents_and_empty_ones() -> None:
    found = yamltext.parse("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")
    assert [each.value for each in found] == [{"a": 1}, {"b": 2}]
    assert found[1].line_of("b") == 7
    assert yamltext.parse("") == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (
            'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field '
            '"spec.containers[1].imag"',
            Problem(12, "There is no such field.", "spec.containers[1].imag"),
        ),
        (
            "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort"
            " of type int32",
            Problem(
                14, "This is a string, and should be a whole number.", "spec.containers.ports.containerPort"
            ),
        ),
        (
            "json: cannot unmarshal number 3 into Go struct field Container.spec.containers.imag of type string",
            Problem(12, "This is a number, and should be a text: put it in quotes.", "spec.containers.imag"),
        ),
        ("the server is away", Problem(0, "the server is away")),
    ],
)
def test_what_the_api_says_is_put_at_its_line(message: str, problem: Problem) -> None:
    (document,) = yamltext.parse(POD)
    assert yamltext.problems(document, message) == [problem]


def test_causes_of_an_invalid_object_are_each_at_their_line() -> None:
    (document,) = yamltext.parse(POD)
    causes = [("metadata.name", "Invalid value"), ("spec.containers[1].image", "Required value")]
    assert [each.line for each in yamltext.problems(document, "invalid", causes)] == [4, 11]


BASE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "n", "resourceVersion": "1", "managedFields": []},
    "data": {"x": "1"},
    "status": {"seen": 1},
}


def test_an_edit_goes_onto_what_only_the_server_has_changed() -> None:
    current = {**BASE, "metadata": {**BASE["metadata"], "resourceVersion": "2"}, "status": {"seen": 2}}
    edited = {**BASE, "data": {"x": "mine"}}
    body = saving.rebased(edited, BASE, current)
    assert body is not None
    assert body["metadata"]["resourceVersion"] == "2"
    assert (body["data"], body["status"]) == ({"x": "mine"}, {"seen": 2})


def test_what_somebody_else_has_changed_is_a_conflict() -> None:
    current = {**BASE, "metadata": {**BASE["metadata"], "resourceVersion": "2"}, "data": {"x": "theirs"}}
    assert saving.rebased({**BASE, "data": {"x": "mine"}}, BASE, current) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [("name: a", "must stay a"), ("kind: ConfigMap", "must stay ConfigMap"), ("namespace: n", "must stay n")],
)
def test_an_edit_makes_no_other_object(change: str, said: str) -> None:
    text = yamltext.dump(BASE).replace(change, change.partition(":")[0] + ": other")
    with pytest.raises(YamlError) as raised:
        saving.one(text, BASE)
    assert said in raised.value.problem.message
    assert raised.value.problem.line > 1


def test_one_object_is_edited_at_a_time() -> None:
    for text in ("", yamltext.dump(BASE) + "---\n" + yamltext.dump(BASE)):
        with pytest.raises(YamlError):
            saving.one(text, BASE)
