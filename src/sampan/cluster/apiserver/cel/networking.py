"""Kubernetes' own types in expressions: URLs, IP addresses, CIDRs, quantities.

Source: k8s.io/apiserver/pkg/cel/library/{urls,ip,cidr,quantity}.go, v1.31.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from sampan.cluster.apiserver.cel import data
from sampan.cluster.apiserver.cel.data import Budget, CelError
from sampan.kube.quantities import parse as parse_quantity

_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Url:
    parts: SplitResult
    cel_type = "kubernetes.URL"

    def __str__(self) -> str:
        return self.parts.geturl()


@dataclass(frozen=True, slots=True)
class Ip:
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    cel_type = "net.IP"

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Cidr:
    interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface
    cel_type = "net.CIDR"

    def __str__(self) -> str:
        return str(self.interface)


@dataclass(frozen=True, slots=True)
class Quantity:
    value: Decimal
    cel_type = "kubernetes.Quantity"


def _short(text: Any) -> str:
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError("not a short text")
    return text


def parse_url(text: Any) -> Url:
    parts = urlsplit(_short(text))
    _ = parts.port
    if not (parts.scheme or text.startswith("/")) or any(ord(c) < 0x21 for c in text):
        raise ValueError(text)
    return Url(parts)


def parse_ip(text: Any) -> Ip:
    if "%" in _short(text):
        raise ValueError("IP addresses with a zone are not allowed")
    found = ipaddress.ip_address(text)
    if found.version == 6 and found.ipv4_mapped is not None:
        raise ValueError("IPv4-mapped IPv6 addresses are not allowed")
    return Ip(found)


def parse_cidr(text: Any) -> Cidr:
    if "/" not in _short(text):
        raise ValueError(text)
    return Cidr(ipaddress.ip_interface(text))


def quantity(text: Any) -> Quantity:
    try:
        return Quantity(Decimal(str(parse_quantity(_short(text)))))
    except (TypeError, InvalidOperation) as error:
        raise ValueError(str(error)) from error


def _made(parse: Callable[[Any], Any], what: str) -> Callable[..., Any]:
    def make(_: Budget, text: Any) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise CelError(f"{what}: {error}") from error

    return make


def _is(parse: Callable[[Any], Any]) -> Callable[..., bool]:
    def check(_: Budget, text: Any) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _as_quantity(value: Any) -> Decimal:
    if isinstance(value, Quantity):
        return value.value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise data.no_overload("quantity", value)


def _order(wanted: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def compare(_: Budget, left: Any, right: Any) -> bool:
        return wanted(_as_quantity(left), _as_quantity(right))

    return compare


def _of(kind: type, read: Callable[..., Any]) -> Callable[..., Any]:
    def call(_: Budget, value: Any, *args: Any) -> Any:
        if not isinstance(value, kind):
            raise CelError(f"no such overload on {data.type_name(value)}")
        return read(value, *args)

    return call


def _as_integer(value: Quantity) -> int:
    if value.value != value.value.to_integral_value():
        raise CelError("cannot convert value to integer")
    return data.checked_int(int(value.value))


def _host(url: Url) -> str:
    return url.parts.netloc.rpartition("@")[2]


def _hostname(url: Url) -> str:
    host = _host(url)
    return host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.partition(":")[0]


def _port(url: Url) -> str:
    return str(url.parts.port) if url.parts.port is not None else ""


def _ip(_: Budget, value: Any) -> Any:
    if isinstance(value, Cidr):
        return Ip(value.interface.ip)
    return _made(parse_ip, "IP Address parse error during conversion from string")(_, value)


def _contains_ip(cidr: Cidr, ip: Any) -> bool:
    try:
        address = ip.address if isinstance(ip, Ip) else parse_ip(ip).address
    except ValueError as error:
        raise CelError(str(error)) from error
    return address in cidr.interface.network


def _contains_cidr(cidr: Cidr, other: Any) -> bool:
    try:
        inner = (other if isinstance(other, Cidr) else parse_cidr(other)).interface.network
    except ValueError as error:
        raise CelError(str(error)) from error
    outer = cidr.interface.network
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "url": _made(parse_url, "URL parse error during conversion from string"),
    "isURL": _is(parse_url),
    ".getScheme": _of(Url, lambda url: url.parts.scheme),
    ".getHost": _of(Url, _host),
    ".getHostname": _of(Url, _hostname),
    ".getPort": _of(Url, _port),
    ".getEscapedPath": _of(Url, lambda url: url.parts.path),
    ".getQuery": _of(Url, lambda url: parse_qs(url.parts.query, keep_blank_values=True, max_num_fields=200)),
    "ip": _ip,
    ".ip": _ip,
    "isIP": _is(parse_ip),
    "ip.isCanonical": lambda _, text: str(parse_ip(text)) == text,
    ".family": _of(Ip, lambda ip: ip.address.version),
    ".isUnspecified": _of(Ip, lambda ip: ip.address.is_unspecified),
    ".isLoopback": _of(Ip, lambda ip: ip.address.is_loopback),
    ".isLinkLocalMulticast": _of(
        Ip,
        lambda ip: (
            ip.address in ipaddress.ip_network("224.0.0.0/24")
            if ip.address.version == 4
            else ip.address in ipaddress.ip_network("ff02::/16")
        ),
    ),
    ".isLinkLocalUnicast": _of(Ip, lambda ip: ip.address.is_link_local),
    ".isGlobalUnicast": _of(
        Ip,
        lambda ip: (
            not (
                ip.address.is_unspecified
                or ip.address.is_loopback
                or ip.address.is_multicast
                or ip.address.is_link_local
                or str(ip.address) == "255.255.255.255"
            )
        ),
    ),
    "cidr": _made(parse_cidr, "network address parse error during conversion from string"),
    "isCIDR": _is(parse_cidr),
    ".containsIP": _of(Cidr, _contains_ip),
    ".containsCIDR": _of(Cidr, _contains_cidr),
    ".masked": _of(Cidr, lambda cidr: parse_cidr(str(cidr.interface.network))),
    ".prefixLength": _of(Cidr, lambda cidr: cidr.interface.network.prefixlen),
    "quantity": _made(quantity, "quantity parse error during conversion from string"),
    "isQuantity": _is(quantity),
    ".isLessThan": _order(lambda a, b: a < b),
    ".isGreaterThan": _order(lambda a, b: a > b),
    ".compareTo": lambda _, a, b: (_as_quantity(a) > _as_quantity(b)) - (_as_quantity(a) < _as_quantity(b)),
    ".sign": _of(Quantity, lambda q: (q.value > 0) - (q.value < 0)),
    ".isInteger": _of(Quantity, lambda q: q.value == q.value.to_integral_value()),
    ".asInteger": _of(Quantity, _as_integer),
    ".asApproximateFloat": _of(Quantity, lambda q: float(q.value)),
    ".add": lambda _, a, b: Quantity(_as_quantity(a) + _as_quantity(b)),
    ".sub": lambda _, a, b: Quantity(_as_quantity(a) - _as_quantity(b)),
}
