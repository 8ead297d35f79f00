"""The log viewer as pages use it: one element, fed by streams of the API.

The log is read once, into a `book` on disk; the browser holds the lines around those that it shows, and asks for others
as the user goes there. What the user looks for is found here. Nothing of a log is ever more than text (`terminal`).
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui.element import Element

from sampan.lib.log import get_logger
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.logview import terminal
from sampan.ui.logview.book import Line, LogBook
from sampan.ui.logview.finding import BadPatternError, Finder

log = get_logger(__name__)

_REPORT_SECONDS = 0.25
_AGAIN_SECONDS = 2.0
"""Until a log that is not there yet is asked for again."""
_MOST_LINES = 240
"""In one answer."""
_TAIL_LINES = 60
"""That are sent along when a log has grown."""
_SEARCH_SECONDS = 0.2
_MOST_COPIED = 512 * 1024
_TEXT = "text/plain"
_LOOK = "log-look"
"""The preference that holds whether lines wrap and times are shown."""

Paint = Callable[[bytes], bytes]
Painter = Callable[[], Paint]


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log that the viewer can show."""

    key: str
    """What the address says of it."""
    label: str
    """Attempt 2; a container's name."""
    path: str
    """Of the API: answers with text, and takes `follow` and `timestamps` as `kubectl logs` does."""
    query: Mapping[str, str] = field(default_factory=dict)
    follow: bool = True
    """It may still grow, or begin."""
    file_name: str = "log.txt"
    """Of the download."""
    painter: Painter | None = None
    """Makes, for each reading, what adds looks to the pieces of the log as they come."""


class LogViewer(Element, component="logview.js"):
    """Ends with its page, or when it is removed from it."""

    def __init__(
        self, page: PageContext, sources: Sequence[LogSource], *, chosen: str = "", label: str = "Log"
    ) -> None:
        """`chosen` is a source's key; else the last one is shown. `label` names the log for whoever hears it.

        The line that the address names (`line=12`) is gone to, and marked; so is what the user marks, in the address.
        """
        super().__init__()
        self._page = page
        self._sources = list(sources)
        self._reading: _Reading | None = None
        self._number = 0
        look = page.preference(_LOOK) or {}
        self._props.update(
            sources=[],
            chosen="",
            label=label,
            download="",
            fileName="",
            line=_line_of(page.query.get("line", "")),
            wrap=bool(look.get("wrap", False)),
            times=bool(look.get("times", False)),
        )
        self.on("ready", lambda _: self._begin())
        self.on("want", lambda event: self._give(event.args))
        self.on("choose", lambda event: self._choose(str(event.args)))
        self.on("find", lambda event: self._find(event.args))
        self.on("mark", lambda event: page.set_query(line=str(int(event.args)) if event.args else ""))
        self.on("look", lambda event: self._keep_look(event.args))
        self.on("copy", lambda _: self._copy())
        self.on("again", lambda _: self._begin())
        # Weakly: a page may show one step's log after another, and is told of its end by all of them.
        known = weakref.ref(self)
        page.on_leave(lambda: viewer._end() if (viewer := known()) is not None else None)
        self._show_sources(chosen)

    def set_sources(self, sources: Sequence[LogSource], chosen: str = "") -> None:
        """Another attempt has begun, or another step is shown. What is read goes on where it is still among them."""
        was = self._source
        self._sources = list(sources)
        self._show_sources(chosen or (was.key if was else ""))
        if self._source != was:
            self._begin()

    @property
    def chosen(self) -> str:
        """The key of the log that is shown."""
        return str(self._props["chosen"])

    @property
    def _source(self) -> LogSource | None:
        return next((each for each in self._sources if each.key == self._props["chosen"]), None)

    def _show_sources(self, chosen: str) -> None:
        keys = [source.key for source in self._sources]
        key = chosen if chosen in keys else keys[-1] if keys else ""
        source = next((each for each in self._sources if each.key == key), None)
        self._props.update(
            sources=[{"key": each.key, "label": each.label} for each in self._sources],
            chosen=key,
            download=widgets.address(source.path, {**source.query, "timestamps": "true"}) if source else "",
            fileName=source.file_name if source else "",
        )
        self.update()

    def _choose(self, key: str) -> None:
        self._show_sources(key)
        self._begin()

    def _begin(self) -> None:
        """Reads the chosen log from its beginning."""
        self._end()
        source = self._source
        if source is None:
            return
        self._number += 1
        reading = self._reading = _Reading(self._page, source, self._number)
        reading.start(lambda message: self.run_method("grown", message))

    def _end(self) -> None:
        if self._reading is not None:
            self._reading.end()
            self._reading = None

    def _handle_delete(self) -> None:
        self._end()
        super()._handle_delete()

    async def _give(self, wanted: Any) -> None:
        reading = self._reading
        if reading is None or wanted.get("reading") != reading.number:
            return
        start = max(0, int(wanted["from"]))
        lines = await reading.lines(start, min(int(wanted["to"]), start + _MOST_LINES))
        if reading is self._reading:
            self.run_method("take", {"reading": reading.number, "from": start, "lines": lines})

    async def _find(self, wanted: Any) -> None:
        reading = self._reading
        if reading is None:
            return
        answer: Callable[[Any], Any] = lambda message: self.run_method("found", message)  # noqa: E731
        try:
            await reading.find(str(wanted["text"]), bool(wanted["regex"]), bool(wanted["ignore"]), answer)
        except BadPatternError as error:
            answer({"reading": reading.number, "wrong": str(error)})

    async def _keep_look(self, look: Any) -> None:
        kept = {"wrap": bool(look.get("wrap")), "times": bool(look.get("times"))}
        # For a window that is loaded again; no message by itself.
        for key, value in kept.items():
            dict.__setitem__(self._props, key, value)
        await self._page.keep_preference(_LOOK, kept)

    async def _copy(self) -> None:
        if self._reading is None:
            return
        text, count, is_all = await self._reading.copied(with_times=bool(self._props["times"]))
        self.run_method("copied", text)
        self._page.notify("The log is copied." if is_all else f"The last {count:,} lines are copied.")


