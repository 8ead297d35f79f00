"""Values of parameters: bounds, steps and distributions, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.components.tuning.api.suggesting import FeasibleSpace, InvalidSettingsError, Parameter
from sampan.components.tuning.engine.algorithms.space import Dimension, at, dimensions, unit


def _one(kind: str, **space: object) -> Dimension:
    return dimensions([Parameter("x", kind, FeasibleSpace(**space))])[0]  # type: ignore[arg-type]


def test_steps_are_counted_in_decimals() -> None:
    found = _one("double", min="0.1", max="1", step="0.1")
    assert found.values == 10
    assert [found.nth(index) for index in range(10)] == [
        "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"
    ]  # fmt: skip


def test_the_last_step_stays_below_max() -> None:
    assert [_one("int", min="1", max="10", step="4").nth(index) for index in range(3)] == ["1", "5", "9"]
    assert _one("double", min="0", max="1", step="0.3").values == 4


def test_whole_numbers_have_no_point_and_choices_stay_as_written() -> None:
    assert _one("int", min="1", max="1000000").text(250000) == "250000"
    assert _one("discrete", list=("0.10", "1e-3")).text("0.10") == "0.10"


def test_a_normal_parameter_has_its_mean_in_the_middle() -> None:
    found = _one("double", min="-3", max="9", distribution="normal")
    assert found.text(0.5) == "3.0"
    assert found.latent("5.0") == pytest.approx(0.8413, abs=1e-4)  # one standard deviation of two
    found = _one("double", min="0.01", max="100", distribution="logNormal")
    assert float(found.text(0.5)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("step", "values"),
    [
        ("0.8", ["1", "2", "3", "4", "5"]),
        ("1.2", ["1", "2", "3", "4"]),
        ("2.5", ["1", "3"]),
        ("2.0", ["1", "3", "5"]),
    ],
)
def test_steps_of_whole_numbers_may_have_a_fraction(step: str, values: list[str]) -> None:
    found = _one("int", min="1", max="5", step=step)
    assert [found.nth(index) for index in range(found.values or 0)] == values
    assert [found.text(found.latent(each)) for each in values] == values
    assert [found.text(at(found.span, unit(found.span, found.latent(each)))) for each in values] == values


def test_a_logarithmic_range_keeps_its_steps() -> None:
    found = _one("int", min="16", max="512", step="16", distribution="logUniform")
    assert (found.text(100.0), found.text(511.9), found.text(16.0)) == ("96", "512", "16")
    assert found.span.log


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (Parameter("x", "double", FeasibleSpace("a", "1")), "feasibleSpace.min a must be a number"),
        (Parameter("x", "double", FeasibleSpace("0", "1e999")), "feasibleSpace.max 1e999 must be a number"),
        (Parameter("x", "double", FeasibleSpace("nan", "1")), "feasibleSpace.min nan must be a number"),
        (Parameter("x", "int", FeasibleSpace("1", "2.5")), "feasibleSpace.max 2.5 must be a whole number"),
        (Parameter("x", "int", FeasibleSpace("3", "2")), "feasibleSpace.max 2 must not be less than min 3"),
        (
            Parameter("x", "int", FeasibleSpace("1", "2", "0")),
            "feasibleSpace.step 0 must be greater than zero",
        ),
        (
            Parameter("x", "double", FeasibleSpace("0", "1", distribution="logUniform")),
            "greater than zero for",
        ),
        (Parameter("x", "int", FeasibleSpace("0", "9" * 30)), "larger than what a double counts exactly"),
        (Parameter("x", "categorical", FeasibleSpace()), "feasibleSpace.list must not be empty"),
        (Parameter("x", "", FeasibleSpace("0", "1")), "parameterType (none) is not one of"),
    ],
)
def test_what_cannot_be_searched_is_named(parameter: Parameter, words: str) -> None:
    with pytest.raises(InvalidSettingsError, match="parameter x: ") as caught:
        dimensions([parameter])
    assert words in str(caught.value)


def test_names_are_unique() -> None:
    one = Parameter("x", "int", FeasibleSpace("1", "2"))
    with pytest.raises(InvalidSettingsError, match="Detect duplicated parameter name: x"):
        dimensions([one, one])


_BOUND = st.decimals("-1000", "1000", places=3)


@given(
    low=_BOUND,
    width=st.decimals("0", "1000", places=3),
    step=st.none() | st.decimals("0.001", "10", places=3),
    distribution=st.sampled_from(["uniform", "logUniform", "normal", "logNormal"]),
    at=st.floats(0, 1),
)
def test_texts_lie_within_bounds_and_come_back_unchanged(
    low: object, width: object, step: object, distribution: str, at: float
) -> None:
    from decimal import Decimal

    least = abs(Decimal(str(low))) + Decimal("0.001") if distribution.startswith("log") else Decimal(str(low))
    most = least + Decimal(str(width))
    found = _one(
        "double",
        min=str(least),
        max=str(most),
        step="" if step is None else str(step),
        distribution=distribution,
    )
    span = found.span
    latent = span.low + at * (span.high - span.low)
    text = found.text(round(latent) if span.whole else latent)
    assert float(least) <= float(text) <= float(most)
    if distribution == "uniform" or step is not None:
        assert found.text(found.latent(text)) == text
    else:
        assert float(found.text(found.latent(text))) == pytest.approx(float(text), rel=1e-9, abs=1e-9)
