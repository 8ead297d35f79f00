"""Two texts, line by line."""

from __future__ import annotations

from sampan.ui.code.diff import counts, rows


def test_equal_texts_have_no_rows() -> None:
    assert rows("a\nb", "a\nb\n") == []


def test_changes_stand_among_some_lines_around_them() -> None:
    before = "\n".join(map(str, range(30)))
    found = rows(before, before.replace("\n15\n", "\nfifteen\n"), context=2)
    assert found == [
        ["@", 0, 0, "13 equal lines"],
        [" ", 14, 14, "13"],
        [" ", 15, 15, "14"],
        ["-", 16, 0, "15"],
        ["+", 0, 16, "fifteen"],
        [" ", 17, 17, "16"],
        [" ", 18, 18, "17"],
        ["@", 0, 0, "12 equal lines"],
    ]
    assert counts(found) == (1, 1)
