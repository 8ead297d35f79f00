"""The plain page at `/`: what runs here, and where the APIs are. The dashboard will take its place."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1.25rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.05rem; margin-top: 2.2rem }
p.lead { margin-top: 0; opacity: .75 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top }
th { font-weight: 600 } code { font: .92em ui-monospace, monospace }
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page says. `running_pods` is asked at every request."""

    version: str
    url: str
    home: str
    running_pods: Callable[[], Awaitable[int]]
    kubernetes: str = ""
    """The cluster's API server, where it is not ours."""
    kubeconfig: str = ""
    """The file for it; empty for the one in the home."""


async def render(facts: Facts) -> str:
    pods = await facts.running_pods()
    url = html.escape(facts.url)
    kubeconfig = html.escape(facts.kubeconfig or f"{facts.home}/kubeconfig")
    places = [
        ("Pipelines", f"{url}/apis/v2beta1", f'kfp.Client(host="{url}")'),
        ("Kubernetes", html.escape(facts.kubernetes) or f"{url}/api", f"export KUBECONFIG={kubeconfig}"),
    ]
    listed = "".join(
        f"<tr><td>{name}</td><td><code>{where}</code></td><td><code>{how}</code></td></tr>"
        for name, where, how in places
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sampan</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Sampan</h1>"
        f'<p class="lead">Version {html.escape(facts.version)}, home <code>{html.escape(facts.home)}</code>; '
        f"{pods} {'pod' if pods == 1 else 'pods'} running.</p>"
        f"<h2>Where things are</h2><table>{listed}</table>"
        "<h2>From the command line</h2><p><code>sampan run pipeline.py</code> runs a pipeline, "
        "<code>sampan runs</code> "
        "lists what ran, <code>sampan logs RUN</code> shows what it said.</p></body></html>"
    )
