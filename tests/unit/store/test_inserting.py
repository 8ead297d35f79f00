"""Rows that are there already are left out, in the words of the database in use."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sampan.store.inserting import insert_new

TABLE = sa.Table("seen", sa.MetaData(), sa.Column("name", sa.Text, primary_key=True))


@pytest.mark.parametrize(
    ("name", "dialect"), [("sqlite", sqlite.dialect()), ("postgresql", postgresql.dialect())]
)
def test_it_is_said_in_either_database(name: str, dialect: sa.Dialect) -> None:
    assert "ON CONFLICT DO NOTHING" in str(insert_new(TABLE, name).compile(dialect=dialect))


def test_a_row_that_is_there_stays() -> None:
    statement = str(insert_new(TABLE, "sqlite").compile(dialect=sqlite.dialect()))
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE seen (name TEXT PRIMARY KEY)")
        for _ in range(2):
            connection.execute(statement, ("one",))
        assert connection.execute("SELECT name FROM seen").fetchall() == [("one",)]
    connection.close()


def test_the_other_database_is_not_loaded() -> None:
    program = """
import sys
import sqlalchemy as sa
from sampan.store.inserting import insert_new
insert_new(sa.Table("seen", sa.MetaData(), sa.Column("name", sa.Text)), "sqlite")
assert "sqlalchemy.dialects.postgresql" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
