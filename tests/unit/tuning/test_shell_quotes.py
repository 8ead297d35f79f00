"""Quotation marks that upstream's shell would take away go, and nothing else does."""

from __future__ import annotations

import pytest

from sampan.components.tuning.engine.collecting.shell_quotes import take_away, unquote
from sampan.components.tuning.engine.collecting.wanted import wanted_of


@pytest.mark.parametrize(
    ("word", "bare"),
    [
        ('--architecture="[[1], [0, 1]]"', "--architecture=[[1], [0, 1]]"),
        ("--nn_config=\"{'num_layers': 2}\"", "--nn_config={'num_layers': 2}"),
        ('"a b"', "a b"),
        ("-x='a \"b\"'", '-x=a "b"'),
        ('--empty=""', "--empty="),
        ('--many="a\nb"', "--many=a\nb"),
    ],
)
def test_quoted_as_a_whole(word: str, bare: str) -> None:
    container = {"command": ["python3", "run.py"], "args": [word, "--lr=0.1"]}
    take_away(container)

    assert container == {"command": ["python3", "run.py"], "args": [bare, "--lr=0.1"]}
    container = {"command": ["python3", "run.py", word]}
    take_away(container)
    assert container["command"][-1] == bare


@pytest.mark.parametrize(
    "word",
    [
        '{"a": 1}',
        '--json={"a": "b"}',
        "it's",
        '"a" "b"',
        '--text="a"b',
        '"$HOME"',
        '"a\\"b"',
        '"',
        "--lr=0.1",
        "a b",
        'print("x")',
    ],
)
def test_anything_else_stays(word: str) -> None:
    container = {"args": [word]}
    take_away(container)

    assert container == {"args": [word]}


def test_scripts_and_nonsense_stay() -> None:
    for container in (
        {"command": ["sh", "-c", '"a b"'], "args": ['"c"']},
        {"command": '"a"', "args": [1, '"b"']},
        {},
    ):
        before = dict(container)
        take_away(container)
        assert container == before


def test_of_the_container_that_trains_alone() -> None:
    def pod(kind: str) -> list[list[str]]:
        made = {"spec": {"containers": [{"name": name, "args": ['-a="b c"']} for name in ("main", "side")]}}
        spec = {"primaryContainerName": "main", "metricsCollector": {"collector": {"kind": kind}}}
        unquote(made, wanted_of({"spec": spec}))
        return [each["args"] for each in made["spec"]["containers"]]

    assert pod("StdOut") == [["-a=b c"], ['-a="b c"']]
    # Upstream has no shell there.
    assert pod("Push") == [['-a="b c"'], ['-a="b c"']]
