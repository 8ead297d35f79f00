"""Rows of tables in files. Called by `view`. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

MOST_ROWS = 200
MOST_COLUMNS = 60
_MOST_CELL = 400
"""Characters."""
_MOST_FIELD = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rows:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_all: bool
    """Whether there are no others."""
    left_out: int = 0
    """Columns."""


class NoTableError(Exception):
    """It does not read as one."""


def read(kind: str, text: str, *, is_whole: bool, header: Sequence[str] = (), most: int = MOST_ROWS) -> Rows:
    """`kind` is csv, tsv or jsonl. `header` names the columns of a file that does not. Raises NoTableError."""
    if not is_whole:
        # The last line may be cut.
        text = text[: text.rfind("\n") + 1]
    if kind == "jsonl":
        return _of_lines(text, is_whole)
    try:
        reader = csv.reader(text.splitlines(keepends=True), delimiter="\t" if kind == "tsv" else ",")
        csv.field_size_limit(_MOST_FIELD)
        found = list(islice(reader, most + 2))
    except csv.Error as error:
        raise NoTableError(str(error)) from error
    found = [row for row in found if row]
    if not found:
        raise NoTableError("it has no rows")
    names, rows = (list(header), found) if header else (found[0], found[1:])
    width = max(len(names), *(len(row) for row in rows[:most]), 1)
    names = [*names, *(f"column {at + 1}" for at in range(len(names), width))]
    is_all = is_whole and len(rows) <= most
    return _cut(names, [[*row, *[""] * (width - len(row))] for row in rows[:most]], is_all)


def _of_lines(text: str, is_whole: bool) -> Rows:
    lines = [line for line in text.splitlines() if line.strip()]
    values = []
    for line in lines[:MOST_ROWS]:
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise NoTableError("a line is no JSON") from error
    if not values:
        raise NoTableError("it has no rows")
    if not all(isinstance(value, dict) for value in values):
        return _cut(["value"], [[_said(value)] for value in values], is_whole and len(lines) <= MOST_ROWS)
    # In the order in which they first appear.
    columns = list(dict.fromkeys(str(key) for value in values for key in value))
    rows = [[_said(value[key]) if key in value else "" for key in columns] for value in values]
    return _cut(columns, rows, is_whole and len(lines) <= MOST_ROWS)


def _cut(columns: list[str], rows: list[list[str]], is_all: bool) -> Rows:
    return Rows(
        [name[:_MOST_CELL] for name in columns[:MOST_COLUMNS]],
        [
            [cell if len(cell) <= _MOST_CELL else cell[:_MOST_CELL] + " …" for cell in row[:MOST_COLUMNS]]
            for row in rows
        ],
        is_all,
        max(0, len(columns) - MOST_COLUMNS),
    )


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
