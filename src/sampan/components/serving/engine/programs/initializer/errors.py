"""Why a model's files cannot be had, in words that end up in the InferenceService's status.

Source of the sentences: kserve/kserve v0.20.0 python/storage/kserve_storage/storage_errors.py.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

_HINTS = {
    "S3": "Set AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY or use awsAnonymousCredential=true.",
    "GCS": "Verify GOOGLE_APPLICATION_CREDENTIALS or use anonymous access.",
    "Azure": "Verify AZURE_CLIENT_ID/AZURE_CLIENT_SECRET or AZURE_STORAGE_ACCESS_KEY.",
    "HDFS": "Verify Kerberos keytab and principal configuration.",
    "HuggingFace": "Set HF_TOKEN or request access to the gated repository.",
    "HTTP": "Verify authentication credentials.",
    "Git": "Set GIT_USERNAME/GIT_PASSWORD or use a public repository.",
    "OCI": "Log in to the registry, or make the image public.",
}


class StorageError(Exception):
    """The message says what is wrong and what to do. It shows no secret."""


class UnreachableError(StorageError):
    """It may be otherwise in a moment: whoever asked tries again, a few times."""


def unauthorized(protocol: str, why: str = "") -> StorageError:
    return StorageError(f"{protocol} authentication failed. {_HINTS[protocol]}{_because(why)}")


def denied(protocol: str, what: str, why: str = "") -> StorageError:
    return StorageError(
        f"Access denied to {protocol} resource '{what}'. Verify permissions. {_HINTS[protocol]}{_because(why)}"
    )


def missing(protocol: str, what: str, why: str = "") -> StorageError:
    return StorageError(f"{protocol} resource '{what}' not found.{_because(why)}")


def empty(uri: str) -> StorageError:
    return StorageError(f"Failed to fetch model. No model found in {shown(uri)}.")


def shown(uri: str) -> str:
    """For logs and messages: without a password, and without a query, which may be a signature."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.partition("?")[0]
    if not parts.query and "@" not in parts.netloc:
        return uri
    if parts.scheme == "hf":
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _because(why: str) -> str:
    return f" ({why[:300]})" if why else ""
