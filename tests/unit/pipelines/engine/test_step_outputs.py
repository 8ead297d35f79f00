"""What a step leaves is collected: executor output before files, types checked, nothing missing unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sampan.components.pipelines.api.ir_model import ArtifactSlot, Component, Parameter, ParameterType
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.executor_input import executor_input
from sampan.components.pipelines.engine.outputs import StepResult, collect, metrics
from sampan.components.pipelines.engine.resolve import Inputs
from sampan.components.pipelines.engine.step_files import LocalStepFiles, StepOutputs


class Step:
    """One step's files, as after its end."""

    def __init__(self, home: Path, **outputs: str) -> None:
        self.files = LocalStepFiles(home)
        self.component = Component(
            "c",
            output_parameters={name: Parameter(ParameterType(type_)) for name, type_ in outputs.items()},
            output_artifacts={"model": ArtifactSlot("system.Model", "0.0.1", metadata={"a": 1})},
        )
        self.paths = self.files.layout(
            str(home / "r"), "run", "root/t", 1, StepOutputs(tuple(outputs), ("model",))
        )
        self.files.prepare(self.paths)

    def writes(self, output: object) -> None:
        text = output if isinstance(output, str) else json.dumps(output)
        Path(self.paths.output_file).write_text(text)

    def file(self, name: str, text: str) -> None:
        Path(self.paths.parameters[name]).write_text(text)

    def collect(self) -> StepResult:
        told = executor_input(self.component, Inputs(), self.paths, lambda _: None)
        return collect(self.files, self.component, told["outputs"]["artifacts"], self.paths)


def test_the_executor_output_wins_over_files(tmp_path):
    step = Step(tmp_path, a="NUMBER_INTEGER", b="STRING")
    step.file("a", "1")
    step.file("b", "from file\n")
    step.writes({"parameterValues": {"a": 2.0}})
    assert step.collect().parameters == {"a": 2, "b": "from file\n"}


def test_artifacts_take_over_metadata_and_say_whether_they_are_there(tmp_path):
    step = Step(tmp_path)
    nan = '{"artifacts": {"model": {"artifacts": [{"metadata": {"b": NaN}}]}}}'
    step.writes(nan)
    (draft,) = step.collect().artifacts["model"]
    assert draft.metadata == {"a": 1, "b": "nan"}
    assert not draft.stored
    Path(step.paths.artifacts["model"]).write_text("weights")
    assert step.collect().artifacts["model"][0].stored


def test_an_artifact_at_a_path_of_its_own_that_nobody_else_sees_is_refused(tmp_path):
    step = Step(tmp_path)
    step.writes({"artifacts": {"model": {"artifacts": [{"custom_path": str(tmp_path / "gone")}]}}})
    with pytest.raises(StepError, match=r'output artifact "model".*/gone'):
        step.collect()


def test_a_custom_path_is_brought_to_the_uri(tmp_path):
    step = Step(tmp_path)
    (tmp_path / "mine").write_text("weights")
    step.writes({"artifacts": {"model": {"artifacts": [{"custom_path": str(tmp_path / "mine")}]}}})
    (draft,) = step.collect().artifacts["model"]
    assert draft.stored
    assert Path(draft.uri).read_text() == "weights"


def test_a_custom_path_is_brought_through_no_link_that_the_step_has_made(tmp_path):
    step, outside = Step(tmp_path / "home"), tmp_path / "outside"
    outside.mkdir()
    (outside / "weights").write_text("not the step's")
    mine = tmp_path / "mine"
    (mine / "part").mkdir(parents=True)
    (mine / "part" / "weights").write_text("weights")
    (mine / "plain").write_text("weights")
    uri = Path(step.paths.artifacts["model"])
    uri.mkdir()
    # The step sees the place where its artifact belongs as well.
    (uri / "part").symlink_to(outside)
    (uri / "plain").symlink_to(outside / "weights")
    step.writes({"artifacts": {"model": {"artifacts": [{"custom_path": str(mine)}]}}})
    step.collect()
    assert (outside / "weights").read_text() == "not the step's"
    assert (uri / "part" / "weights").read_text() == (uri / "plain").read_text() == "weights"
    assert not any(each.is_symlink() for each in uri.iterdir())


@pytest.mark.parametrize("uri", ["{outside}/new", "{home}/r/../../outside/new", "{home}/r/away/new"])
def test_a_custom_path_is_brought_nowhere_but_into_the_steps_own_folders(tmp_path, uri):
    home, outside = tmp_path / "home", tmp_path / "outside"
    step = Step(home)
    outside.mkdir()
    (tmp_path / "mine").write_text("weights")
    (home / "r" / "away").symlink_to(outside)
    said = {"uri": uri.format(home=home, outside=outside), "custom_path": str(tmp_path / "mine")}
    step.writes({"artifacts": {"model": {"artifacts": [said]}}})
    with pytest.raises(StepError):
        step.collect()
    assert not list(outside.iterdir())


@pytest.mark.parametrize("above", [False, True])
def test_an_output_parameter_is_no_link_to_a_file_elsewhere(tmp_path, above):
    step, secret = Step(tmp_path / "home", a="STRING"), tmp_path / "secrets"
    file = Path(step.paths.parameters["a"])
    secret.mkdir()
    (secret / file.name).write_text("of the machine")
    if above:
        file.parent.rmdir()
        file.parent.symlink_to(secret)
    else:
        file.symlink_to(secret / file.name)
    with pytest.raises(StepError):
        step.collect()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({}, 'gave no output parameter "a"'),
        ({"parameterValues": {"a": "x"}}, "declared NUMBER_INTEGER, the step returned STRING 'x'"),
        ('{"parameterValues": {"a": NaN}}', "NaN"),
        ("{", "cannot be read"),
        ('{"parameterValues": 3}', "cannot be read"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, output, message):
    step = Step(tmp_path, a="NUMBER_INTEGER")
    step.writes(output)
    with pytest.raises(StepError) as caught:
        step.collect()
    assert message in caught.value.message


def test_a_parameter_file_of_the_wrong_type(tmp_path):
    step = Step(tmp_path, a="BOOLEAN")
    step.file("a", "maybe")
    with pytest.raises(StepError, match="expected true or false, got 'maybe'"):
        step.collect()


def test_a_string_takes_anything(tmp_path):
    step = Step(tmp_path, a="STRING")
    step.writes({"parameterValues": {"a": {"b": 1.0}}})
    assert step.collect().parameters == {"a": '{"b":1}'}


def test_the_numbers_of_metrics():
    assert metrics("system.Metrics", {"a": 1, "b": True, "c": "x"}) == {"a": 1.0}
    assert metrics("system.Model", {"a": 1}) == {}
