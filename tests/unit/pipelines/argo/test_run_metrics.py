"""The metrics that steps of kfp 1.8 leave in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.engine.argo.collecting import ArgoResult, TemplateOutputs
from sampan.components.pipelines.engine.argo.run_metrics import RunMetric, metrics_in
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.step_files import LocalStepFiles, StepOutputs


def test_numbers_are_read_in_every_spelling() -> None:
    given = [
        {"name": "a", "numberValue": 0.5, "format": "PERCENTAGE"},
        {"name": "b", "number_value": 0},
        {"name": "c", "numberValue": "1e-3", "format": "ODD"},
    ]
    found = metrics_in(json.dumps({"metrics": given}).encode())
    assert found == [RunMetric("a", 0.5, "PERCENTAGE"), RunMetric("b", 0.0), RunMetric("c", 0.001)]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"metrics": 1},
        {
            "metrics": [
                1,
                None,
                {},
                {"name": "a"},
                {"name": 1, "numberValue": 1},
                {"name": "", "numberValue": 1},
            ]
        },
        {"metrics": [{"name": "a", "numberValue": value} for value in ("x", "NaN", True, None, [], 1e999)]},
        {"metrics": [{"name": "a" * 129, "numberValue": 1}]},
    ],
)
def test_what_is_no_metric_is_left_out(document: Any) -> None:
    assert metrics_in(json.dumps(document).encode()) == []


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[" * 100_000, b" " * 2_000_000])
def test_what_is_no_document_has_none(content: bytes | None) -> None:
    assert metrics_in(content) == []


def test_there_are_bounds() -> None:
    many = [{"name": f"m{number}", "numberValue": number} for number in range(1000)]
    assert len(metrics_in(json.dumps({"metrics": many}).encode())) == 50


class TestCollecting:
    def outputs(self, home: Path, name: str, uri: Path) -> TemplateOutputs:
        layout = LocalStepFiles(home).layout(str(home / "root"), "run", "root/step", 0, StepOutputs((), ()))
        return TemplateOutputs((), [{"name": name, "path": "/tmp/x"}], {name: str(uri)}, layout)

    def test_a_step_that_wrote_them(self, tmp_path: Path) -> None:
        file = tmp_path / "metrics"
        file.write_text('{"metrics": [{"name": "loss", "numberValue": 2}]}')
        result = self.outputs(tmp_path, "mlpipeline-metrics", file).collect(LocalStepFiles(tmp_path))
        assert isinstance(result, ArgoResult)
        assert result.metrics == [RunMetric("loss", 2.0)]
        assert "mlpipeline-metrics" in result.artifacts

    @pytest.mark.parametrize("name", ["mlpipeline-metrics", "mlpipeline-ui-metadata"])
    def test_a_step_that_did_not(self, tmp_path: Path, name: str) -> None:
        result = self.outputs(tmp_path, name, tmp_path / "none").collect(LocalStepFiles(tmp_path))
        assert isinstance(result, ArgoResult)
        assert result.artifacts == {}
        assert list(result.metrics) == []

    def test_other_outputs_are_still_expected(self, tmp_path: Path) -> None:
        with pytest.raises(StepError, match="model"):
            self.outputs(tmp_path, "model", tmp_path / "none").collect(LocalStepFiles(tmp_path))
