"""The pip and uv configuration that pods get, so that `pip install` in a step finds what the user's pip
finds.

Called by the facade, once. Files, not variables: an index URL may hold a password, and programs print their
variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sampan.cluster.node.environments.errors import EnvironmentBuildError
from sampan.cluster.node.environments.index import IndexOptions, pip_conf, uv_configuration_file, uv_toml
from sampan.lib.files import replace_text

# Which authorities this machine trusts: without them pip in a pod cannot pass a company's proxy.
_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


def write_pod_configuration(
    root: Path, environ: Mapping[str, str], options: IndexOptions, *, offline: bool
) -> dict[str, str]:
    """Writes pip.conf and uv.toml into `root`; the variables that name them. Raises EnvironmentBuildError."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        replace_text(root / "pip.conf", pip_conf(options), 0o600)
        replace_text(root / "uv.toml", uv_toml(options, offline=offline), 0o600)
    except OSError as error:
        raise EnvironmentBuildError(
            f"Cannot write to {root}: {error.strerror}. Make it writable, or choose another --home."
        ) from error
    cache = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache")
    return {
        "PIP_CONFIG_FILE": str(root / "pip.conf"),
        "UV_CONFIG_FILE": str(uv_configuration_file(environ) or root / "uv.toml"),
        # The user's own caches: nothing is downloaded twice.
        "PIP_CACHE_DIR": environ.get("PIP_CACHE_DIR") or str(cache / "pip"),
        "UV_CACHE_DIR": environ.get("UV_CACHE_DIR") or str(cache / "uv"),
        **{name: environ[name] for name in _TRUST_VARIABLES if name in environ},
    }
