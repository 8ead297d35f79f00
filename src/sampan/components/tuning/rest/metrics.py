"""`/tuning/v1/metrics`: Katib's counters, for Prometheus, under upstream's names.

Called by `door`. Source: kubeflow/katib 0.19 pkg/controller.v1beta1/{experiment,trial}/util/prometheus_metrics.go;
prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from starlette.datastructures import QueryParams
from starlette.responses import Response

from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.engine.counting import Counts, Totals, by_status
from sampan.components.tuning.rest.place import Place
from sampan.components.tuning.rest.sources import Sources
from sampan.kube.meta import Object

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(sources: Sources, _place: Place, _query: QueryParams) -> Response:
    """Without a sample where no controllers of ours run, or not yet."""
    totals, caches = sources.totals() or Totals(), sources.caches()
    experiments, trials = (
        caches.of(each).list() if caches is not None else () for each in (EXPERIMENTS, TRIALS)
    )
    lines = [*_of("experiment", totals.experiments, experiments), *_of("trial", totals.trials, trials)]
    return Response("".join(lines), media_type=_TYPE)


def _of(kind: str, counts: Counts, objects: Sequence[Object]) -> Iterator[str]:
    for event, found in counts.events.items():
        said = event.replace("_", " ")
        samples = (f'{{namespace="{where}"}} {count}' for where, count in sorted(found.items()))
        yield from _family(
            f"katib_{kind}_{event}_total", "counter", f"The total number of {said} {kind}s", samples
        )
    current = sorted(by_status(objects).items())
    samples = (f'{{namespace="{where}",status="{status}"}} {count}' for (where, status), count in current)
    yield from _family(
        f"katib_{kind}s_current",
        "gauge",
        f"The number of current katib {kind}s in the cluster",
        samples,
    )


def _family(name: str, kind: str, told: str, samples: Iterable[str]) -> Iterator[str]:
    yield f"# HELP {name} {told}\n# TYPE {name} {kind}\n"
    for each in samples:
        yield f"{name}{each}\n"
