"""What a list or watch asks for: selectors against a kind's fields, and continue tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from sampan.client.protocol import ListOptions
from sampan.cluster.apiserver import conversion
from sampan.cluster.apiserver.storage import Page, Storage
from sampan.cluster.apiserver.strategy import Strategy
from sampan.kube import meta, selectors
from sampan.kube.errors import BadRequestError, Cause, ExpiredError, ServerTimeoutError
from sampan.kube.meta import Object

_MOST_DIGITS = 19
_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105  names the format, opens nothing


@dataclass(frozen=True, slots=True)
class Selection:
    """`name` and `namespace` are answered by an index, the rest by `predicate`; None means everything."""

    name: str | None
    namespace: str | None
    predicate: Callable[[Object], bool] | None
    by_others: bool = False
    """Whether `predicate` needs objects that others convert."""

    @property
    def stored_predicate(self) -> Callable[[Object], bool] | None:
        """For the database's thread, which cannot wait for others."""
        return None if self.by_others else self.predicate

    @property
    def served_predicate(self) -> Callable[[Object], bool] | None:
        """For objects that are converted already."""
        return self.predicate if self.by_others else None

    @classmethod
    def parse(cls, strategy: Strategy, options: ListOptions) -> Selection:
        """Raises BadRequestError for a selector that cannot be read or a field that cannot be selected."""
        labels = selectors.parse_labels(options.label_selector)
        fields = selectors.parse_fields(options.field_selector)
        if not labels and not fields:
            return cls(None, None, None)
        readers = {}
        for requirement in fields.requirements:
            reader = strategy.selectable(requirement.path)
            if reader is None:
                raise BadRequestError(f"field label not supported: {requirement.path}")
            readers[requirement.path] = reader

        def matches(obj: Object) -> bool:
            return labels.matches(meta.labels(obj)) and fields.matches(
                {path: reader.read(obj) for path, reader in readers.items()}
            )

        name = fields.exact("metadata.name")
        exact_name_only = name is not None and not labels and len(fields.requirements) == 1
        by_others = strategy.conversion is not None and strategy.conversion.remote is not None
        found = matches if by_others else conversion.predicate(strategy, matches)
        return cls(name, fields.exact("metadata.namespace"), None if exact_name_only else found, by_others)


def encode_continue(page: Page) -> str:
    """Empty on the last page."""
    if page.last is None:
        return ""
    raw = msgspec.json.encode(_Token(_TOKEN_VERSION, page.revision, page.last, page.remaining))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Place(NamedTuple):
    """Where a page begins."""

    revision: int
    """To list at; 0 for now."""
    after: tuple[str, str] | None = None
    """What the page before ended with."""
    left: int | None = None
    """How many there are from here on, where the page before knew: counted once, not for every page."""


def decode_continue(options: ListOptions, storage: Storage) -> Place:
    """Raises BadRequestError for a token that is not ours, ExpiredError for one whose revision was compacted,
    ServerTimeoutError for a revision that is still to come.
    """
    if options.continue_token:
        place = _parse(options.continue_token)
        if place.revision < storage.compacted:
            raise ExpiredError(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter."
            )
        return place
    version = options.resource_version
    revision = parse_revision(version) if version else 0
    if revision > storage.revision:
        raise ServerTimeoutError(
            f"Too large resource version: {version}, current: {storage.revision}",
            details={"retryAfterSeconds": 1},
            causes=(Cause("ResourceVersionTooLarge", "", "Too large resource version"),),
        )
    # "Not older than" is always true of the newest state.
    return Place(revision if options.exact else 0)


def parse_revision(version: str) -> int:
    """Raises BadRequestError for what is no resourceVersion."""
    if not (version.isascii() and version.isdecimal() and len(version) <= _MOST_DIGITS):
        raise BadRequestError(f'Invalid value: "{version[:100]}": invalid resourceVersion')
    return int(version)


def _parse(token: str) -> Place:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found = msgspec.json.decode(raw, type=_Token)
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise BadRequestError("continue key is not valid: it does not come from this server") from error
    if found.v != _TOKEN_VERSION or not 0 < found.rv < 2**63:
        raise BadRequestError("continue key is not valid: incorrect encoded start resourceVersion")
    return Place(found.rv, found.start, found.left if found.left is None or found.left >= 0 else None)


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: tuple[str, str]
    left: int | None = None
