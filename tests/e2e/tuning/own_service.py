"""A suggestion service as a user writes one, with the messages and stubs of upstream's kubeflow-katib 0.19.

It halves towards the best trial. Run by `test_own_service` as the image of a Deployment; imports nothing of ours.
"""

from __future__ import annotations

from concurrent import futures
from typing import Any

import grpc
import kubeflow.katib.katib_api_pb2 as api
import kubeflow.katib.katib_api_pb2_grpc as services
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Halving(services.SuggestionServicer):  # type: ignore[misc]
    def ValidateAlgorithmSettings(self, request: Any, context: Any) -> Any:  # noqa: N802
        settings = request.experiment.spec.algorithm.algorithm_settings
        for each in settings:
            if each.name != "first":
                context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
                context.set_details(f"halving has no setting {each.name}")
        return api.ValidateAlgorithmSettingsReply()

    def GetSuggestions(self, request: Any, context: Any) -> Any:  # noqa: N802
        spec = request.experiment.spec
        rate = float({each.name: each.value for each in spec.algorithm.algorithm_settings}["first"])
        for trial in request.trials:
            (seen,) = (each.value for each in trial.spec.parameter_assignments.assignments)
            (found,) = (each.value for each in trial.status.observation.metrics if each.name == "loss")
            assert float(found) == float(seen), (found, seen)
            rate = min(rate, float(seen) / 2)
        print(
            "asked",
            request.current_request_number,
            request.total_request_number,
            len(request.trials),
            flush=True,
        )
        one = api.ParameterAssignment(name="lr", value=str(rate))
        assignments = api.GetSuggestionsReply.ParameterAssignments(assignments=[one])
        return api.GetSuggestionsReply(parameter_assignments=[assignments] * request.current_request_number)


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    services.add_SuggestionServicer_to_server(Halving(), server)
    healthy = health.HealthServicer()
    for name in ("", "manager.v1beta1.Suggestion"):
        healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    server.add_insecure_port("0.0.0.0:6789")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
