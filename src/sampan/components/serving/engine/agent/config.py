"""What `inferenceservice-config` says about the agent.

Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/agent_injector.go (AgentConfig, LoggerConfig),
batcher_injector.go, config/configmap/inferenceservice.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.kube import quantities

_AGENT, _LOGGER = "agent", "logger"


@dataclass(frozen=True, slots=True)
class AgentConfig:
    image: str = "kserve/agent:v0.20.0"
    cpu_request: str = "100m"
    cpu_limit: str = "1"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    log_url: str = "http://default-broker"
    """Of loggers that name none."""
    ca_bundle: str = ""
    """A ConfigMap with certificates of whoever is logged to."""
    ca_cert_file: str = ""
    tls_skip_verify: bool = False
    marshaller_url: str = ""
    batch_size: int = 0
    batch_interval: str = ""

    @staticmethod
    def of(data: Mapping[str, str]) -> AgentConfig:
        """From the ConfigMap's data. What cannot be read counts as not said."""
        agent, logger = _section(data, _AGENT), _section(data, _LOGGER)
        told: dict[str, Any] = {}
        for key, name in (
            ("cpuRequest", "cpu_request"),
            ("cpuLimit", "cpu_limit"),
            ("memoryRequest", "memory_request"),
            ("memoryLimit", "memory_limit"),
        ):
            if _is_amount(agent.get(key)):
                told[name] = str(agent[key])
        for key, name, section in (
            ("image", "image", agent),
            ("defaultUrl", "log_url", logger),
            ("caBundle", "ca_bundle", logger),
            ("caCertFile", "ca_cert_file", logger),
            ("marshallerUrl", "marshaller_url", logger),
            ("batchInterval", "batch_interval", logger),
        ):
            if isinstance(section.get(key), str) and section[key]:
                told[name] = section[key]
        size = logger.get("batchSize")
        told["batch_size"] = size if isinstance(size, int) and not isinstance(size, bool) else 0
        return AgentConfig(**told, tls_skip_verify=logger.get("tlsSkipVerify") is True)


def _section(data: Mapping[str, str], name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(data[name])
    except (KeyError, ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_amount(value: Any) -> bool:
    try:
        return quantities.parse(value) >= 0
    except (ValueError, TypeError):
        return False
