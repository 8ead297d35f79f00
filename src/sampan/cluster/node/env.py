"""The variables, command and arguments of a container. Pure.

Nothing of the server's own environment gets in: what a container sees is listed here and in its pod.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node.references import ContainerConfigError, References
from sampan.kube import meta, pods, quantities

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
HOST_IP = "127.0.0.1"

# Source: k8s.io/kubernetes third_party/forked/golang/expansion, v1.31: $$ is a dollar, $(NAME) a reference.
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]\Z")
_FIELDS = frozenset(
    {
        *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
        *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
    }
)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the node has, for limits that a container does not set."""

    cpu_millis: int
    memory_bytes: int
    ephemeral_storage_bytes: int = 0


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` replaced; a reference to an unknown name stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else values.get(name, match.group(0))

    return _REFERENCE.sub(replacement, text)


def missing(text: str, values: Mapping[str, str]) -> str:
    """The first name that `text` refers to and that has no value; mostly none."""
    names = (match.group(1) for match in _REFERENCE.finditer(text))
    return next((f'"{name}"' for name in names if name is not None and name not in values), "")


def command(
    container: Mapping[str, Any],
    env: Mapping[str, str],
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
) -> tuple[str, ...]:
    """`command` and `args` in one, or what the image has in their place, where that is known.

    Raises ContainerConfigError when there are none.
    """
    own, given = container.get("command") or (), container.get("args") or ()
    words = [*own, *given] if own else [*entrypoint, *(given or cmd)]
    if not words:
        raise ContainerConfigError(
            f"no command specified: set `command` on the container {container.get('name')!r}, because "
            "its image's own entry point is not known where pods run as processes",
            "CreateContainerError",
        )
    return tuple(expand(str(word), env) for word in words)


def base(home: str, tmp: str, hostname: str, api: tuple[str, int], bins: Sequence[str]) -> dict[str, str]:
    """What every container gets; its image's and its own variables come on top."""
    return {
        "PATH": ":".join([*bins, *SYSTEM_PATH]),
        "HOME": home,
        "TMPDIR": tmp,
        "LANG": "C.UTF-8",
        "HOSTNAME": hostname,
        **api_variables(api),
    }


def api_variables(api: tuple[str, int]) -> dict[str, str]:
    """Where the API server is."""
    return {
        "KUBERNETES_SERVICE_HOST": api[0],
        "KUBERNETES_SERVICE_PORT": str(api[1]),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(api[1]),
    }


def compose(
    pod: Object,
    container: Mapping[str, Any],
    initial: Mapping[str, str],
    references: References,
    capacity: Capacity,
) -> dict[str, str]:
    """`initial`, then envFrom, then env, each of which may refer to those before it.

    Raises ContainerConfigError for a reference that leads nowhere and is not optional.
    """
    values = dict(initial)
    for source in container.get("envFrom") or ():
        values.update(_env_from(source, references))
    for entry in container.get("env") or ():
        if "valueFrom" in entry:
            value = _value_from(pod, container, entry["valueFrom"], references, capacity)
            if value is not None:
                values[entry["name"]] = value
        else:
            values[entry["name"]] = expand(str(entry.get("value") or ""), values)
    for name, value in values.items():
        if "\0" in value or "\0" in name or "=" in name:
            raise ContainerConfigError(
                f"the variable {name!r} holds a character that no process can be given"
            )
    return values


def replaced(argv: Sequence[str], commands: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """With the words of the image's program that it begins with, such as `python -m x`, those that stand for them."""
    for told, words in commands.items():
        begin = told.split()
        if list(argv[: len(begin)]) == begin:
            return (*words, *argv[len(begin) :])
    return tuple(argv)


def with_packages(values: Mapping[str, str], folders: Sequence[Path]) -> dict[str, str]:
    """With the folders before what PYTHONPATH names already."""
    if not folders:
        return dict(values)
    own = values.get("PYTHONPATH")
    return {**values, "PYTHONPATH": ":".join([*map(str, folders), *([own] if own else [])])}


def field_value(pod: Object, path: str) -> str:
    """The downward API. Raises ContainerConfigError for a path that it does not offer."""
    if path in ("metadata.labels", "metadata.annotations"):
        found = meta.labels(pod) if path.endswith("labels") else meta.annotations(pod)
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(found.items()))
    if (match := _SUBSCRIPT.match(path)) is not None:
        found = meta.labels(pod) if match.group(1) == "labels" else meta.annotations(pod)
        return found.get(match.group(2), "")
    if path.startswith("status."):
        # Of the status only addresses are offered.
        if path in _FIELDS:
            return HOST_IP if "host" in path else str(meta.status(pod).get("podIP") or HOST_IP)
    elif path in _FIELDS:
        return str(meta.lookup(pod, path) or "")
    raise ContainerConfigError(f"field label not supported: {path}")


def resource_value(container: Mapping[str, Any], resource: str, divisor: str, capacity: Capacity) -> str:
    """A resourceFieldRef such as `limits.memory`. Raises ContainerConfigError."""
    kind, _, name = resource.partition(".")
    if kind not in ("limits", "requests"):
        raise ContainerConfigError(f"unsupported container resource : {resource}")
    resources = container.get("resources") or {}
    amount = (resources.get(kind) or {}).get(name)
    if amount is None and kind == "requests":
        amount = (resources.get("limits") or {}).get(name)
    fallback = {
        "cpu": f"{capacity.cpu_millis}m",
        "memory": str(capacity.memory_bytes),
        "ephemeral-storage": str(capacity.ephemeral_storage_bytes),
    }
    if amount is None:
        amount = fallback.get(name, "0") if kind == "limits" else "0"
    try:
        unit = quantities.parse(divisor or "1") or quantities.parse("1")
        parts = quantities.parse(amount) / unit
    except ValueError as error:
        raise ContainerConfigError(f"{resource}: {error}") from error
    return str(int(parts.to_integral_value("ROUND_CEILING")))


def resource_field(pod: Object, own: Mapping[str, Any], source: Mapping[str, Any], capacity: Capacity) -> str:
    """A whole resourceFieldRef: of `own`, or of the container that it names. Raises ContainerConfigError."""
    name = str(source.get("containerName") or "")
    if name and name != own.get("name"):
        found = [each for each in pods.all_containers(pod) if each.get("name") == name]
        if not found:
            raise ContainerConfigError(f"container {name} not found")
        own = found[0]
    divisor = str(source.get("divisor") or "")
    return resource_value(own, str(source.get("resource", "")), divisor, capacity)


def _env_from(source: Mapping[str, Any], references: References) -> dict[str, str]:
    prefix = str(source.get("prefix") or "")
    for key, read, kind in (
        ("configMapRef", references.config_map, "configmap"),
        ("secretRef", references.secret, "secret"),
    ):
        if (reference := source.get(key)) is None:
            continue
        data = read(reference.get("name", ""))
        if data is None:
            if reference.get("optional"):
                return {}
            raise ContainerConfigError(f'{kind} "{reference.get("name", "")}" not found')
        return {prefix + name: value.decode(errors="replace") for name, value in data.items()}
    return {}


def _value_from(
    pod: Object,
    container: Mapping[str, Any],
    source: Mapping[str, Any],
    references: References,
    capacity: Capacity,
) -> str | None:
    if (field_ref := source.get("fieldRef")) is not None:
        return field_value(pod, str(field_ref.get("fieldPath", "")))
    if (resource := source.get("resourceFieldRef")) is not None:
        return resource_field(pod, container, resource, capacity)
    if (key := source.get("configMapKeyRef")) is not None:
        return _key(key, references.config_map(key.get("name", "")), "configmap", references.namespace)
    if (key := source.get("secretKeyRef")) is not None:
        return _key(key, references.secret(key.get("name", "")), "secret", references.namespace)
    raise ContainerConfigError(f"valueFrom {', '.join(sorted(source))} is not supported")


def _key(
    reference: Mapping[str, Any], data: Mapping[str, bytes] | None, kind: str, namespace: str
) -> str | None:
    name, key = reference.get("name", ""), reference.get("key", "")
    if data is not None and key in data:
        return data[key].decode(errors="replace")
    if reference.get("optional"):
        return None
    if data is None:
        raise ContainerConfigError(f'{kind} "{name}" not found')
    title = "ConfigMap" if kind == "configmap" else "Secret"
    raise ContainerConfigError(f"couldn't find key {key} in {title} {namespace}/{name}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
