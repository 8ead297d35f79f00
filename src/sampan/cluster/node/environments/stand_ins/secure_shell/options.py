"""Options of a command line as getopt reads them, and pairs of a configuration."""

from __future__ import annotations


def parse(words: list[str], with_value: str, flags: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The options in order, and the rest. Raises ValueError."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(words):
        word = words[at]
        if len(word) < 2 or word[0] != "-":
            break
        at += 1
        if word == "--":
            break
        for position, letter in enumerate(word[1:], 2):
            if letter in flags:
                found.append((letter, ""))
                continue
            if letter not in with_value:
                raise ValueError(f"unknown option -- {letter}")
            value = word[position:]
            if not value:
                if at == len(words):
                    raise ValueError(f"option requires an argument -- {letter}")
                value, at = words[at], at + 1
            found.append((letter, value))
            break
    return found, words[at:]


def first(options: list[tuple[str, str]], letter: str, default: str) -> str:
    return next((value for name, value in options if name == letter), default)


def pairs(texts: list[str]) -> list[tuple[str, str]]:
    """Of lines such as `Key=value` or `Key value`; keys in lower case. Of several with one key the first counts."""
    found = []
    for text in texts:
        key, _, value = text.strip().replace("=", " ", 1).strip().partition(" ")
        if key and not key.startswith("#"):
            found.append((key.lower(), value.strip().strip('"')))
    return found
