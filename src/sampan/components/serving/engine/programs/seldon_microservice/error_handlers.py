"""Errors of a user's own, answered as their class says: `model_error_handler`, a blueprint of Flask's.

Such a class imports Flask, so it is there; without one Flask is not asked for. Called by `rest`. Source: seldon-core
1.18.2 python/seldon_core/wrapper.py (get_rest_microservice).
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from sampan.components.serving.engine.programs.wire.server import Response


class ErrorHandlers:
    def __init__(self, model: Any) -> None:
        blueprint = getattr(model, "model_error_handler", None)
        self._app: Any = None
        if blueprint is None:
            return
        try:
            flask: Any = importlib.import_module("flask")
            self._app = flask.Flask("model")
            self._app.register_blueprint(blueprint)
        except Exception as error:
            print(f"model_error_handler is not used: {error}", file=sys.stderr, flush=True)
            self._app = None

    def answer(self, error: Exception) -> Response | None:
        """None where the class has no handler for such an error."""
        if self._app is None:
            return None
        with self._app.test_request_context():
            try:
                made = self._app.make_response(self._app.handle_user_exception(error))
            except Exception:
                # Also what Flask raises anew for want of a handler.
                return None
            return Response(made.status_code, list(made.headers.items()), made.get_data())
