"""LightGBM: boosters from text files (`.txt`, `.bst`, `.model`), and pickled estimators. Loaded by `choosing`.

Source: kserve v0.20.0 python/lgbserver/lgbserver/model.py.
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
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import Table, column_specs
from sampan.components.serving.engine.programs.modelserver.runtimes.xgboost import threads

_BOOSTERS = ((".txt", ".bst", ".model", ".lgb"),)


def load(source: Source) -> Table:
    file = model_file(source.folder, (*_BOOSTERS, SKOPS, PICKLES), "LightGBM")
    if not file.name.lower().endswith((*SKOPS, *PICKLES)):
        return booster_table(read_booster(file), source)
    model = read_object(file, source.options)
    return booster_table(model, source) if type(model).__name__ == "Booster" else table_of(model, source)


def read_booster(file: Path) -> Any:
    lightgbm = importlib.import_module("lightgbm")
    try:
        return lightgbm.Booster(model_file=str(file))
    except lightgbm.basic.LightGBMError as error:
        raise LoadError(
            f"{file.name} is not a model that LightGBM {lightgbm.__version__} reads: {error}"
        ) from error


def booster_table(booster: Any, source: Source) -> Table:
    nthread = threads(source)

    def predict(told: Any) -> Any:
        return booster.predict(told, num_threads=nthread)

    names = booster.feature_name()
    classes = booster.num_model_per_iteration()
    output = TensorSpec(rows.OUTPUT, "FP64", (-1, classes) if classes > 1 else (-1,))
    metadata = Metadata(source.name, "lightgbm", column_specs(names), (output,))
    return Table(metadata, predict, columns=names, fills=True, model=booster)
