"""Where API objects live: every version of every object as one row, numbered by one revision counter.

A change inserts a row and marks the row before it as superseded; a deletion inserts a tombstone. So a list
can be read as it was at any revision that is still kept, and a watch can be resumed from it. Nothing here knows
what an object means; callers are `verbs` and `compaction`. Nothing else may touch the tables.

Writes run in the database's writer thread, one after the other: what a transaction reads there is the newest
state, which makes every compare-and-write of the API atomic. Everything else runs in the event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from sampan.cluster.apiserver.changes import BATCH_BYTES, Change, ChangeHub, Subscription
from sampan.kube.errors import ExpiredError, ServiceUnavailableError
from sampan.kube.meta import Object
from sampan.store.database import Database, StorageError

T = TypeVar("T")

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode

tables = sa.MetaData()
_Revision = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Lists are in the order of the names' bytes, whatever language the database server speaks.
_Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_objects = sa.Table(
    "kube_objects",
    tables,
    sa.Column("rev", _Revision, primary_key=True, autoincrement=False),
    sa.Column("resource", _Name, nullable=False),
    sa.Column("namespace", _Name, nullable=False),
    sa.Column("name", _Name, nullable=False),
    sa.Column("superseded_rev", _Revision, nullable=True),
    # A tombstone supersedes itself, so that no list at any revision shows it.
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
_live = _objects.c.superseded_rev.is_(None)
sa.Index("kube_objects_versions", _objects.c.resource, _objects.c.namespace, _objects.c.name, _objects.c.rev)
sa.Index("kube_objects_history", _objects.c.resource, _objects.c.rev)
# Partial indexes are written out, the same for both databases: declared as such they would load both dialects.
for _statement in (
    "CREATE UNIQUE INDEX kube_objects_current ON kube_objects (resource, namespace, name) "
    "WHERE superseded_rev IS NULL",
    "CREATE INDEX kube_objects_superseded ON kube_objects (superseded_rev) WHERE superseded_rev IS NOT NULL",
):
    sa.event.listen(_objects, "after_create", sa.DDL(_statement))  # type: ignore[no-untyped-call]
_compaction = sa.Table(
    "kube_compaction",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("rev", _Revision, nullable=False),
)

_select_current = sa.select(_objects.c.rev, _objects.c.data).where(
    _objects.c.resource == sa.bindparam("resource"),
    _objects.c.namespace == sa.bindparam("namespace"),
    _objects.c.name == sa.bindparam("name"),
    _live,
)
_insert = sa.insert(_objects)
_supersede = (
    sa.update(_objects)
    .where(_objects.c.rev == sa.bindparam("previous"))
    .values(superseded_rev=sa.bindparam("successor"))
)
_select_newest = sa.select(sa.func.max(_objects.c.rev))
_select_compacted = sa.select(_compaction.c.rev).where(_compaction.c.id == 1)

_CHUNK = 500
"""Rows of history looked at, or of old objects deleted, at once."""
_SHARED_PAGES = 32
_ROWS = 50
"""Rows taken out of the database at once: each may be of some megabytes."""


class Key(NamedTuple):
    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """One object as stored: its JSON, whose metadata.resourceVersion is `rev`."""

    rev: int
    data: bytes
    warnings: tuple[str, ...] = ()
    """For who wrote it: what is suspicious about the request."""

    def object(self) -> Object:
        """A copy of the caller's own."""
        found: Object = decode(self.data)
        return found


@dataclass(frozen=True, slots=True)
class ListQuery:
    resource: str
    namespace: str | None = None
    name: str | None = None
    after: tuple[str, str] | None = None
    """The (namespace, name) that the page before ended with."""
    revision: int = 0
    """Read as it was then; 0 means now."""
    limit: int = 0
    predicate: Callable[[Object], bool] | None = None
    max_bytes: int = 0
    """A page ends when its items have reached this size, and does not count the rest; 0 means any size."""
    left: int | None = None
    """How many there are after `after`, where that is known."""


