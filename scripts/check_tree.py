"""Checks no linter makes: file sizes, modules named in docstrings, settings in the docs, changelog and version.

`--fix` writes the table of settings anew.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "sampan"
LINE_LIMIT = 600
LONGER: dict[str, str] = {}
"""Files over the limit, with the reason."""
VAGUE = {"utils", "helpers", "common", "misc", "util", "helper"}


def main() -> int:
    problems = [*sizes(), *names(), *docstrings(), *settings_documented(), *changelog()]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in the tree" if problems else "the tree is in order")
    return 1 if problems else 0


def sizes() -> list[str]:
    problems = []
    for path in sorted(SOURCE.rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        name = str(path.relative_to(ROOT))
        if lines > LINE_LIMIT and name not in LONGER:
            problems.append(f"{name}: {lines} lines, the limit is {LINE_LIMIT}")
    return problems


def names() -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {path.stem!r} says nothing; name what is in it"
        for path in sorted(SOURCE.rglob("*"))
        if path.stem in VAGUE
    ]


def docstrings() -> list[str]:
    """Every module says what it is, and names no module of ours that does not exist."""
    problems = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(ROOT)
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if not doc:
            problems.append(f"{name}: no module docstring")
            continue
        problems += [
            f"{name}: the docstring names {dotted}, which does not exist"
            for dotted in re.findall(r"`(sampan(?:\.\w+)+)`", doc)
            if not _exists(dotted)
        ]
    return problems


def _exists(dotted: str) -> bool:
    parts = dotted.split(".")[1:]
    # The last part may be a class or function of the module before it.
    for depth in (len(parts), len(parts) - 1):
        base = SOURCE.joinpath(*parts[:depth])
        if base.with_suffix(".py").exists() or (base / "__init__.py").exists():
            return True
    return False


def settings_documented() -> list[str]:
    sys.path.insert(0, str(SOURCE.parent))
    from sampan.app.settings import describe

    lines = ["| setting | value | default | |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | `{default}` | {text} |" for name, kind, default, text in describe()]
    file = ROOT / "docs" / "settings.md"
    before, begin, rest = file.read_text(encoding="utf-8").partition("<!-- settings -->\n")
    _old, end, after = rest.partition("<!-- /settings -->")
    new = before + begin + "\n".join(lines) + "\n" + end + after
    if new == before + begin + rest:
        return []
    if "--fix" in sys.argv:
        file.write_text(new, encoding="utf-8")
        return []
    return ["docs/settings.md: the table is out of date; scripts/check --fix writes it"]


def changelog() -> list[str]:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "([^"]+)"', (SOURCE / "__init__.py").read_text(encoding="utf-8"))
    assert version is not None
    problems = [] if "## [Unreleased]" in text else ["CHANGELOG.md: no [Unreleased] section"]
    if f'version = "{version.group(1)}"' not in (ROOT / "pyproject.toml").read_text(encoding="utf-8"):
        problems.append(f"pyproject.toml and sampan.__version__ ({version.group(1)}) disagree")
    return problems


if __name__ == "__main__":
    sys.exit(main())
