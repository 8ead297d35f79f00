"""What a user gives to a model, as a request of V1 or V2, and what the answer holds, as values. Pure but for files.

Source: kserve/kserve 0.20 docs (V1: `instances`, `predictions`); open-inference-protocol
specification/protocol/inference_rest.md (V2: tensors in row-major order).
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.components.serving.api.models import V1, V2
from sampan.components.serving.api.reading import mappings
from sampan.components.serving.sdk.errors import ServingError

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tiff")
_TABLES = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
_NUMBERS = {"BOOL": bool, **dict.fromkeys(("FP16", "FP32", "FP64"), float)}


@dataclass(frozen=True, slots=True)
class Given:
    """Rows for a model, or a whole request that is sent as it is."""

    rows: tuple[Any, ...] = ()
    request: Mapping[str, Any] | None = None

    @property
    def protocol(self) -> str:
        """Of a whole request: the one that it is written in."""
        if self.request is None:
            return ""
        inputs = self.request.get("inputs")
        is_tensors = (
            isinstance(inputs, list) and bool(inputs) and all("datatype" in each for each in mappings(inputs))
        )
        return V2 if is_tensors and mappings(inputs) else V1


def read(text: str, stdin: str = "") -> Given:
    """`@FILE` is a file, `-` standard input, all else JSON. Raises ServingError."""
    if text == "-":
        return of_json(stdin, "standard input")
    return of_file(Path(text[1:]).expanduser()) if text.startswith("@") else of_json(text, "the data")


def of_file(file: Path) -> Given:
    """JSON, lines of JSON, CSV with or without names of columns, or an image. Raises ServingError."""
    ending = file.suffix.lower()
    try:
        if ending in _IMAGES:
            return Given(({"b64": base64.b64encode(file.read_bytes()).decode()},))
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ServingError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ServingError(
            f"{file} is no text: JSON, lines of JSON (.jsonl), CSV (.csv, .tsv) and images can be sent"
        ) from None
    if ending in _TABLES:
        return Given(tuple(_table(text, _TABLES[ending])))
    if ending in _LINES:
        lines = [line for line in text.splitlines() if line.strip()]
        return Given(tuple(_parsed(line, f"{file}, line {number}") for number, line in enumerate(lines, 1)))
    return of_json(text, str(file))


def of_json(text: str, where: str) -> Given:
    """Raises ServingError."""
    return of_value(_parsed(text, where))


def of_value(value: Any) -> Given:
    """A whole request is an object with `instances` or `inputs`; a list holds rows; all else is one row."""
    value = plain(value)
    if isinstance(value, dict) and ("instances" in value or "inputs" in value):
        return Given(request=value)
    return Given(tuple(value)) if isinstance(value, list) else Given((value,))


def plain(value: Any) -> Any:
    """As JSON has it: arrays and tables of libraries too, by what they offer themselves."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return plain(value.to_dict(orient="records"))
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value


def batches(given: Given, size: int) -> Iterator[Given]:
    """Of so many rows each. Raises ServingError for a whole request."""
    if given.request is not None:
        raise ServingError(
            "a whole request is sent as it is; for batches give rows: CSV, lines of JSON, or a list"
        )
    for start in range(0, len(given.rows), size):
        yield Given(given.rows[start : start + size])


