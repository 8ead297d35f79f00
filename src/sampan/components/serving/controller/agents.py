"""Reads what the agent needs of the cluster, and adds it to pod templates. For the reconcilers.

    template = await agents.add(component, template, namespace, config_map_data)

After `storage.add`, and after probes have been given to containers that have none: the agent asks what the container's
own probe asks. Requests then come to port 9081 (`injection.PORT`) where the component has a logger or a batcher.
Raises StorageError, for credentials of the store that logs go to, and ApiError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.controller.storage import own_rules
from sampan.components.serving.engine.agent import injection
from sampan.components.serving.engine.agent.config import AgentConfig
from sampan.components.serving.engine.storage import initializer as storage
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.storage.credentials import of_account
from sampan.components.serving.engine.storage.reads import Reads, secret_names, service_account_name
from sampan.components.serving.engine.storage.wanted import Wanted
from sampan.kube import meta
from sampan.kube.kinds import SECRETS, SERVICE_ACCOUNTS
from sampan.kube.meta import Object

_NOTHING_WANTED = Wanted()


class PodAgents:
    def __init__(self, around: Around, credentials: Credentials) -> None:
        self._get = credentials.get
        self._own = own_rules(around)

    async def add(
        self, component: Mapping[str, Any], template: Object, namespace: str, data: Mapping[str, str]
    ) -> Object:
        """`component` is the spec of a predictor, transformer or explainer, `template` its pods', `data` that of
        `inferenceservice-config`."""
        if not injection.is_wanted(component, template):
            return template
        accounts = [injection.logger_account(component)]
        if accounts[0] or injection.PULLER in meta.annotations(template):
            # What the logger's own says comes later, and counts.
            accounts.insert(0, service_account_name(template))
        access = await self._access(template, namespace, [each for each in accounts if each], data)
        if injection.PULLER in meta.annotations(template) and self._own.is_embedded:
            access = self._as_puller(access, namespace)
        return injection.with_agent(template, component, namespace, AgentConfig.of(data), access)

    def _as_puller(self, access: injection.Access, namespace: str) -> injection.Access:
        """What our own agent is told as the storage initializer is. Models may be files of the machine's /tmp."""
        said, shown = storage.own_rules(self._own, namespace, is_read_only=False), storage.machines_tmp()
        said[storage.TMP_VARIABLE] = shown.path
        env = [{"name": name, "value": text} for name, text in said.items()]
        mount = {"name": shown.volume["name"], "mountPath": shown.path, "readOnly": True}
        return injection.Access((*access.env, *env), (*access.mounts, mount), (*access.volumes, shown.volume))

    async def _access(
        self, template: Object, namespace: str, accounts: list[str], data: Mapping[str, str]
    ) -> injection.Access:
        config = StorageConfig.of(data)
        env: dict[str, Mapping[str, Any]] = {}
        mounts: dict[str, Mapping[str, Any]] = {}
        volumes: dict[str, Mapping[str, Any]] = {}
        for name in accounts:
            account = await self._get(SERVICE_ACCOUNTS, name, namespace)
            asked = {**template, "spec": {**meta.spec(template), "serviceAccountName": name}}
            names = secret_names(asked, _NOTHING_WANTED, account, config)
            found = {each: await self._get(SECRETS, each, namespace) for each in names}
            secrets = {key: secret for key, secret in found.items() if secret is not None}
            made = of_account(asked, _NOTHING_WANTED, Reads(namespace, account, secrets), config)
            env |= {str(each["name"]): each for each in made.env}
            mounts |= {str(each["mountPath"]): each for each in made.mounts}
            volumes |= {str(each["name"]): each for each in made.volumes}
        return injection.Access(tuple(env.values()), tuple(mounts.values()), tuple(volumes.values()))
