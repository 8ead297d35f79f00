"""`sampan doctor --repair` on damaged files: what can be read is kept, the damaged file too."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.app import repair
from sampan.app.home import AlreadyRunningError, Home
from sampan.app.settings import Settings
from sampan.client.protocol import ListOptions
from sampan.kube.kinds import CONFIG_MAPS
from sampan.testing.apiserver import embedded

COUNT = 400


async def fill(folder: Path) -> None:
    async with embedded(folder) as server:
        for at in range(COUNT):
            data = {"at": str(at), "filling": "x" * 1000}
            await server.client.create(
                CONFIG_MAPS, {"metadata": {"name": f"c{at:04}", "namespace": "default"}, "data": data}
            )
        change = {"data": {"changed": "yes"}}
        for at in range(0, COUNT, 10):
            await server.client.patch(CONFIG_MAPS, f"c{at:04}", change, "default")


async def names(folder: Path) -> list[str]:
    async with embedded(folder) as server:
        found = await server.client.list(CONFIG_MAPS, "default", ListOptions())
        return [each["metadata"]["name"] for each in found.items]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    asyncio.run(fill(tmp_path))
    return Settings(home=tmp_path)


def execute(settings: Settings, *statements: str) -> None:
    with sqlite3.connect(settings.home / "sampan.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def checkpoint(settings: Settings) -> None:
    with sqlite3.connect(settings.home / "sampan.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_a_sound_database_needs_nothing(settings: Settings) -> None:
    assert repair.check(settings) == []
    assert repair.repair(settings) == []


def test_no_database_is_no_finding(tmp_path: Path) -> None:
    assert repair.check(Settings(home=tmp_path)) is None


def test_pages_that_are_lost_cost_their_rows_only(settings: Settings) -> None:
    checkpoint(settings)
    file = settings.home / "sampan.db"
    content = bytearray(file.read_bytes())
    # Leaves of the table: 1,000-byte rows lie on most of the pages in the middle of the file.
    for page in range(60, 64):
        content[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    file.write_bytes(content)
    assert repair.check(settings)
    done = repair.repair(settings)
    assert any("rows were copied" in line for line in done)
    assert repair.check(settings) == []
    kept = asyncio.run(names(settings.home))
    assert COUNT - 40 < len(kept) < COUNT
    assert (settings.home / "sampan.db.damaged-1").read_bytes() == bytes(content)


def test_an_index_that_lies_is_made_anew(settings: Settings) -> None:
    # Rows that the index does not know: what a lost write of one of its pages leaves.
    with sqlite3.connect(settings.home / "sampan.db") as connection:
        connection.execute("PRAGMA writable_schema=ON")
        sql = "SELECT sql FROM sqlite_master WHERE name = 'kube_objects_current'"
        (index,) = connection.execute(sql).fetchone()
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'kube_objects_current'", ("-",))
        other = index.replace("superseded_rev IS NULL", "superseded_rev IS NULL AND name > 'c0200'")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'kube_objects_current'", (other,))
    connection.close()
    execute(settings, "REINDEX")
    with sqlite3.connect(settings.home / "sampan.db") as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'kube_objects_current'", (index,))
    connection.close()
    assert repair.check(settings)
    assert repair.repair(settings) == ["the indexes were made anew"]
    assert len(asyncio.run(names(settings.home))) == COUNT


def test_an_object_whose_newest_state_is_garbage_falls_back_to_the_one_before(settings: Settings) -> None:
    execute(
        settings,
        "UPDATE kube_objects SET data = X'7B' WHERE name = 'c0010' AND superseded_rev IS NULL",
        "UPDATE kube_objects SET superseded_rev = 99999 WHERE name = 'c0011'",
    )
    findings = repair.check(settings) or []
    assert len(findings) == 2
    assert "configmaps/default/c0010" in findings[0]
    assert "99999" in findings[1]
    assert repair.repair(settings) == ["3 rows of objects were put right"]
    assert repair.check(settings) == []

    async def read() -> list[dict[str, str]]:
        async with embedded(settings.home) as server:
            found = [await server.client.get(CONFIG_MAPS, f"c00{at}", "default") for at in (10, 11)]
            return [each["data"] for each in found]

    before, after = asyncio.run(read())
    assert before["at"] == "10"
    assert "changed" not in before
    assert after["at"] == "11"


def test_a_file_that_is_no_database_is_kept_and_said_to_be_beyond_repair(tmp_path: Path) -> None:
    (tmp_path / "sampan.db").write_bytes(b"not a database, " * 1000)
    settings = Settings(home=tmp_path)
    assert repair.check(settings) == ["file is not a database"]
    with pytest.raises(repair.RepairError, match="could not be repaired"):
        repair.repair(settings)
    assert (tmp_path / "sampan.db").read_bytes().startswith(b"not a database")


def test_nothing_is_repaired_under_a_running_server(settings: Settings) -> None:
    home = Home(settings.home)
    try:
        with pytest.raises(AlreadyRunningError):
            repair.repair(settings)
    finally:
        home.release()


def test_the_doctor_says_it(settings: Settings) -> None:
    execute(settings, "UPDATE kube_objects SET data = X'7B' WHERE name = 'c0010' AND superseded_rev IS NULL")

    def doctor(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sampan", "doctor", "--home", str(settings.home), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    ill = doctor()
    assert ill.returncode == 1
    assert "c0010" in ill.stdout
    assert "sampan doctor --repair" in ill.stdout
    mended = doctor("--repair")
    assert (mended.returncode, mended.stdout.strip()) == (0, "2 rows of objects were put right")
    assert "sound" in doctor().stdout
