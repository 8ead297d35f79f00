"""Settings: frozen dataclasses, read once from the settings file, the environment and the command line.

`load` merges, weakest first: the defaults, `settings.toml` in the home folder (or the file given), variables such as
`SAMPAN_SERVER_PORT`, and the command line. Whatever is wrong is reported with its file and line, or its variable.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.cluster.node.settings import RUNTIMES, EnvironmentSettings, NodeSettings
from sampan.cluster.scheduler.settings import SchedulerSettings
from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.api.retention_settings import RetentionSettings
from sampan.components.pipelines.api.settings import MailSettings, PipelineSettings, read_weights
from sampan.components.pipelines.api.triggers import read_zone
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.api.settings import check as check_serving
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.api.settings import check as check_training
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.api.settings import check as check_tuning
from sampan.store.settings import DatabaseSettings


class SettingsError(Exception):
    """A setting that cannot be used. The message says where it stands and what to write instead."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the one port is."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback is refused until authentication is configured."""
    port: int = 8080
    """Port to listen on; 0 takes a free one."""
    grpc_port: int = 0
    """Port for gRPC on the same address (Katib's managers); 0 takes a free one and keeps it: `run/grpc-port` in the
    home folder."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR; the log is `logs/server.log` in the home folder."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names a browser may use for this server in its Host header, beside loopback's."""
    content_host: str = "content.localhost"
    """A name of this server's that shows what users made (HTML, markdown, pictures), and nothing else."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """A real Kubernetes in place of the embedded one: docs/cluster.md."""

    kubeconfig: str = ""
    """A kubeconfig file makes the platform work on that cluster; `in-cluster` on the one that its own pod is in."""
    context: str = ""
    """The context to use; empty for the file's current one."""
    namespace: str = ""
    """Where runs are; empty for the context's namespace."""
    mover_image: str = "python:3.11-slim"
    """An image with `python3`, 3.8 or newer, for the containers that move steps' files."""
    callback_url: str = ""
    """Where pods reach this machine; empty for its address towards the cluster's nodes, and `callback_port`."""
    callback_host: str = ""
    """Address to listen on for pods, with `callback_port`, where `callback_url` leads to something that forwards."""
    callback_port: int = 8081
    """Port to listen on for pods; 0 takes a free one, and running steps do not outlive a restart then."""
    callback_certificate: str = ""
    """A PEM file with which pods are served https; without one, files and tokens cross the network in the clear."""
    callback_key: str = ""
    """Its key, where the certificate's file does not hold it."""
    callback_authority: str = ""
    """A PEM file of what signed the certificate, where pods do not know it."""
    max_output_gib: int = 64
    """What one step may leave, in GiB."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. A table of `settings.toml` is a field here."""

    home: Path
    """The folder that holds everything: database, artifacts, logs, environments."""
    server: ServerSettings = field(default_factory=ServerSettings)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    node: NodeSettings = field(default_factory=NodeSettings)
    environments: EnvironmentSettings = field(default_factory=EnvironmentSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    pipelines: PipelineSettings = field(default_factory=PipelineSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    artifacts: ArtifactSettings = field(default_factory=ArtifactSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    mail: MailSettings = field(default_factory=MailSettings)


_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def default_home(environ: Mapping[str, str] = os.environ) -> Path:
    """`SAMPAN_HOME`, or `~/.sampan`."""
    return Path(environ.get("SAMPAN_HOME") or Path.home() / ".sampan").expanduser().absolute()


def load(
    home: Path,
    *,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings in force. `overrides` maps `server.port` and the like to values from the command line.

    Raises SettingsError.
    """
    sections = {f.name: f.default_factory for f in dataclasses.fields(Settings) if f.name != "home"}
    values: dict[str, dict[str, Any]] = {name: {} for name in sections}
    path = file or home / "settings.toml"
    if file is not None and not file.exists():
        raise SettingsError(f"{file}: no such settings file")
    if file is not None or _exists(path):
        _read_file(path, values)
    _read_environment(environ, values)
    for dotted, value in (overrides or {}).items():
        section, _, name = dotted.partition(".")
        values[section][name] = value
    built = {name: _build(typing.get_type_hints(Settings)[name], given) for name, given in values.items()}
    settings = Settings(home=home, **built)
    _check(settings)
    return settings


def describe() -> list[tuple[str, str, str, str]]:
    """(name, type, default, help) of every setting: the reference in docs/settings.md is made of it."""
    rows = []
    for section, cls in typing.get_type_hints(Settings).items():
        if section == "home":
            continue
        texts = _field_docs(cls)
        for f in dataclasses.fields(cls):
            default = getattr(cls(), f.name)
            hint = typing.get_type_hints(cls)[f.name]
            rows.append((f"{section}.{f.name}", _type_name(hint), _toml(default), texts.get(f.name, "")))
    return rows


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError as error:
        raise SettingsError(
            f"{path}: {error.strerror}; make the home folder readable, or choose another with --home"
        ) from error


def _read_file(path: Path, values: dict[str, dict[str, Any]]) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    hints = typing.get_type_hints(Settings)
    for section, table in document.items():
        if section not in values or not isinstance(table, dict):
            known = ", ".join(f"[{name}]" for name in values)
            raise SettingsError(
                f"{_at(path, text, section)}: unknown setting {section!r}; known tables: {known}"
            )
        names = typing.get_type_hints(hints[section])
        for name, value in table.items():
            where = _at(path, text, section, name)
            if name not in names:
                raise SettingsError(
                    f"{where}: unknown setting {section}.{name}; known in [{section}]: {', '.join(names)}"
                )
            values[section][name] = _convert(value, names[name], where, f"{section}.{name}")


def _read_environment(environ: Mapping[str, str], values: dict[str, dict[str, Any]]) -> None:
    hints = typing.get_type_hints(Settings)
    for section in values:
        for name, hint in typing.get_type_hints(hints[section]).items():
            variable = f"SAMPAN_{section}_{name}".upper()
            if variable in environ:
                value = _from_text(environ[variable], hint)
                values[section][name] = _convert(value, hint, variable, f"{section}.{name}")


def _from_text(text: str, hint: Any) -> Any:
    hint = _present(hint)
    if hint is bool:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
            text.lower(), text
        )
    if hint is int or hint is float:
        try:
            return hint(text)
        except ValueError:
            return text
    if typing.get_origin(hint) is tuple:
        return [part for part in text.split(",") if part]
    return text


def _present(hint: Any) -> Any:
    """The type of what may be None where it is not."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    return next(part for part in typing.get_args(hint) if part is not type(None))


def _convert(value: Any, hint: Any, where: str, name: str) -> Any:
    expected = _type_name(hint)
    hint = _present(hint)
    if (
        typing.get_origin(hint) is tuple
        and isinstance(value, list)
        and all(isinstance(v, str) for v in value)
    ):
        return tuple(value)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise SettingsError(f"{where}: {name} must be {expected}, not {value!r}")


def _build(cls: Any, given: dict[str, Any]) -> Any:
    return cls(**given)


def _check(settings: Settings) -> None:
    server = settings.server
    if not 0 <= server.port <= 65535:
        raise SettingsError(f"server.port must be between 0 and 65535, not {server.port}")
    if not 0 <= server.grpc_port <= 65535:
        raise SettingsError(f"server.grpc_port must be between 0 and 65535, not {server.grpc_port}")
    name = server.content_host.lower().rstrip(".")
    ours = {"localhost", "127.0.0.1", server.host.lower(), *(each.lower() for each in server.allowed_hosts)}
    if name in ours or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
        raise SettingsError(
            f"server.content_host must be a name of this server that it is not called by otherwise,"
            f" without a port, not {server.content_host!r}"
        )
    try:
        read_zone(settings.pipelines.schedule_time_zone)
    except ValueError as error:
        raise SettingsError(f"pipelines.schedule_time_zone: {error}") from error
    try:
        read_weights(settings.pipelines.namespace_weights)
    except ValueError as error:
        raise SettingsError(f"pipelines.namespace_weights: {error}") from error
    try:
        check_training(settings.training)
        check_tuning(settings.tuning)
        check_serving(settings.serving)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    mail = settings.mail
    if mail.security not in ("starttls", "tls", "none"):
        raise SettingsError(f"mail.security must be starttls, tls or none, not {mail.security!r}")
    if mail.password_secret and len([part for part in mail.password_secret.split("/") if part]) != 3:
        raise SettingsError(f"mail.password_secret must be NAMESPACE/NAME/KEY, not {mail.password_secret!r}")
    cluster = settings.cluster
    if not 0 <= cluster.callback_port <= 65535:
        raise SettingsError(f"cluster.callback_port must be between 0 and 65535, not {cluster.callback_port}")
    if cluster.kubeconfig and settings.artifacts.embedded_s3:
        raise SettingsError(
            "artifacts.embedded_s3 (--s3) is for the embedded cluster; with --kubeconfig it has no use"
        )
    if settings.artifacts.max_import_gib < 1 or settings.artifacts.read_cache_gib < 0:
        raise SettingsError(
            "artifacts.max_import_gib must be at least 1, artifacts.read_cache_gib at least 0"
        )
    if cluster.max_output_gib < 1:
        raise SettingsError(f"cluster.max_output_gib must be at least 1, not {cluster.max_output_gib}")
    if cluster.callback_url and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", cluster.callback_url):
        raise SettingsError(
            f"cluster.callback_url must be a URL such as http://10.0.0.5:8081, not {cluster.callback_url!r}"
        )
    if settings.node.runtime not in RUNTIMES:
        raise SettingsError(
            f"node.runtime must be one of {', '.join(RUNTIMES)}, not {settings.node.runtime!r}"
        )
    if settings.pipelines.workflows not in ("auto", "on", "off"):
        raise SettingsError(
            f"pipelines.workflows must be auto, on or off, not {settings.pipelines.workflows!r}"
        )
    if server.log_level not in _LOG_LEVELS:
        raise SettingsError(
            f"server.log_level must be one of {', '.join(_LOG_LEVELS)}, not {server.log_level!r}"
        )


def _at(path: Path, text: str, section: str, name: str = "") -> str:
    """`file:line` of a key, found by reading the lines: tomllib does not keep them."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
        if header:
            table = header.group(1)
            if table == section and not name:
                return f"{path}:{number}"
            continue
        key = re.match(r"\s*([\w.-]+)\s*=", line)
        if key is None:
            continue
        dotted = f"{table}.{key.group(1)}" if table else key.group(1)
        if dotted in (f"{section}.{name}", section):
            return f"{path}:{number}"
    return str(path)


def _type_name(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    if hint in names:
        return names[hint]
    if typing.get_origin(hint) is tuple:
        return "a list of texts"
    return " or ".join(_type_name(part) for part in typing.get_args(hint) if part is not type(None)) or "text"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, (int, float)):
        return str(value)
    return "(none)" if value is None else f'"{value}"'


def _field_docs(cls: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, read from its source."""
    import ast
    import inspect
    import textwrap

    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            docs[statement.target.id] = " ".join(following.value.value.split())
    return docs
