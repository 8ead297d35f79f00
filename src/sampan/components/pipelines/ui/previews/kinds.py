"""What a file is. Called by `view`. Pure.

Its first bytes count before its name, and that before its artifact's type; what nobody knows is text where it reads as
text, and else bytes, which are downloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PEEK_BYTES = 256 * 1024
"""Of a text that are read."""
MOST_SHOWN = 32 * 1024 * 1024
"""Bytes of a picture or a page that are shown."""

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png", "PNG picture"),
    (b"\xff\xd8\xff", "jpeg", "JPEG picture"),
    (b"GIF87a", "gif", "GIF picture"),
    (b"GIF89a", "gif", "GIF picture"),
    (b"BM", "bmp", "BMP picture"),
    (b"PAR1", "binary", "Parquet table"),
    (b"ARROW1", "binary", "Arrow table"),
    (b"\x89HDF\r\n", "binary", "HDF5 file"),
    (b"\x93NUMPY", "binary", "NumPy array"),
    (b"PK\x03\x04", "binary", "Zip archive"),
    (b"\x1f\x8b", "binary", "gzip archive"),
    (b"BZh", "binary", "bzip2 archive"),
    (b"\xfd7zXZ\x00", "binary", "xz archive"),
    (b"%PDF-", "binary", "PDF document"),
    (b"\x7fELF", "binary", "ELF program"),
    (b"Obj\x01", "binary", "Avro table"),
    (b"GGUF", "binary", "GGUF model"),
    (b"SQLite format 3\x00", "binary", "SQLite database"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".svg": "svg",
}
_LABELS = {
    "csv": "CSV table",
    "tsv": "TSV table",
    "jsonl": "JSON lines",
    "json": "JSON",
    "html": "HTML page",
    "markdown": "Markdown",
    "svg": "SVG picture",
    "text": "Text",
    "empty": "Empty file",
}
_MOST_CONTROL = 0.02
"""Of the characters of a text."""
_SVG = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]", re.S)
_HTML = re.compile(r"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body)[\s>]", re.S | re.I)


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    """csv, tsv, jsonl, json, html, markdown, text, empty, binary, or one of `ui.content.IMAGES`."""
    label: str
    """For people."""


def kind_of(name: str, head: bytes, type_name: str = "", *, is_whole: bool = True) -> Kind:
    """`name` is the file's; `type_name` its artifact's; `is_whole` says whether `head` is all of it."""
    if not head:
        return Kind("empty", _LABELS["empty"])
    for start, kind, label in _MAGIC:
        if head.startswith(start) and (kind != "bmp" or b"\0" in head[:14]):
            return Kind(kind, label)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("webp", "WebP picture")
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return Kind("avif", "AVIF picture")
    if _PICKLE.match(head):
        return Kind("binary", "Python pickle")
    text = text_of(head, is_whole=is_whole)
    if text is None:
        return Kind("binary", "Binary file")
    found = _of_text(name.lower(), text, type_name, is_whole=is_whole)
    return Kind(found, _LABELS[found])


def text_of(head: bytes, *, is_whole: bool = True) -> str | None:
    """None where it does not read as text. UTF-8, or UTF-16 with its mark."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    # The last character may be cut.
    for cut in range(1 if is_whole else 4):
        try:
            text = head[: len(head) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        control = sum(1 for each in text if each < " " and each not in "\t\n\r\f\x1b")
        return text if control <= len(text) * _MOST_CONTROL and "\0" not in text else None
    return None


def json_of(text: str) -> Any:
    """Raises ValueError for what is none, or is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _of_text(name: str, text: str, type_name: str, *, is_whole: bool) -> str:
    if _SVG.match(text):
        return "svg"
    suffix = next((kind for ending, kind in _SUFFIXES.items() if name.endswith(ending)), "")
    if suffix and suffix != "svg":
        return suffix
    if type_name in ("HTML", "Markdown"):
        return type_name.lower()
    if _HTML.match(text):
        return "html"
    stripped = text.lstrip()
    if is_whole and stripped[:1] in ("{", "["):
        try:
            json_of(text)
        except ValueError:
            pass
        else:
            return "json"
    if type_name == "Dataset" and "." not in name:
        return _table_of(text) or "text"
    return "text"


def _table_of(text: str) -> str:
    """Of a dataset without an ending, where its first lines agree on how many columns there are."""
    lines = [line for line in text.splitlines()[:6] if line.strip()][:5]
    if len(lines) >= 2 and all(line.startswith("{") and line.endswith("}") for line in lines[:-1]):
        return "jsonl"
    for kind, separator in (("csv", ","), ("tsv", "\t")):
        counts = {line.count(separator) for line in lines[:-1] or lines}
        if lines and min(counts) > 0 and (len(counts) == 1 or '"' in text[:1000]):
            return kind
    return ""


def size_text(size: int) -> str:
    """`1.5 MiB`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{int(value)} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def type_of(artifact: Mapping[str, Any]) -> str:
    """Of an artifact as the API gives it: HTML, Markdown, Dataset, Model, Metric, …"""
    return str(artifact.get("type", "Artifact"))