@dataclass(frozen=True, slots=True)
class Page:
    items: list[bytes]
    revision: int
    last: tuple[str, str] | None = None
    """Set when there is more."""
    remaining: int | None = None


class Transaction:
    """Reads and writes in the writer thread. What it wrote is kept together or not at all."""

    def __init__(self, connection: sa.Connection, writer: _Writer, *, dry_run: bool = False) -> None:
        self._connection = connection
        self._writer = writer
        self._dry_run = dry_run
        self._own: dict[Key, Record | None] = {}
        """What this transaction has written; None for what it has deleted."""
        self.changes: list[Change] = []

    def get(self, key: Key) -> Record | None:
        if key in self._own:
            return self._own[key]
        record = self._writer.known.get(key)
        if record is None:
            row = self._writer.select.execute(self._connection, key._asdict()).fetchone()
            if row is not None:
                record = Record(row[0], row[1])
                self._writer.known.put(key, record)
        return record

    def close(self) -> None:
        """It has succeeded: what it has written is what the next one reads."""
        for key, record in self._own.items():
            if record is None:
                self._writer.known.remove(key)
            else:
                self._writer.known.put(key, record)

    def all(self, resource: str, namespace: str) -> list[tuple[Key, Record]]:
        """The objects of a kind in one namespace, as this transaction has them."""
        rows = self._connection.execute(
            sa.select(_objects.c.name, _objects.c.rev, _objects.c.data).where(
                _objects.c.resource == resource, _objects.c.namespace == namespace, _live
            )
        )
        return [(Key(resource, namespace, name), Record(rev, data)) for name, rev, data in rows]

    def unchanged_since(self, resource: str, revision: int, limit: int) -> list[tuple[Key, Record]]:
        """The oldest objects of a resource that nobody wrote after `revision`."""
        rows = self._connection.execute(
            sa.select(_objects.c.namespace, _objects.c.name, _objects.c.rev, _objects.c.data)
            .where(_objects.c.resource == resource, _objects.c.rev <= revision, _live)
            .order_by(_objects.c.rev)
            .limit(limit)
        )
        return [(Key(resource, namespace, name), Record(rev, data)) for namespace, name, rev, data in rows]

    def put(self, key: Key, obj: Object, previous: Record | None) -> Record:
        """Stores `obj` with its new resourceVersion, over `previous`, which this transaction has read."""
        return self._append(key, obj, previous, deleted=False)

    def delete(self, key: Key, obj: Object, previous: Record) -> Record:
        """Removes the object; `obj` is its last state."""
        return self._append(key, obj, previous, deleted=True)

    def _append(self, key: Key, obj: Object, previous: Record | None, *, deleted: bool) -> Record:
        if self._dry_run:
            return Record(previous.rev if previous else 0, encode(obj))
        rev = self._writer.next_revision()
        obj["metadata"]["resourceVersion"] = str(rev)
        data = encode(obj)
        if previous is not None:
            self._writer.supersede.execute(self._connection, {"previous": previous.rev, "successor": rev})
        self._writer.insert.execute(
            self._connection,
            {
                "rev": rev,
                **key._asdict(),
                "superseded_rev": rev if deleted else None,
                "deleted": deleted,
                "data": data,
            },
        )
        self.changes.append(
            Change(rev, *key, deleted=deleted, data=data, previous=previous.data if previous else None)
        )
        record = Record(rev, data)
        self._own[key] = None if deleted else record
        return record


class _Writer:
    """What transactions share, in the writer thread alone."""

    def __init__(self, database: Database) -> None:
        self.revision = 0
        """The newest handed out."""
        self.known = RecordCache()
        """Exactly what is stored of the objects used last: nobody else writes."""
        self.select = database.prepare(_select_current)
        self.insert = database.prepare(_insert)
        self.supersede = database.prepare(_supersede)
        database.on_rollback = self.known.clear

    def next_revision(self) -> int:
        self.revision += 1
        return self.revision


