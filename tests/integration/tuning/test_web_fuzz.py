"""Whatever a query, a path or a body says, tuning's web API answers with words of its own, and goes on."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.routing import Mount

from sampan.components.tuning.rest import door, katib
from sampan.components.tuning.rest.door import Api
from sampan.components.tuning.rest.katib import KatibApi

sys.path.insert(0, str(Path(__file__).parent))
from web_kit import Kit, kit

FAILED = "its log says why"
NASTY = (
    "", "..", "../..", "%2e%2e%2f", "..\\..", "/etc/passwd", "\0", "a\nb", "x" * 5000, "-1", "1e9", "9" * 400, "NaN",
    "٣", "true", "' OR 1=1 --", "<script>", "${jndi:x}", "{}", "[]", "null", "random", "default", "one", "ä",
    "\ud83d\ude00",
)  # fmt: skip
KEYS = ("since", "names", "trials", "metric", "points", "as", "format", "trial", "container", "pod", "tail", "follow",
        "timestamps", "namespace", "experimentName", "trialName", "suggestionName")  # fmt: skip
FIELDS = ("postData", "updatedConfigMapNamespace", "updatedConfigMapName", "updatedConfigMapPath", "configMapPath",
          "updatedTemplateYaml")  # fmt: skip


def test_nothing_in_a_request_makes_it_fail(tmp_path: Path) -> None:
    rng = random.Random(11)

    def words() -> str:
        return rng.choice(NASTY)

    def value(depth: int = 0) -> Any:
        nested = (
            []
            if depth > 2
            else [{words(): value(depth + 1)}, [value(depth + 1)], {"metadata": value(depth + 1)}]
        )
        return rng.choice([words(), None, True, -1, 1e308, {}, [], *nested])

    async def ask(kit: Kit, path: str, method: str, **how: Any) -> None:
        chosen = rng.sample(KEYS, rng.randrange(5))
        query = "&".join(f"{key}={quote(words(), errors='surrogatepass')}" for key in chosen)
        answer = await kit.ask(f"{path}?{query}", method, **how)
        assert FAILED not in answer.text, (path, query, answer.text)
        if path.startswith("/tuning"):
            assert answer.status_code < 500, (path, query, answer.text)

    async def played() -> None:
        def routes(sources: Any) -> Any:
            return [Mount("/tuning/v1", app=Api(sources)), Mount("/katib", app=KatibApi(sources))]

        async with kit(tmp_path, routes) as made:
            await made.experiment()
            await made.trial("one", metrics={"loss": ("1", "2", "1")})
            for _ in range(8):
                for ours in door.endpoints():
                    names = {
                        "namespace": rng.choice(["default", "default", words()]),
                        "name": rng.choice(["random", "one", "random", "one", words()]),
                    }
                    path = ours.path.format(
                        **{key: quote(each, safe="", errors="surrogatepass") for key, each in names.items()}
                    )
                    await ask(made, f"/tuning/v1{path}", rng.choice(["GET", "GET", "POST"]))
                for theirs in katib.endpoints():
                    method = rng.choice(["POST", "DELETE"]) if theirs.changes else "GET"
                    body = {field: value() for field in rng.sample(FIELDS, 3)}
                    await ask(made, f"/katib{theirs.path}/", method, content=json.dumps(body).encode())
            assert (await made.get("/tuning/v1/namespaces/default/experiments/random/trials"))["total"] == 1

    asyncio.run(played())
