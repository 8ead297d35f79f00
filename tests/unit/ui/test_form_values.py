"""What is typed into forms, and at which field an error of the API belongs."""

from __future__ import annotations

import pytest

from sampan.ui.forms.values import NotAValueError, json_value, number, pairs, place_of, whole_number


def test_numbers() -> None:
    assert whole_number(" 12 ") == 12
    assert number("0.5") == 0.5
    assert number("3.0") == 3
    assert isinstance(number("3.0"), int)
    assert number("1e400".replace("400", "3")) == 1000


@pytest.mark.parametrize("text", ["", "1.5", "twelve"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(NotAValueError, match="whole number"):
        whole_number(text)


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-inf"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(NotAValueError):
        number(text)


def test_json_says_where_it_is_wrong() -> None:
    assert json_value('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    with pytest.raises(NotAValueError, match="line 2, column 8"):
        json_value('{\n  "a": x}')
    with pytest.raises(NotAValueError, match="NaN cannot be passed"):
        json_value("[NaN]")
    with pytest.raises(NotAValueError, match="nested too deeply"):
        json_value("[" * 100_000)


def test_pairs() -> None:
    assert pairs([["a", "1"], ["", ""], [" b ", "2"]]) == {"a": "1", "b": "2"}
    with pytest.raises(NotAValueError, match="twice"):
        pairs([["a", "1"], ["a", "2"]])
    with pytest.raises(NotAValueError, match="a name"):
        pairs([["", "1"]])


def test_an_error_belongs_to_the_field_that_it_names_first() -> None:
    places = {"run.display_name": "name", '"rate"': "input.rate", '"rate_2"': "input.rate_2"}
    assert place_of("run.display_name must not be empty", places) == "name"
    assert place_of('parameter "rate_2": expected NUMBER_DOUBLE', places) == "input.rate_2"
    assert place_of('parameter "rate" and "rate_2"', places) == "input.rate"
    assert place_of("recurring_run.display_name must not be empty", places) == ""
    assert place_of("something else", places) == ""
