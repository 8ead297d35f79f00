"""One SQL database with a single writer whose commits are batched: SQLite in a file, or a PostgreSQL server.

SQLite allows one writer at a time, and a commit costs more than the statements in it. So every write of the process
goes through one thread, which takes all that is waiting and commits it as one transaction; each write is a savepoint
of its own and fails alone. A write that returned survives `kill -9` of the process (WAL). On PostgreSQL the writer
holds an advisory lock, so that two servers never write to one database.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool, QueuePool

from sampan.lib.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)

_BATCH_LIMIT = 256
"""Writes in one transaction: enough to spread the cost of a commit, few enough to keep latency below 50 ms."""

_NONE: Mapping[str, Any] = MappingProxyType({})


_CLOSED = "the database is closed: the server stops"


class StorageError(Exception):
    """The database refused a write or cannot be read; the message says what to do."""


class StorageFullError(StorageError):
    """The disk is full: nothing of the write was kept. Free space and try again."""


class _FirstFailedError(Exception):
    """The first write of a transaction failed: the others have another one."""


@dataclass(slots=True)
class _Write:
    fn: Callable[[sa.Connection], Any]
    after: Callable[[Any], None] | None
    failed: Callable[[BaseException], None] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class _Joined:
    """What is done in the transactions of what one task writes to `database`."""

    __slots__ = ("database", "fn", "is_done")

    def __init__(self, database: Database, fn: Callable[[sa.Connection], object]) -> None:
        self.database = database
        self.fn: Callable[[sa.Connection], object] | None = fn
        """None once it is over: tasks that were begun within it still see it."""
        self.is_done = False

    def before(self, fn: Callable[[sa.Connection], T]) -> Callable[[sa.Connection], T]:
        own = self.fn
        if own is None:
            return fn

        def both(connection: sa.Connection) -> T:
            own(connection)
            self.is_done = True
            return fn(connection)

        return both


_joined: ContextVar[_Joined | None] = ContextVar("joined", default=None)


class Statement:
    """A statement compiled once, handed to the driver as it is: a tenth of what SQLAlchemy's own way costs.

    For the few that run for every object written. Parameters and rows are the driver's, without conversion.
    """

    def __init__(self, statement: sa.ClauseElement, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup
        """Names of the parameters, where the driver takes them by position."""
        self._dialect = dialect

    def execute(self, connection: sa.Connection, parameters: Mapping[str, Any] = _NONE) -> Any:
        """The driver's cursor. Raises DBAPIError."""
        driver = connection.connection
        given = parameters if self._order is None else tuple(map(parameters.__getitem__, self._order))
        try:
            cursor = driver.cursor()
            cursor.execute(self._sql, given)
        except self._dialect.loaded_dbapi.Error as error:
            is_lost = self._dialect.is_disconnect(error, driver, None)
            if is_lost:
                connection.invalidate(error)
            raise sa.exc.DBAPIError(self._sql, None, error, connection_invalidated=is_lost) from error
        return cursor


