"""Any part of a log, at once, whatever came and in what pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from sampan.ui.logview.book import LogBook
from sampan.ui.logview.finding import MOST_HITS, BadPatternError, Finder
from sampan.ui.logview.terminal import Style, plain


def texts(book: LogBook, start: int = 0, end: int = 1_000_000) -> list[str]:
    return [plain(line.text) for line in book.lines(start, end)]


class Make(Protocol):
    def __call__(self, *chunks: bytes, most_bytes: int = 2**28) -> LogBook: ...


@pytest.fixture
def book_of() -> Iterator[Make]:
    made: list[LogBook] = []

    def make(*chunks: bytes, most_bytes: int = 2**28) -> LogBook:
        made.append(LogBook(most_bytes))
        for chunk in chunks:
            made[-1].add(chunk)
        return made[-1]

    yield make
    for book in made:
        book.close()


def test_lines_come_in_any_pieces(book_of: Make) -> None:
    book = book_of(b"one\ntw", b"o\n", b"", b"three\nfo", b"ur")
    assert texts(book) == ["one", "two", "three", "four"]
    assert book.total == 4
    book.add(b" and more\n")
    assert texts(book, 3) == ["four and more"]
    assert book.total == 4
    book.finish()
    assert book.total == 4


def test_the_last_line_needs_no_end(book_of: Make) -> None:
    book = book_of(b"one\ntwo")
    book.finish()
    assert texts(book) == ["one", "two"]
    assert book.total == 2


def test_times_stand_apart_from_texts(book_of: Make) -> None:
    book = book_of(b"2026-11-26T00:20:24.123456789Z hello\n2026-11-26T00:20:25+01:00 again\nno time\n")
    assert [(line.time, line.text) for line in book.lines(0, 9)] == [
        ("2026-11-26T00:20:24.123456789Z", "hello"),
        ("2026-11-26T00:20:25+01:00", "again"),
        ("", "no time"),
    ]


def test_any_window_of_many_lines(book_of: Make) -> None:
    book = book_of()
    for start in range(0, 100_000, 1000):
        book.add(b"".join(b"line %d\n" % at for at in range(start, start + 1000)))
    assert book.total == 100_000
    for start in (0, 1, 127, 128, 129, 54_321, 99_990):
        window = book.lines(start, start + 40)
        assert [line.number for line in window] == list(range(start, min(start + 40, 100_000)))
        assert window[0].text == f"line {start}"


def test_of_a_log_larger_than_the_book_the_oldest_goes(book_of: Make) -> None:
    book = book_of(most_bytes=40 * 2**20)
    chunk = (b"x" * 1023 + b"\n") * 1024
    for _ in range(80):
        book.add(chunk)
    assert book.total == 80 * 1024
    assert 30 * 1024 <= book.first <= 60 * 1024
    assert book.lines(0, book.total)[0].number == book.first
    assert len(book.lines(book.total - 1, book.total)) == 1


def test_progress_bars_are_one_line_and_take_no_room(book_of: Make) -> None:
    book = book_of(b"2026-11-26T00:20:24Z   0%|   |")
    for at in range(20_000):
        book.add(b"\r%3d%%|##########          |" % (at // 200))
    assert book.total == 1
    assert len(book._partial) < 64 * 1024
    book.add(b"\r100%|###|" + b"\x1b[K" + b"\nnext\n")
    assert texts(book) == ["100%|###|", "next"]
    assert book.lines(0, 1)[0].time == "2026-11-26T00:20:24Z"


def test_a_line_without_end_is_cut(book_of: Make) -> None:
    book = book_of()
    for _ in range(100):
        book.add(b"a" * 100_000)
    book.add(b"\nafter\n")
    long, after = texts(book)
    assert long.startswith("aaaa")
    assert long.endswith("9,967,232 bytes more, in the download")
    assert len(long) < 33_000
    assert after == "after"


def test_bytes_that_are_no_text(book_of: Make) -> None:
    assert texts(book_of(b"caf\xc3\xa9 \xff\xfe \x00end\n")) == ["caf\u00e9 \ufffd\ufffd end"]


def test_a_colour_goes_on_to_where_it_ends_wherever_one_looks(book_of: Make) -> None:
    book = book_of(b"\x1b[31mred\n", b"still\n" * 300, b"\x1b[0mplain\n")
    red = Style(foreground="1")
    assert book.lines(200, 201)[0].runs() == [("still", red)]
    assert book.lines(301, 302)[0].runs() == [("plain", Style())]


def test_what_is_closed_has_nothing(book_of: Make) -> None:
    book = book_of(b"one\n")
    book.close()
    assert book.lines(0, 10) == []
    book.add(b"too late\n")
    book.finish()
    assert book.lines(0, 10) == []


def found(book: LogBook, text: str, *, is_regex: bool = False, ignore_case: bool = False) -> list[int]:
    finder = Finder(book, text, is_regex=is_regex, ignore_case=ignore_case)
    while not finder.advance(1.0):
        pass
    return finder.hits


def test_finding(book_of: Make) -> None:
    book = book_of(
        b"2026-11-26T00:20:24Z Loss 0.5\n",
        b"loss \x1b[31mnan\x1b[0m\n",
        b"a.b\n" * 3,
        b"axb 2026\n",
        b"\x1b[1ml\x1b[0moss\n",
    )
    assert found(book, "loss") == [1, 6]
    assert found(book, "loss", ignore_case=True) == [0, 1, 6]
    assert found(book, "loss nan") == [1]
    assert found(book, "a.b") == [2, 3, 4]
    assert found(book, "a.b", is_regex=True) == [2, 3, 4, 5]
    assert found(book, "^loss (nan|inf)$", is_regex=True) == [1]
    # Times are not what the program printed.
    assert found(book, "2026") == [5]
    assert found(book, "x*", is_regex=True) == [5]


def test_finding_goes_on_as_the_log_grows_and_ends_somewhere(book_of: Make) -> None:
    book = book_of(b"hit\n")
    finder = Finder(book, "hit", is_regex=False, ignore_case=False)
    assert finder.advance(1.0)
    book.add(b"miss\nhit\n")
    assert finder.advance(1.0)
    assert finder.hits == [0, 2]
    book.add(b"hit\n" * 20_000)
    assert finder.advance(10.0)
    assert len(finder.hits) == MOST_HITS


def test_what_is_no_expression_says_so(book_of: Make) -> None:
    with pytest.raises(BadPatternError, match="missing"):
        Finder(book_of(), "(", is_regex=True, ignore_case=False)
    with pytest.raises(BadPatternError):
        Finder(book_of(), r"(a)\1", is_regex=True, ignore_case=False)


def test_no_expression_takes_for_ever(book_of: Make) -> None:
    book = book_of(b"a" * 30_000 + b"b\n")
    assert found(book, "(a+)+$", is_regex=True) == []


def test_spans_are_of_characters(book_of: Make) -> None:
    finder = Finder(book_of(), "end", is_regex=False, ignore_case=False)
    assert finder.spans("\U0001f6f6 end ende") == [(2, 5), (6, 9)]
