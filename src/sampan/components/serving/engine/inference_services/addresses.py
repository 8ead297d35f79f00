"""URLs of an InferenceService and its components, by the templates of `inferenceservice-config`.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/reconcilers/ingress/{domain,path,ingress_reconciler,
kube_ingress_reconciler}.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sampan.components.serving.engine.inference_services import names
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.kube.names import dns_subdomain

PREFIX = "/serving"
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELD = re.compile(r"\.(Annotations|Labels)\.([A-Za-z_][A-Za-z0-9_]*)")
_INDEX = re.compile(r'index\s+\.(Annotations|Labels)\s+"([^"]*)"')
DOMAIN_TEMPLATE = "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}"


class AddressError(Exception):
    """A template that gives no address. The message names it."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Where endpoints have their names."""

    name: str = "localhost"
    template: str = DOMAIN_TEMPLATE
    scheme: str = "http"
    port: int = 80
    """The platform's."""
    path_template: str = ""
    more: tuple[str, ...] = ()
    """Further domains, of which each endpoint has a name too."""

    @property
    def is_internal(self) -> bool:
        return self.name == names.CLUSTER_DOMAIN


def host(isvc: Object, name: str, domain: Domain, *, below: str = "") -> str:
    """Of the object itself or of one of its components, by `name`. Raises AddressError."""
    found = _filled(domain.template, isvc, name, below or domain.name, "domainTemplate")
    if wrong := dns_subdomain(found):
        raise AddressError(f'invalid domain name "{found}", made by domainTemplate: {"; ".join(wrong)}')
    return found


def tagged(tag: str, of: str) -> str:
    return f"{tag}-{of}"


def path(isvc: Object, domain: Domain) -> str:
    """By pathTemplate; empty without one. Raises AddressError."""
    if not domain.path_template:
        return ""
    found = _filled(domain.path_template, isvc, meta.name(isvc), domain.name, "pathTemplate")
    if not found.startswith("/") or any(each.isspace() for each in found):
        raise AddressError(f'invalid url "{found}", made by pathTemplate: it has to begin with /')
    return found


def url(of: str, domain: Domain, path: str = "") -> str:
    """`of` is the host."""
    standard = 443 if domain.scheme == "https" else 80
    port = "" if domain.port in (standard, 0) else f":{domain.port}"
    return f"{domain.scheme}://{of}{port}{path}"


def external_url(isvc: Object, domain: Domain) -> str:
    """Raises AddressError."""
    if at := path(isvc, domain):
        return url(domain.name, domain, at)
    return url(host(isvc, meta.name(isvc), domain), domain)


def cluster_url(service: str, namespace: str) -> str:
    return f"http://{names.cluster_host(service, namespace)}"


def _filled(template: str, isvc: Object, name: str, domain: str, setting: str) -> str:
    """The part of Go's templates that such settings use. Raises AddressError."""
    held = {"Annotations": meta.annotations(isvc), "Labels": meta.labels(isvc)}
    values = {".Name": name, ".Namespace": meta.namespace(isvc), ".IngressDomain": domain}

    def value(match: re.Match[str]) -> str:
        action = match.group(1)
        if action in values:
            return values[action]
        field = _FIELD.fullmatch(action) or _INDEX.fullmatch(action)
        if field is None:
            raise AddressError(f"ingress.{setting}: {match.group(0)} is not understood")
        found = held[field.group(1)].get(field.group(2))
        if found is None and action.startswith("."):
            # Go writes "<no value>", which no name may hold; of `index` it writes nothing.
            raise AddressError(
                f"ingress.{setting}: {match.group(0)} is not among the object's {field.group(1).lower()}"
            )
        return found or ""

    return _ACTION.sub(value, template)
