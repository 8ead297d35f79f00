"""Lists as the KFP API gives them: filtered, sorted, a page at a time, with the total.

A page token is base64 of JSON with the sort, the filter and the place of the last row, so that the next page
needs no state in the server and no OFFSET. Everything in it is checked again when it comes back, names
against the same tables as in a first request, and every value reaches SQL as a bound parameter.

Source for the behaviour: kubeflow/pipelines 2.17, backend/src/apiserver/{list/list.go,filter/filter.go}.
"""

from __future__ import annotations

import base64
import binascii
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import ArtifactType, PredicateOperation
from sampan.components.pipelines.api.wire_filter import Predicate, parse_filter
from sampan.components.pipelines.store import tables

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 200

_LOWEST = -1.7976931348623157e308
"""Where rows without the value sorted by are put: NULL cannot be compared with the last row's value."""


_SCALAR_OPERATORS: Mapping[PredicateOperation, Callable[[Any, Any], Any]] = {
    PredicateOperation.EQUALS: operator.eq,
    PredicateOperation.NOT_EQUALS: operator.ne,
    PredicateOperation.GREATER_THAN: operator.gt,
    PredicateOperation.GREATER_THAN_EQUALS: operator.ge,
    PredicateOperation.LESS_THAN: operator.lt,
    PredicateOperation.LESS_THAN_EQUALS: operator.le,
}


class _TagOf(FunctionElement[str]):
    """One entry of a text column that holds a JSON object of texts; NULL where it is missing."""

    type = sa.Text()
    inherit_cache = True


