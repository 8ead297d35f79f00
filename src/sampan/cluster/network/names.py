"""Names that pods find: lines of hosts files, the pod's own name, resolv.conf. Pure.

Source: pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, managedHostsFileContent),
pkg/kubelet/network/dns/dns.go, v1.31; for Services kubernetes/dns, docs/specification.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta

CLUSTER_DOMAIN = "cluster.local"
_HOSTNAME_LIMIT = 63


def hostname(pod: Object) -> str:
    """What `hostname` says in the pod."""
    spec = meta.spec(pod)
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])
    name = _short_hostname(pod)
    if spec.get("setHostnameAsFQDN") and (domain := _domain(pod)):
        return f"{name}.{domain}"
    return name


def own_lines(pod: Object, address: str) -> str:
    """The beginning of the pod's hosts file: localhost, itself, its aliases.

    Of the two localhosts only the one of IPv4 has the name: the other cannot be a pod's own.
    """
    name, domain = _short_hostname(pod), _domain(pod)
    own = f"{address}\t{name}.{domain}\t{name}" if domain else f"{address}\t{name}"
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        own,
    ]
    aliases = meta.spec(pod).get("hostAliases") or ()
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += [
            "\t".join((str(alias.get("ip", "")), *map(str, alias.get("hostnames") or ())))
            for alias in aliases
        ]
    return "\n".join(lines) + "\n"


def service_names(name: str, namespace: str, *, local: bool, prefix: str = "") -> str:
    """All names of a Service, the full one first; the bare one only for pods of its namespace."""
    first = f"{prefix}{name}"
    found = [
        f"{first}.{namespace}.svc.{CLUSTER_DOMAIN}",
        f"{first}.{namespace}.svc",
        f"{first}.{namespace}",
    ]
    return " ".join([*found, first] if local else found)


def service_lines(
    service: Object, address: str, endpoints: Iterable[tuple[str, str]], *, local: bool
) -> list[str]:
    """`address` is the Service's own, empty for a headless one; `endpoints` are (address, hostname)."""
    name, namespace = meta.name(service), meta.namespace(service)
    every = service_names(name, namespace, local=local)
    lines = [f"{address}\t{every}"] if address else []
    for endpoint, host in endpoints:
        if not address:
            lines.append(f"{endpoint}\t{every}")
        if host:
            lines.append(f"{endpoint}\t{service_names(name, namespace, local=local, prefix=host + '.')}")
    return lines


def searches(pod: Object) -> tuple[str, ...]:
    """The domains that the pod itself asks to be searched."""
    config = meta.spec(pod).get("dnsConfig") or {}
    return tuple(str(each).strip(".") for each in config.get("searches") or () if str(each).strip("."))


def searched_lines(hosts: str, domains: Iterable[str]) -> str:
    """Lines by which names of `hosts` are found without those domains: a resolver does not search a hosts file."""
    lines = []
    for domain in domains:
        ending = f".{domain}"
        for line in hosts.splitlines():
            address, _, rest = line.partition("\t")
            full = rest.split(" ", 1)[0]
            if full.endswith(ending):
                lines.append(f"{address}\t{full.removesuffix(ending)}\n")
    return "".join(lines)


def resolv_conf(pod: Object, machine: Callable[[], str]) -> str:
    """The pod's resolv.conf; empty where the machine's own does.

    Names of the cluster stand in the hosts file, so for them no server is asked (`searched_lines`).
    """
    spec = meta.spec(pod)
    config: dict[str, Any] = spec.get("dnsConfig") or {}
    none = spec.get("dnsPolicy") == "None"
    if not config and not none:
        return ""
    lines = [] if none else machine().splitlines()
    servers = [str(each) for each in config.get("nameservers") or ()]
    searches = [str(each) for each in config.get("searches") or ()]
    options = [
        f"{each['name']}:{each['value']}" if each.get("value") else str(each["name"])
        for each in config.get("options") or ()
        if each.get("name")
    ]
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "nameserver":
            servers.append(rest.strip())
        elif word == "search":
            searches = [*rest.split(), *searches]
        elif word == "options":
            options = [*rest.split(), *options]
    found = [f"nameserver {server}" for server in dict.fromkeys(servers)]
    if searches:
        found.append("search " + " ".join(dict.fromkeys(searches)))
    if options:
        found.append("options " + " ".join(dict.fromkeys(options)))
    return "\n".join(found) + "\n"


def _short_hostname(pod: Object) -> str:
    given = str(meta.spec(pod).get("hostname") or "")
    # The kubelet cuts the pod's name where a hostname could not take it.
    return given or meta.name(pod)[:_HOSTNAME_LIMIT].rstrip("-.")


def _domain(pod: Object) -> str:
    subdomain = meta.spec(pod).get("subdomain")
    return f"{subdomain}.{meta.namespace(pod)}.svc.{CLUSTER_DOMAIN}" if subdomain else ""
