"""What tests on every floor may ask for."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes an empty database on a PostgreSQL server of our own at each call; its address."""
    if sys.version_info >= (3, 13):
        pytest.skip("the packaged PostgreSQL server has no wheel for this Python")
    with pytest.MonkeyPatch.context() as patch:
        # Read when it is imported.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        import pgserver
    import psycopg

    # Not below pytest's own folder, which only root may enter: PostgreSQL runs as another user then.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)
    server = pgserver.get_server(folder, cleanup_mode="delete")
    numbers = itertools.count(1)

    def make() -> str:
        name = f"test{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri(name)

    try:
        yield make
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Empty, which means SQLite; with SAMPAN_TEST_DATABASE=postgresql an empty database there."""
    if os.environ.get("SAMPAN_TEST_DATABASE") != "postgresql":
        return ""
    url: str = request.getfixturevalue("postgresql")()
    return url