@compiles(_TagOf)
def _tag_of(element: _TagOf, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's own JSON paths cannot name every tag; `store.database` gives it a function that can.
    return compiler.process(sa.func.json_entry(*element.clauses), **options)


@compiles(_TagOf, "postgresql")
def _tag_of_postgresql(element: _TagOf, compiler: SQLCompiler, **options: Any) -> str:
    column, tag = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(CAST({column} AS json) ->> CAST({tag} AS text))"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a client asked for, as it came."""

    page_size: int = 0
    page_token: str = ""
    sort_by: str = ""
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_page_token` is empty on the last page."""

    items: list[T]
    total_size: int
    next_page_token: str

    def mapped(self, fn: Callable[[T], U]) -> Page[U]:
        return Page([fn(item) for item in self.items], self.total_size, self.next_page_token)


@dataclass(frozen=True, slots=True)
class Computed:
    """Something to sort by that is no column of the list's own."""

    value: sa.ColumnElement[Any]
    joined: sa.Subquery
    """Where it comes from: by the list's key, as `key`."""


@dataclass(frozen=True, slots=True)
class Listable:
    """What of a table may be filtered and sorted by, under the API's names."""

    kind: str
    """As messages name it: `run`."""
    table: sa.Table
    key: sa.Column[Any]
    fields: Mapping[str, sa.Column[Any]]
    """Columns of 64-bit integers are times."""
    default_sort: str = "created_at"
    tags: sa.Column[Any] | None = None
    """A JSON column whose entries may be filtered as `tags.<key>`."""
    computed: Mapping[str, Callable[[str], Computed]] = field(default_factory=dict)
    """Prefix of a name to sort by (`metric:`), and what it sorts by for the rest of the name."""


@dataclass(frozen=True, slots=True)
class _Order:
    """The order of a list, and after which row to go on."""

    name: str
    descending: bool
    last_value: Any = None
    last_key: str = ""


def select_page(
    connection: sa.Connection,
    listable: Listable,
    request: ListRequest,
    where: Sequence[sa.ColumnElement[bool]] = (),
    columns: Sequence[sa.Column[Any]] = (),
) -> Page[sa.Row[Any]]:
    """The page `request` asks for, of the rows that `where` lets through. Raises InvalidArgumentError.

    `columns`, the key among them, are those to read; all when empty.
    """
    size = _page_size(request.page_size)
    order, filter_text = _resume(listable, request)
    conditions = [*where, *(_condition(listable, predicate) for predicate in parse_filter(filter_text))]
    sort, source = _sorting(listable, order.name)
    total = connection.execute(sa.select(sa.func.count(listable.key)).where(*conditions)).scalar_one()

    if order.last_key:
        conditions.append(_after(sort, listable.key, order))
    direction = sa.desc if order.descending else sa.asc
    # Keys first: the search then runs on an index alone, and only one page of wide rows is read.
    keys = connection.execute(
        sa.select(listable.key, sort.label("sort_value"))
        .select_from(source)
        .where(*conditions)
        .order_by(direction(sort), direction(listable.key))
        .limit(size + 1)
    ).all()
    shown = keys[:size]
    found = {
        row._mapping[listable.key.name]: row
        for row in connection.execute(
            sa.select(*(columns or listable.table.columns)).where(listable.key.in_([k[0] for k in shown]))
        )
    }
    token = ""
    if len(keys) > size:
        last = shown[-1]
        token = _encode(listable.kind, order, filter_text, last[1], last[0])
    return Page([found[key[0]] for key in shown], total, token)


def metric_of_run(name: str) -> Computed:
    """The highest value of the metric `name` that a run's tasks left, or clients reported of it."""
    links, artifacts, metrics = tables.artifact_tasks, tables.artifacts, tables.run_metrics
    left = (
        sa.select(links.c.run_id, artifacts.c.number_value)
        .join_from(artifacts, links, links.c.artifact_id == artifacts.c.artifact_id)
        .where(artifacts.c.name == name, artifacts.c.type == ArtifactType.Metric.value)
    )
    reported = sa.select(metrics.c.run_id, metrics.c.number_value).where(metrics.c.name == name)
    values = sa.union_all(left, reported).subquery("metric_values")
    # Found for all runs at once, and joined: asked for each run, it takes as many searches as there are runs.
    highest = (
        sa.select(values.c.run_id.label("key"), sa.func.max(values.c.number_value).label("value"))
        .group_by(values.c.run_id)
        .subquery("highest_values")
    )
    return Computed(sa.func.coalesce(highest.c.value, _LOWEST), highest)


def _page_size(asked: int) -> int:
    if asked < 0:
        raise InvalidArgumentError(f"page_size must not be negative, but is {asked}")
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _resume(listable: Listable, request: ListRequest) -> tuple[_Order, str]:
    """The order and the filter in force: the token's, which what the request repeats must match."""
    if not request.page_token:
        return _order(listable, request.sort_by), request.filter
    order, filter_text = _decode(listable, request.page_token)
    same_order = not request.sort_by or _same(_order(listable, request.sort_by), order)
    same_filter = not request.filter or parse_filter(request.filter) == parse_filter(filter_text)
    if not (same_order and same_filter):
        raise InvalidArgumentError(
            "page_token belongs to another sort_by or filter: repeat the same ones, or leave both out"
        )
    return order, filter_text


def _order(listable: Listable, sort_by: str) -> _Order:
    words = sort_by.split()
    direction = words[1].lower() if len(words) == 2 else "asc"
    if len(words) > 2 or direction not in ("asc", "desc"):
        raise InvalidArgumentError(
            f'sort_by {sort_by!r} is not understood: write "field", "field asc" or "field desc"'
        )
    name = words[0] if words else listable.default_sort
    _sort_column(listable, name)
    return _Order(name, direction == "desc")


def _same(one: _Order, other: _Order) -> bool:
    return (one.name, one.descending) == (other.name, other.descending)


def _sort_column(listable: Listable, name: str) -> sa.ColumnElement[Any]:
    return _sorting(listable, name)[0]


def _sorting(listable: Listable, name: str) -> tuple[sa.ColumnElement[Any], sa.FromClause]:
    """What to sort by, and what to select from for that. Raises InvalidArgumentError."""
    for prefix, make in listable.computed.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            computed = make(name.removeprefix(prefix))
            joined = computed.joined
            return computed.value, listable.table.outerjoin(joined, joined.c.key == listable.key)
    column = listable.fields.get(name.lower())
    if column is None:
        raise InvalidArgumentError(
            f"sort_by: a {listable.kind} cannot be sorted by {name!r}; fields: {', '.join(listable.fields)}"
        )
    return column, listable.table


def _after(sort: sa.ColumnElement[Any], key: sa.ColumnElement[Any], order: _Order) -> sa.ColumnElement[bool]:
    if order.descending:
        return sa.or_(sort < order.last_value, sa.and_(sort == order.last_value, key < order.last_key))
    return sa.or_(sort > order.last_value, sa.and_(sort == order.last_value, key > order.last_key))


def _encode(kind: str, order: _Order, filter_text: str, value: Any, key: str) -> str:
    token = {"kind": kind, "sort": order.name, "desc": order.descending, "value": value, "key": key}
    if filter_text:
        token["filter"] = filter_text
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


def _decode(listable: Listable, text: str) -> tuple[_Order, str]:
    refused = InvalidArgumentError(
        "page_token is not one that this list gave out: ask for the first page again"
    )
    try:
        token = json.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        order = _Order(str(token["sort"]), token["desc"] is True, token["value"], str(token["key"]))
        filter_text = str(token.get("filter", ""))
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused from error
    if token.get("kind") != listable.kind or not order.last_key:
        raise refused
    expected: type | tuple[type, ...] = str
    sort = _sort_column(listable, order.name)
    if isinstance(sort.type, sa.Integer | sa.Float):
        expected = (int, float)
    if not isinstance(order.last_value, expected) or isinstance(order.last_value, bool):
        raise refused
    if isinstance(order.last_value, int) and abs(order.last_value) >= 2**63:
        raise refused
    return order, filter_text


def _condition(listable: Listable, predicate: Predicate) -> sa.ColumnElement[bool]:
    tag = predicate.key.removeprefix("tags.")
    if listable.tags is not None and tag != predicate.key and tag:
        if not predicate.is_text:
            raise InvalidArgumentError(
                f"filter: the tag {predicate.key!r} is compared with string_value only"
            )
        # A missing tag equals nothing and differs from everything.
        value = sa.func.coalesce(_TagOf(listable.tags, sa.literal(tag)), "")
        return _compare(value, predicate.operation, predicate.value)
    column = listable.fields.get(predicate.key)
    if column is None:
        names = ", ".join([*listable.fields, *(["tags.<key>"] if listable.tags is not None else [])])
        raise InvalidArgumentError(
            f"filter: a {listable.kind} cannot be filtered by {predicate.key!r}; keys: {names}"
        )
    return _compare(column, predicate.operation, _column_value(column, predicate))


def _column_value(column: sa.Column[Any], predicate: Predicate) -> Any:
    """The value as the column stores it: times in microseconds, states without upstream's older prefix."""
    if isinstance(column.type, sa.Integer):
        if predicate.is_text:
            raise InvalidArgumentError(
                f"filter: {predicate.key!r} is a time: use timestamp_value, or long_value in seconds"
            )
        return predicate.micros if isinstance(column.type, sa.BigInteger) else predicate.value
    if not predicate.is_text:
        raise InvalidArgumentError(f"filter: {predicate.key!r} is text: compare it with string_value")
    if column.name == "storage_state" and isinstance(predicate.value, str):
        return predicate.value.upper().removeprefix("STORAGESTATE_")
    return predicate.value


def _compare(
    column: sa.ColumnElement[Any], operation: PredicateOperation, value: Any
) -> sa.ColumnElement[bool]:
    match operation:
        case PredicateOperation.IN:
            return column.in_(value)
        case PredicateOperation.IS_SUBSTRING:
            return column.icontains(value, autoescape=True)
    return cast("sa.ColumnElement[bool]", _SCALAR_OPERATORS[operation](column, value))