class Database:
    """Reads from anywhere, writes in order. Bound to the event loop that calls it; closed with `close`."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._writer_engine = _engine(url, writer=True)
        self.dialect = self._engine.dialect.name
        """Its name: sqlite or postgresql."""
        self.on_rollback: Callable[[], None] = lambda: None
        """Called in the writer thread when writes that had succeeded were not kept after all."""
        self.trouble = ""
        """That the disk is full, from the first write that it refuses until one is kept again."""
        self.commits = 0
        """Batches committed: what has the same count has not changed."""
        self._savepoint, self._release, self._undo = (
            self.prepare(sa.text(words))
            for words in ("SAVEPOINT own", "RELEASE SAVEPOINT own", "ROLLBACK TO SAVEPOINT own")
        )
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._is_closed = False
        self._readers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sql-read")
        self._transaction: Callable[[], AbstractContextManager[sa.Connection]] = (
            _SqliteTransactions(self._writer_engine)
            if self.dialect == "sqlite"
            else self._writer_engine.begin
        )
        self._thread = threading.Thread(target=self._write_forever, name="sql-write", daemon=True)
        self._thread.start()

    def prepare(self, statement: sa.ClauseElement) -> Statement:
        return Statement(statement, self._engine.dialect)

    @classmethod
    def sqlite(cls, file: Path) -> Database:
        """The database in `file`, made if missing. Raises StorageError if it cannot be opened."""
        return cls(f"sqlite:///{file}")

    @classmethod
    def at(cls, url: str, file: Path) -> Database:
        """At `url`, or in `file` when that is empty. Raises StorageError for an address that cannot be used."""
        return cls(_server_url(url)) if url else cls.sqlite(file)

    def create(self, metadata: sa.MetaData) -> None:
        """Makes the tables that are missing. Blocks; for start-up."""
        self.change(metadata.create_all)

    def change(self, fn: Callable[[sa.Connection], None]) -> None:
        """`fn` in a transaction, in this thread. Blocks; for start-up, before anything else writes."""
        try:
            with self._writer_engine.begin() as connection:
                fn(connection)
        except sa.exc.DBAPIError as error:
            failure = _translated(error)
            if not isinstance(failure, StorageFullError):
                failure = StorageError(f"{self.name}: {failure}")
            raise failure from error

    def copy_to(self, file: Path) -> None:
        """A consistent copy of a SQLite database, over any older copy. Blocks. StorageError, StorageFullError."""
        file.unlink(missing_ok=True)
        try:
            with contextlib.closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM INTO ?", (str(file),))
        except sqlite3.Error as error:
            raise _translated(sa.exc.DBAPIError("VACUUM INTO", None, error)) from error

    @property
    def name(self) -> str:
        """The file or the address, without the password."""
        url = self._engine.url
        return str(url.database) if self.dialect == "sqlite" else url.render_as_string(hide_password=True)

    async def read(self, fn: Callable[[sa.Connection], T]) -> T:
        """`fn` in a reader thread, for anything that may take longer than a millisecond."""
        loop = asyncio.get_running_loop()
        try:
            reading = loop.run_in_executor(self._readers, self.read_now, fn)
        except RuntimeError as error:
            raise StorageError(_CLOSED) from error
        return await reading

    def read_now(self, fn: Callable[[sa.Connection], T]) -> T:
        """`fn` in this thread: for look-ups by key, where a change of thread would cost more than the query.

        As reading changes nothing, `fn` is called again where the connection was lost under it.
        """
        for attempt in range(_READ_ATTEMPTS):
            try:
                with self._engine.connect() as connection:
                    return fn(connection)
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated or attempt == _READ_ATTEMPTS - 1:
                    raise _translated(error) from error
        raise AssertionError("the last attempt returns or raises")

    async def write(
        self,
        fn: Callable[[sa.Connection], T],
        after: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> T:
        """`fn` in the writer thread; returns once it is committed.

        `after` runs in the event loop with the result, in commit order, before any later write's `after`: the place
        to publish a change. What `fn` raises is raised here, and nothing of it is kept. StorageFullError,
        StorageError. `failed` is told of it in the event loop, before any later write's `after`.
        """
        if self._is_closed:
            raise StorageError(_CLOSED)
        if (joined := _joined.get()) is not None and joined.database is self:
            fn = joined.before(fn)
        loop = asyncio.get_running_loop()
        write = _Write(fn, after, failed, loop, loop.create_future())
        self._queue.put(write)
        # Whoever gives up waiting takes nothing back: the write goes on, and its `after` or `failed` is called.
        result: T = await write.future
        return result

    @contextlib.contextmanager
    def joined(self, fn: Callable[[sa.Connection], object]) -> Iterator[None]:
        """Whatever this task writes within it, by whichever way, does `fn` first: both are kept, or neither.

        Raises RuntimeError where nothing was written here: `fn` would be lost.
        """
        joined = _Joined(self, fn)
        token = _joined.set(joined)
        try:
            yield
        finally:
            _joined.reset(token)
            joined.fn = None
        if not joined.is_done:
            raise RuntimeError("nothing was written to this database in what was to be written with it")

    async def close(self) -> None:
        """Waits for the writes under way, then lets go of the file. Later ones are refused."""
        self._is_closed = True
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._readers.shutdown(wait=True)
        if isinstance(self._transaction, _SqliteTransactions):
            self._transaction.close()
        self._engine.dispose()
        self._writer_engine.dispose()

    # In the writer thread.

    def _write_forever(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            stop = False
            while len(batch) < _BATCH_LIMIT:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    stop = True
                    break
                batch.append(following)
            self._commit(batch)
            # One call a batch and loop, so that `after` callbacks run in commit order.
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                batch[0].loop.call_soon_threadsafe(_settle, batch)
            if stop:
                return

    def _commit(self, batch: list[_Write]) -> None:
        rest: Sequence[_Write] = batch
        while len(rest) > 1:
            rest = self._commit_together(rest)
        if rest:
            self._commit_alone(rest[0])
        self.commits += 1
        errors = [write.error for write in batch]
        full = next((error for error in errors if isinstance(error, StorageFullError)), None)
        if full is not None:
            self.trouble = str(full)
        elif None in errors:
            self.trouble = ""

    def _commit_alone(self, write: _Write) -> None:
        """A write without company needs no savepoint: a fifth of what a short one costs."""
        try:
            with self._transaction() as connection:
                write.result = write.fn(connection)
        except sa.exc.DBAPIError as error:
            self.on_rollback()
            write.error = _translated(error)
            write.error.__cause__ = error
        except BaseException as error:
            self.on_rollback()
            write.error = error

    def _commit_together(self, batch: Sequence[_Write]) -> Sequence[_Write]:
        """Those that are to be committed still."""
        first, *others = batch
        try:
            with self._transaction() as connection:
                self._begin_with(connection, first)
                for write in others:
                    self._apply(connection, write)
        except _FirstFailedError:
            self.on_rollback()
            return others
        except BaseException as error:
            # The commit itself failed (disk full, say): nobody's write was kept.
            self.on_rollback()
            failure = _translated(error) if isinstance(error, sa.exc.DBAPIError) else error
            log.error("database commit failed", error=str(failure), writes=len(batch))
            for write in batch:
                write.error = write.error or failure
        return ()

    def _begin_with(self, connection: sa.Connection, write: _Write) -> None:
        """Without a savepoint: nothing else is undone with the transaction yet."""
        try:
            write.result = write.fn(connection)
        except Exception as error:
            if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
                raise
            write.error = _told(error)
            raise _FirstFailedError from error

    def _apply(self, connection: sa.Connection, write: _Write) -> None:
        # As prepared statements: SQLAlchemy's own savepoints are compiled anew each time.
        self._savepoint.execute(connection)
        try:
            write.result = write.fn(connection)
        except Exception as error:
            if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
                # The server is gone, and the whole transaction with it.
                raise
            try:
                self._undo.execute(connection)
            except sa.exc.DBAPIError:
                # So has SQLite undone all of it, as it does on a full disk: why is in the first error.
                raise error from None
            write.error = _told(error)
        self._release.execute(connection)


class _SqliteTransactions:
    """One transaction after the other on a connection of their own, for the writer thread.

    Begun and ended by the driver: what SQLAlchemy does for each costs as much as a short write.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: sa.Connection | None = None

    def __call__(self) -> _SqliteTransactions:
        return self

    def __enter__(self) -> sa.Connection:
        """Raises DBAPIError."""
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._closed_on_error("BEGIN IMMEDIATE"):
            self._connection.connection.cursor().execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, type_: type[BaseException] | None, *_: object) -> None:
        """Raises DBAPIError where nothing was kept after all."""
        connection = self._connection
        assert connection is not None
        # SQLAlchemy takes part once one of its own statements has run.
        ended = connection if connection.in_transaction() else connection.connection
        if type_ is None:
            with self._closed_on_error("COMMIT"):
                ended.commit()
        else:
            with self._closed_on_error("ROLLBACK"):
                ended.rollback()

    @contextlib.contextmanager
    def _closed_on_error(self, statement: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, sa.exc.DBAPIError) as error:
            self.close()
            if isinstance(error, sa.exc.DBAPIError):
                raise
            raise sa.exc.DBAPIError(statement, None, error) from error

    def close(self) -> None:
        """Undoes what was begun and not ended."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sa.exc.DBAPIError):
                connection.close()


def _told(error: Exception) -> Exception:
    """As whoever wrote hears of it."""
    if not isinstance(error, sa.exc.DBAPIError):
        return error
    told = _translated(error)
    told.__cause__ = error
    return told


def _settle(batch: list[_Write]) -> None:
    # Who wrote goes on when this has returned, and is told first: before whoever else hears of it by `after`.
    for write in batch:
        if write.future.done():
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)
    for write in batch:
        try:
            if write.error is not None:
                if write.failed is not None:
                    write.failed(write.error)
            elif write.after is not None:
                write.after(write.result)
        except Exception as error:
            log.error("after-commit callback failed", exc=error)


def _engine(url: str, *, writer: bool = False) -> sa.Engine:
    if not url.startswith("sqlite"):
        return _postgresql(url, writer=writer)
    memory = ":memory:" in url or "mode=memory" in url
    engine = sa.create_engine(
        url,
        poolclass=NullPool if memory else QueuePool,
        connect_args={"check_same_thread": False, "timeout": 30},
        **({} if memory else {"pool_size": 1 if writer else 5, "max_overflow": 10}),
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # SQLAlchemy opens transactions itself; the driver's own guess would break savepoints.
        connection.isolation_level = None
        connection.create_function("json_entry", 2, _json_entry, deterministic=True)
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            # NORMAL syncs at checkpoints: a commit survives the process, and a power cut loses no consistency.
            cursor.execute("PRAGMA synchronous=NORMAL")
            # Pages of the log: a checkpoint waits for the disk, a quarter as often as by SQLite's own 1,000.
            cursor.execute("PRAGMA wal_autocheckpoint=4000")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA cache_size=-8192")
        finally:
            cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        # One that the driver has begun (`_SqliteTransactions`) is joined.
        if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _json_entry(text: str, key: str) -> str | None:
    """In SQL: the text under `key` of a JSON object; NULL for anything else."""
    try:
        found = json.loads(text).get(key)
    except (ValueError, TypeError, AttributeError):
        return None
    return found if isinstance(found, str) else None


# A number of our own: other programs' advisory locks in the same database are none of our business.
_WRITER_LOCK = 0x53414D50414E
_READ_ATTEMPTS = 3
"""A server that restarts, or an administrator, ends connections under what is being read."""
_STATEMENT_TIMEOUT_MS = 60_000


def _server_url(url: str) -> str:
    """As SQLAlchemy wants it. Raises StorageError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise StorageError(
            f"database.url begins with {scheme!r}; write postgresql://USER:PASSWORD@HOST/DATABASE, or leave it out for "
            "SQLite in the home folder"
        )
    if importlib.util.find_spec("psycopg") is None:
        raise StorageError("PostgreSQL needs the driver psycopg: pip install 'sampan[postgres]'")
    return f"postgresql+psycopg://{rest}"


