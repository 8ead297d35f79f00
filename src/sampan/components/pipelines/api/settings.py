"""What can be set about pipelines: the table `[pipelines]` of settings.toml."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    max_parallel_pods: int = 200
    """Pods of all runs that may exist at once; further steps wait their turn, fairly by namespace and then by run."""
    namespace_weights: tuple[str, ...] = ()
    """NAMESPACE=WEIGHT: one with weight 2 may have twice the pods of one with 1, which is what the others have."""
    light_workers: int = 4
    """Workers that light steps of a run may have side by side; 0: light steps run in pods of their own."""
    cache: bool = True
    """Whether steps may reuse earlier results at all. A step's own caching options count below this."""
    cache_max_age_hours: int = 0
    """How old a result may be to be reused, in hours; 0 for any age."""
    schedule_time_zone: str = "UTC"
    """Time zone of the cron schedules that name none themselves, such as Europe/Berlin."""
    public_url: str = ""
    """Where people reach this server, for links in notifications; empty for the address it listens on."""
    allow_private_urls: bool = False
    """Whether packages may be fetched from, and notifications sent to, private and loopback addresses."""
    watch_roots: tuple[str, ...] = ()
    """Folders, and URIs such as s3://bucket/in, below which triggers may watch; `{namespace}` is replaced. Without any,
    the single user may watch everything, and users of namespaces nothing."""
    workflows: str = "auto"
    """Whether Argo's Workflows and CronWorkflows are run: `on`, `off`, or `auto`, which is on unless their
    definitions were installed by somebody else, whose controller then runs them."""
    default_deadline_seconds: int = 0
    """How long a run may take whose pipeline says nothing about it; 0 for no limit. Exit tasks come on top."""
    default_step_timeout_seconds: int = 0
    """How long an attempt of a step may take that has no timeout of its own; 0 for no limit."""
    service_account: str = ""
    """As whom steps call the Kubernetes API when their run names nobody. Empty: `pipeline-runner` in the embedded
    cluster, the namespace's default elsewhere and with many users."""
    multi_user: bool = False
    """Whether requests count for the user that sends them and for the namespace that they name, as RBAC allows."""


def read_weights(given: tuple[str, ...]) -> dict[str, float]:
    """`NAMESPACE=WEIGHT` texts. Raises ValueError, which names the one that is none."""
    found: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if not name or not 0.001 <= weight <= 1000:
            raise ValueError(f"{text!r}: write NAMESPACE=WEIGHT, with a weight between 0.001 and 1000")
        found[name] = weight
    return found


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server of notifications: the table `[mail]` of settings.toml."""

    host: str = ""
    """The mail server; without one no mails are sent."""
    port: int = 0
    """Its port; 0 for the usual one: 587 with starttls, 465 with tls, 25 with none."""
    security: str = "starttls"
    """starttls, tls (from the first byte), or none."""
    sender: str = ""
    """From whom mails are, such as `Sampan <sampan@example.com>`."""
    username: str = ""
    """To log in with; empty to send without."""
    password: str = field(default="", repr=False)
    """Its password; better in the variable SAMPAN_MAIL_PASSWORD, or in a Secret."""
    password_secret: str = ""
    """A Secret that holds the password, as NAMESPACE/NAME/KEY."""
    authority: str = ""
    """A PEM file of what signed the mail server's certificate, where the system does not know it."""
