"""What of a program's output is shown, and how."""

from __future__ import annotations

import pytest

from sampan.ui.logview.terminal import PLAIN, Style, marked, plain, runs, settled, style_after


def shown(line: str) -> list[tuple[str, str]]:
    return [(text, style.shown()) for text, style in runs(line)[0]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("text", [("text", "")]),
        ("", []),
        ("\x1b[31mred\x1b[0m and not", [("red", "|1|"), (" and not", "")]),
        ("\x1b[1;4;92;41mloud", [("loud", "bu|10|1")]),
        ("\x1b[1mbold\x1b[22m not", [("bold", "b||"), (" not", "")]),
        ("\x1b[38;5;208morange\x1b[39m", [("orange", "|#ff8700|")]),
        ("\x1b[38;5;9mbright\x1b[m plain", [("bright", "|9|"), (" plain", "")]),
        ("\x1b[48;5;244mgrey", [("grey", "||#808080")]),
        ("\x1b[38;2;1;2;300mtrue", [("true", "|#0102ff|")]),
        ("\x1b[38:2::10:20:30mcolons", [("colons", "|#0a141e|")]),
        ("\x1b[7mturned\x1b[27m", [("turned", "v||")]),
        ("\x1b[31mone\x1b[31m same", [("one same", "|1|")]),
        ("\x1b[38;5mcut off", [("cut off", "")]),
        ("\x1b[38;2;1mcut off", [("cut off", "")]),
        ("\x1b[99999999999mfar", [("far", "")]),
        ("\x1b[?25lhidden cursor\x1b[2J", [("hidden cursor", "")]),
        ("tab\tstays", [("tab\tstays", "")]),
    ],
)
def test_colours_become_styles(line: str, expected: list[tuple[str, str]]) -> None:
    assert shown(line) == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
        ("a\x1bP1$r0m\x1b\\b", "ab"),
        ("a\x1b_apc\x1b\\b", "ab"),
        ("a\x1b]0;never ended <script>", "a]0;never ended <script>"),
        ("a\x1b[3", "a[3"),
        ("a\x1b", "a"),
        ("a\x1bcb", "ab"),
        ("a\x9b31mb\x00\x07\x08\x7fc", "a31mbc"),
        ("{{ constructor }} </script> ${x}", "{{ constructor }} </script> ${x}"),
        ("user\u202enimda", "user⟨U+202E⟩nimda"),
        ("\u2066isolated\u2069", "⟨U+2066⟩isolated⟨U+2069⟩"),
    ],
)
def test_all_other_codes_are_gone_and_their_text_too(line: str, text: str) -> None:
    assert "".join(each for each, _ in runs(line)[0]) == text
    assert plain(line) == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plain\r", "plain"),
        ("  5%|#   |\r 50%|##  |\r100%|####|", "100%|####|"),
        ("longer text\rshort", "shortr text"),
        ("longer text\r\x1b[Kshort", "short"),
        ("longer text\rshort\x1b[K", "short"),
        ("longer text\x1b[2K\rshort", "short"),
        ("\r\r\rall", "all"),
        ("\x1b[31m10%\x1b[0m\r\x1b[32m99%\x1b[0m", "99%"),
    ],
)
def test_what_is_written_over_is_gone(line: str, text: str) -> None:
    assert plain(settled(line)) == text


def test_a_progress_bar_keeps_the_colours_of_what_is_left() -> None:
    found, after = runs(settled("\x1b[31m10%\x1b[0m\r\x1b[32m99%\x1b[0m"))
    assert found == [("99%", Style(foreground="2"))]
    assert after == PLAIN


def test_a_style_goes_on_in_the_next_line() -> None:
    _, after = runs("\x1b[33mbegins here")
    assert runs("and goes on", after)[0] == [("and goes on", Style(foreground="3"))]
    assert style_after("\x1b[33mbegins here", PLAIN) == after


def test_runs_are_cut_where_something_was_found() -> None:
    found, _ = runs("one \x1b[31mtwo three")
    cut = [(text, is_hit) for text, _, is_hit in marked(found, [(2, 6), (8, 9)])]
    assert cut == [("on", False), ("e ", True), ("tw", True), ("o ", False), ("t", True), ("hree", False)]


def test_a_bar_that_was_drawn_a_hundred_thousand_times_is_one_line() -> None:
    line = "\r".join(f"{at}/100000 [{'#' * 20}]" for at in range(100_001))
    assert plain(settled(line)) == "100000/100000 [####################]"
