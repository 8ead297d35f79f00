"""What clients ask first: is the API there, and in which mode."""

from __future__ import annotations

from starlette.responses import Response

from sampan.components.pipelines.rest.dispatch import Call, answer

_COMPATIBLE_VERSION = "2.17.0"
"""The upstream release whose API this is; clients show it and some compare it."""


async def healthz(call: Call) -> Response:
    return answer(
        {
            "commit_sha": "unknown",
            "tag_name": _COMPATIBLE_VERSION,
            "multi_user": call.backend.multi_user,
            "pipeline_store": "database",
        }
    )


async def healthz_v1(call: Call) -> Response:
    return answer(
        {"commit_sha": "unknown", "tag_name": _COMPATIBLE_VERSION, "multi_user": call.backend.multi_user}
    )
