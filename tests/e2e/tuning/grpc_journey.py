"""Requests to Katib's managers by upstream's client: `grpc_journey.py ADDRESS WHAT=TRIAL…`."""

from __future__ import annotations

import os
import sys

import grpc
import kubeflow.katib as katib
import kubeflow.katib.katib_api_pb2 as api
import kubeflow.katib.katib_api_pb2_grpc as services

ADDRESS = sys.argv[1]
_TIMEOUT = 20


def main() -> None:
    channel = grpc.insecure_channel(ADDRESS)
    for each in sys.argv[2:]:
        what, _, trial = each.partition("=")
        try:
            print(each, "->", ask(channel, what, trial))
        except (grpc.RpcError, RuntimeError) as error:
            print(each, "-> refused:", str(error).replace("\n", " "))


def ask(channel: grpc.Channel, what: str, trial: str) -> str:
    manager = services.DBManagerStub(channel)
    if what == "health":
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        return {b"\x08\x01": "SERVING"}.get(check(b"", timeout=_TIMEOUT), "?")
    if what == "report":
        # As a trial's program does.
        os.environ["KATIB_TRIAL_NAME"] = trial
        metrics = {"loss": 0.25, "accuracy": "0.5"}
        katib.report_metrics(metrics, db_manager_address=ADDRESS, timeout=_TIMEOUT)
        return "reported"
    if what == "push":
        line = api.MetricLog(time_stamp="2026-01-01T00:00:00Z", metric=api.Metric(name="loss", value="1"))
        log = api.ObservationLog(metric_logs=[line])
        manager.ReportObservationLog(
            api.ReportObservationLogRequest(trial_name=trial, observation_log=log), timeout=_TIMEOUT
        )
        return "pushed"
    if what == "delete":
        manager.DeleteObservationLog(api.DeleteObservationLogRequest(trial_name=trial), timeout=_TIMEOUT)
        return "deleted"
    if what == "stop":
        stopping = services.EarlyStoppingStub(channel)
        stopping.SetTrialStatus(api.SetTrialStatusRequest(trial_name=trial), timeout=_TIMEOUT)
        return "stopped"
    request = api.GetObservationLogRequest(trial_name=trial)
    found = manager.GetObservationLog(request, timeout=_TIMEOUT).observation_log.metric_logs
    return str(sorted(f"{each.metric.name}={each.metric.value}" for each in found))


main()
