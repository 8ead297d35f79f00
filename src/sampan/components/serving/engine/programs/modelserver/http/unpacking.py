"""Bodies that came compressed. For `connection`.

Few bytes become many more only where that is little: otherwise one request of some hundred kilobytes would have all
the memory of a model's pod.
"""

from __future__ import annotations

import zlib

_ANY_UNPACKED, _MOST_TIMES = 16 * 1024 * 1024, 200
"""What any body may become, and how many times its size."""


class UnpackError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Raises UnpackError."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnpackError(415, f"the content-encoding {encoding!r} is none of gzip, deflate")
    limit = min(limit, max(_ANY_UNPACKED, _MOST_TIMES * len(body)))
    # 47: gzip's and zlib's headers are told apart.
    unpacking = zlib.decompressobj(47)
    try:
        found = unpacking.decompress(body, limit)
    except zlib.error:
        raise UnpackError(400, f"the body is not {encoding}") from None
    if unpacking.unconsumed_tail:
        raise UnpackError(413, f"a request has {limit} bytes at most")
    if not unpacking.eof:
        raise UnpackError(400, f"the body ends before its {encoding} does")
    return found
