"""Label and field selectors, by Kubernetes' documented grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kube.errors import BadRequestError
from sampan.kube.selectors import format_labels, from_object, parse_fields, parse_labels

LABELS = {"app": "web", "tier": "front", "level": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("app in (web,api)", True),
        ("app in(web)", True),
        ("app notin (web,api)", False),
        ("other notin (web)", True),
        ("app in (api)", False),
        ("level>4", True),
        ("level<5", False),
        ("tier>1", False),
        ("app=web,tier=front", True),
        ("app=web,tier=back", False),
        (" app = web , !other ", True),
        ("empty=", True),
        ("empty in (,x)", True),
        ("app=", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    [
        "=web",
        "app in (a",
        "app in a",
        "app web",
        "app=web,",
        ",app",
        "app>x",
        "a b c",
        "UP/PER/x=1",
        "app=a/b",
        "()",
    ],
)
def test_label_selectors_that_cannot_be_read(text: str) -> None:
    with pytest.raises(BadRequestError, match="unable to parse requirement"):
        parse_labels(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_labels, parse_fields):
        try:
            parse(text).matches({})
        except BadRequestError:
            continue


@given(
    st.dictionaries(
        st.from_regex("[a-z]{1,8}", fullmatch=True), st.from_regex("[a-z0-9]{0,8}", fullmatch=True)
    )
)
def test_equality_selectors_match_what_they_were_made_of(labels: dict[str, str]) -> None:
    selector = parse_labels(format_labels(labels))
    assert selector.matches(labels)
    assert not labels or not selector.matches({})


def test_field_selectors() -> None:
    selector = parse_fields(r"metadata.name=a\,b,status.phase!=Running")
    assert selector.matches({"metadata.name": "a,b", "status.phase": "Pending"})
    assert not selector.matches({"metadata.name": "a,b", "status.phase": "Running"})
    assert selector.exact("metadata.name") == "a,b"
    assert selector.exact("status.phase") is None


def test_selector_objects() -> None:
    selector = from_object(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "back"]},
                {"key": "other", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector.matches(LABELS)
    assert not selector.matches({"app": "web"})
    assert from_object(None).matches({})
    with pytest.raises(BadRequestError):
        from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})