def _postgresql(url: str, *, writer: bool) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        # One snapshot a read, as SQLite gives: a list and the revision it is of belong together.
        isolation_level="READ COMMITTED" if writer else "REPEATABLE READ",
        connect_args={"connect_timeout": 10, "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}"},
        pool_size=1 if writer else 5,
        max_overflow=0 if writer else 10,
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.adapters.register_dumper(str, _text_dumper())
        if writer:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (_WRITER_LOCK,))
                (locked,) = cursor.fetchone()
            connection.commit()
            if not locked:
                raise StorageError(
                    "another Sampan server writes to this PostgreSQL database; stop it, or name another database"
                )

    @event.listens_for(engine, "handle_error")
    def _on_error(context: sa.engine.ExceptionContext) -> None:
        # SQLAlchemy leaves it open when the server is gone, and psycopg then warns of it.
        execution = context.execution_context
        if context.is_disconnect and execution is not None and execution.cursor is not None:
            with contextlib.suppress(Exception):
                execution.cursor.close()

    return engine


@functools.cache
def _text_dumper() -> type:
    """PostgreSQL's texts cannot hold NUL, which SQLite's can: the character that depicts it stands in."""
    from psycopg.types.string import StrDumper  # noqa: PLC0415  the driver is an extra

    class Dumper(StrDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\N{SYMBOL FOR NULL}") if "\0" in obj else obj)

    return Dumper


def _translated(error: sa.exc.DBAPIError) -> StorageError:
    text = str(error.orig)
    if any(words in text for words in ("disk is full", "No space left", "disk I/O error", "disk full")):
        return StorageFullError(
            f"the disk that holds the database is full ({text}); free space and try again"
        )
    if "not a database" in text or "malformed" in text:
        return StorageError(
            f"the database is damaged ({text}); `sampan doctor --repair` saves what can be read of it. Or put a copy "
            "in its place, or move it away to begin anew"
        )
    if "unable to open" in text or "readonly" in text:
        return StorageError(
            f"the database cannot be written ({text}); check the folder's owner and permissions"
        )
    if error.connection_invalidated or "connection" in text.lower():
        first = text.strip().splitlines()[0] if text.strip() else "connection lost"
        return StorageError(f"the database cannot be reached ({first}); see that its server runs")
    return StorageError(f"the database refused the operation: {text}")
