"""Users' Services of Knative's, each followed by an InferenceService."""

from __future__ import annotations

from contextlib import asynccontextmanager

from sampan.components.serving.api.kinds import INFERENCE_SERVICES, KNATIVE_SERVICES
from sampan.components.serving.controller.knative_services import KnativeServiceReconciler
from sampan.reconcile.manager import Manager

DUMPER = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "dumper", "namespace": "team"},
    "spec": {
        "template": {
            "metadata": {"annotations": {"autoscaling.knative.dev/minScale": "1"}},
            "spec": {"containers": [{"image": "events", "env": [{"name": "A", "value": "1"}]}]},
        }
    },
}


@asynccontextmanager
async def followed(serving):
    manager = Manager([KnativeServiceReconciler(serving.around()).controller()])
    await manager.start()
    try:
        yield
    finally:
        await manager.stop()


def says(obj, status):
    conditions = ((obj or {}).get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == status for each in conditions)


def test_it_runs_and_says_so_and_goes(run):
    async def scenario(serving):
        async def told(status):
            found = await serving.get(KNATIVE_SERVICES, "dumper")
            return found if says(found, status) else None

        async with followed(serving):
            await serving.client.create(KNATIVE_SERVICES, DUMPER)
            found = await serving.until(lambda: told("True"))
            assert found["status"]["url"].startswith("http://dumper-team.")
            assert found["status"]["latestReadyRevisionName"] == "dumper-predictor-00001"
            assert found["spec"] == DUMPER["spec"]
            running = await serving.one(INFERENCE_SERVICES, "dumper")
            assert running["spec"]["predictor"]["minReplicas"] == 1
            # What is no longer said is no longer there.
            patch = {"spec": {"template": {"metadata": {"annotations": None}}}}
            await serving.client.patch(KNATIVE_SERVICES, "dumper", patch, "team")

            async def sleeps():
                found = await serving.one(INFERENCE_SERVICES, "dumper")
                return found["spec"]["predictor"]["minReplicas"] == 0

            await serving.until(sleeps)
            found = await serving.until(lambda: told("True"))
            # What it says of itself is no change of what is wanted.
            assert found["metadata"]["generation"] == 2

            async def is_current():
                found = await serving.get(KNATIVE_SERVICES, "dumper")
                return found["status"]["observedGeneration"] == 2

            await serving.until(is_current)

    run(scenario)


def test_a_name_that_is_taken_is_said(run):
    async def scenario(serving):
        await serving.make("dumper")

        async def refused():
            found = await serving.get(KNATIVE_SERVICES, "dumper")
            return found if says(found, "False") else None

        async with followed(serving):
            await serving.client.create(KNATIVE_SERVICES, DUMPER)
            found = await serving.until(refused)
            (condition,) = found["status"]["conditions"]
            assert condition["reason"] == "NameTaken"
            assert "take another name" in condition["message"]

    run(scenario)
