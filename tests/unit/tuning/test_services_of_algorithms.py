"""What the gRPC services refuse and in which words: upstream's service tests (kubeflow/katib 0.19 test/unit/v1beta1),
whose clients compare them.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sampan.components.tuning.api.messages import message
from sampan.components.tuning.engine.builtin import BuiltIn
from sampan.components.tuning.rest.algorithm_services import AlgorithmServices
from sampan.components.tuning.rest.grpc_callers import Caller

NUMBERS = [
    {"name": name, "parameter_type": "INT", "feasible_space": {"min": "1", "max": "5"}} for name in ("a", "b")
]


class Anybody:
    async def of(self, _call: Any) -> Caller:
        return Caller("team")


def ask(method: str, request: Any) -> str:
    """Why it is refused; empty where it is not."""

    async def main() -> str:
        built_in = BuiltIn()
        sources = SimpleNamespace(client=None, clock=None, observations=None, algorithms=lambda: built_in)
        services = AlgorithmServices(cast(Any, sources), cast(Any, Anybody()))
        try:
            await getattr(services, method)(request, cast(Any, None))
        except ValueError as error:
            return str(error)
        finally:
            await built_in.close()
        return ""

    return asyncio.run(main())


def validated(algorithm: str, parameters: Any = (), limit: int = 0, **settings: str) -> str:
    named = [{"name": name, "value": value} for name, value in settings.items()]
    spec = {
        "algorithm": {"algorithm_name": algorithm, "algorithm_settings": named},
        "parameter_specs": {"parameters": parameters},
        "max_trial_count": limit,
    }
    request = message("ValidateAlgorithmSettingsRequest")(experiment={"name": "e", "spec": spec})
    return ask("validate", request)


def stopped(algorithm: str, **settings: str) -> str:
    named = [{"name": name, "value": value} for name, value in settings.items()]
    stopping = {"algorithm_name": algorithm, "algorithm_settings": named}
    return ask("validate_stopping", message("ValidateEarlyStoppingSettingsRequest")(early_stopping=stopping))


@pytest.mark.parametrize(
    ("algorithm", "settings", "words"),
    [
        ("tpe", {"gamma": "0.25", "prior_weight": "1.0", "n_EI_candidates": "24", "random_state": "10"}, ""),
        ("tpe", {"n_startup_trials": "5", "n_ei_candidates": "24", "random_state": "1"}, ""),
        ("tpe", {"gamma": "1.5"}, "gamma should be in the range of (0, 1)"),
        ("tpe", {"n_EI_candidates": "0"}, "n_EI_candidates should be great than zero"),
        ("tpe", {"random_state": "-1"}, "random_state should be great or equal than zero"),
        ("tpe", {"prior_weight": "aaa"}, "failed to validate prior_weight(aaa): "),
        ("tpe", {"n_ei_candidate": "-1"}, "unknown setting n_ei_candidate for algorithm tpe"),
        ("multivariate-tpe", {"n_startup_trials": "5"}, ""),
        ("unknown", {}, "unknown algorithm name unknown"),
        ("random", {"unknown_conf": "1"}, "unknown setting unknown_conf for algorithm random"),
        ("grid", {}, ""),
        ("cmaes", {}, "cmaes only supports two or more dimensional continuous search space."),
        (
            "cmaes",
            {"restart_strategy": "invalid"},
            "restart_strategy invalid is not supported in CMAES optimization",
        ),
        ("bayesianoptimization", {"random_state": "10"}, ""),
        (
            "bayesianoptimization",
            {"base_estimator": "tree"},
            "base_estimator tree is not supported in Bayesian optimization",
        ),
        (
            "bayesianoptimization",
            {"n_initial_points": "-1"},
            "n_initial_points should be great or equal than zero",
        ),
        ("bayesianoptimization", {"acq_func": "x"}, "acq_func x is not supported in Bayesian optimization"),
        ("hyperband", {}, "r_l and resource_name must be set."),
        ("hyperband", {"r_l": "9", "resource_name": "a"}, "parallelTrialCount must be not less than 9."),
    ],
)
def test_settings_alone_are_validated(algorithm: str, settings: dict[str, str], words: str) -> None:
    found = validated(algorithm, **settings)
    assert found == words or (words.endswith(": ") and found.startswith(words))


def test_settings_beside_a_space() -> None:
    assert validated("cmaes", NUMBERS, restart_strategy="ipop", sigma="0.1", random_state="10") == ""
    assert validated("grid", NUMBERS, limit=25) == ""
    assert validated("grid", NUMBERS, limit=26).startswith("Max Trial Count: 26 > all possible")


def test_early_stopping() -> None:
    assert stopped("medianstop", min_trials_required="2", start_step="5") == ""
    assert stopped("unknown") == "unknown algorithm name unknown"
    assert stopped("medianstop", other="1") == "unknown setting other for algorithm medianstop"
    assert stopped("medianstop", start_step="0") == "start_step must be greater or equal than one (>=1)"
    assert (
        stopped("medianstop", min_trials_required="0") == "min_trials_required must be greater than zero (>0)"
    )
    trials = [{"name": "one"}, {"name": "two"}]
    request = message("GetEarlyStoppingRulesRequest")(experiment={"name": "e"}, trials=trials)
    assert ask("rules", request) == ""


def test_nothing_can_be_suggested_without_a_space() -> None:
    spec = {"algorithm": {"algorithm_name": "random"}}
    request = message("GetSuggestionsRequest")(experiment={"name": "e", "spec": spec})
    assert ask("suggest", request) == "spec.parameters must name at least one parameter to search"