def request(given: Given, protocol: str, inputs: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """`inputs` are those of the model's metadata, for V2. Raises ServingError."""
    if given.request is not None:
        return dict(given.request)
    if not given.rows:
        raise ServingError("there is no row to predict for")
    if protocol == V1:
        return {"instances": list(given.rows)}
    return {"inputs": _tensors(given.rows, inputs)}


def values(body: Any) -> Any:
    """What was predicted: V1's predictions; the rows of V2's only output, or of each by its name."""
    if not isinstance(body, dict):
        return body
    if "predictions" in body:
        return body["predictions"]
    outputs = mappings(body.get("outputs"))
    if not outputs:
        return body
    found = {str(each.get("name")): _nested(each) for each in outputs}
    return next(iter(found.values())) if len(found) == 1 else found


def rows_of(found: Any) -> list[Any]:
    """One for each row that was asked for, as far as that can be told."""
    if isinstance(found, list):
        return found
    if isinstance(found, dict) and found and all(isinstance(each, list) for each in found.values()):
        columns = dict(found)
        if len({len(each) for each in columns.values()}) == 1:
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [found]


def example(inputs: Sequence[Mapping[str, Any]], protocol: str) -> dict[str, Any]:
    """A request of one row such as the model takes, with zeros in it."""
    if protocol == V2:
        told = inputs or [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]
        return {"inputs": [_zeros(each) for each in told]}
    shape = [max(int(each), 1) for each in (inputs[0].get("shape") or ())[1:]] if len(inputs) == 1 else []
    return {"instances": [_filled(shape) if shape and _size(shape) <= _MOST_SHOWN else [0.0]]}


_MOST_SHOWN = 64


def _zeros(told: Mapping[str, Any]) -> dict[str, Any]:
    shape = [max(int(each), 1) for each in told.get("shape") or (1,)]
    shape = shape if _size(shape) <= _MOST_SHOWN else [1]
    kind = str(told.get("datatype") or "FP64")
    zero: Any = "" if kind == "BYTES" else False if kind == "BOOL" else 0.0 if kind.startswith("FP") else 0
    return {
        "name": told.get("name") or "input-0",
        "shape": shape,
        "datatype": kind,
        "data": [zero] * _size(shape),
    }


def _filled(shape: Sequence[int]) -> Any:
    return [_filled(shape[1:]) for _ in range(shape[0])] if shape else 0.0


def _size(shape: Sequence[int]) -> int:
    size = 1
    for each in shape:
        size *= each
    return size


def _tensors(rows: Sequence[Any], inputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(rows[0], Mapping) and "b64" not in rows[0]:
        told = {str(each.get("name")): each for each in inputs}
        names = list(rows[0])
        if any(not isinstance(row, Mapping) or list(row) != names for row in rows):
            raise ServingError("all rows must have the same names, in the same order")
        if len(told) == 1 and names != list(told):
            # The model has one input for all columns.
            return [_tensor([list(row.values()) for row in rows], next(iter(told.values())))]
        return [_tensor([row[name] for row in rows], told.get(name) or {"name": name}) for name in names]
    if len(inputs) > 1:
        wanted = ", ".join(str(each.get("name")) for each in inputs)
        raise ServingError(f"the model has several inputs: give objects with their names ({wanted})")
    bare = [row["b64"] if isinstance(row, Mapping) else row for row in rows]
    return [_tensor(bare, inputs[0] if inputs else {})]


def _tensor(rows: list[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    shape, data = _flat(rows)
    kind = str(told.get("datatype") or _datatype(data))
    wanted = told.get("shape")
    if isinstance(wanted, list) and len(wanted) == len(shape) + 1 and wanted[-1] in (1, -1):
        shape = [*shape, 1]
    change = _NUMBERS.get(kind)
    if change is not None:
        data = [change(each) for each in data]
    return {"name": str(told.get("name") or "input-0"), "shape": shape, "datatype": kind, "data": data}


def _flat(rows: Any) -> tuple[list[int], list[Any]]:
    """Shape and elements in row-major order. Raises ServingError for rows of different lengths."""
    if not isinstance(rows, list):
        return [], [rows]
    found = [_flat(each) for each in rows]
    if any(shape != found[0][0] for shape, _ in found):
        raise ServingError("rows must have the same length")
    inner = found[0][0] if found else []
    return [len(rows), *inner], [each for _, data in found for each in data]


def _datatype(data: Sequence[Any]) -> str:
    if all(isinstance(each, bool) for each in data):
        return "BOOL"
    if any(isinstance(each, str) for each in data):
        return "BYTES"
    return "FP64" if any(isinstance(each, float) for each in data) else "INT64"


def _nested(output: Mapping[str, Any]) -> Any:
    data, shape = output.get("data"), [int(each) for each in output.get("shape") or ()]
    if not isinstance(data, list) or _size(shape) != len(data):
        return data
    for size in reversed(shape[1:]):
        data = [data[start : start + size] for start in range(0, len(data), size)] if size else []
    return data


def _table(text: str, separator: str) -> Iterator[Any]:
    lines = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    if not lines:
        return
    cells = [[_cell(each) for each in row] for row in lines]
    has_names = all(isinstance(each, str) for each in cells[0]) and any(
        not isinstance(each, str) for row in cells[1:] for each in row
    )
    if not has_names:
        yield from cells
        return
    names = [str(each) for each in cells[0]]
    for number, row in enumerate(cells[1:], 2):
        if len(row) != len(names):
            raise ServingError(
                f"line {number} has {len(row)} values, and there are {len(names)} names of columns"
            )
        yield row if all(not isinstance(each, str) for each in row) else dict(zip(names, row, strict=True))


def _cell(text: str) -> Any:
    text = text.strip()
    for read_ in (int, float):
        try:
            return read_(text)
        except ValueError:
            continue
    return text


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ServingError(f"{where} is no JSON: {error}") from error
