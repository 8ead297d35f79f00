from __future__ import annotations

from sampan.components.tuning.engine.checkpoints import claim_of


def _suggestion(*settings: tuple[str, str]) -> dict[str, object]:
    given = [{"name": name, "value": value} for name, value in settings]
    return {
        "metadata": {"name": "simple-pbt", "namespace": "team"},
        "spec": {"algorithm": {"algorithmName": "pbt", "algorithmSettings": given}},
    }


def test_trials_with_checkpoints_have_a_volume() -> None:
    claim = claim_of(_suggestion(("n_population", "5"), ("suggestion_trial_dir", "/ckpt")))

    assert claim is not None
    assert claim["metadata"] == {"name": "simple-pbt-pbt", "namespace": "team"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }


def test_others_have_none() -> None:
    assert claim_of(_suggestion(("n_population", "5"))) is None
    assert claim_of(_suggestion(("suggestion_trial_dir", ""))) is None
    assert claim_of({"metadata": {"name": "x"}, "spec": {}}) is None
