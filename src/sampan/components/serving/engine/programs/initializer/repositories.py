"""Git repositories over https, by the machine's own `git`: the newest state of the default branch, as upstream.

The name of the host is resolved once, checked, and pinned; redirects are not followed, no other protocol is spoken, and
links in the repository become plain files. Source of the variables: kserve/kserve v0.20.0 python/storage/
kserve_storage/kserve_storage.py (_download_git_repo).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlunsplit

from sampan.components.serving.engine.programs.initializer import places
from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    denied,
    missing,
    shown,
    unauthorized,
)
from sampan.components.serving.engine.programs.initializer.web import Web, checked

PATTERN = re.compile(r"(?:git\+)?https?://.+\.git(?:/)?(?:@[\w./-]+)?\Z")
_DEPTH = ("--depth=1",)
_SECONDS = 3600.0
_ASKPASS = """#!/bin/sh
case "$1" in Username*) printf '%s\\n' "$SAMPAN_GIT_USERNAME" ;; *) printf '%s\\n' "$SAMPAN_GIT_PASSWORD" ;; esac
"""


def clone(uri: str, target: Path, environ: Mapping[str, str], web: Web) -> None:
    """Raises StorageError, OSError."""
    program = shutil.which("git", path=environ.get("PATH"))
    if program is None:
        raise StorageError("Git repositories need the program git, which is not installed on this machine")
    address, _, branch = uri.removeprefix("git+").partition(".git")
    branch = branch.lstrip("/").removeprefix("@")
    parts = checked(f"{address}.git")
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    pinned = f"{host}:{port}:{web.address_of(host, port)}"
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    clean = urlunsplit(parts._replace(netloc=netloc))
    user, password = parts.username or environ.get("GIT_USERNAME", ""), environ.get("GIT_PASSWORD", "")
    folder = target / f"{places.PART}clone"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            askpass = Path(temporary, "askpass")
            askpass.write_text(_ASKPASS)
            askpass.chmod(0o700)
            env = _environment(environ, temporary, user, password, web)
            chosen = ["--branch", branch] if branch else []
            options = [*_options(pinned, quote(user, safe="")), "clone", *_DEPTH, *chosen]
            done = subprocess.run(
                [program, *options, "--", clean, str(folder)],
                env=env,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        if done.returncode:
            raise _refused(done.stderr, clean, password)
        places.put_tree(folder, target, share=True)
    except subprocess.TimeoutExpired as error:
        raise StorageError(f"Git gave no end within {_SECONDS:.0f} s") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options(pinned: str, user: str) -> list[str]:
    settings = {
        "core.symlinks": "false",
        "core.hooksPath": "/dev/null",
        "http.curloptResolve": pinned,
        "http.followRedirects": "false",
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "protocol.http.allow": "always",
        "submodule.recurse": "false",
        **({"credential.username": user} if user else {}),
    }
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _environment(
    environ: Mapping[str, str], temporary: str, user: str, password: str, web: Web
) -> dict[str, str]:
    """Nothing of a user's own configuration counts, and nobody is asked for a password."""
    env = {
        "PATH": environ.get("PATH", os.defpath),
        "HOME": temporary,
        "LANG": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ASKPASS": str(Path(temporary, "askpass")),
        "SAMPAN_GIT_USERNAME": user,
        "SAMPAN_GIT_PASSWORD": password,
    }
    if bundle := web.trust.only or next(iter(web.trust.files), ""):
        env["GIT_SSL_CAINFO"] = bundle
    return env


def _refused(said: str, url: str, password: str) -> StorageError:
    words = said.lower()
    why = said.strip().rpartition("\n")[2]
    why = why.replace(password, "***") if password else why
    if "authentication failed" in words or "could not read" in words or "401" in words:
        return unauthorized("Git")
    if "not found" in words or "404" in words:
        return missing("Git", shown(url))
    if "403" in words:
        return denied("Git", shown(url))
    if "could not resolve" in words or "failed to connect" in words or "timed out" in words:
        return StorageError(f"Failed to connect to Git endpoint '{shown(url)}'. ({why[:300]})")
    return StorageError(f"Git error: {why[:300]}")
