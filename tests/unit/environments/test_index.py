"""pip's configuration, as it reaches uv and pods."""

import configparser
import tomllib
from pathlib import Path

import pytest

from sampan.cluster.node.environments import PipInstall
from sampan.cluster.node.environments.index import (
    IndexOptions,
    pip_conf,
    read_pip_configuration,
    uv_configures_indexes,
    uv_toml,
    uv_variables,
    without_credentials,
)

FULL = IndexOptions(
    index_url="https://user:secret@a.example/simple",
    extra_index_urls=("https://b.example/simple", "https://c.example/simple"),
    find_links=("/wheels", "https://d.example/files"),
    trusted_hosts=("https://a.example/simple", "b.example:8080"),
    cert="/etc/ca.pem",
    proxy="http://proxy.example:3128",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config/pip").mkdir(parents=True)
    return tmp_path


def environ(home: Path, **more: str) -> dict[str, str]:
    # The machine's own /etc/pip.conf is read as well: the values below are all set nearer.
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "none"), **more}


def test_files_and_variables_in_pips_order(home: Path) -> None:
    (home / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://file.example/simple\nfind_links = /one\n    /two\n"
        "[install]\ntrusted-host = t.example\n[list]\nindex-url = https://not.example\n"
    )
    options = read_pip_configuration(environ(home, PIP_FIND_LINKS="/three /four"))
    assert options.index_url == "https://file.example/simple"
    assert options.find_links == ("/three", "/four")
    assert options.trusted_hosts == ("t.example",)


def test_a_file_named_by_variable_comes_after_the_users(home: Path) -> None:
    (home / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://file.example/simple\n")
    chosen = home / "chosen.conf"
    chosen.write_text("[global]\nindex-url = https://chosen.example/simple\nno-index = yes\n")
    options = read_pip_configuration(environ(home, PIP_CONFIG_FILE=str(chosen)))
    assert (options.index_url, options.no_index) == ("https://chosen.example/simple", True)


def test_no_files_at_all() -> None:
    assert read_pip_configuration({"PIP_CONFIG_FILE": "/dev/null"}) == IndexOptions()


def test_a_broken_file_counts_as_none(home: Path) -> None:
    (home / ".config/pip/pip.conf").write_text("index-url = without a section\n")
    assert (
        read_pip_configuration(environ(home, PIP_INDEX_URL="https://v.example")).index_url
        == "https://v.example"
    )


def test_uvs_own_configuration_is_noticed(home: Path) -> None:
    assert not uv_configures_indexes(environ(home))
    assert uv_configures_indexes(environ(home, UV_INDEX_URL="https://a.example/simple"))
    (home / ".config/uv").mkdir()
    (home / ".config/uv/uv.toml").write_text('link-mode = "copy"\n')
    assert not uv_configures_indexes(environ(home))
    (home / ".config/uv/uv.toml").write_text('[pip]\nindex-url = "https://a.example/simple"\n')
    assert uv_configures_indexes(environ(home))


def test_variables_for_uv() -> None:
    base = {
        "PATH": "/bin", "VIRTUAL_ENV": "/server", "PYTHONPATH": "/server/src", "UV_CACHE_DIR": "/cache",
        "UV_PYTHON": "3.9", "https_proxy": "http://p.example", "AWS_SECRET_ACCESS_KEY": "canary",
    }  # fmt: skip
    variables = uv_variables(base, FULL, offline=True)
    assert variables["UV_DEFAULT_INDEX"] == FULL.index_url
    assert variables["UV_INDEX"] == "https://b.example/simple https://c.example/simple"
    assert variables["UV_FIND_LINKS"] == "/wheels,https://d.example/files"
    assert variables["UV_INSECURE_HOST"] == "a.example b.example:8080"
    assert variables["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert variables["ALL_PROXY"] == "http://proxy.example:3128"
    assert variables["UV_OFFLINE"] == "1"
    assert variables["UV_CACHE_DIR"] == "/cache"
    assert variables["https_proxy"] == "http://p.example"
    assert not {"VIRTUAL_ENV", "PYTHONPATH", "UV_PYTHON", "AWS_SECRET_ACCESS_KEY"} & variables.keys()


def test_what_the_user_told_uv_stays() -> None:
    variables = uv_variables({"UV_INDEX_STRATEGY": "first-index", "SSL_CERT_FILE": "/mine"}, FULL)
    assert variables["UV_INDEX_STRATEGY"] == "first-index"
    assert variables["SSL_CERT_FILE"] == "/mine"


def test_pods_get_the_same_in_files() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(pip_conf(FULL))
    assert parser["global"]["index-url"] == FULL.index_url
    assert parser["global"]["extra-index-url"].split() == list(FULL.extra_index_urls)
    assert parser["global"]["find-links"].split() == list(FULL.find_links)
    document = tomllib.loads(uv_toml(FULL, offline=True))
    assert document["index-url"] == FULL.index_url
    assert document["extra-index-url"] == list(FULL.extra_index_urls)
    assert document["allow-insecure-host"] == ["a.example", "b.example:8080"]
    assert document["offline"] is True


def test_a_command_lines_index_replaces_and_its_others_are_added() -> None:
    install = PipInstall(("x",), index_url="https://z.example", extra_index_urls=("https://y.example",))
    options = FULL.with_install(install)
    assert options.index_url == "https://z.example"
    assert options.extra_index_urls == (*FULL.extra_index_urls, "https://y.example")
    assert options.find_links == FULL.find_links


def test_passwords_do_not_reach_keys() -> None:
    assert "secret" not in str(FULL.identity())
    assert without_credentials("https://u:p@h.example:1/x@y") == "https://h.example:1/x@y"
    assert without_credentials("/plain/path") == "/plain/path"
