"""Which route a request belongs to: by Host, or by the first parts of its path. Pure.

Two objects may claim one name: `a-b` in `c` and `a` in `b-c` are both `a-b-c.localhost`. The older one has it, so that
nobody takes a name from another by making an object. A host that begins with a tag counts less than one in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sampan.components.serving.api.routing import Route

Key = tuple[str, str, str, int]
"""Kind, namespace and name of the object, and which of its routes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one endpoint, as annotations of its object say."""

    origins: frozenset[str] = frozenset()
    """Of pages that may call it; `*` for all."""
    most_bytes: int = 0
    """Of a request's body; 0 for the gateway's own limit."""


@dataclass(frozen=True, slots=True)
class Entry:
    route: Route
    age: tuple[str, str]
    """The object's creationTimestamp and uid: the smaller is the older."""
    limits: Limits = Limits()
    number: int = 0

    @property
    def key(self) -> Key:
        return self.route.kind, self.route.namespace, self.route.name, self.number


@dataclass(slots=True)
class Found:
    entry: Entry
    target: bytes
    """What is left of it."""
    tag: str = ""
    by_path: bool = False


_OWN = frozenset({b"serving", b"seldon", b"publishers"})
_Claim = tuple[bool, tuple[str, str], str, Entry]
"""Whether by a tag, the age, the tag."""


class Table:
    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._hosts: dict[bytes, list[_Claim]] = {}
        self._prefixes: dict[bytes, list[_Claim]] = {}
        self._counts: dict[int, int] = {}
        """How many claims there are to prefixes of so many parts."""
        self._depths: tuple[int, ...] = ()
        self._firsts: dict[bytes, int] = {}
        """First parts of paths that are no prefix of the gateway's own, and how often there is each."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        return self._entries.get(key)

    def entries(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def put(self, entry: Entry) -> None:
        self.remove(entry.key)
        self._entries[entry.key] = entry
        for host, tag in _hosts(entry.route):
            _claim(self._hosts, host.encode(), (bool(tag), entry.age, tag, entry))
        for prefix in entry.route.prefixes:
            name = prefix.rstrip("/").encode()
            _claim(self._prefixes, name, (False, entry.age, "", entry))
            self._count(name, 1)

    def remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for host, _ in _hosts(entry.route):
            _unclaim(self._hosts, host.encode(), entry)
        for prefix in entry.route.prefixes:
            name = prefix.rstrip("/").encode()
            _unclaim(self._prefixes, name, entry)
            self._count(name, -1)

    def shadowed(self, entry: Entry) -> list[str]:
        """Names that it claims and an older object has."""
        return [
            host
            for host, tag in _hosts(entry.route)
            if not tag and self._hosts[host.encode()][0][3].key[:3] != entry.key[:3]
        ]

    def has_host(self, host: bytes) -> bool:
        return host in self._hosts

    def has_path(self, target: bytes) -> bool:
        """Below a namespace's own name: language models have such paths."""
        return (
            bool(self._firsts)
            and target[1:].partition(b"/")[0] in self._firsts
            and (self.by_path(target) is not None)
        )

    def by_host(self, host: bytes, target: bytes) -> Found | None:
        claims = self._hosts.get(host)
        if not claims:
            return None
        return Found(claims[0][3], target, claims[0][2])

    def by_path(self, target: bytes) -> Found | None:
        """As it was sent: a path that says the same in another way is another."""
        path, mark, query = target.partition(b"?")
        for depth in self._depths:
            end = _end_of(path, depth)
            if end < 0:
                continue
            claims = self._prefixes.get(path[:end])
            if claims:
                return Found(claims[0][3], (path[end:] or b"/") + mark + query, by_path=True)
        return None

    def _count(self, prefix: bytes, by: int) -> None:
        depth = prefix.count(b"/")
        before = self._counts.pop(depth, 0)
        if before + by:
            self._counts[depth] = before + by
        if not before or not before + by:
            self._depths = tuple(sorted(self._counts, reverse=True))
        first = prefix[1:].partition(b"/")[0]
        if first not in _OWN:
            self._firsts[first] = self._firsts.get(first, 0) + by
            if not self._firsts[first]:
                del self._firsts[first]


def _hosts(route: Route) -> Iterator[tuple[str, str]]:
    tags = {backend.tag for rule in route.rules for backend in rule.backends if backend.tag}
    for host in route.hosts:
        yield host, ""
        for tag in tags:
            yield f"{tag}-{host}", tag


def _claim(claims: dict[bytes, list[_Claim]], name: bytes, claim: _Claim) -> None:
    found = claims.setdefault(name, [])
    found.append(claim)
    found.sort(key=lambda each: each[:3])


def _unclaim(claims: dict[bytes, list[_Claim]], name: bytes, entry: Entry) -> None:
    left = [each for each in claims.get(name, ()) if each[3].key != entry.key]
    if left:
        claims[name] = left
    else:
        claims.pop(name, None)


def _end_of(path: bytes, depth: int) -> int:
    """Where the first `depth` parts of a path end; -1 where it has fewer."""
    at = -1
    for _ in range(depth):
        at = path.find(b"/", at + 1)
        if at < 0:
            return -1
    end = path.find(b"/", at + 1)
    return len(path) if end < 0 else end
