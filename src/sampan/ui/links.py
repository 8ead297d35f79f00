"""Where links may lead: every one that pages make passes here. Pure."""

from __future__ import annotations

_NOWHERE = "#"


def checked(href: str) -> str:
    """A path of this server's, or http or https to elsewhere; else nowhere: no script, no other host in disguise."""
    if href.startswith("/"):
        # Browsers take a backslash for a slash, and leave out tabs and line breaks.
        return href if href[1:2] not in ("/", "\\") and href.isprintable() else _NOWHERE
    return href if href.startswith(("http://", "https://")) else _NOWHERE
