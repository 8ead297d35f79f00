"""What can be set about pipelines: the table `[pipelines]` of settings.toml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    max_parallel_pods: int = 200
    """Pods of all runs that may exist at once; further steps wait their turn, fairly by run."""
    cache: bool = True
    """Whether steps may reuse earlier results at all. A step's own caching options count below this."""
    allow_private_urls: bool = False
    """Whether pipeline packages may be fetched from private and loopback addresses."""
    workflows: str = "auto"
    """Whether Argo's Workflows and CronWorkflows are run: `on`, `off`, or `auto`: unless their definitions were installed by
    somebody else, whose controller then runs them."""
