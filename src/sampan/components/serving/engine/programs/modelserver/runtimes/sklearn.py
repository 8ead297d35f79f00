"""scikit-learn: estimators and pipelines from skops, joblib and pickle files. Loaded by `choosing`.

With `PREDICT_PROBA=true` the answer is `predict_proba` where the model has it, as with upstream's server.
Source: kserve v0.20.0 python/sklearnserver/sklearnserver/model.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    Source,
    Tensor,
    TensorSpec,
    datatype_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import rows
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import model_file
from sampan.components.serving.engine.programs.modelserver.runtimes.pickles import (
    PICKLES,
    SKOPS,
    read_object,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import (
    Table,
    matrix_spec,
)

# Each predicts a row by itself. Steps from elsewhere, and functions of the user's own, may look at all rows.
_INDEPENDENT = frozenset({"sklearn", "xgboost", "lightgbm", "catboost"})


def load(source: Source) -> Table:
    file = model_file(source.folder, (SKOPS, PICKLES), "scikit-learn")
    return table_of(read_object(file, source.options), source)


def table_of(model: Any, source: Source) -> Table:
    """Of an estimator that is read already. Raises LoadError."""
    predict = _method(model, source.options.get("PREDICT_PROBA", "").lower() == "true")
    columns = getattr(model, "feature_names_in_", None)
    names = None if columns is None else [str(each) for each in columns]
    metadata = Metadata(source.name, "sklearn", _inputs(model, names), _outputs(model, predict.__name__))
    independent = True if is_independent(model) else None
    made = Several if predict.__name__ == "predict_proba" and isinstance(_classes(model), list) else Table
    return made(metadata, predict, columns=names, independent=independent, model=model)


class Several(Table):
    """Probabilities of several outputs: as the library's, a matrix for each, in a list."""

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return [rows.as_json(each.data) for each in outputs]


def is_independent(model: Any) -> bool:
    """Whether all that the model is made of is known to predict each row by itself."""
    parts = [model, *_parts(model)]
    return all(
        type(each).__module__.partition(".")[0] in _INDEPENDENT
        and not (type(each).__name__ == "FunctionTransformer" and getattr(each, "func", None) is not None)
        for each in parts
    )


def _parts(model: Any) -> list[Any]:
    try:
        held = model.get_params(deep=True).values()
    except Exception:
        # An estimator of the user's own need not have parameters; its rows are then looked at.
        return [object()]
    return [each for each in held if hasattr(each, "fit") or hasattr(each, "transform")]


def _method(model: Any, wants_probabilities: bool) -> Any:
    names = ("predict_proba", "predict") if wants_probabilities else ("predict",)
    for name in (*names, "transform"):
        # Asked for, not looked up: some have the method only where their parts have it.
        if callable(method := getattr(model, name, None)):
            return method
    raise LoadError(
        f"The model is a {type(model).__module__}.{type(model).__name__}, which has no method `predict`"
    )


def _inputs(model: Any, names: list[str] | None) -> tuple[TensorSpec, ...]:
    if names is not None:
        texts = _text_columns(model)
        return tuple(TensorSpec(each, "BYTES" if each in texts else "FP64", (-1,)) for each in names)
    features = getattr(model, "n_features_in_", None)
    if features is None and _takes_texts(model):
        return (TensorSpec(rows.INPUT, "BYTES", (-1,)),)
    return matrix_spec(features)


def _count_of_outputs(model: Any) -> int:
    last = model.steps[-1][1] if getattr(model, "steps", None) else model
    count = getattr(last, "n_outputs_", None)
    weights: Any = getattr(last, "coef_", None)
    if count is None and not hasattr(last, "classes_") and getattr(weights, "ndim", 0) == 2:
        count = weights.shape[0]
    return count if isinstance(count, int) else 1


def _classes(model: Any) -> Any:
    try:
        return getattr(model, "classes_", None)
    except Exception:
        # A property of pipelines, which asks a last step that may have none.
        return None


def _text_columns(model: Any) -> set[str]:
    """Those that an encoder of the model has seen texts in."""
    found: set[str] = set()
    pending = [model]
    while pending:
        part = pending.pop()
        steps = (*getattr(part, "steps", ()), *getattr(part, "transformers_", ()))
        pending += [each[1] for each in steps if hasattr(each[1], "fit")]
        categories = getattr(part, "categories_", None)
        names = getattr(part, "feature_names_in_", None)
        if isinstance(categories, list) and names is not None:
            pairs = zip(names, categories, strict=False)
            found.update(
                str(name)
                for name, values in pairs
                if getattr(values, "dtype", None) is not None and values.dtype.kind in "OUST"
            )
    return found


def _takes_texts(model: Any) -> bool:
    first = model.steps[0][1] if getattr(model, "steps", None) else model
    return hasattr(first, "build_analyzer") or type(first).__name__ == "HashingVectorizer"


def _outputs(model: Any, method: str) -> tuple[TensorSpec, ...]:
    classes = _classes(model)
    count = _count_of_outputs(model)
    several = isinstance(classes, list)
    if method == "predict_proba":
        if several:
            return tuple(
                TensorSpec(f"output-{place}", "FP64", (-1, len(each)))
                for place, each in enumerate(classes or ())
            )
        return (TensorSpec(rows.OUTPUT, "FP64", (-1, len(classes) if classes is not None else -1)),)
    labels: Any = classes[0] if several and classes else classes
    datatype = "FP64" if labels is None else datatype_of(rows.as_bytes(labels).dtype)
    return (TensorSpec(rows.OUTPUT, datatype, (-1, count) if count > 1 else (-1,)),)
