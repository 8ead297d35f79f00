"""How states of endpoints are said and coloured. Pure."""

from __future__ import annotations

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.summary import Endpoint

_SHOWN = {
    State.READY: ("Ready", "ok", ""),
    State.ASLEEP: ("Asleep", "idle", "bedtime"),
    State.STARTING: ("Starting", "busy", ""),
    State.FAILED: ("Failed", "bad", ""),
    State.STOPPED: ("Stopped", "idle", "stop_circle"),
    State.DELETING: ("Being deleted", "warn", "delete"),
}
_MOST_SHORT = 100
CONDITION_TONES = dict.fromkeys(
    (
        "Ready",
        "PredictorReady",
        "TransformerReady",
        "ExplainerReady",
        "IngressReady",
        "RoutesReady",
        "LatestDeploymentReady",
        "PredictorRouteReady",
        "PredictorConfigurationReady",
        "TransformerRouteReady",
        "TransformerConfigurationReady",
        "ExplainerRoutesReady",
        "ExplainerConfigurationReady",
    ),
    "ok",
)
"""Of conditions that hold."""


def shown(state: State) -> tuple[str, str, str]:
    """A word, a tone and an icon (empty for the tone's own)."""
    return _SHOWN[state]


def short(endpoint: Endpoint) -> str:
    """Why it is as it is, for a line of a list."""
    text = endpoint.why.partition("\n")[0]
    return text if len(text) <= _MOST_SHORT else text[: _MOST_SHORT - 1].rstrip() + "…"


def in_milliseconds(seconds: float) -> str:
    """A latency, as exact as it is known."""
    value = seconds * 1000
    if value >= 1000:
        return f"{seconds:.2f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def rate(per_second: float) -> str:
    if per_second <= 0:
        return "0"
    return f"{per_second:.0f}" if per_second >= 10 else f"{per_second:.2g}"
