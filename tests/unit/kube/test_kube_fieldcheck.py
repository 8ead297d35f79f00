"""The schema's text form, and objects checked against it."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.kube.fieldcheck import check
from sampan.kube.quantities import canonical
from sampan.kube.schema import Schema

SCHEMA = Schema.parse("""
package io.example.v1 example.com/v1
# A comment.
Thing kind
    name!:string=1 count:int64=2 small:*int32=3 ratio:number=4 on:boolean=5 when:time=6 size:quantity=7
    port:intOrString=8 tags:{string}=9 parts:[Part]@name=10 free:any data:bytes=11 +Inlined=12
    either:Either=13 ports:[Port]@port%port,protocol=14 order:[string]%set=15 whole:{string}%atomic=16
Part atomic
    name:string=1
Inlined
    inside:string=1
Either union
    allows:boolean=1 part:*Part=2
Port
    port!:int32=1 protocol:string|TCP=2
""")


@pytest.mark.parametrize(
    ("obj", "mistyped"),
    [
        ({"name": "a", "count": 1, "ratio": 1.5, "on": True, "free": [1], "port": "http"}, ""),
        ({"when": "2026-01-01T00:00:00Z", "size": "1Gi", "port": 80, "parts": [{"name": "x"}]}, ""),
        ({"count": 2.0, "data": "aGk=", "inside": "x", "either": True}, ""),
        ({"name": 1}, "json: cannot unmarshal number into Go struct field Thing.name of type string"),
        ({"count": True}, "json: cannot unmarshal bool into Go struct field Thing.count of type int64"),
        (
            {"small": 2**31},
            "json: cannot unmarshal number 2147483648 into Go struct field Thing.small of type int32",
        ),
        ({"small": 1.5}, "json: cannot unmarshal number 1.5 into Go struct field Thing.small of type int32"),
        (
            {"when": "yesterday"},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (
            {"size": "big"},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ({"data": "a*"}, "illegal base64 data at input byte 1"),
        (
            {"tags": {"a": 1}},
            "json: cannot unmarshal number into Go struct field Thing.tags of type string",
        ),
        (
            {"parts": {}},
            "json: cannot unmarshal object into Go struct field Thing.parts of type []v1.Part",
        ),
        (
            {"parts": [{"name": "x"}, {"name": []}]},
            "json: cannot unmarshal array into Go struct field Part.parts.name of type string",
        ),
        (
            {"parts": ["x"]},
            "json: cannot unmarshal string into Go struct field Thing.parts of type v1.Part",
        ),
        (
            {"either": {"name": 1}},
            "json: cannot unmarshal number into Go struct field Part.either.name of type string",
        ),
        ([], "json: cannot unmarshal array into Go value of type v1.Thing"),
    ],
)
def test_wrong_types_in_gos_words(obj: Any, mistyped: str) -> None:
    assert check(SCHEMA, "Thing", obj).mistyped == mistyped


def test_unknown_fields_are_reported_and_dropped_as_nulls_are() -> None:
    obj: Any = {
        "name": None,
        "parts": [{"nome": 1, "name": "a"}, None],
        "x": 2,
        "tags": {"a": None},
        "kind": "Thing",
    }
    findings = check(SCHEMA, "Thing", obj)
    assert findings.unknown == ["parts[0].nome", "x"]
    assert obj == {"parts": [{"name": "a"}, {}], "tags": {"a": ""}, "kind": "Thing"}


def test_the_text_form() -> None:
    thing = SCHEMA.type("Thing")
    assert thing.is_kind
    assert thing.fields["small"].pointer
    assert thing.fields["small"].number == 3
    assert thing.fields["inside"].number == 1
    assert "+Inlined" in thing.members
    assert SCHEMA.type("Part").atomic
    assert SCHEMA.type_of("example.com/v1", "Thing") == "Thing"
    assert SCHEMA.type_of("example.com/v1", "Part") == ""
    assert SCHEMA.list_keys(thing.fields["ports"].shape) == {"port": None, "protocol": "TCP"}
    assert thing.fields["ports"].shape.merge_key == "port"
    assert thing.fields["order"].shape.keys == ()
    assert thing.fields["parts"].shape.keys == ("name",)
    assert thing.fields["whole"].shape.atomic


def test_a_schema_must_define_what_it_names() -> None:
    with pytest.raises(ValueError, match="no type Nowhere"):
        Schema.parse("Thing\n    a:Nowhere").type("Thing")


def test_values_are_written_back_in_one_form() -> None:
    obj: Any = {
        "count": 2.0,
        "size": 1.5,
        "when": "2026-01-01T02:00:00.25+02:00",
        "data": "aG\nk=",
        "port": "80",
    }
    assert check(SCHEMA, "Thing", obj).mistyped == ""
    assert obj == {
        "count": 2,
        "size": "1500m",
        "when": "2026-01-01T00:00:00Z",
        "data": "aGk=",
        "port": "80",
    }
    assert type(obj["count"]) is int


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", "500m"), ("1024Mi", "1Gi"), ("1000", "1k"), ("1500m", "1500m"), (1, "1"), ("0Gi", "0"),
        ("1.5Gi", "1536Mi"), ("1e3", "1e3"), ("0.1Ki", "102400m"), ("1000m", "1"), ("-1500", "-1500"),
        ("1e0", "1"), ("0.0000000001", "1n"), (1.5, "1500m"), ("8Ei", str(2**63 - 1)), ("100k", "100k"),
    ],
)  # fmt: skip
def test_quantities_have_one_form(text: Any, expected: str) -> None:
    assert canonical(text) == expected
    assert canonical(expected) == expected
