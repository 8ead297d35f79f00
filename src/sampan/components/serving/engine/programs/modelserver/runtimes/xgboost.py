"""XGBoost: boosters from ubj and json files, the old binary `.bst` and `.model`, and pickled estimators.

Answers are the booster's own: the objective's values, not classes. Loaded by `choosing`.
Source: kserve v0.20.0 python/xgbserver/xgbserver/model.py.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    Source,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import rows
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import model_file
from sampan.components.serving.engine.programs.modelserver.runtimes.pickles import (
    PICKLES,
    SKOPS,
    read_object,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.sklearn import table_of
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import (
    Table,
    column_specs,
    matrix_spec,
)

_BOOSTERS = ((".ubj", ".json"), (".bst", ".model", ".deprecated"))


def load(source: Source) -> Table:
    file = model_file(source.folder, (*_BOOSTERS, SKOPS, PICKLES), "XGBoost")
    if not file.name.lower().endswith((*SKOPS, *PICKLES)):
        return booster_table(read_booster(file, threads(source)), source)
    model = read_object(file, source.options)
    return booster_table(model, source) if type(model).__name__ == "Booster" else table_of(model, source)


def threads(source: Source) -> int:
    """`--nthread`; one, as upstream's, where nothing is said. Raises LoadError."""
    told = source.options.get("nthread", "") or "1"
    try:
        return int(told)
    except ValueError:
        raise LoadError(f"--nthread={told} is not a number") from None


def read_booster(file: Path, nthread: int) -> Any:
    xgboost = importlib.import_module("xgboost")
    try:
        # As bytes: XGBoost then goes by the content, where the file's name may say anything.
        return xgboost.Booster(params={"nthread": nthread}, model_file=bytearray(file.read_bytes()))
    except xgboost.core.XGBoostError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise LoadError(
            f"{file.name} is not a model that XGBoost {xgboost.__version__} reads: {lines[0] if lines else error}"
        ) from error


def booster_table(booster: Any, source: Source) -> Table:
    xgboost = importlib.import_module("xgboost")
    nthread = threads(source)

    def predict(told: Any) -> Any:
        return booster.predict(xgboost.DMatrix(told, nthread=nthread))

    names = booster.feature_names
    inputs = column_specs(names, "FP32") if names else matrix_spec(booster.num_features(), "FP32")
    output = TensorSpec(rows.OUTPUT, "FP32", _shape(booster))
    metadata = Metadata(source.name, "xgboost", inputs, (output,))
    asked = _named(predict, xgboost, nthread, booster) if names else predict
    return Table(metadata, asked, columns=names, model=booster)


def _named(predict: Any, xgboost: Any, nthread: int, booster: Any) -> Any:
    """A matrix without names is taken by place: XGBoost itself would refuse it."""

    def predict_named(told: Any) -> Any:
        if hasattr(told, "columns"):
            return predict(told)
        matrix = xgboost.DMatrix(told, nthread=nthread)
        return booster.predict(matrix, validate_features=False)

    return predict_named


def _shape(booster: Any) -> tuple[int, ...]:
    config = importlib.import_module("json").loads(booster.save_config())["learner"]
    if "softprob" in config.get("objective", {}).get("name", ""):
        return (-1, int(config["learner_model_param"].get("num_class", "0")) or -1)
    targets = int(config["learner_model_param"].get("num_target", "1"))
    return (-1, targets) if targets > 1 else (-1,)
