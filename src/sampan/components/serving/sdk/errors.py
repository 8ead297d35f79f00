"""What is said to users of serving as it is."""

from __future__ import annotations


class ServingError(Exception):
    """What was asked for cannot be, or an endpoint failed. The message says why, and what to do."""
