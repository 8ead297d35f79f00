"""What can go wrong between an image name and an environment.

    EnvironmentsError
    ├── InvalidImageNameError     not an image reference at all (the kubelet's InvalidImageName)
    ├── ImageNeverPullError       not built yet, and the pod forbids to build it (ErrImageNeverPull)
    ├── UnknownImageError         the catalogue has no entry for it (ErrImagePull)
    └── EnvironmentBuildError     uv could not make the environment (ErrImagePull)

`message` is written for the user: what was wrong, and what to do. It never holds credentials or a traceback.
"""

from __future__ import annotations

from typing import ClassVar


class EnvironmentsError(Exception):
    reason: ClassVar[str] = "ErrImagePull"
    """The waiting reason of a container, in the kubelet's words."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidImageNameError(EnvironmentsError):
    reason = "InvalidImageName"


class ImageNeverPullError(EnvironmentsError):
    reason = "ErrImageNeverPull"


class UnknownImageError(EnvironmentsError):
    pass


class EnvironmentBuildError(EnvironmentsError):
    pass
