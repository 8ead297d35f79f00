"""`--param` as a space."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.tuning.cli.run import _pairs, _told
from sampan.components.tuning.cli.spaces import read_params
from sampan.components.tuning.sdk.plan import TuneError


def _one(text: str) -> dict[str, Any]:
    (found,) = read_params([text]).items()
    return found[1].to_json(found[0])


@pytest.mark.parametrize(
    ("text", "type_", "space"),
    [
        ("lr=log:1e-5..1e-1", "double", {"min": "1e-05", "max": "0.1", "distribution": "logUniform"}),
        ("lr=0.1..0.9", "double", {"min": "0.1", "max": "0.9", "distribution": "uniform"}),
        ("lr=0.1..0.9/0.2", "double", {"min": "0.1", "max": "0.9", "step": "0.2", "distribution": "uniform"}),
        ("x=-5..5.5", "double", {"min": "-5.0", "max": "5.5", "distribution": "uniform"}),
        ("layers=1..8", "int", {"min": "1", "max": "8", "distribution": "uniform"}),
        ("layers=int:2..8/2", "int", {"min": "2", "max": "8", "step": "2", "distribution": "uniform"}),
        ("layers=int:log:1..1024", "int", {"min": "1", "max": "1024", "distribution": "logUniform"}),
        ("x=uniform:1..8", "double", {"min": "1.0", "max": "8.0", "distribution": "uniform"}),
        ("m=normal:0.5,0.1", "double", None),
        ("m=lognormal:0,1", "double", None),
        ("opt=sgd,adam", "categorical", {"list": ["sgd", "adam"]}),
        ("path=choice:a..b,c", "categorical", {"list": ["a..b", "c"]}),
        ("url=http://a,http://b", "categorical", {"list": ["http://a", "http://b"]}),
        ("w=discrete:64,32,0.5", "discrete", {"list": ["0.5", "32", "64"]}),
    ],
)
def test_each_form_is_a_space(text: str, type_: str, space: dict[str, Any] | None) -> None:
    found = _one(text)
    assert found["parameterType"] == type_
    if space is not None:
        assert found["feasibleSpace"] == space


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "name what is to be tuned"),
        (["lr"], "write it as NAME=LOW..HIGH"),
        (["=1..2"], "write it as"),
        (["a b=1..2"], "write it as"),
        (["lr=2..1"], "min must be less than max"),
        (["lr=log:0..1"], "more than 0"),
        (["n=int:1..2.5"], "whole numbers"),
        (["m=normal:1"], "write it as"),
        (["o=a,,b"], "write it as"),
        (["o=a,a"], "there twice"),
        (["lr=1..2", "lr=1..3"], "lr: it is there twice"),
    ],
)
def test_what_is_no_space_is_refused_with_what_to_do(given: list[str], words: str) -> None:
    with pytest.raises(TuneError, match=words):
        read_params(given)


def test_how_a_script_is_told_its_parameters() -> None:
    assert _told(["lr", "n"], "equals")[0] == ["--lr=${trialParameters.lr}", "--n=${trialParameters.n}"]
    assert _told(["lr"], "space")[0] == ["--lr", "${trialParameters.lr}"]
    assert _told(["learning-rate"], "env") == ([], {"LEARNING_RATE": "${trialParameters.learning-rate}"})


def test_pairs_say_what_is_wrong() -> None:
    assert _pairs("--env", ["A=b=c"]) == {"A": "b=c"}
    with pytest.raises(TuneError, match="--env 'A'"):
        _pairs("--env", ["A"])
