"""Where packages come from: the user's configuration of pip, handed on to uv and to pods.

Called by the builder and the facade. uv reads its own configuration by itself and that comes first; what
pip has and uv's lacks is added, since the steps of pipelines say `pip install` and mean pip's. Reads files,
starts nothing.
"""

from __future__ import annotations

import configparser
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from sampan.cluster.node.environments.install import PipInstall

# uv's variables that decide what a set of requirements resolves to: part of an environment's key.
_RESOLUTION_VARIABLES = (
    "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE_NEWER", "UV_INDEX_STRATEGY", "UV_NO_BINARY", "UV_NO_BUILD",
    "UV_PRERELEASE", "UV_RESOLUTION", "UV_TORCH_BACKEND",
)  # fmt: skip
# What of the server's variables uv gets: building a package runs that package's code, which must not see the rest.
_PASSED_VARIABLES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "NETRC", "LD_LIBRARY_PATH", "CUDA_HOME"),
        *("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    }
)
_PASSED_PREFIXES = ("UV_", "LC_", "XDG_", "SSL_")
# Of uv's: what would point it at another Python than the environment's.
_FOREIGN_VARIABLES = frozenset({"UV_PYTHON", "UV_SYSTEM_PYTHON"})
_UV_INDEX_KEYS = frozenset({"index", "index-url", "extra-index-url", "find-links", "no-index"})


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """As pip means them: every index is equal, the best version wins."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    cert: str = ""
    proxy: str = ""

    def with_install(self, install: PipInstall) -> IndexOptions:
        """With the options of one command line: its index replaces, its other URLs are added."""
        return replace(
            self,
            index_url=install.index_url or self.index_url,
            no_index=self.no_index and not install.index_url,
            extra_index_urls=_unique((*self.extra_index_urls, *install.extra_index_urls)),
            trusted_hosts=_unique((*self.trusted_hosts, *install.trusted_hosts)),
        )

    def identity(self) -> tuple[object, ...]:
        """What of it decides what is installed. Passwords that change leave an environment's key as it is."""
        urls = (self.index_url, *self.extra_index_urls, *self.find_links)
        return (self.no_index, *(without_credentials(url) for url in urls))


def read_pip_configuration(environ: Mapping[str, str]) -> IndexOptions:
    """pip's options from its files and variables, a later one replacing an earlier one.

    Source of the order: pip documentation, "Configuration", 24.0: global, user, site, PIP_CONFIG_FILE,
    variables.
    """
    values: dict[str, str] = {}
    for path in _pip_files(environ):
        values.update(_read_pip_file(path))
    prefix = "PIP_"
    for name, value in environ.items():
        if name.startswith(prefix) and value:
            values[name.removeprefix(prefix).lower().replace("_", "-")] = value
    return IndexOptions(
        index_url=values.get("index-url", ""),
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        no_index=values.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        cert=values.get("cert", ""),
        proxy=values.get("proxy", ""),
    )


def uv_configures_indexes(environ: Mapping[str, str]) -> bool:
    """Whether the user told uv itself where packages come from."""
    names = (
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_NO_INDEX",
    )
    return any(environ.get(name) for name in names) or uv_configuration_file(environ) is not None


def uv_configuration_file(environ: Mapping[str, str]) -> Path | None:
    """The user's own uv.toml, where it says something about indexes."""
    return next((path for path in _uv_files(environ) if _UV_INDEX_KEYS & _uv_file_keys(path)), None)


def uv_variables(
    environ: Mapping[str, str], options: IndexOptions, *, offline: bool = False
) -> dict[str, str]:
    """The environment of a uv process. Not arguments: a URL may hold a password, and `ps` shows those."""
    variables = {name: value for name, value in environ.items() if _is_passed(name)}
    ours = {
        "UV_DEFAULT_INDEX": options.index_url,
        "UV_INDEX": " ".join(options.extra_index_urls),
        "UV_FIND_LINKS": ",".join(options.find_links),
        "UV_INSECURE_HOST": " ".join(filter(None, map(_host, options.trusted_hosts))),
        "UV_NO_INDEX": "1" if options.no_index else "",
        "UV_OFFLINE": "1" if offline else "",
    }
    variables |= {name: value for name, value in ours.items() if value}
    variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    if options.cert:
        variables.setdefault("SSL_CERT_FILE", options.cert)
    if options.proxy:
        variables.setdefault("ALL_PROXY", options.proxy)
    return variables | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never"}


def resolution_inputs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What of uv's variables an environment's key must hold."""
    return tuple(f"{name}={environ[name]}" for name in _RESOLUTION_VARIABLES if environ.get(name))


def pip_conf(options: IndexOptions) -> str:
    """A pip.conf for pods, whose own HOME is empty."""
    lines = ["[global]", "disable-pip-version-check = true"]
    for key, value in (
        ("index-url", options.index_url),
        ("extra-index-url", "\n    ".join(options.extra_index_urls)),
        ("find-links", "\n    ".join(options.find_links)),
        ("trusted-host", "\n    ".join(options.trusted_hosts)),
        ("no-index", "true" if options.no_index else ""),
        ("cert", options.cert),
        ("proxy", options.proxy),
    ):
        if value:
            lines.append(f"{key} = {value}")
    return "\n".join(lines) + "\n"


def uv_toml(options: IndexOptions, *, offline: bool) -> str:
    """The same as a uv.toml."""
    lines = ['index-strategy = "unsafe-best-match"', 'python-downloads = "never"']
    if options.index_url:
        lines.append(f"index-url = {_quoted(options.index_url)}")
    for key, values in (
        ("extra-index-url", options.extra_index_urls),
        ("find-links", options.find_links),
        ("allow-insecure-host", tuple(filter(None, map(_host, options.trusted_hosts)))),
    ):
        if values:
            lines.append(f"{key} = [{', '.join(map(_quoted, values))}]")
    lines += [f"{key} = true" for key, on in (("no-index", options.no_index), ("offline", offline)) if on]
    return "\n".join(lines) + "\n"


def without_credentials(url: str) -> str:
    """`url` without its user and password, for keys and messages."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else url


def _is_passed(name: str) -> bool:
    upper = name.upper()
    return (
        upper in _PASSED_VARIABLES or name.startswith(_PASSED_PREFIXES)
    ) and name not in _FOREIGN_VARIABLES


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    shared = [
        Path(folder) / "pip/pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    ]
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    files = [*shared, Path("/etc/pip.conf"), home / ".pip/pip.conf", own]
    return [*files, Path(chosen)] if chosen else files


def _read_pip_file(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        # pip would refuse a broken file; the file's owner learns it there, and an environment may not need
        # it.
        return {}
    return {
        key.replace("_", "-"): value
        for section in ("global", "install")
        if parser.has_section(section)
        for key, value in parser.items(section)
    }


def _uv_files(environ: Mapping[str, str]) -> list[Path]:
    if environ.get("UV_NO_CONFIG"):
        return []
    if chosen := environ.get("UV_CONFIG_FILE"):
        return [Path(chosen)]
    home = Path(environ.get("HOME") or Path.home())
    return [Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml", Path("/etc/uv/uv.toml")]


def _uv_file_keys(path: Path) -> frozenset[str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return frozenset()
    pip = document.get("pip", {})
    return frozenset([*document, *(pip if isinstance(pip, dict) else ())])


def _host(trusted: str) -> str:
    """KFP hands whole URLs to --trusted-host; uv takes `host[:port]`."""
    return urlsplit(trusted).netloc.rpartition("@")[2] if "://" in trusted else trusted


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
