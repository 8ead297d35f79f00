"""Which framework a folder is of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    ModelMissingError,
    Source,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import choosing
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import (
    model_file,
    newest_version,
)


@pytest.mark.parametrize(
    ("files", "framework"),
    [
        (["model.joblib"], "sklearn"),
        (["model.skops"], "sklearn"),
        (["MLmodel", "model.pkl"], "mlflow"),
        (["saved_model.pb", "fingerprint.pb"], "tensorflow"),
        (["model.onnx"], "onnx"),
        (["model.pt", "net.py"], "pytorch"),
        (["model.json", "model.pdiparams"], "paddle"),
        (["config.json", "model.safetensors", "tokenizer.json"], "huggingface"),
        (["model.safetensors", "net.py"], "pytorch"),
        (["model.ubj"], "xgboost"),
        (["model.pmml"], "pmml"),
        (["README.md"], ""),
        ([], ""),
    ],
)
def test_files_tell(tmp_path: Path, files: list[str], framework: str) -> None:
    for name in files:
        (tmp_path / name).write_text("x")
    assert choosing.framework_of(str(tmp_path)) == framework
    if len(files) == 1:
        assert choosing.framework_of(str(tmp_path / files[0])) == framework


def test_of_endings_that_several_use_the_content_tells(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("tree\nversion=v4\nnum_class=3\n")
    assert choosing.framework_of(str(tmp_path)) == "lightgbm"
    (tmp_path / "model.txt").rename(tmp_path / "model.bst")
    assert choosing.framework_of(str(tmp_path)) == "lightgbm"
    (tmp_path / "model.bst").write_text('{"learner":{"attributes":{}}}')
    assert choosing.framework_of(str(tmp_path)) == "xgboost"
    (tmp_path / "model.bst").rename(tmp_path / "config.json")
    assert choosing.framework_of(str(tmp_path)) == "xgboost"
    (tmp_path / "config.json").write_text('{"other": 1}')
    assert choosing.framework_of(str(tmp_path)) == ""


def test_the_newest_version_is_by_number(tmp_path: Path) -> None:
    for name in ("1", "9", "10", "latest"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path) == tmp_path / "10"
    assert choosing.told_by(str(tmp_path)).folder == str(tmp_path / "10")
    # A folder that has files of its own is the model.
    (tmp_path / "model.onnx").write_text("x")
    assert choosing.told_by(str(tmp_path)).folder == str(tmp_path)


def test_settings_of_mlserver(tmp_path: Path) -> None:
    settings = {
        "name": "iris",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./m.joblib"},
    }
    (tmp_path / "model-settings.json").write_text(json.dumps(settings))
    told = choosing.told_by(str(tmp_path))
    assert (told.framework, told.folder, told.name) == (
        settings["implementation"],
        str(tmp_path / "m.joblib"),
        "iris",
    )
    assert choosing.module_of(told.framework).__name__.endswith(".sklearn")
    (tmp_path / "model-settings.json").write_text('{"implementation": "mine.Model"}')
    with pytest.raises(LoadError, match=r"mine\.Model"):
        choosing.told_by(str(tmp_path))
    (tmp_path / "model-settings.json").write_text("[")
    with pytest.raises(LoadError):
        choosing.told_by(str(tmp_path))


def test_settings_of_triton(tmp_path: Path) -> None:
    text = 'name: "cifar"\nplatform: "pytorch_libtorch"\ninput [\n  {\n    name: "INPUT__0"\n  }\n]\n'
    (tmp_path / "config.pbtxt").write_text(text)
    with pytest.raises(LoadError, match="no folder of a version"):
        choosing.told_by(str(tmp_path))
    (tmp_path / "1").mkdir()
    told = choosing.told_by(str(tmp_path))
    assert (told.framework, told.folder, told.name) == ("pytorch_libtorch", str(tmp_path / "1"), "cifar")
    (tmp_path / "1" / "model.savedmodel").mkdir()
    assert choosing.told_by(str(tmp_path)).folder == str(tmp_path / "1" / "model.savedmodel")
    (tmp_path / "config.pbtxt").write_text('backend: "python"')
    with pytest.raises(LoadError, match="Triton's own"):
        choosing.told_by(str(tmp_path))


def test_what_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="There is no model"):
        choosing.load(Source("m", str(tmp_path)))
    with pytest.raises(LoadError, match="'cobol' is no framework"):
        choosing.load(Source("m", str(tmp_path), {"framework": "cobol"}))


def test_one_file_with_the_safest_ending(tmp_path: Path) -> None:
    groups = ((".skops",), (".joblib", ".pkl"))
    with pytest.raises(ModelMissingError, match=r"\.skops, \.joblib, \.pkl is wanted, found: no files"):
        model_file(str(tmp_path), groups, "scikit-learn")
    for name in ("a.pkl", "b.joblib"):
        (tmp_path / name).write_text("x")
    with pytest.raises(LoadError, match=r"More than one model file is detected: a\.pkl, b\.joblib"):
        model_file(str(tmp_path), groups, "scikit-learn")
    (tmp_path / "c.skops").write_text("x")
    assert model_file(str(tmp_path), groups, "scikit-learn").name == "c.skops"
