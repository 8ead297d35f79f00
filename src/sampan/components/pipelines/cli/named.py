"""What commands about schedules, triggers and notifications share: a running server, what a run is made of, and things
that people name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer
from rich.console import Console

from sampan.client.http import HttpError, JsonClient
from sampan.components.pipelines.cli import documents
from sampan.components.pipelines.cli.frame import Platform, read_document, read_parameters
from sampan.components.pipelines.cli.package import PACKAGE_SUFFIXES
from sampan.console.frame import CommandError

API = "/apis/v2beta1"
SHORT = 8
"""Characters of an id that are shown, and enough to name it by."""
_INTERVAL = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
UNITS = (86400, 3600, 60, 1)
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of things that the API lists."""

    word: str
    """As people call it: `schedule`."""
    path: str
    """Below the API: `recurringruns`."""
    field: str
    """Of a list's answer: `recurringRuns`."""
    id_field: str
    command: str
    """That lists them: `sampan schedules`."""

    def path_of(self, item: Mapping[str, Any]) -> str:
        return f"{API}/{self.path}/{quote(item[self.id_field], safe='')}"

    def newest(self, http: JsonClient, limit: int) -> list[dict[str, Any]]:
        query: dict[str, str | int] = {"page_size": min(limit, 200), "sort_by": "created_at desc"}
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            page = http.get(f"{API}/{self.path}", query)
            found += page.get(self.field, [])
            if not (token := page.get("next_page_token")):
                break
            query["page_token"] = token
        return found[:limit]

    def find(self, http: JsonClient, text: str) -> dict[str, Any]:
        """By name, id, or the id's beginning. Raises CommandError."""
        found = [
            each
            for each in self.newest(http, _MOST)
            if each["display_name"] == text or (len(text) > 3 and each[self.id_field].startswith(text))
        ]
        if not found:
            raise CommandError(f"no {self.word} is called {text!r}; `{self.command}` lists them")
        if len(found) > 1:
            ids = ", ".join(each[self.id_field][:SHORT] for each in found)
            raise CommandError(f"several {self.word}s are called {text!r}: name one by its id ({ids})")
        return found[0]

    def switch(self, http: JsonClient, text: str, verb: str) -> dict[str, Any]:
        """Enables or disables the one that `text` names; as it then is. Raises CommandError."""
        path = self.path_of(self.find(http, text))
        http.post(f"{path}:{verb}")
        found: dict[str, Any] = http.get(path)
        return found

    def delete(self, http: JsonClient, text: str) -> None:
        """Removes the one that `text` names, and says so. Raises CommandError."""
        found = self.find(http, text)
        http.delete(self.path_of(found))
        Console(highlight=False).print(f"{found['display_name']}: deleted", markup=False)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to run."""

    name: str
    fields: Mapping[str, Any]
    """Of the request."""
    parameters: Mapping[str, Any]


@contextmanager
def running_server(platform: Platform, home: Path | None, what: str) -> Iterator[JsonClient]:
    """`what` needs one. None is started: it would begin to work, and end in the middle of it."""
    url = platform.running_url(home)
    if not url:
        raise CommandError(f"no server is running, and {what} need one: start it with `sampan up`")
    with JsonClient(url) as http:
        yield http


def read_source(
    http: JsonClient, given: str, params: list[str], kfp_python: Callable[[], Path], placeholder: str = ""
) -> Source:
    """A file, or the name of an uploaded pipeline; parameters as values, but for those that hold `placeholder`."""
    if Path(given).exists() or given.endswith((".py", *PACKAGE_SUFFIXES)):
        document = read_document(Path(given), "", kfp_python)
        fields: dict[str, Any] = {"pipeline_spec": document.to_json()}
        return Source(document.name, fields, _values(document, params, placeholder))
    try:
        pipeline = http.get(f"{API}/pipelines/names/{quote(given, safe='')}")
    except HttpError as error:
        if error.status != 404:
            raise
        raise CommandError(f"{given}: neither a file nor the name of an uploaded pipeline") from error
    pipeline_id = pipeline["pipeline_id"]
    latest: dict[str, str | int] = {"page_size": 1, "sort_by": "created_at desc"}
    versions = http.get(f"{API}/pipelines/{pipeline_id}/versions", latest).get("pipeline_versions")
    if not versions:
        raise CommandError(f"the pipeline {given!r} has no version to run")
    parameters = _values(documents.of(versions[0]["pipeline_spec"]), params, placeholder)
    return Source(given, {"pipeline_version_reference": {"pipeline_id": pipeline_id}}, parameters)


def seconds_of(text: str, option: str) -> int:
    """`90s`, `15m`, `1h30m`, `1d`. Raises CommandError."""
    found = _INTERVAL.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise CommandError(f"{option} {text!r}: write an interval such as 90s, 15m, 1h30m or 1d")
    return sum(int(number) * unit for number, unit in zip(found.groups(), UNITS, strict=True) if number)


def interval_of(seconds: int) -> str:
    parts = []
    for unit, letter in zip(UNITS, "dhms", strict=True):
        number, seconds = divmod(seconds, unit)
        if number:
            parts.append(f"{number}{letter}")
    return "".join(parts)


def plain(text: str) -> str:
    """Without anything that would be read as markup."""
    return text.replace("[", r"\[")


def add_group(
    app: typer.Typer, name: str, listing: Callable[..., None], commands: Mapping[str, Callable[..., None]]
) -> None:
    """`sampan NAME` lists, the rest are below it."""
    group = typer.Typer(help=listing.__doc__, no_args_is_help=False)
    group.callback(invoke_without_command=True)(listing)
    for word, command in commands.items():
        group.command(word)(command)
    app.add_typer(group, name=name, rich_help_panel="Pipelines")


def _values(document: documents.Document, params: list[str], placeholder: str) -> dict[str, Any]:
    later = [each for each in params if placeholder and placeholder in each.partition("=")[2]]
    now = [each for each in params if each not in later]
    # What an event will say has no type yet; the server checks the rest of it.
    values = dict(read_parameters(document, now, complete=not later))
    return values | {name: value for name, _, value in (each.partition("=") for each in later)}
