"""The engine's own threads, for what waits for others: what all parts of the server share stays free."""

from __future__ import annotations

from sampan.lib.threads import Threads


class EngineThreads:
    def __init__(self) -> None:
        self.transfers = Threads("transfers", 16)
        """Bring steps' inputs here, and take their outputs away."""
        self.asking = Threads("asking", 32)
        """HTTP templates, and looks at what lies in a store."""

    def close(self) -> None:
        self.transfers.close()
        self.asking.close()
