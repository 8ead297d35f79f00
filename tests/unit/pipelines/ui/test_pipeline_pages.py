"""Pure parts of the pages of pipelines: rows, questions, names, files that are looked at."""

from __future__ import annotations

import json

from sampan.components.pipelines.ui.pipelines import finding, rows
from sampan.components.pipelines.ui.pipelines.compare_page import chosen
from sampan.components.pipelines.ui.pipelines.deleting import lost_with_pipeline
from sampan.components.pipelines.ui.pipelines.packages import free_name, look


def test_a_deletion_names_versions_and_recurring_runs() -> None:
    lost = lost_with_pipeline(["v7", "v6", "v5", "v4", "v3"], 7, ["nightly"])
    assert lost[0] == "All 7 versions: v7, v6, v5, v4, v3 and 2 more"
    assert "nightly" in lost[1]
    assert lost_with_pipeline([], 0, [])[0] == "It has no versions"


def test_versions_to_compare_are_the_newest_two_unless_the_address_says_otherwise() -> None:
    assert chosen(["c", "b", "a"], {}) == ("b", "c")
    assert chosen(["c", "b", "a"], {"from": "c"}) == ("c", "b")
    assert chosen(["c", "b", "a"], {"to": "a"}) == ("b", "a")
    assert chosen(["c", "b", "a"], {"from": "a", "to": "c"}) == ("a", "c")
    assert chosen(["c", "b", "a"], {"from": "x", "to": "y"}) == ("b", "c")
    assert chosen(["b", "a"], {"from": "b", "to": "b"}) == ("a", "b")


def test_a_further_version_gets_a_name_that_is_free() -> None:
    assert free_name(set()) == "v1"
    assert free_name({"first", "v3"}) == "v4"


def test_python_is_answered_with_the_command() -> None:
    assert "sampan run train.py" in look("train.py", b"import kfp").problem
    assert look("x.yaml", b"\xff\xfe\x00").problem
    assert "empty" in look("x.yaml", b"").problem


def test_only_web_addresses_are_links() -> None:
    assert rows.source_cell("javascript:alert(1)") == "javascript:alert(1)"
    assert rows.source_cell("https://example.org/c")["href"] == "https://example.org/c"


def test_filters_are_what_the_api_takes() -> None:
    assert rows.filter_of() == ""
    [predicate] = json.loads(rows.filter_of(rows.predicate("display_name", 'a"b', "IS_SUBSTRING")))[
        "predicates"
    ]
    assert predicate == {"key": "display_name", "operation": "IS_SUBSTRING", "string_value": 'a"b'}


def test_a_search_looks_for_names_ids_and_tags() -> None:
    assert [each["key"] for each in finding.predicates("train", "pipeline_id")] == ["display_name"]
    assert [each["key"] for each in finding.predicates("0af3-", "pipeline_id")] == [
        "pipeline_id",
        "display_name",
    ]
    tag = finding.predicates("team: ml ops", "pipeline_id")[-1]
    assert (tag["key"], tag["string_value"]) == ("tags.team", "ml ops")


def test_an_upload_is_told_as_a_pipeline_or_as_a_version() -> None:
    version = {
        "pipeline_id": "p",
        "pipeline_version_id": "v",
        "display_name": "train",
        "pipeline_name": "train",
        "created_at": "2026-01-01T00:00:00Z",
    }
    assert finding.activity(version).text == "Pipeline train uploaded"
    told = finding.activity({**version, "display_name": "v2"})
    assert (told.text, told.path) == ("Version v2 of train uploaded", "/pipelines/p/versions/v")
