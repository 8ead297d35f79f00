"""A program: markdown at its standard input, HTML at its output. Run by `rendering`; imports nothing of ours."""

from __future__ import annotations

import resource
import sys

import markdown2  # type: ignore[import-untyped]

_MEMORY = 1024 * 1024 * 1024
_CPU_SECONDS = 8

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    extras = ["fenced-code-blocks", "tables", "strike", "task_list", "cuddled-lists", "footnotes"]
    sys.stdout.buffer.write(markdown2.markdown(text, extras=extras).encode("utf-8"))
