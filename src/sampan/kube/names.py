"""Which names Kubernetes accepts. Each rule returns what is wrong, in Kubernetes' words; empty means valid.

Source: k8s.io/apimachinery/pkg/util/validation/validation.go, v1.31.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_ENV_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_LABEL_1035_RE = re.compile(_LABEL_1035)
_QUALIFIED_RE = re.compile(_QUALIFIED)
_LABEL_VALUE_RE = re.compile(_LABEL_VALUE)
_ENV_NAME_RE = re.compile(_ENV_NAME)
_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_HTTP_PATH_RE = re.compile(_HTTP_PATH)
_PORT_NAME_LIMIT = 15


def dns_label(value: str) -> list[str]:
    """RFC 1123 label: namespaces, containers, volumes."""
    return _too_long(value, 63) + _mismatch(
        _LABEL_RE,
        value,
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
        "start and end with an alphanumeric character",
        ("my-name", "123-abc"),
    )


def dns_subdomain(value: str) -> list[str]:
    """RFC 1123 subdomain: most objects."""
    return _too_long(value, 253) + _mismatch(
        _SUBDOMAIN_RE,
        value,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
        "must start and end with an alphanumeric character",
        ("example.com",),
    )


def dns_1035_label(value: str) -> list[str]:
    """RFC 1035 label: services."""
    return _too_long(value, 63) + _mismatch(
        _LABEL_1035_RE,
        value,
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        ("my-name", "abc-123"),
    )


def path_segment(value: str) -> list[str]:
    """What fits in a URL path: kinds with free names, such as roles."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


def http_path(value: str) -> list[str]:
    """What may follow a domain: names of whoever manages something."""
    return _mismatch(_HTTP_PATH_RE, value, "invalid path", ("/path",))


def qualified_name(value: str) -> list[str]:
    """Label and annotation keys, finalizers, condition types: `[prefix/]name`."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [
            _regex_text(
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start "
                "and end with an alphanumeric character",
                _QUALIFIED,
                ("MyName", "my.name", "123-abc"),
            )
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    problems = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {problem}" for problem in dns_subdomain(prefix)]
    if not name:
        return [*problems, "name part must be non-empty"]
    problems += [f"name part {problem}" for problem in _too_long(name, 63)]
    return problems + [
        f"name part {problem}"
        for problem in _mismatch(
            _QUALIFIED_RE,
            name,
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character",
            ("MyName", "my.name", "123-abc"),
        )
    ]


def label_value(value: str) -> list[str]:
    return _too_long(value, 63) + _mismatch(
        _LABEL_VALUE_RE,
        value,
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
        "must start and end with an alphanumeric character",
        ("MyValue", "my_value", "12345"),
    )


def env_var_name(value: str) -> list[str]:
    return _mismatch(
        _ENV_NAME_RE,
        value,
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
        "and must not start with a digit",
        ("my.env-name", "MY_ENV.NAME", "MyEnvName1"),
    )


def config_map_key(value: str) -> list[str]:
    """Keys of ConfigMaps and Secrets: they become file names."""
    problems = _too_long(value, 253) + _mismatch(
        _CONFIG_KEY_RE,
        value,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        ("key.name", "KEY_NAME", "key-name"),
    )
    if value in (".", "..") or value.startswith(".."):
        problems.append("must not be '.'" if value == "." else "must not start with '..'")
    return problems


def port_name(value: str) -> list[str]:
    """IANA_SVC_NAME, as ports of containers and Services are named."""
    found: list[str] = []
    if len(value) > _PORT_NAME_LIMIT:
        found.append(f"must be no more than {_PORT_NAME_LIMIT} characters")
    if re.fullmatch(r"[-a-z0-9]+", value) is None:
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if re.search(r"[a-z]", value) is None:
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def _too_long(value: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} characters"] if len(value) > limit else []


def _mismatch(pattern: re.Pattern[str], value: str, text: str, examples: tuple[str, ...]) -> list[str]:
    return [] if pattern.fullmatch(value) else [_regex_text(text, pattern.pattern, examples)]


def _regex_text(text: str, pattern: str, examples: tuple[str, ...]) -> str:
    samples = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {samples}regex used for validation is '{pattern}')"
