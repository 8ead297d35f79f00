"""How much one client may ask for, and how slowly."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    body_bytes: int = 512 * 1024 * 1024
    """Of a request, unpacked."""
    head_bytes: int = 64 * 1024
    headers: int = 128
    pipelined: int = 16
    """Requests of one connection that wait for the answer to one before them."""
    connections: int = 10_000
    head_seconds: float = 20.0
    """From the first byte of a request to the end of its head."""
    body_seconds: float = 30.0
    """That a body may take, and a second for each KiB of it that has come."""
    idle_seconds: float = 65.0
    """Between requests. Source: kserve 0.20 python/kserve/kserve/model_server.py (--timeout-keep-alive)."""
    write_seconds: float = 60.0
    """In which a client takes nothing of an answer that is ready for it."""
