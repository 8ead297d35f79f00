"""Where requests to SeldonDeployments go."""

from __future__ import annotations

from typing import Any

from sampan.components.serving.engine.inference_services.addresses import Domain
from sampan.components.serving.engine.routing.seldon_deployments import routes


def deployment(*predictors: dict[str, Any], **status: Any) -> dict[str, Any]:
    services = {f"m-{each['name']}": {"httpEndpoint": f"m-{each['name']}.n:8000"} for each in predictors}
    return {
        "metadata": {"name": "m", "namespace": "n"},
        "spec": {"predictors": list(predictors)},
        "status": {"state": "Available", "serviceStatus": services, **status},
    }


def predictor(name: str, **more: Any) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "c", "image": "x"}]}}
    return {"name": name, "graph": {"name": "c"}, "componentSpecs": [pod], **more}


def test_traffic_is_split_and_shadows_get_copies() -> None:
    sdep = deployment(
        predictor("a", traffic=75), predictor("b", traffic=25), predictor("c", shadow=True, traffic=10)
    )
    (route,) = routes(sdep, Domain())
    assert route.prefixes == ("/seldon/n/m",)
    assert [(each.service, each.port, each.weight) for each in route.rules[0].backends] == [
        ("m-a", 8000, 75),
        ("m-b", 8000, 25),
    ]
    assert [(each.service, each.weight) for each in route.rules[0].shadows] == [("m-c", 10)]


def test_one_predictor_has_all_traffic() -> None:
    (route,) = routes(deployment(predictor("a")), Domain())
    assert [each.weight for each in route.rules[0].backends] == [100]
    assert route.rules[0].backends[0].target.name == "m-a-0-c"  # type: ignore[union-attr]
    assert route.hosts == ("m-n.localhost",)


def test_nobody_waits_for_what_cannot_come() -> None:
    failed = deployment(predictor("a"), state="Failed", description="no such image")
    assert routes(failed, Domain())[0].refusal == "no such image"
    assert "no replicas" in routes(deployment(predictor("a", replicas=0)), Domain())[0].refusal
    assert routes(deployment(predictor("a"), state="Creating"), Domain())[0].refusal == ""
    assert routes({**deployment(predictor("a")), "status": {}}, Domain()) == ()


def test_an_explainer_has_a_path_of_its_own() -> None:
    sdep = deployment(predictor("a", explainer={"type": "KernelShap"}))
    sdep["status"]["serviceStatus"]["m-a-explainer"] = {"httpEndpoint": "m-a-explainer.n:9000"}
    _, explainer = routes(sdep, Domain())
    assert explainer.prefixes == ("/seldon/n/m-explainer/a",)
    assert (explainer.rules[0].backends[0].service, explainer.rules[0].backends[0].port) == (
        "m-a-explainer",
        9000,
    )
