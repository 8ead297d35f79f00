"""How definitions are sent to API servers that are not ours."""

from __future__ import annotations

from sampan.app.definitions import for_other_servers
from sampan.app.remote import _built_in_schema


def test_a_default_that_is_the_empty_text_stays_at_home() -> None:
    schema = {
        "type": "object",
        "properties": {
            "state": {"type": "string", "default": ""},
            "mode": {"type": "string", "default": "all"},
            "default": {"type": "string"},
        },
    }
    definition = {
        "metadata": {"name": "things.example.com"},
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]},
    }
    sent = for_other_servers(_built_in_schema)(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert sent["properties"] == {
        "state": {"type": "string"},
        "mode": {"type": "string", "default": "all"},
        "default": {"type": "string"},
    }
    assert schema["properties"]["state"] == {"type": "string", "default": ""}  # type: ignore[index]
