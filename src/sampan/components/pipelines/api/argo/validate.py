"""What cannot run is refused before anything runs, by the path of the field."""

from __future__ import annotations

from sampan.components.pipelines.api.argo.document import LOCAL, ArgoDocument
from sampan.components.pipelines.api.errors import InvalidArgumentError


def validate(document: ArgoDocument) -> None:
    """Raises InvalidArgumentError with all that is wrong, up to ten problems."""
    entrypoint = str(document.spec.get("entrypoint") or "")
    if not entrypoint:
        raise InvalidArgumentError("spec.entrypoint: missing; it names the template to begin with")
    if "{{" not in entrypoint and document.find(LOCAL, entrypoint) is None:
        raise InvalidArgumentError(f'spec.entrypoint: there is no template "{entrypoint}"')
