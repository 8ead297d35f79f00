"""What the embedded API server calls others with. The HTTP library is loaded with the first call."""

from __future__ import annotations

from sampan.client.calls import Poster, Resolve


def webhook_poster(resolve: Resolve) -> Poster:
    from sampan.client.webhooks import HttpPoster

    return HttpPoster(resolve)
