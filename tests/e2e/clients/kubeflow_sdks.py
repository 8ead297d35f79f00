"""Kubeflow's own clients where only upstream's definitions are applied, without any controller.

    python kubeflow_sdks.py KUBECONFIG CLIENT

CLIENT is katib or kserve. Run by `test_kubeflow_sdks` in an environment of each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from checks import Journey, until

CONFIG, CLIENT = sys.argv[1], sys.argv.pop(2)
journey = Journey(CLIENT)
NS = "default"


def fails(call: Callable[[], Any], *words: str) -> None:
    """These clients wrap the API's errors into their own."""
    try:
        call()
    except RuntimeError as error:
        cause = error.__cause__ or error.__context__ or ""
        assert all(word in f"{error} {cause}" for word in words), error
    else:
        raise AssertionError("should have failed")


def katib() -> None:
    """kubeflow-katib: KatibClient."""
    from kubeflow import katib as sdk

    api = sdk.KatibClient(config_file=CONFIG, namespace=NS)

    @journey
    def experiments() -> None:
        template = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "busybox"}]}}},
        }
        spec = sdk.V1beta1ExperimentSpec(
            objective=sdk.V1beta1ObjectiveSpec(type="maximize", objective_metric_name="accuracy", goal=0.9),
            algorithm=sdk.V1beta1AlgorithmSpec(algorithm_name="random"),
            max_trial_count=3,
            parallel_trial_count=1,
            parameters=[
                sdk.V1beta1ParameterSpec(
                    name="lr",
                    parameter_type="double",
                    feasible_space=sdk.V1beta1FeasibleSpace(min="0.1", max="0.2"),
                )
            ],
            trial_template=sdk.V1beta1TrialTemplate(
                primary_container_name="c",
                trial_parameters=[sdk.V1beta1TrialParameterSpec(name="lr", reference="lr")],
                trial_spec=template,
            ),
        )
        from kubernetes import client

        made = sdk.V1beta1Experiment(
            api_version="kubeflow.org/v1beta1",
            kind="Experiment",
            metadata=client.V1ObjectMeta(name="one", namespace=NS),
            spec=spec,
        )
        api.create_experiment(made)
        found = api.get_experiment("one")
        assert found.spec.max_trial_count == 3
        assert found.spec.trial_template.trial_spec["kind"] == "Job"
        assert [each.metadata.name for each in api.list_experiments()] == ["one"]
        assert api.list_trials(experiment_name="one") == []
        api.edit_experiment_budget("one", max_trial_count=7)
        assert api.get_experiment("one").spec.max_trial_count == 7
        api.delete_experiment("one")
        until(lambda: not api.list_experiments())


def kserve() -> None:
    """kserve: KServeClient."""
    from kserve import (
        KServeClient,
        V1beta1InferenceService,
        V1beta1InferenceServiceSpec,
        V1beta1PredictorSpec,
        V1beta1SKLearnSpec,
    )
    from kubernetes import client

    api = KServeClient(config_file=CONFIG)

    def service(name: str, uri: str) -> V1beta1InferenceService:
        predictor = V1beta1PredictorSpec(sklearn=V1beta1SKLearnSpec(storage_uri=uri))
        return V1beta1InferenceService(
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            metadata=client.V1ObjectMeta(name=name, namespace=NS),
            spec=V1beta1InferenceServiceSpec(predictor=predictor),
        )

    @journey
    def inference_services() -> None:
        api.create(service("one", "pvc://models/one"))
        found = api.get("one", namespace=NS)
        assert found["spec"]["predictor"]["sklearn"]["storageUri"] == "pvc://models/one"
        assert not api.is_isvc_ready("one", namespace=NS)
        assert len(api.get(namespace=NS)["items"]) == 1
        api.patch("one", service("one", "pvc://models/two"), namespace=NS)
        assert (
            api.get("one", namespace=NS)["spec"]["predictor"]["sklearn"]["storageUri"] == "pvc://models/two"
        )
        api.replace("one", service("one", "pvc://models/three"), namespace=NS)
        assert (
            api.get("one", namespace=NS)["spec"]["predictor"]["sklearn"]["storageUri"] == "pvc://models/three"
        )
        try:
            api.get("one", namespace=NS, watch=True, timeout_seconds=2)
        except RuntimeError as error:
            assert "Timeout" in str(error)
        api.delete("one", namespace=NS)
        until(lambda: not api.get(namespace=NS)["items"])


if __name__ == "__main__":
    {"katib": katib, "kserve": kserve}[CLIENT]()
    sys.exit(journey.run())
