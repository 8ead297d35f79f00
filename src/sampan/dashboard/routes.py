"""Which page a path leads to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sampan.ui.contract import Interface, NavEntry, NavSection, Page

ROOT = "/ui"
"""Of all pages, on the one port."""


class Routes:
    """All pages, of the shell and of every component."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        """Raises ValueError where two pages have one path."""
        self._pages: dict[tuple[str, ...], Page] = {}
        self._links: dict[tuple[str, ...], str] = {}
        for interface in interfaces:
            for page in interface.pages:
                shape = _shape(_split(page.path))
                if shape in self._pages:
                    raise ValueError(f"two pages have the path {page.path}")
                self._pages[shape] = page
            for theirs, ours in interface.upstream_links.items():
                self._links[tuple(_split(theirs))] = ours

    def find(self, path: str) -> tuple[Page, dict[str, str]] | None:
        """The page, and its parameters, decoded. Literal segments win over parameters, from the left."""
        segments = _split(path)
        for shape in _shapes(segments):
            if (page := self._pages.get(shape)) is not None:
                return page, _parameters(_split(page.path), segments)
        return None

    def parents(self, page: Page, params: Mapping[str, str]) -> list[tuple[str, str]]:
        """Titles and paths of the pages above it, the topmost first."""
        found: list[tuple[str, str]] = []
        above = self.find(filled(page.parent, params)) if page.parent else None
        while above is not None and len(found) < 5:
            found.insert(0, (above[0].title, filled(above[0].path, params)))
            above = self.find(filled(above[0].parent, params)) if above[0].parent else None
        return found

    def of_upstream(self, fragment: str) -> str:
        """Our path for what comes after `#` in an address of upstream's pages; empty where there is none."""
        split = urlsplit(fragment)
        segments = _split(split.path)
        for theirs, ours in self._links.items():
            if _matches(theirs, segments):
                params = _parameters(theirs, segments) | dict(parse_qsl(split.query))
                path, _, query = ours.partition("?")
                given = {key: params.get(value.strip("{}"), "") for key, value in parse_qsl(query)}
                kept = urlencode({key: value for key, value in given.items() if value})
                return f"{filled(path, params)}?{kept}" if kept else filled(path, params)
        return ""


def current(sections: Iterable[NavSection], path: str) -> NavEntry | None:
    """The entry that a path belongs to: the one that names most of it."""
    best, length = None, -1
    for entry in (entry for section in sections for entry in section.entries):
        for covered in (entry.path, *entry.also):
            covers = path == covered or (covered != "/" and path.startswith(covered + "/"))
            if covers and len(covered) > length:
                best, length = entry, len(covered)
    return best


def filled(path: str, params: Mapping[str, str]) -> str:
    """The path with its parameters in place, quoted."""
    segments = (
        quote(params.get(each[1:-1], ""), safe="") if each.startswith("{") else each for each in _split(path)
    )
    return "/" + "/".join(segments)


def _split(path: str) -> list[str]:
    return [each for each in path.split("/") if each]


def _shape(segments: Sequence[str]) -> tuple[str, ...]:
    return tuple("{}" if each.startswith("{") else each for each in segments)


def _shapes(segments: Sequence[str]) -> Iterable[tuple[str, ...]]:
    if not segments:
        yield ()
        return
    rest = list(_shapes(segments[1:]))
    for head in (segments[0], "{}"):
        for each in rest:
            yield (head, *each)


def _matches(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    return len(pattern) == len(segments) and all(
        theirs.startswith("{") or theirs == given for theirs, given in zip(pattern, segments, strict=True)
    )


def _parameters(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str]:
    pairs = zip(pattern, segments, strict=True)
    return {name[1:-1]: unquote(value) for name, value in pairs if name.startswith("{")}
