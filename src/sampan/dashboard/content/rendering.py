"""Markdown as a page, made by a process of its own with little time: its reader backtracks on texts made for that.

Called by `origin`. What takes too long, or is too long, is shown as the text that it is.
"""

from __future__ import annotations

import asyncio
import html
import sys
from pathlib import Path

from sampan.lib.log import get_logger

log = get_logger(__name__)

MOST_BYTES = 512 * 1024
_SECONDS = 10.0
_PROGRAM = Path(__file__).parent / "markdown_program.py"


_HEAD = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><base target="_blank">
<style>
body { margin: 16px; max-width: 860px; font: 14px/1.6 system-ui, sans-serif; overflow-wrap: break-word }
h1, h2, h3 { line-height: 1.3 } img { max-width: 100% } .as-text { white-space: pre-wrap }
pre, code { background: rgb(128 128 128 / 14%); border-radius: 4px } code { padding: 1px 4px }
pre { overflow-x: auto; padding: 10px 12px } pre code { padding: 0; background: none }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { border: 1px solid rgb(128 128 128 / 40%); padding: 4px 10px }
blockquote { margin-left: 0; padding-left: 14px; border-left: 3px solid rgb(128 128 128 / 40%) }
</style>
"""


async def rendered(markdown: bytes) -> bytes:
    """A whole HTML page. The HTML within the markdown stays: nothing runs where it is shown."""
    body = await _run(markdown) if len(markdown) <= MOST_BYTES else None
    if body is None:
        text = html.escape(markdown.decode(errors="replace"))
        body = f'<pre class="as-text">{text}</pre>'.encode()
    return _HEAD.encode() + body


async def _run(markdown: bytes) -> bytes | None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, _ = await process.communicate(markdown)
    except TimeoutError:
        log.warning("a markdown text took too long to render", bytes=len(markdown))
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out if process.returncode == 0 else None