class _Reading:
    """One log while it is shown."""

    def __init__(self, page: PageContext, source: LogSource, number: int) -> None:
        self._page = page
        self._source = source
        self.number = number
        """Which of the viewer's: answers to questions about another one are not meant."""
        self._book = LogBook()
        self._finder: Finder | None = None
        self._state = "reading"
        self._message = ""
        self._changed = asyncio.Event()
        self._told = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, tell: Callable[[Any], Any]) -> None:
        self._changed.set()
        self._tasks = [
            asyncio.create_task(self._read(), name="dashboard log"),
            asyncio.create_task(self._report(tell), name="dashboard log report"),
        ]

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._book.close()

    async def lines(self, start: int, end: int) -> list[Any]:
        found = await asyncio.to_thread(self._book.lines, start, end)
        finder = self._finder
        return [_plain(line, finder) for line in found]

    async def find(self, text: str, is_regex: bool, ignore: bool, answer: Callable[[Any], Any]) -> None:
        """Goes on as the log grows, until something else is looked for. Raises BadPatternError."""
        if not text:
            self._finder = None
            answer({"reading": self.number, "hits": [], "fresh": True, "done": True})
            return
        finder = self._finder = Finder(self._book, text, is_regex=is_regex, ignore_case=ignore)
        told, is_first = 0, True
        while finder is self._finder and not self._is_ended:
            is_done = await asyncio.to_thread(finder.advance, _SEARCH_SECONDS)
            if finder is not self._finder:
                return
            if is_first or len(finder.hits) > told or not is_done:
                hits = finder.hits[told:]
                told += len(hits)
                answer(
                    {
                        "reading": self.number,
                        "hits": hits,
                        "fresh": is_first,
                        "done": is_done,
                        "full": finder.is_full,
                    }
                )
                is_first = False
            if finder.is_full or (is_done and self._state != "reading"):
                return
            if is_done:
                await asyncio.sleep(_REPORT_SECONDS)

    async def copied(self, *, with_times: bool) -> tuple[str, int, bool]:
        """The last lines as text, how many they are, and whether they are all."""
        book, texts, size, end = self._book, [], 0, self._book.total
        while end > book.first and size < _MOST_COPIED:
            start = max(book.first, end - _MOST_LINES)
            lines = await asyncio.to_thread(book.lines, start, end)
            if len(lines) < end - start:
                # Long ones: fewer at a time.
                start = end - 1
                lines = await asyncio.to_thread(book.lines, start, end)
            for line in reversed(lines):
                text = terminal.plain(line.text)
                texts.append(f"{line.time} {text}" if with_times and line.time else text)
                size += len(texts[-1]) + 1
            end = start
        return "\n".join([*reversed(texts), ""]), len(texts), end == 0

    @property
    def _is_ended(self) -> bool:
        return bool(self._tasks) and self._tasks[0].cancelled()

    async def _read(self) -> None:
        query = {**self._source.query, "timestamps": "true"}
        if self._source.follow:
            query["follow"] = "true"
        while True:
            paint = self._source.painter() if self._source.painter is not None else bytes
            stream = self._page.api.stream(self._source.path, query, _TEXT)
            try:
                async with contextlib.aclosing(stream) as chunks:
                    async for chunk in chunks:
                        await asyncio.to_thread(self._book.add, paint(chunk))
                        self._message = ""
                        self._changed.set()
            except ApiFailureError as error:
                self._message = error.message
            except Exception as error:
                log.error("a log could not be read", path=self._source.path, exc=error)
                self._message = "The log could not be read further; the server's log says why."
            else:
                await asyncio.to_thread(self._book.finish)
                self._state, self._message = "over", ""
                self._changed.set()
                return
            if self._book.total or not self._source.follow:
                self._state = "broken"
                self._changed.set()
                return
            self._changed.set()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _report(self, tell: Callable[[Any], Any]) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            book, state = self._book, self._state
            total = book.total
            # The line that had not ended is told again.
            start = max(book.first, self._told - 1, total - _TAIL_LINES)
            tell(
                {
                    "reading": self.number,
                    "first": book.first,
                    "total": total,
                    "state": state,
                    "message": self._message,
                    "from": start,
                    "lines": await self.lines(start, total),
                }
            )
            self._told = total
            if state != "reading":
                return
            await asyncio.sleep(_REPORT_SECONDS)


def _plain(line: Line, finder: Finder | None) -> list[Any]:
    """Its time, and its runs: a text, or a text, its look, and whether it was looked for."""
    runs = line.runs()
    spans = finder.spans("".join(text for text, _ in runs)) if finder is not None else []
    return [
        line.time,
        [
            [text, style.shown(), is_hit] if is_hit or style != terminal.PLAIN else text
            for text, style, is_hit in terminal.marked(runs, spans)
        ],
    ]


def _line_of(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
