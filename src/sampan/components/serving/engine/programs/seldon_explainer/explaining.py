"""Alibi's explainers: one that was saved, or one that is made for the model, asked for explanations. From a thread.

Source: seldon-core 1.18.2 components/alibi-explain-server/alibiexplainer (anchor_tabular.py and those beside it);
SeldonIO/alibi 0.9.4 alibi/{saving,explainers}.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_explainer import library
from sampan.components.serving.engine.programs.seldon_explainer.options import OptionError, Options
from sampan.components.serving.engine.programs.seldon_explainer.predictors import (
    Predict,
    UnreachableError,
)

_WAITS_SECONDS, _PAUSE_SECONDS = 300.0, 1.0
_FILE = "explainer.dill"
_ONE = frozenset(("AnchorTabular", "AnchorImages", "AnchorText"))
"""Those that take one input, without the dimension of a batch."""
_SPACY = "en_core_web_md"
_SERVER = "sampan.components.serving.engine.programs.modelserver"


class ExplainError(Exception):
    """What is asked cannot be explained. The message is for whoever asks."""


class Explainer:
    def __init__(self, options: Options, alibi: Any) -> None:
        self._options, self._alibi = options, alibi
        told = os.environ.get("EXPLAIN_RANDOM_SEED_VALUE", "0")
        is_seeded = os.environ.get("EXPLAIN_RANDOM_SEED", "True") == "True" and told.isdigit()
        self._seed = int(told) if is_seeded else None

    def explain(self, inputs: Any, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """The explanation as JSON has it. Raises ExplainError, PredictorError."""
        settings = {**self._options.config, **(parameters or {})}
        kind = self._options.kind
        if self._seed is not None:
            np.random.seed(self._seed)
        try:
            given = inputs if kind == "AnchorText" else np.array(inputs)
            given = given[0] if kind in _ONE else given
            if kind == "KernelShap":
                settings.setdefault("l1_reg", False)
            found = self._alibi.explain(given, **settings)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ExplainError(f"{type(error).__name__}: {error}") from error
        made: dict[str, Any] = json.loads(found.to_json())
        return made


def load(options: Options, predict: Predict) -> Explainer:
    """Waits for the model, which Alibi asks for its form at once. Raises OptionError, UnreachableError."""
    if options.kind == "IntegratedGradients":
        raise OptionError("IntegratedGradients looks into a model of Keras: this explainer has no TensorFlow")
    has_file = bool(options.folder) and Path(options.folder, _FILE).is_file()
    if options.kind == "TreeShap":
        library.alibi()
        return Explainer(options, _of_trees(options, has_file=has_file))
    if not has_file and options.kind != "AnchorText" and not options.init:
        where = f"{options.folder} has no {_FILE}" if options.folder else "it has no modelUri"
        raise OptionError(f"{options.kind} requires a built explainer, which Alibi saved: {where}")
    library.alibi()
    deadline = time.monotonic() + _WAITS_SECONDS
    while True:
        try:
            return Explainer(options, _saved(options, predict) if has_file else _made(options, predict))
        except UnreachableError as error:
            if time.monotonic() > deadline:
                raise
            print(f"waits for its model: {error}", flush=True)
            time.sleep(_PAUSE_SECONDS)


def _saved(options: Options, predict: Predict) -> Any:
    saving: Any = importlib.import_module("alibi.saving")
    return saving.load_explainer(options.folder, predict)


def _of_trees(options: Options, *, has_file: bool) -> Any:
    """It looks into the model, which lies in its folder: Alibi saves none with an explainer. Raises OptionError."""
    contract: Any = importlib.import_module(f"{_SERVER}.contract")
    choosing: Any = importlib.import_module(f"{_SERVER}.runtimes.choosing")
    try:
        model = choosing.load(contract.Source(options.name, options.folder, dict(os.environ))).model
    except (AttributeError, contract.LoadError, contract.ModelMissingError) as error:
        told = f"TreeShap explains a model of trees whose file is in its modelUri: {error}"
        raise OptionError(told) from error
    if has_file:
        return importlib.import_module("alibi.saving").load_explainer(options.folder, model)
    explainers: Any = importlib.import_module("alibi.explainers")
    made = explainers.TreeShap(model, **{"model_output": "raw", **options.init})
    made.fit()
    return made


def _made(options: Options, predict: Predict) -> Any:
    explainers: Any = importlib.import_module("alibi.explainers")
    if options.kind == "AnchorText":
        settings = {"sampling_strategy": "unknown", "nlp": _language(), **options.init}
        return explainers.AnchorText(predictor=predict, **settings)
    name = {"AnchorImages": "AnchorImage"}.get(options.kind, options.kind)
    try:
        return getattr(explainers, name)(predict, **options.init)
    except (TypeError, ValueError) as error:
        raise OptionError(f"initParameters do not make a {options.kind}: {error}") from error


def _language() -> Any:
    """spaCy's model, or without its files its words alone, which is all that unknown words in their places want."""
    spacy: Any = importlib.import_module("spacy")
    try:
        return spacy.load(_SPACY)
    except OSError:
        print(f"spaCy's {_SPACY} is not there: texts are cut into words without it", flush=True)
        return spacy.blank("en")
