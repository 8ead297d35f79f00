"""Katib's gRPC services put together. Loaded by the component's door, by name, with the first connection.

`api.v1.beta1.DBManager`, `Suggestion` and `EarlyStopping`, and `grpc.health.v1.Health`; upstream runs the first as
`katib-db-manager` and the others in pods of each experiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sampan.components.tuning.api.messages import HEALTH_PACKAGE, PACKAGE, message
from sampan.components.tuning.rest.algorithm_services import AlgorithmServices
from sampan.components.tuning.rest.db_manager import DBManager
from sampan.components.tuning.rest.grpc_callers import GrpcCallers
from sampan.components.tuning.rest.sources import Sources
from sampan.web.grpc_server import Context, service


def handlers_of(sources: Sources) -> Sequence[Any]:
    callers = GrpcCallers(sources.client)
    manager = DBManager(sources, callers)
    asked = AlgorithmServices(sources, callers)
    health = {"Check": (message("HealthCheckRequest"), _check)}
    return (
        service(f"{PACKAGE}.DBManager", manager.methods),
        service(f"{PACKAGE}.Suggestion", asked.suggestion_methods),
        service(f"{PACKAGE}.EarlyStopping", asked.early_stopping_methods),
        service(f"{HEALTH_PACKAGE}.Health", health),
    )


async def _check(request: Any, context: Context) -> Any:
    known = (
        "",
        f"{HEALTH_PACKAGE}.Health",
        *(f"{PACKAGE}.{each}" for each in ("DBManager", "Suggestion", "EarlyStopping")),
        # As upstream's probes call it (pkg/controller.v1beta1/consts/const.go).
        "manager.v1beta1.Suggestion",
    )
    if request.service not in known:
        raise ValueError(
            f"the service {request.service[:100]!r} is not known; these are: {', '.join(known[1:])}"
        )
    return message("HealthCheckResponse")(status="SERVING")
