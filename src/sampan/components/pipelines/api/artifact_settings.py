"""What can be set about where artifacts lie: the table `[artifacts]` of settings.toml. Secrets are named, not given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArtifactSettings:
    root: str = ""
    """Where runs that name no pipeline root keep artifacts, such as `s3://bucket/folder`; `{namespace}` is replaced.
    Empty for the home folder, or the embedded S3."""
    embedded_s3: bool = False
    """Whether to run an S3 of our own (`sampan up --s3`), with a bucket for each namespace."""
    s3_endpoint: str = ""
    """URL of an S3 store; empty for Amazon's. `s3://` URIs are kept there once this or a key is set."""
    s3_region: str = ""
    """Region of the S3 store; empty for us-east-1."""
    s3_path_style: bool = True
    """Whether buckets are in the URL's path; false puts them into its host name."""
    s3_access_key_env: str = ""
    """Name of the variable that holds the access key."""
    s3_secret_key_env: str = ""
    """Name of the variable that holds the secret key."""
    s3_session_token_env: str = ""
    """Name of the variable that holds a session token."""
    s3_access_key_file: str = ""
    """File that holds the access key, in place of a variable."""
    s3_secret_key_file: str = ""
    """File that holds the secret key, in place of a variable."""
    gs_credentials_file: str = ""
    """Key file of a Google service account; empty for what GOOGLE_APPLICATION_CREDENTIALS names."""
    gs_endpoint: str = ""
    """URL in place of Google's, as for an emulator."""
    hf_endpoint: str = ""
    """URL of a Hugging Face hub; empty for HF_ENDPOINT, or the public one. A token is read from HF_TOKEN."""
    max_import_gib: int = 50
    """What one imported artifact may be, in GiB."""
    read_cache_gib: int = 10
    """Disk for copies of remote objects that steps have read or written, in GiB; 0 keeps none."""
