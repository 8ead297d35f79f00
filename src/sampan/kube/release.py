"""The release of Kubernetes whose kinds, fields and behaviour this one follows: clients compare it with their own."""

from __future__ import annotations

MAJOR, MINOR = "1", "37"
GIT_VERSION = f"v{MAJOR}.{MINOR}.0+sampan"
