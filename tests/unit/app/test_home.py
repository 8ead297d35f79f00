"""The home folder: one server at a time, and where it is."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sampan.app.home import AlreadyRunningError, Home, HomeError, ServerInfo, find_server

INFO = ServerInfo(pid=1, url="http://127.0.0.1:8080", version="0", started_at="2026-01-01T00:00:00Z")


def test_a_second_server_is_told_where_the_first_is(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.publish(INFO)
    code = (
        "import sys; from pathlib import Path; from sampan.app.home import *\n"
        "try: Home(Path(sys.argv[1]))\n"
        "except AlreadyRunningError as error: print(error.info.url)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == INFO.url
    home.release()


def test_a_file_left_by_a_killed_server_does_not_count(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.publish(INFO)
    assert find_server(tmp_path) == INFO
    home._lock.close()  # as the kernel does when the process is killed
    assert find_server(tmp_path) is None
    Home(tmp_path).release()


def test_who_looks_at_the_same_time_is_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command took another one, which looked too, for a server that had been killed."""
    home = Home(tmp_path)
    home.publish(INFO)
    home._lock.close()
    lock, found = fcntl.flock, list[ServerInfo | None]()

    def locked(*arguments: Any) -> None:
        lock(*arguments)
        monkeypatch.setattr(fcntl, "flock", lock)
        found.append(find_server(tmp_path))

    monkeypatch.setattr(fcntl, "flock", locked)
    assert find_server(tmp_path) is None
    assert found == [None]


def test_release_leaves_nothing_to_find(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.publish(INFO)
    home.release()
    assert find_server(tmp_path) is None
    again = Home(tmp_path)
    with pytest.raises(AlreadyRunningError):
        Home(tmp_path)
    again.release()


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match=r"cannot be written: .*choose another with --home or SAMPAN_HOME"):
        Home(tmp_path / "file" / "home")


def test_token_and_server_file_are_private(tmp_path: Path) -> None:
    home = Home(tmp_path)
    token = home.token()
    assert len(token) >= 32
    assert home.token() == token
    assert (tmp_path / "run" / "token").stat().st_mode & 0o077 == 0
    home.release()
