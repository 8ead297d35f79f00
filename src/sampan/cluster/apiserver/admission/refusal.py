"""The 403 of a write that admission refuses, in Kubernetes' words."""

from __future__ import annotations

from sampan.kube.admission import AdmissionRequest, forbidden_details
from sampan.kube.errors import ForbiddenError, qualified


def refused(request: AdmissionRequest, why: str) -> ForbiddenError:
    what = qualified(request.resource.group, request.resource.plural)
    return ForbiddenError(f'{what} "{request.name}" is forbidden: {why}', details=forbidden_details(request))
