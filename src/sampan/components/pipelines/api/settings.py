"""What can be set about pipelines: the table `[pipelines]` of settings.toml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    max_parallel_pods: int = 200
    """Pods of all runs that may exist at once; further steps wait their turn, fairly by run."""
    light_workers: int = 4
    """Workers that light steps of a run may have side by side; 0: light steps run in pods of their own."""
    cache: bool = True
    """Whether steps may reuse earlier results at all. A step's own caching options count below this."""
    allow_private_urls: bool = False
    """Whether pipeline packages may be fetched from private and loopback addresses."""
