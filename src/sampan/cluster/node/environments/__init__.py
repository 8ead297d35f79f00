"""Environments instead of images, for pods that run as processes.

An image names an environment: the catalogue maps its name to a Python version and requirements, uv builds
them once into content-addressed virtual environments below Sampan's home, and `pip install` in a KFP
wrapper is answered from there. The node agent and the command line call it, through `Environments` and
`recognise`; containers, pods and the API are unknown here.
"""

from sampan.cluster.node.environments.announced import VARIABLE as ANNOUNCED_PACKAGES
from sampan.cluster.node.environments.announced import announced
from sampan.cluster.node.environments.catalogue import Catalogue, CatalogueError, Entry, ImagePlan
from sampan.cluster.node.environments.errors import (
    EnvironmentBuildError,
    EnvironmentsError,
    ImageNeverPullError,
    InvalidImageNameError,
    UnknownImageError,
)
from sampan.cluster.node.environments.facade import Environments, ImageExplanation
from sampan.cluster.node.environments.install import PipInstall
from sampan.cluster.node.environments.model import SYSTEM_KEY, Environment
from sampan.cluster.node.environments.recognise import (
    SOURCE_PATH,
    PythonProgram,
    recognise,
    recognise_packaged,
)

__all__ = [
    "ANNOUNCED_PACKAGES",
    "SOURCE_PATH",
    "SYSTEM_KEY",
    "Catalogue",
    "CatalogueError",
    "Entry",
    "Environment",
    "EnvironmentBuildError",
    "Environments",
    "EnvironmentsError",
    "ImageExplanation",
    "ImageNeverPullError",
    "ImagePlan",
    "InvalidImageNameError",
    "PipInstall",
    "PythonProgram",
    "UnknownImageError",
    "announced",
    "recognise",
    "recognise_packaged",
]
