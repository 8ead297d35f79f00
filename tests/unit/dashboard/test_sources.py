"""No source of the dashboard has a place where a text could become a program: rows 10 and 4 of the table of attacks.

Whoever needs one of these calls finds another way, or adds the place here and says why no text of a user gets there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sampan
from sampan.ui.links import checked

_ROOT = Path(sampan.__file__).parent
_FOLDERS = ("ui", "dashboard", "components/*/ui")
_HTML = {"html", "markdown", "mermaid", "add_body_html", "restructured_text"}
"""NiceGUI's elements and functions that take markup."""
_CODE = {"run_javascript", "add_head_html", "add_slot", "add_css", "add_scss", "js_handler", "evaluate"}
"""That take code or markup: only texts that stand in the source."""
_SCRIPTS = {
    "innerHTML": r"\binnerHTML\b",
    "outerHTML": r"\bouterHTML\b",
    "insertAdjacentHTML": r"\binsertAdjacentHTML\b",
    "document.write": r"\bdocument\.write",
    "v-html": r"\bv-html\b",
    "eval": r"(?<![\w.-])eval\s*\(",
    "new Function": r"\bnew\s+Function\b|(?<![\w.])Function\s*\(",
    "srcdoc": r"\bsrcdoc\b",
    "createContextualFragment": r"\bcreateContextualFragment\b",
    "DOMParser": r"\bDOMParser\b",
    "a timer with a text": r"\bset(?:Timeout|Interval)\s*\(\s*[\"'`]",
    "a message from another window": r"addEventListener\(\s*[\"']message[\"']",
    "same origin within a frame": r"allow-same-origin",
    "another host": r"https?://(?!www\.w3\.org/)",
}
_ALLOWED: dict[tuple[str, str], str] = {
    ("dashboard/frame.py", "add_head_html"): "addresses of our own style sheets, made of their digests",
}


def _files(ending: str) -> Iterator[Path]:
    for folder in _FOLDERS:
        for place in _ROOT.glob(folder):
            yield from place.rglob(f"*.{ending}")


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


def _called(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )


def _is_written_out(node: ast.AST) -> bool:
    """A text of the source, or a name in capitals, which is one."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id.isupper()
    return isinstance(node, ast.BinOp) and _is_written_out(node.left) and _is_written_out(node.right)


def _python(path: Path) -> Iterator[str]:
    name = _name(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = _called(node)
        where = f"{name}:{node.lineno}: {called}"
        if (name, called) in _ALLOWED:
            continue
        of_nicegui = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "ui"
        if called in _HTML and of_nicegui:
            yield where
        if called in _CODE and not all(_is_written_out(each) for each in node.args):
            yield where
        if called in ("eval", "exec"):
            yield where
        for keyword in node.keywords:
            if keyword.arg == "js_handler" and not _is_written_out(keyword.value):
                yield f"{where} with js_handler"
            if keyword.arg in ("sanitize", "innerHTML"):
                yield f"{where} with {keyword.arg}"
        # `props` reads properties out of a text, and what is put into that could be one more of them.
        if called == "props" and not all(_is_a_choice(each) for each in _given(node)):
            yield f"{where} with a text that is not written out: set `_props[…]`"


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _is_a_choice(node: ast.AST) -> bool:
    """A text of the source, or one of two."""
    if isinstance(node, ast.IfExp):
        return _is_a_choice(node.body) and _is_a_choice(node.orelse)
    return _is_written_out(node)


def test_no_call_takes_the_text_of_a_user_for_a_program() -> None:
    assert [each for path in _files("py") for each in _python(path)] == []


def test_no_property_that_is_set_is_evaluated() -> None:
    """`_props[":…"]` and `update(**{":…"})`."""
    evaluated = re.compile(r"""_props\[\s*f?["']:|["']:[\w-]+["']\s*:""")
    assert [_name(path) for path in _files("py") if evaluated.search(path.read_text(encoding="utf-8"))] == []


def test_no_script_of_ours_makes_markup_or_code_of_a_text() -> None:
    found = []
    for path in _files("js"):
        text = re.sub(r"(?m)//[^\n]*$", "", path.read_text(encoding="utf-8"))
        found += [f"{_name(path)}: {what}" for what, pattern in _SCRIPTS.items() if re.search(pattern, text)]
    assert found == []


def test_no_style_sheet_loads_anything() -> None:
    loads = re.compile(r"@import|url\(\s*[\"']?(?!data:)", re.I)
    assert [_name(path) for path in _files("css") if loads.search(path.read_text(encoding="utf-8"))] == []


def test_links_lead_where_links_may() -> None:
    """Whoever sets an address has it from `links.checked`, or makes it of one of our paths."""
    setting = re.compile(r"""["']href["'](?:\]\s*=|\s*:)\s*+(?!checked\(|(?:self\._window\.)?href\()""")
    assert [_name(path) for path in _files("py") if setting.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "href",
    [
        "",
        "runs",
        "javascript:alert(1)",
        " javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "\x01javascript:x",
        "vbscript:x",
        "data:x",
        "blob:x",
        "ftp://x",
        "file:///etc/passwd",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
    ],
)
def test_links_that_lead_nowhere(href: str) -> None:
    assert checked(href) == "#"