class Storage:
    """For one event loop. `start` before anything else."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = _Writer(database)
        self._compacted = 0
        self._hub = ChangeHub(0)
        self._reloads: list[Callable[[], None]] = []
        self._in_doubt = False
        """Whether a commit was not confirmed: it may be in the database, unseen by cache and watchers."""
        self.cache = RecordCache()
        self._pages: OrderedDict[ListQuery, asyncio.Future[Page]] = OrderedDict()
        """Read lately, or being read."""

    def start(self) -> None:
        """Reads where the previous process stopped. The tables exist."""

        def load(connection: sa.Connection) -> tuple[int, int]:
            newest = connection.execute(_select_newest).scalar() or 0
            return newest, connection.execute(_select_compacted).scalar() or 0

        newest, self._compacted = self._database.read_now(load)
        self._writer.revision = max(newest, self._compacted, 1)
        self._hub = ChangeHub(self._writer.revision)

    def observe(self, resource: str, observer: Callable[[Change], None]) -> None:
        """Calls `observer` for every change of a resource, before who wrote it is answered. After `start`."""
        self._hub.observers.setdefault(resource, []).append(observer)

    def end_watches(self, resource: str) -> None:
        """For a kind that is no longer served."""
        self._hub.end(resource)

    @property
    def revision(self) -> int:
        """Of the newest change that watchers may have seen."""
        return self._hub.revision

    @property
    def compacted(self) -> int:
        """Lists and watches can start after this revision only."""
        return self._compacted

    async def write(self, fn: Callable[[Transaction], T], *, dry_run: bool = False) -> T:
        """`fn` in the writer thread, committed when this returns and published to watchers just before.

        With `dry_run` nothing is written. Raises ServiceUnavailableError when the database cannot take it.
        """

        def run(connection: sa.Connection) -> tuple[T, list[Change]]:
            transaction = Transaction(connection, self._writer, dry_run=dry_run)
            result = fn(transaction)
            transaction.close()
            return result, transaction.changes

        try:
            result, _ = await self._database.write(run, self._publish, None if dry_run else self._doubt)
        except StorageError as error:
            raise ServiceUnavailableError(str(error)) from error
        return result

    def get(self, key: Key) -> Record | None:
        """The committed object. From memory if it was used lately, else by one look-up in the database."""
        record = self.cache.get(key)
        if record is None:

            def load(connection: sa.Connection) -> Record | None:
                row = connection.execute(_select_current, key._asdict()).first()
                return Record(row[0], row[1]) if row else None

            record = self._database.read_now(load)
            if record is not None:
                self.cache.put(key, record)
        return record

    def current(self, resource: str) -> list[Record]:
        """All objects of a kind of which there are few. Blocks; for start-up."""
        select = sa.select(_objects.c.rev, _objects.c.data).where(_objects.c.resource == resource, _live)
        return self._database.read_now(
            lambda connection: [Record(rev, data) for rev, data in connection.execute(select)]
        )

    def on_doubt(self, reload: Callable[[], None]) -> None:
        """Calls `reload` when changes may have been kept that no observer was told of: `current` knows them."""
        self._reloads.append(reload)

    async def page(self, query: ListQuery) -> Page:
        """Raises ExpiredError when `query.revision` was compacted."""
        return await self._database.read(lambda connection: self._page(connection, query))

    async def shared_page(self, query: ListQuery) -> Page:
        """As `page`, at a revision and without a predicate: many who ask for the same are given the same."""
        reading = self._pages.get(query)
        if reading is None or (reading.done() and (reading.cancelled() or reading.exception() is not None)):
            reading = self._pages[query] = asyncio.ensure_future(self.page(query))
            while len(self._pages) > _SHARED_PAGES:
                self._pages.popitem(last=False)
        # One who gives up does not take the page from the others.
        return await asyncio.shield(reading)

    def subscribe(
        self, resource: str, namespace: str | None = None, name: str | None = None, *, since: int
    ) -> Subscription:
        """Every change after revision `since`. What is no longer in memory is read from the tables."""
        return Subscription(
            self._hub.feed(resource),
            lambda rev: self._history(resource, rev),
            namespace=namespace,
            name=name,
            since=since,
        )

    async def compact(self, revision: int) -> int:
        """Forgets what was superseded up to `revision`; returns how many rows went in this slice."""
        self._compacted = max(self._compacted, revision)
        return await self._database.write(lambda connection: self._delete_superseded(connection, revision))

    async def expire(self, resource: str, revision: int) -> int:
        """Deletes objects of a resource that nobody wrote after `revision`; returns how many went in this slice."""

        def delete(transaction: Transaction) -> int:
            doomed = transaction.unchanged_since(resource, revision, _CHUNK)
            for key, record in doomed:
                transaction.delete(key, record.object(), record)
            return len(doomed)

        return await self.write(delete)

    # In the writer thread.

    @staticmethod
    def _delete_superseded(connection: sa.Connection, revision: int) -> int:
        connection.execute(sa.delete(_compaction).where(_compaction.c.id == 1))
        connection.execute(sa.insert(_compaction), {"id": 1, "rev": revision})
        # The newest row stays whatever it is: after a restart the counter goes on from it.
        newest = connection.execute(_select_newest).scalar() or 0
        doomed = (
            sa.select(_objects.c.rev)
            .where(_objects.c.superseded_rev <= revision, _objects.c.rev < newest)
            .limit(2_000)
        )
        return connection.execute(sa.delete(_objects).where(_objects.c.rev.in_(doomed))).rowcount

    # In a reader thread.

    def _page(self, connection: sa.Connection, query: ListQuery) -> Page:
        newest = max(connection.execute(_select_newest).scalar() or 0, 1)
        if query.revision and query.revision < self._compacted:
            raise expired(query.revision, self._compacted)
        select = _matching(query)
        items: list[bytes] = []
        size = 0
        last: tuple[str, str] | None = None
        more = False
        rows = connection.execution_options(yield_per=_ROWS).execute(select)
        for namespace, name, data in rows:
            if query.predicate is not None and not query.predicate(decode(data)):
                continue
            if (query.limit and len(items) == query.limit) or (query.max_bytes and size >= query.max_bytes):
                more = True
                break
            items.append(data)
            size += len(data)
            last = (namespace, name)
        rows.close()
        revision = query.revision or newest
        if not more:
            return Page(items, revision)
        remaining = None
        if query.left is not None:
            remaining = max(query.left - len(items), 1)
        elif query.predicate is None and not query.max_bytes:
            # All the rest is read for it: for the first page only, the others go on from its number.
            rest = _matching(query, after=last).with_only_columns(sa.func.count()).order_by(None).limit(None)
            remaining = connection.execute(rest).scalar()
        return Page(items, revision, last, remaining)

    async def _history(self, resource: str, since: int) -> tuple[Sequence[Change], int]:
        """The next changes after `since`, and the revision up to which there are no others."""
        if since < self._compacted:
            raise expired(since, self._compacted)

        def load(connection: sa.Connection) -> tuple[list[Change], int]:
            newest = connection.execute(_select_newest).scalar() or 0
            before = _objects.alias("before")
            select = (
                sa.select(_objects, before.c.data.label("previous"))
                .outerjoin(
                    before,
                    sa.and_(before.c.superseded_rev == _objects.c.rev, before.c.rev != _objects.c.rev),
                )
                .where(_objects.c.resource == resource, _objects.c.rev > since)
                .order_by(_objects.c.rev)
                .limit(_CHUNK)
            )
            changes: list[Change] = []
            size = 0
            rows = connection.execution_options(yield_per=_ROWS).execute(select)
            for row in rows:
                if size >= BATCH_BYTES:
                    break
                identity = (row.rev, row.resource, row.namespace, row.name)
                change = Change(*identity, deleted=row.deleted, data=row.data, previous=row.previous)
                changes.append(change)
                size += change.size
            else:
                if len(changes) < _CHUNK:
                    return changes, max(newest, since)
            rows.close()
            return changes, changes[-1].rev

        found = await self._database.read(load)
        # Compaction may have overtaken the read.
        if since < self._compacted:
            raise expired(since, self._compacted)
        return found

    def _doubt(self, error: BaseException) -> None:
        """Whoever asked may have gone: what has become of the write is to be found out all the same."""
        self._in_doubt = self._in_doubt or isinstance(error, StorageError)

    def _publish(self, outcome: tuple[object, list[Change]]) -> None:
        if self._in_doubt and outcome[1]:
            # The first write that is known to be kept since: what came before it is read from the tables.
            # Watchers are woken after this, when the change below is in the ring too.
            self._in_doubt = False
            self.cache.clear()
            self._hub.forget(outcome[1][0].rev - 1)
            for reload in self._reloads:
                reload()
        for change in outcome[1]:
            key = Key(change.resource, change.namespace, change.name)
            if change.deleted:
                self.cache.discard(key, change.rev)
            else:
                self.cache.put(key, Record(change.rev, change.data))
            self._hub.publish(change)


class RecordCache:
    """The objects used last, by size. Never newer or older than what is committed and published."""

    def __init__(self, limit_bytes: int = 8 * 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self.size = 0
        self._records: OrderedDict[Key, Record] = OrderedDict()

    def get(self, key: Key) -> Record | None:
        record = self._records.get(key)
        if record is not None:
            self._records.move_to_end(key)
        return record

    def put(self, key: Key, record: Record) -> None:
        known = self._records.pop(key, None)
        if known is not None:
            self.size -= len(known.data)
            # A read may have seen a commit that is published only now.
            record = max(record, known, key=lambda each: each.rev)
        self._records[key] = record
        self.size += len(record.data)
        while self.size > self.limit_bytes:
            _, evicted = self._records.popitem(last=False)
            self.size -= len(evicted.data)

    def clear(self) -> None:
        self._records.clear()
        self.size = 0

    def remove(self, key: Key) -> None:
        known = self._records.pop(key, None)
        if known is not None:
            self.size -= len(known.data)

    def discard(self, key: Key, rev: int) -> None:
        known = self._records.get(key)
        if known is not None and known.rev < rev:
            del self._records[key]
            self.size -= len(known.data)


def expired(requested: int, compacted: int) -> ExpiredError:
    return ExpiredError(f"too old resource version: {requested} ({compacted})")


def _matching(query: ListQuery, after: tuple[str, str] | None = None) -> sa.Select[Any]:
    columns = _objects.c
    select = sa.select(columns.namespace, columns.name, columns.data).where(
        columns.resource == query.resource
    )
    if query.revision:
        select = select.where(
            # The sum keeps the planner from the history index: nearly all rows are older than any revision asked for.
            columns.rev + 0 <= query.revision,
            sa.or_(columns.superseded_rev.is_(None), columns.superseded_rev > query.revision),
        )
    else:
        select = select.where(_live)
    if query.name is not None:
        select = select.where(columns.name == query.name)
    after = after or query.after
    if query.namespace is not None:
        # The index gives the order by name alone once the namespace is fixed.
        select = select.where(columns.namespace == query.namespace).order_by(columns.name)
        if after is not None:
            select = select.where(columns.name > after[1])
    else:
        select = select.order_by(columns.namespace, columns.name)
        if after is not None:
            select = select.where(sa.tuple_(columns.namespace, columns.name) > sa.tuple_(*after))
    # One more than asked for tells whether there is another page.
    return select.limit(min(query.limit, 2**62) + 1) if query.limit and query.predicate is None else select
