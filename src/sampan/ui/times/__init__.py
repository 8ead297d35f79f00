"""How times are said in the browser, in its zone: an ES module (`index.js`) that any element of ours imports.

    class Feed(Element, component="feed.js", esm=TIMES): ...

and in `feed.js`: `import { ago, clock, moment, span } from "sampan-times";`. Read `clock.now` where something is drawn,
and it is drawn again each second.
"""

from __future__ import annotations

from pathlib import Path

TIMES = {"sampan-times": str(Path(__file__).parent)}
