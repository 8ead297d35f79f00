"""Puts together what brings artifacts to steps and takes them away, as it is set. Called by the component's door."""

from __future__ import annotations

from sampan.components import Services
from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.engine.artifact_stores import ArtifactStores
from sampan.components.pipelines.engine.staged_files import StagedStepFiles
from sampan.components.pipelines.engine.web_sources import WebRules, WebSources
from sampan.store.artifacts.cache import ReadCache
from sampan.store.artifacts.trees import Limits

_GIB = 1024**3


def staged_files(
    services: Services, settings: ArtifactSettings, *, allow_private: bool = False, isolated: bool = False
) -> StagedStepFiles:
    cache = ReadCache(services.home / "cache" / "artifacts", settings.read_cache_gib * _GIB)
    stores = ArtifactStores(settings, services.embedded_s3, isolated=isolated)
    limits = Limits(settings.max_import_gib * _GIB)
    web = WebSources(WebRules(settings.max_import_gib * _GIB, allow_private, settings.hf_endpoint), cache)
    return StagedStepFiles(services.home, stores, web, cache, limits, services.pod_places)
