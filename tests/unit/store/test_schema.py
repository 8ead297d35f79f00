"""The version of the tables: new homes, homes of earlier releases, homes of later ones."""

from __future__ import annotations

import asyncio
import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from sampan.app import registry
from sampan.app.database import open_database
from sampan.app.settings import Settings
from sampan.cluster.apiserver import ApiServer
from sampan.store import migrations, schema
from sampan.store.database import Database, StorageError

RELEASES = Path(__file__).with_name("releases")
"""What each release's tables were, as SQL with a few rows: written when the release was made, never changed."""


def tables(settings: Settings) -> list[sa.MetaData]:
    return [ApiServer.tables, *(each for part in registry.components(settings) for each in part.tables)]


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = open_database(settings, tables(settings))
    try:
        yield database
    finally:
        asyncio.run(database.close())


def layout(file: Path) -> set[str]:
    """Every table and index, in words that do not depend on how it was made."""
    found = set()
    with sqlite3.connect(file) as connection:
        for kind, name, table, sql in connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
        ):
            if kind == "table":
                columns = connection.execute(f"PRAGMA table_info('{name}')").fetchall()
                found |= {f"{name}.{column[1]} {column[2]} {column[3:]}" for column in columns}
            elif sql:
                found.add(f"{table}: {' '.join(sql.split())}")
    connection.close()
    return found


@pytest.mark.parametrize("release", sorted(RELEASES.glob("*.sql")), ids=lambda path: path.stem)
def test_the_tables_of_every_release_roll_forward_to_todays(release: Path, tmp_path: Path) -> None:
    old, new = Settings(home=tmp_path / "old"), Settings(home=tmp_path / "new")
    for settings in (old, new):
        settings.home.mkdir()
    with sqlite3.connect(old.home / "sampan.db") as connection:
        connection.executescript(release.read_text(encoding="utf-8"))
    connection.close()
    for settings in (old, new):
        with opened(settings) as database:
            names = database.read_now(
                lambda c: c.execute(sa.text("SELECT name FROM kube_objects ORDER BY rev")).scalars().all()
            )
            assert names == (["default", "kept"] if settings is old else [])
            assert schema.inspect(database) == (schema.State.CURRENT, schema.HEAD)
    assert layout(old.home / "sampan.db") == layout(new.home / "sampan.db")


def test_the_database_is_copied_before_its_tables_change(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with sqlite3.connect(tmp_path / "sampan.db") as connection:
        connection.executescript((RELEASES / "0.1.0.sql").read_text(encoding="utf-8"))
    connection.close()
    with opened(settings):
        pass
    with sqlite3.connect(tmp_path / f"sampan.db.before-{schema.HEAD}") as copy:
        assert copy.execute("SELECT count(*) FROM kube_objects").fetchone() == (2,)
    copy.close()


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with opened(settings):
        pass
    with sqlite3.connect(tmp_path / "sampan.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match=r"newer Sampan .*9999"), opened(settings):
        pass


def test_the_list_of_versions_is_that_of_the_steps() -> None:
    folder = Path(migrations.__file__).parent / "versions"
    assert sorted(file.name[1:5] for file in folder.glob("v*.py")) == list(schema.KNOWN)
    assert schema.KNOWN[-1] == schema.HEAD


STEP = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{head}"

def upgrade():
    with op.batch_alter_table("kube_objects") as table:
        table.add_column(sa.Column("extra", sa.Text, nullable=False, server_default="x"))
    {then}
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_step_is_made_whole_or_not_at_all(tmp_path: Path, fails: bool) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir()
    steps = tmp_path / "steps"
    steps.mkdir()
    then = "raise RuntimeError('no')" if fails else ""
    (steps / "next.py").write_text(textwrap.dedent(STEP).format(then=then, head=schema.HEAD))
    with opened(settings) as database:
        if fails:
            with pytest.raises(RuntimeError):
                migrations.upgrade(database, versions=(steps,))
        else:
            migrations.upgrade(database, versions=(steps,))
        columns = database.read_now(
            lambda c: [each["name"] for each in sa.inspect(c).get_columns("kube_objects")]
        )
        version = database.read_now(lambda c: c.execute(sa.select(schema.version_table)).scalar())
        assert ("extra" in columns, version) == ((False, schema.HEAD) if fails else (True, "next"))


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite:///x.db"])
def test_an_address_that_is_no_postgresql_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"postgresql://USER:PASSWORD@HOST/DATABASE"):
        Database.at(url, tmp_path / "x.db")
