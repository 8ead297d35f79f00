"""How requests to endpoints went: as JSON for pages and commands, and for Prometheus.

Source of the text format: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sampan.components.serving.engine.gateway.statistics import Name, Statistics, Summary

PATH = "/apis/serving.sampan.dev/v1/namespaces/{namespace}/statistics"
HISTORY = PATH + "/{kind}/{name}"
METRICS = "/apis/serving.sampan.dev/v1/metrics"
_WINDOW_SECONDS, _MOST_SECONDS = 60.0, 600.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Source = Callable[[], Statistics | None]
"""None while the gateway is not there yet."""


def routes(source: Source) -> Sequence[BaseRoute]:
    async def statistics(request: Request) -> Response:
        try:
            window = float(request.query_params.get("seconds") or _WINDOW_SECONDS)
        except ValueError:
            window = 0.0
        if not 0 < window <= _MOST_SECONDS:
            problem = {"error": f"seconds must be a number up to {_MOST_SECONDS:.0f}"}
            return Response(msgspec.json.encode(problem), 400, media_type="application/json")
        items = _items(source(), request.path_params["namespace"], window)
        return Response(msgspec.json.encode({"items": list(items)}), media_type="application/json")

    async def history(request: Request) -> Response:
        found, place = source(), request.path_params
        moments = found.history(place["kind"], place["namespace"], place["name"]) if found is not None else ()
        items = [{"secondsAgo": each.seconds_ago, **_plain(each.summary)} for each in moments]
        return Response(msgspec.json.encode({"items": items}), media_type="application/json")

    async def metrics(_request: Request) -> Response:
        return Response("".join(_lines(source())), media_type=_TEXT)

    return [
        Route(PATH, statistics, methods=["GET"]),
        Route(HISTORY, history, methods=["GET"]),
        Route(METRICS, metrics, methods=["GET"]),
    ]


def _items(statistics: Statistics | None, namespace: str, window: float) -> Iterator[dict[str, object]]:
    for name in sorted(statistics.names()) if statistics is not None else ():
        if statistics is None or name[1] != namespace:
            continue
        found = statistics.summary(name, window)
        yield {"kind": name[0], "name": name[2], "service": name[3], **_plain(found)}


def _plain(found: Summary) -> dict[str, object]:
    return {
        "seconds": found.seconds,
        "requests": found.requests,
        "requestsPerSecond": found.requests_per_second,
        "codes": {str(code): count for code, count in found.codes.items()},
        "latencySeconds": {
            "p50": found.p50_seconds,
            "p95": found.p95_seconds,
            "p99": found.p99_seconds,
            "mean": found.mean_seconds,
        },
    }


def _lines(statistics: Statistics | None) -> Iterator[str]:
    totals = statistics.totals if statistics is not None else {}
    yield "# HELP sampan_serving_requests_total Requests to endpoints, by what became of them.\n"
    yield "# TYPE sampan_serving_requests_total counter\n"
    for name, (codes, _) in totals.items():
        for code, count in sorted(codes.items()):
            yield f'sampan_serving_requests_total{{{_labels(name)},code="{code}"}} {count}\n'
    yield "# HELP sampan_serving_request_seconds From when a request came until its answer was complete.\n"
    yield "# TYPE sampan_serving_request_seconds summary\n"
    for name, (_, sums) in totals.items():
        yield f"sampan_serving_request_seconds_sum{{{_labels(name)}}} {sums[0]:.6f}\n"
        yield f"sampan_serving_request_seconds_count{{{_labels(name)}}} {sums[1]:.0f}\n"


def _labels(name: Name) -> str:
    # Names of Kubernetes: nothing in them needs to be escaped.
    kind, namespace, own, service = name
    return f'kind="{kind}",namespace="{namespace}",name="{own}",service="{service}"'
