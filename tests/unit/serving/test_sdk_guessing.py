"""Which format a model has, by what lies there: nothing of it is loaded."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import pytest

from sampan.components.serving.sdk import guessing, naming
from sampan.components.serving.sdk.errors import ServingError


class Sneaky:
    """Were it read, the test would fail."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"model.onnx": b""}, "onnx"),
        ({"model.pt2": b""}, "pytorch"),
        ({"model.safetensors": b"", "model.py": b""}, "pytorch"),
        ({"1/saved_model.pb": b"", "1/variables/x": b""}, "tensorflow"),
        ({"MLmodel": b"", "model.pkl": b"", "conda.yaml": b""}, "mlflow"),
        ({"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b""}, "huggingface"),
        ({"model.pmml": b""}, "pmml"),
        ({"a.pdmodel": b"", "a.pdiparams": b""}, "paddle"),
        ({"model.ubj": b""}, "xgboost"),
        ({"model.json": b'{"learner": {}}'}, "xgboost"),
        ({"model.txt": b"tree\nversion=v4\n"}, "lightgbm"),
        ({"model.bst": b"tree\nversion=v4\n"}, "lightgbm"),
        ({"model.bst": b"binf"}, "xgboost"),
        ({"model.skops": b""}, "sklearn"),
        ({"model.joblib": b"csklearn.linear_model._base\nX"}, "sklearn"),
        ({"model.pkl": b"cxgboost.sklearn\nXGBClassifier csklearn.base\n"}, "xgboost"),
        ({"model.pkl": b"clightgbm.sklearn\nX"}, "lightgbm"),
        ({"model.joblib": gzip.compress(b"clightgbm.sklearn\nX")}, "lightgbm"),
        ({"m/config.pbtxt": b"", "m/1/model.onnx": b""}, "triton"),
        ({".cache/model.onnx": b"", "model.pmml": b""}, "pmml"),
    ],
)
def test_files_tell(tmp_path: Path, files: dict[str, bytes], wanted: str) -> None:
    for name, content in files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    found = guessing.of_path(tmp_path)
    assert found.format == wanted
    assert found.why


def test_a_pickle_is_looked_at_and_not_read(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(Sneaky()))
    assert guessing.of_path(file).format == "sklearn"


def test_an_estimator_within_a_pipeline_gets_a_server_that_has_both(tmp_path: Path) -> None:
    file = tmp_path / "model.joblib"
    file.write_bytes(b"csklearn.pipeline\nPipeline cxgboost.sklearn\nXGBClassifier")
    assert guessing.of_path(file).runtime == guessing.PREDICTIVE


def test_formats_of_which_servers_speak_v2_alone_say_so(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"")
    assert guessing.of_path(file).protocol == "v2"
    assert guessing.of_uri("hf://sshleifer/tiny").format == "huggingface"
    assert guessing.of_uri("s3://bucket/churn.pt2?x=1").runtime == guessing.TRITON


@pytest.mark.parametrize("uri", ["s3://bucket/folder", "https://host/model.bin", "pvc://claim"])
def test_what_does_not_tell_asks_for_the_format(uri: str) -> None:
    with pytest.raises(ServingError, match="--format"):
        guessing.of_uri(uri)


def test_a_folder_without_files_and_one_with_others_only(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="holds no file"):
        guessing.of_path(tmp_path)
    (tmp_path / "README").write_text("hello")
    (tmp_path / "params.json").write_text('{"a": 1}')
    with pytest.raises(ServingError, match="--format"):
        guessing.of_path(tmp_path)


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("file:///data/Iris_Model.joblib", "iris-model"),
        ("file:///data/churn/model.joblib", "churn"),
        ("s3://bucket/teams/churn/model/1", "churn"),
        ("hf://owner/tiny-gpt2", "tiny-gpt2"),
        ("file:///model.pkl", "model"),
        ("file:///2024.pkl", "model"),
    ],
)
def test_a_name_follows_from_the_models(uri: str, wanted: str) -> None:
    assert naming.check(naming.of_uri(uri)) == wanted


@pytest.mark.parametrize("name", ["", "Iris", "1iris", "iris-", "a" * 46, "i_ris"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ServingError, match="name"):
        naming.check(name)
