"""What artifacts are taken for, and what of them is shown."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from sampan.components.pipelines.ui.previews import kinds, legacy, measures, places, tables

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.mark.parametrize(
    ("name", "head", "type_name", "kind"),
    [
        ("x", b"", "HTML", "empty"),
        ("x.html", PNG, "HTML", "png"),
        ("x.png", b"<script>alert(1)</script>", "Artifact", "text"),
        ("x", b"\xff\xd8\xff\xe0", "Artifact", "jpeg"),
        ("x", b"RIFF\0\0\0\0WEBPVP8 ", "Artifact", "webp"),
        ("x", b"BMW is a car", "Artifact", "text"),
        ("x", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Artifact", "svg"),
        ("x", b"<?xml version='1.0'?>\n<svg onload=alert(1)>", "Artifact", "svg"),
        ("x.svg", b"no picture", "Artifact", "text"),
        ("page", b"<p>hi", "HTML", "html"),
        ("page", b"<!DOCTYPE html><p>", "Artifact", "html"),
        ("notes", b"# hi", "Markdown", "markdown"),
        ("a.md", b"# hi", "Artifact", "markdown"),
        ("a.csv", b"a,b\n1,2\n", "Artifact", "csv"),
        ("data", b"a,b\n1,2\n3,4\n", "Dataset", "csv"),
        ("data", b"a\tb\n1\t2\n3\t4\n", "Dataset", "tsv"),
        ("data", b'{"a":1}\n{"a":2}\n{"a":3}\n', "Dataset", "jsonl"),
        ("data", b"hello, you\n", "Artifact", "text"),
        ("x", b'{"a": [1]}', "Artifact", "json"),
        ("x", b"{not json", "Artifact", "text"),
        ("x", "\ufeffé".encode("utf-16"), "Artifact", "text"),
        ("x", b"\x80\x04\x95", "Model", "binary"),
        ("x", b"PAR1\0", "Dataset", "binary"),
        ("x", bytes(range(256)), "Artifact", "binary"),
        ("x", b"caf\xe9", "Artifact", "binary"),
    ],
)
def test_what_a_file_is(name: str, head: bytes, type_name: str, kind: str) -> None:
    assert kinds.kind_of(name, head, type_name).name == kind


def test_a_text_may_be_cut_within_a_character() -> None:
    cut = "é".encode() * 10 + b"\xc3"
    assert kinds.text_of(cut, is_whole=False) == "é" * 10
    assert kinds.text_of(cut) is None


def test_json_that_is_nested_too_deeply_is_text() -> None:
    assert kinds.kind_of("x", b"[" * 100_000 + b"]" * 100_000).name == "text"


def test_sizes() -> None:
    assert kinds.size_text(0) == "0 bytes"
    assert kinds.size_text(1536) == "1.5 KiB"
    assert kinds.size_text(5 * 2**40) == "5.0 TiB"


def test_tables() -> None:
    found = tables.read("csv", 'a,b\n1,"x, y"\n2\n', is_whole=True)
    assert found == tables.Rows(["a", "b"], [["1", "x, y"], ["2", ""]], True)
    cut = tables.read("csv", "a,b\n1,2\n3,", is_whole=False)
    assert (cut.rows, cut.is_all) == ([["1", "2"]], False)
    named = tables.read("csv", "1,2\n", is_whole=True, header=["x"])
    assert (named.columns, named.rows) == (["x", "column 2"], [["1", "2"]])
    many = tables.read("csv", "a\n" + "1\n" * 500, is_whole=True)
    assert (len(many.rows), many.is_all) == (tables.MOST_ROWS, False)
    wide = tables.read("csv", ",".join("abcdefghij" * 10) + "\n", is_whole=True)
    assert (len(wide.columns), wide.left_out) == (60, 40)
    lines = tables.read("jsonl", '{"a":1}\n\n{"b":[2],"__proto__":3}\n', is_whole=True)
    assert (lines.columns, lines.rows) == (["a", "b", "__proto__"], [["1", "", ""], ["", "[2]", "3"]])
    for kind, text in (("csv", ""), ("jsonl", "{"), ("csv", '"' + "x" * 2_000_000)):
        with pytest.raises(tables.NoTableError):
            tables.read(kind, text, is_whole=True)


def test_scalars() -> None:
    metadata = {"accuracy": 0.9, "name": "x", "on": True, "worst": "NaN", "confidenceMetrics": []}
    found = measures.scalars({"type": "Metric", "metadata": metadata})
    assert found["accuracy"] == 0.9
    assert math.isnan(found["worst"])
    assert set(found) == {"accuracy", "worst"}
    assert measures.scalars({"type": "Metric", "name": "loss", "number_value": 0}) == {"loss": 0}
    assert measures.scalars({"type": "Model", "metadata": {"rate": 1}}) == {}


def test_curves_and_matrices_by_slice() -> None:
    point = {"confidenceThreshold": 0.5, "recall": 0.9, "falsePositiveRate": 0.1}
    matrix = {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": [1]}]}
    one = {"confidenceMetrics": [point], "confusionMatrix": matrix}
    whole = measures.classification({"metadata": one})
    assert whole is not None
    assert whole.roc == [(0.1, 0.9, 0.5)]
    assert whole.matrix is not None
    assert whole.matrix.counts == [[1.0]]
    sliced = {"evaluationSlices": [{"slice": "young", "sliceClassificationMetrics": one}, "nonsense"]}
    assert measures.slices({"metadata": sliced}) == {"young": whole}
    assert measures.classification({"metadata": {"confidenceMetrics": "nonsense"}}) is None
    assert measures.slices({}) == {}


def test_what_v1_says_is_to_be_shown() -> None:
    document: Any = {
        "outputs": [
            {"type": "table", "storage": "inline", "source": "1,2", "header": ["a", "b"]},
            {"type": "roc", "source": "gs://b/k", "schema": [{"name": "fpr"}, {"name": "tpr"}]},
            "nonsense",
            {"type": "hologram", "source": {"not": "text"}},
        ]
    }
    table, roc, other = legacy.viewers(document)
    assert (table.columns, table.is_inline, table.title) == (["a", "b"], True, "Table")
    assert (roc.index, roc.columns, roc.source) == (1, ["fpr", "tpr"], "gs://b/k")
    assert (other.is_known, other.source, other.index) == (False, "", 3)
    assert legacy.viewers(json.loads("[]")) == legacy.viewers({"outputs": 3}) == []
    assert legacy.is_ui_metadata("main-mlpipeline-ui-metadata")
    assert legacy.is_ui_metadata("mlpipeline_ui_metadata")
    assert legacy.is_metrics("mlpipeline-metrics")


def test_v1_curves_matrices_and_metrics() -> None:
    rows = tables.read(
        "csv", "0,0,1\n1,1,0\n0.5,0.8,0.3\n", is_whole=True, header=["fpr", "tpr", "thresholds"]
    )
    assert legacy.curve(rows) == [(0, 0, 1), (0.5, 0.8, 0.3), (1, 1, 0)]
    swapped = tables.read("csv", "0.9,0.1\n", is_whole=True, header=["TPR", "FPR"])
    assert [point[:2] for point in legacy.curve(swapped)] == [(0.1, 0.9)]
    cells = tables.read(
        "csv", "cat,dog,3\ncat,cat,5\n", is_whole=True, header=["target", "predicted", "count"]
    )
    found = legacy.matrix(cells, ["cat", "dog"])
    assert found is not None
    assert found.counts == [[5, 3], [0, 0]]
    assert legacy.matrix(tables.Rows(["a"], [["x"]], True), ()) is None
    told = {"metrics": [{"name": "a", "numberValue": 0.5, "format": "PERCENTAGE"}, {"name": "b"}, 3]}
    assert legacy.metrics(told) == {"a": (0.5, True)}


def test_where_files_are() -> None:
    found = places.of_artifact("a/b", "sub/x y", "s3://b/k")
    assert found.download == "/apis/v2beta1/artifacts/a%2Fb:read?path=sub%2Fx+y"
    assert found.name == "x y"
    bucket = places.of_uri("minio://b/k/f.csv", "team")
    assert bucket is not None
    assert bucket.query == {"source": "minio", "bucket": "b", "key": "k/f.csv", "namespace": "team"}
    assert places.of_uri("javascript:alert(1)", "x") is None
    assert places.of_uri("volume://v/x", "x") is None
