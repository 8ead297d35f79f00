"""Settings: what wins, and how a bad one is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.app import settings
from sampan.app.settings import SettingsError, load


def write(home: Path, text: str) -> Path:
    file = home / "settings.toml"
    file.write_text(text)
    return file


def test_defaults_need_no_file(tmp_path: Path) -> None:
    loaded = load(tmp_path, environ={})
    assert (loaded.server.host, loaded.server.port) == ("127.0.0.1", 8080)
    assert loaded.node.warm


def test_command_line_beats_environment_beats_file(tmp_path: Path) -> None:
    write(tmp_path, "[server]\nport = 1\nlog_level = 'DEBUG'\n\n[node]\nwarm = false\n")
    environ = {"SAMPAN_SERVER_PORT": "2", "SAMPAN_NODE_WARM": "true"}
    loaded = load(tmp_path, environ=environ, overrides={"server.port": 3})
    assert (loaded.server.port, loaded.server.log_level, loaded.node.warm) == (3, "DEBUG", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\nhost = 'x'\nport = 'eighty'\n", ":3: server.port must be a whole number, not 'eighty'"),
        ("[server]\nport = true\n", ":2: server.port must be a whole number, not True"),
        ("[server]\n\nprot = 80\n", ":3: unknown setting server.prot; known in [server]: host, port"),
        ("[sever]\nport = 80\n", ":1: unknown setting 'sever'; known tables: [server]"),
        ("port = 80\n", ":1: unknown setting 'port'"),
        ("[server\nport = 80\n", "not valid TOML"),
        ("[node]\nwarm = 'yes'\n", ":2: node.warm must be true or false, not 'yes'"),
    ],
)
def test_a_bad_setting_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, environ={})
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SAMPAN_SERVER_PORT: server\.port must be a whole number"):
        load(tmp_path, environ={"SAMPAN_SERVER_PORT": "x"})


def test_a_port_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="between 0 and 65535"):
        load(tmp_path, environ={}, overrides={"server.port": 70000})


def test_a_file_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such settings file"):
        load(tmp_path, file=tmp_path / "other.toml", environ={})


def test_every_setting_has_a_help_text() -> None:
    rows = settings.describe()
    assert len(rows) > 8
    assert [name for name, _type, _default, text in rows if not text] == []


def test_an_unknown_time_zone_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"SAMPAN_PIPELINES_SCHEDULE_TIME_ZONE": "Asia/Tokyo"})
    with pytest.raises(SettingsError, match=r"pipelines\.schedule_time_zone: unknown time zone 'Mars'"):
        load(tmp_path, environ={"SAMPAN_PIPELINES_SCHEDULE_TIME_ZONE": "Mars"})


@pytest.mark.parametrize(
    "name", ["", "localhost", "127.0.0.1", "Box.LAN", "a b", "x:80", "http://x", "*.x", "a;b"]
)
def test_untrusted_content_has_a_name_that_nothing_else_has(tmp_path: Path, name: str) -> None:
    given = {"server.content_host": name, "server.allowed_hosts": ("box.lan",)}
    with pytest.raises(SettingsError, match=r"server\.content_host must be a name"):
        load(tmp_path, environ={}, overrides=given)
    load(tmp_path, environ={}, overrides={"server.content_host": "content.box.lan"})
